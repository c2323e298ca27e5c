"""One exit code for a run; where several hold, 130/143, 3, 5, 7, 6, 4, 8 in that order."""

from collections.abc import Mapping
from itertools import product

import pytest

from batchconnect.ledger import entry as e
from batchconnect.ledger.entry import Line
from batchconnect.ledger.run_state import fold_run
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Swept
from batchconnect.model.outcome import Status, Works
from batchconnect.run.exit_code import (
    INTERRUPTED,
    LEDGER_GONE,
    MAX_FAILURES,
    MAX_ROWS,
    REJECTED_ROWS,
    TERMINATED,
    StatusCounts,
    count_ends,
    count_statuses,
    exit_code,
)

CREATED, EXISTING, FAILED = Status.CREATED, Status.EXISTING, Status.FAILED
REJECTED, CONFLICT = Status.REJECTED, Status.CONFLICT
IN_DOUBT, NOT_ATTEMPTED = Status.IN_DOUBT, Status.NOT_ATTEMPTED
CLEAN = Swept(expected=2, found=2, duplicated=(), missing=())
DUPLICATED = Swept(expected=2, found=2, duplicated=("m",), missing=())
MISSING = Swept(expected=2, found=1, duplicated=(), missing=("m",))


def judge(
    *statuses: Status,
    left_out: int = 0,
    without_turn: int = 0,
    reason: str = "",
    refused: bool = False,
    somebody_else: bool = False,
    swept: Swept | None = None,
    works: Mapping[Works, int] | None = None,
) -> ExitCode:
    return exit_code(
        StatusCounts(
            counts={status: statuses.count(status) for status in statuses},
            left_out=left_out,
            without_turn=without_turn,
            works=works or {},
        ),
        reason=reason,
        every_lane_refused=refused,
        somebody_else=somebody_else,
        swept=swept,
    )


@pytest.mark.parametrize("statuses", [(), (CREATED,), (EXISTING,), (CREATED, EXISTING)])
def test_every_row_has_its_connection(statuses: tuple[Status, ...]) -> None:
    """Exit 0; so has a rerun with nothing to do."""
    assert judge(*statuses) == ExitCode.OK
    assert judge(*statuses, swept=CLEAN) == ExitCode.OK


@pytest.mark.parametrize("status", [FAILED, REJECTED, CONFLICT, NOT_ATTEMPTED])
def test_a_row_without_a_connection_is_exit_4(status: Status) -> None:
    """Rejected ones too, where `--skip-invalid` ran the rest."""
    assert judge(CREATED, status) == ExitCode.UNFINISHED


def test_rejected_rows_without_skip_invalid_are_exit_3() -> None:
    """Nothing was sent."""
    assert judge(REJECTED, NOT_ATTEMPTED, reason=REJECTED_ROWS) == ExitCode.SHEET


def test_what_only_left_out_is_no_failure() -> None:
    """Nobody asked for those rows; but a row that failed among the others is one."""
    assert judge(CREATED, NOT_ATTEMPTED, left_out=1) == ExitCode.OK
    assert judge(NOT_ATTEMPTED, NOT_ATTEMPTED, left_out=1) == ExitCode.UNFINISHED
    assert judge(FAILED, NOT_ATTEMPTED, left_out=1) == ExitCode.UNFINISHED


def test_a_canary_that_ended_as_asked_is_exit_8() -> None:
    """What `--max-rows` left out is no failure; a row that failed is, and wins."""
    assert judge(CREATED, NOT_ATTEMPTED, without_turn=1, reason=MAX_ROWS) == ExitCode.AS_ASKED
    assert judge(CREATED, reason=MAX_ROWS) == ExitCode.OK
    assert judge(CREATED, NOT_ATTEMPTED, left_out=1, reason=MAX_ROWS) == ExitCode.OK
    assert judge(FAILED, NOT_ATTEMPTED, without_turn=1, reason=MAX_ROWS) == ExitCode.UNFINISHED
    assert judge(IN_DOUBT, NOT_ATTEMPTED, reason=MAX_ROWS) == ExitCode.IN_DOUBT


def test_a_stopped_lane_beside_a_canary_is_exit_4() -> None:
    """The row of the stopped lane was not held back: its turn came, and the lane was refused."""
    statuses = (CREATED, NOT_ATTEMPTED, NOT_ATTEMPTED)

    assert judge(*statuses, without_turn=1, reason=MAX_ROWS) == ExitCode.UNFINISHED


@pytest.mark.parametrize("swept", [DUPLICATED, MISSING])
def test_what_the_sweep_found_is_exit_6(swept: Swept) -> None:
    """Although every row has its connection, as far as we were told."""
    assert judge(CREATED, CREATED, swept=swept) == ExitCode.IN_DOUBT


def test_a_doubt_weighs_more_than_a_failure() -> None:
    """6 before 4."""
    assert judge(CREATED, FAILED, IN_DOUBT) == ExitCode.IN_DOUBT
    assert judge(FAILED, swept=MISSING) == ExitCode.IN_DOUBT


def test_a_run_that_was_stopped_by_refusals_is_exit_7() -> None:
    """Every lane, or too many failures; whatever is in doubt besides."""
    assert judge(FAILED, NOT_ATTEMPTED, IN_DOUBT, refused=True) == ExitCode.STOPPED
    assert judge(FAILED, NOT_ATTEMPTED, IN_DOUBT, reason=MAX_FAILURES) == ExitCode.STOPPED


def test_lanes_that_were_refused_after_their_last_row_stopped_nothing() -> None:
    """Every row has its connection."""
    assert judge(CREATED, EXISTING, refused=True) == ExitCode.OK


@pytest.mark.parametrize(
    ("reason", "code"),
    [(INTERRUPTED, ExitCode.INTERRUPTED), (TERMINATED, ExitCode.TERMINATED)],
)
def test_an_interruption_wins_over_all(reason: str, code: ExitCode) -> None:
    """The person who asked for it knows."""
    everything = tuple(Status)

    assert judge(*everything, reason=reason, refused=True, swept=DUPLICATED) == code
    assert judge(reason=reason) == code


def test_a_run_that_is_not_alone_or_lost_its_ledger_is_exit_5() -> None:
    """Before all but an interruption: who reads the code has to look at the ledger first."""
    assert judge(CREATED, NOT_ATTEMPTED, somebody_else=True, refused=True) == ExitCode.LEDGER
    assert judge(CREATED, IN_DOUBT, reason=LEDGER_GONE) == ExitCode.LEDGER
    assert judge(NOT_ATTEMPTED, reason=INTERRUPTED, somebody_else=True) == ExitCode.INTERRUPTED


def test_what_the_tests_of_connections_make_of_it() -> None:
    """Does not work is 4, could not be tested 6, and where every lane refused to test it is 7."""
    assert judge(CREATED, works={Works.YES: 1}) == ExitCode.OK
    assert judge(CREATED, works={Works.YES: 1, Works.NO: 1}) == ExitCode.UNFINISHED
    assert judge(CREATED, works={Works.NO: 1, Works.NOT_TESTED: 1}) == ExitCode.IN_DOUBT
    assert judge(CREATED, works={Works.NOT_TESTED: 1}, refused=True) == ExitCode.STOPPED


def test_rows_are_counted_alike_whether_their_lines_are_read_or_only_their_ends() -> None:
    """Of every story of a row: any three steps one after the other, behind the line that accounts for it."""
    made = o.Created(connection_id="c")
    doubt = o.InDoubt(code="timeout")
    moment = e.Moment(boot_id="b", clock_s=1.0)
    broken = e.Tested(connection_id="c", works=Works.NO, code="x")
    steps: tuple[e.Entry, ...] = (
        e.Sending(number=1),
        e.Settled(outcome=made),
        e.Settled(outcome=made, inherited=True, tested=broken),
        e.Settled(outcome=o.Failed(code="x", detail="", http_status=400)),
        e.Settled(outcome=o.Rejected(problems=())),
        e.Settled(outcome=o.NotAttempted(code="not_selected")),
        e.Doubted(outcome=doubt, moment=moment),
        e.Updating(connection_id="c", etag='"1"'),
        e.ChangeDoubted(outcome=doubt, moment=moment),
        broken,
        e.KeyLooked(unanswered=o.NotAttempted(code="store_down")),
        e.RowPlanned(name="a", org="acme", sandbox="prod"),
    )
    with SqliteLedger(MEMORY) as ledger:
        number = ledger.append(
            [Line(entry=e.RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab"), at_ms=1)]
        )
        planned = e.RowPlanned(name="a", org="acme", sandbox="prod")
        ledger.take_over(
            [
                Line(entry=entry, run=number, row=row, marker=f"bc1-{row}", at_ms=2)
                for row, story in enumerate(product(steps, repeat=3))
                for entry in (planned, *story)
            ]
        )
        state = fold_run(ledger.run_lines(number))

        assert count_ends(state, ledger.ends(number)) == count_statuses(
            state.rows(ledger.row_lines(number))
        )
