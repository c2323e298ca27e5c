"""The end of a run in few lines that nobody can hijack."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchconnect.ledger.entry import ONBOARD, ROTATE, UNDO, VERIFY, RunOpened
from batchconnect.model.errors import ExitCode
from batchconnect.model.escape import escape_control
from batchconnect.model.event import Swept
from batchconnect.model.outcome import Status, Works
from batchconnect.reports.incident import Incident
from batchconnect.reports.summary import Requests, Summary
from batchconnect.reports.terminal_summary import closing_lines, next_command

RUN = "20251124-160000000-k3f9"
NOTHING = dict.fromkeys(Status, 0)
SAME = "batchconnect run clients.csv"
DENIED = Incident(
    code="403025",
    title="The credential has no right for this organization.",
    org="acme",
    sandbox=None,
    rows=400,
    first_row=17,
    hint="Ask the admin for a product profile. " * 4,
    status=Status.NOT_ATTEMPTED,
)


def summary(counts: dict[Status, int], **fields: Any) -> Summary:
    """A closed run of these counts."""
    base = Summary(
        opened=RunOpened(run_id=RUN, sheets=("clients.csv",), sheet_sha256="0"),
        ledger="/x/ledger.sqlite3",
        started_at_ms=0,
        finished_at_ms=1000,
        duration_s=12.34,
        total=sum(counts.values()),
        counts={**NOTHING, **counts},
        exit_code=0,
        closed=True,
        requests=Requests(sent=0, created=0, throttled=0, retried=0, in_doubt=0),
        lanes=(),
        incidents=(),
        sweep=None,
        rows=lambda: iter([]),
    )
    return replace(base, **fields)


def test_a_good_run_is_said_in_three_lines() -> None:
    """No error, no advice."""
    lines = closing_lines(summary({Status.CREATED: 38, Status.EXISTING: 2}))

    assert lines == [
        f"run {RUN}: 40 rows in 12.3 s",
        "  38 created",
        "   2 existing      stood there already; the key was not compared, not sent",
    ]


def test_trouble_says_what_why_where_and_what_next() -> None:
    """One entry per cause with its org, rows and hint, then the report and the command."""
    run = summary({Status.FAILED: 1, Status.NOT_ATTEMPTED: 399}, incidents=(DENIED,), exit_code=7)

    lines = closing_lines(
        run, folder=Path("reports") / RUN, next_command=next_command(run, same=SAME)
    )

    assert "! acme: The credential has no right for this organization (403025): 400 rows," in lines
    assert "  first row 17" in lines
    assert any(line.startswith("  -> Ask the admin") for line in lines)
    assert lines[-2:] == [f"report: reports/{RUN}", f"next:   batchconnect rerun {RUN}"]
    assert max(map(len, lines)) <= 80


def test_one_reason_that_keeps_a_row_from_being_created_and_another_from_working_reads_as_two() -> (
    None
):
    """Also where it is a change or a delete that was refused."""
    refused = replace(DENIED, code="AADSTS7000215", title="The key is wrong", rows=1, first_row=3)
    refused = replace(refused, status=Status.FAILED)
    dead = replace(refused, status=Status.CREATED, works=Works.NO, first_row=5)
    unknown = replace(dead, works=Works.NOT_TESTED, rows=2)
    run = summary({Status.CREATED: 4}, incidents=(refused, dead, replace(dead, rows=2), unknown))
    rotated = replace(run, opened=replace(run.opened, command=ROTATE), incidents=(refused,))

    lines = [line for line in closing_lines(run) if "first row" in line]
    (changed,) = (line for line in closing_lines(rotated) if "first row" in line)

    assert lines == [
        "! acme: The key is wrong (AADSTS7000215): 1 row not created, first row 3",
        "! acme: The key is wrong (AADSTS7000215): 1 row does not work, first row 5",
        "! acme: The key is wrong (AADSTS7000215): 2 rows do not work, first row 5",
        "! acme: The key is wrong (AADSTS7000215): 2 rows not tested, first row 5",
    ]
    assert changed.endswith("1 row not updated, first row 3")
    assert max(map(len, lines)) <= 80


def test_many_causes_are_cut_and_counted() -> None:
    """A screen shows the largest; the report has them all."""
    run = summary({Status.FAILED: 12}, incidents=(DENIED,) * 12)

    lines = closing_lines(run)

    assert sum(line.startswith("! ") for line in lines) == 8
    assert "and 4 more kinds of trouble: see the report" in lines


def test_the_sweep_is_printed() -> None:
    """Expected, found, duplicated, missing; what could not be listed is not called missing."""
    swept = Swept(expected=3, found=2, duplicated=(), missing=("bc1-x",))

    whole = closing_lines(summary({Status.CREATED: 3}, sweep=swept))
    cut = closing_lines(summary({Status.CREATED: 3}, sweep=replace(swept, complete=False)))

    assert whole[-1] == "sweep: 3 expected, 2 found, 0 duplicated, 1 missing"
    assert cut[-1].endswith("missing unknown (not listed)")


@pytest.mark.parametrize(
    ("duration_s", "said"), [(0.04, "0.0 s"), (75.0, "1 min 15 s"), (7300.0, "2 h 1 min")]
)
def test_time_is_said_as_people_say_it(duration_s: float, said: str) -> None:
    """Seconds, minutes, hours; a simulated run and one that was cut off say so."""
    run = summary({Status.CREATED: 1}, duration_s=duration_s, closed=False)
    run = replace(run, opened=replace(run.opened, simulated=True))

    assert closing_lines(run)[0] == f"run {RUN} (simulated): 1 row in {said}, not finished"


def test_a_live_run_says_so_far() -> None:
    """`status` reads a run while it works; there is nothing to do yet."""
    run = summary({Status.CREATED: 1}, exit_code=None, closed=False)

    assert closing_lines(run)[0].endswith("so far")
    assert next_command(run, same=SAME) is None


@pytest.mark.parametrize(
    ("counts", "exit_code", "closed", "command"),
    [
        ({Status.CREATED: 2}, ExitCode.OK, True, None),
        ({Status.REJECTED: 2}, ExitCode.SHEET, True, f"correct the sheet, then: {SAME}"),
        ({Status.NOT_ATTEMPTED: 2}, ExitCode.INTERRUPTED, False, SAME),
        ({Status.NOT_ATTEMPTED: 2}, ExitCode.AS_ASKED, True, SAME),
        (
            {Status.FAILED: 2},
            ExitCode.UNFINISHED,
            True,
            f"batchconnect rerun {RUN} --reports 'a b'",
        ),
        (
            {Status.IN_DOUBT: 1},
            ExitCode.IN_DOUBT,
            True,
            f"batchconnect reconcile {RUN} --reports 'a b'",
        ),
        (
            {Status.CREATED: 1},
            ExitCode.IN_DOUBT,
            True,
            f"batchconnect reconcile {RUN} --reports 'a b'",
        ),
    ],
)
def test_the_next_command_is_exact(
    counts: dict[Status, int], exit_code: ExitCode, closed: bool, command: str | None
) -> None:
    """Go on, start anew, rerun, reconcile, or nothing at all."""
    run = summary(counts, exit_code=exit_code, closed=closed)

    assert next_command(run, same=SAME, options=["--reports", "a b"]) == command


@pytest.mark.parametrize(
    ("command", "parent", "begins"),
    [
        (ONBOARD, None, f"run {RUN}: 2 rows"),
        (ONBOARD, "20251123-1", f"run {RUN}: 2 rows"),
        (ROTATE, None, f"rotate {RUN}: 2 rows"),
        (VERIFY, None, f"verify {RUN}: 2 rows"),
        (VERIFY, "20251123-1", f"verify {RUN} of run 20251123-1: 2 rows"),
        (UNDO, "20251123-1", f"undo {RUN} of run 20251123-1: 2 rows"),
    ],
)
def test_the_headline_says_what_was_done_to_which_run(
    command: str, parent: str | None, begins: str
) -> None:
    """The run's own id first, as `status` and `report` take it."""
    run = summary({Status.CREATED: 2})
    run = replace(run, opened=replace(run.opened, command=command, parent_run_id=parent))

    assert closing_lines(run)[0].startswith(begins)


@pytest.mark.parametrize(
    ("works", "said"),
    [
        ({Works.YES: 170, Works.NO: 30}, ["  works: 170 yes, 30 no"]),
        ({Works.NOT_TESTED: 2, Works.YES: 1, Works.NO: 0}, ["  works: 1 yes, 2 not tested"]),
        ({}, []),
    ],
)
def test_what_works_is_said_where_anything_was_tested(
    works: dict[Works, int], said: list[str]
) -> None:
    """Below the statuses: a connection that does not work is created all the same."""
    lines = closing_lines(summary({Status.CREATED: 200}, works=works))

    assert lines[1:] == ["  200 created", *said]


RERUN = f"batchconnect rerun {RUN}"
FAILING = {Works.YES: 1, Works.NO: 1}
UNASKED = {Works.YES: 1, Works.NOT_TESTED: 1}
SWEPT = Swept(expected=2, found=1, duplicated=(), missing=("bc1-x",))


@pytest.mark.parametrize(
    ("opened", "counts", "works", "fields", "command"),
    [
        # A run: its own rest first, then keys that do not work, then what could not be asked.
        ({}, {Status.CREATED: 2}, FAILING, {}, f"correct the keys, then: {RERUN}"),
        ({}, {Status.CREATED: 1, Status.FAILED: 1}, FAILING, {}, RERUN),
        ({}, {Status.CREATED: 1, Status.IN_DOUBT: 1}, FAILING, {}, f"batchconnect reconcile {RUN}"),
        ({}, {Status.CREATED: 2}, FAILING, {"sweep": SWEPT}, f"batchconnect reconcile {RUN}"),
        ({}, {Status.CREATED: 2}, UNASKED, {}, f"batchconnect verify {RUN}"),
        ({}, {Status.CREATED: 2}, FAILING, {"exit_code": ExitCode.AS_ASKED}, SAME),
        # Rows that were not to be done are no rest; whoever takes up more is told what keeps them out.
        (
            {},
            {Status.CREATED: 2, Status.NOT_ATTEMPTED: 9},
            UNASKED,
            {"left_out": {"not_selected": 9}},
            f"batchconnect verify {RUN}",
        ),
        (
            {},
            {Status.CREATED: 2, Status.FAILED: 1, Status.NOT_ATTEMPTED: 9},
            {},
            {"left_out": {"not_selected": 4, "max_rows": 5}},
            f"add the --only and --max-rows of that run, then: {RERUN}",
        ),
        # A verify: of a run's rows, or of a sheet's.
        (
            {"command": VERIFY, "parent_run_id": "r-1"},
            {Status.CREATED: 2},
            FAILING,
            {},
            "correct the keys, then: batchconnect rerun r-1",
        ),
        (
            {"command": VERIFY, "sheet_path": "/a b/s.xlsx", "worksheet": "May"},
            {Status.EXISTING: 2},
            FAILING,
            {},
            "correct the keys, then: batchconnect rotate '/a b/s.xlsx' --failing --worksheet May",
        ),
        ({"command": VERIFY, "parent_run_id": "r-1"}, {Status.CREATED: 2}, UNASKED, {}, SAME),
        # A rotate: what was not sent, what still does not work, what could not be asked.
        ({"command": ROTATE}, {Status.UPDATED: 1, Status.IN_DOUBT: 1}, FAILING, {}, SAME),
        ({"command": ROTATE}, {Status.UPDATED: 1, Status.FAILED: 1}, {}, {}, SAME),
        (
            {"command": ROTATE, "org": "acme"},
            {Status.UPDATED: 1, Status.UNCHANGED: 1},
            FAILING,
            {},
            "correct the keys, then: batchconnect rotate clients.csv --failing --org acme",
        ),
        ({"command": ROTATE}, {Status.UPDATED: 2}, UNASKED, {}, "batchconnect verify clients.csv"),
        # An undo: of what is kept a person decides; the rest is shown again, with its number.
        (
            {"command": UNDO, "parent_run_id": "r-1"},
            {Status.DELETED: 94, Status.KEPT: 6},
            {},
            {},
            None,
        ),
        (
            {"command": UNDO, "parent_run_id": "r-1"},
            {Status.DELETED: 94, Status.IN_DOUBT: 6},
            {},
            {},
            "batchconnect undo r-1",
        ),
        (
            {"command": UNDO, "parent_run_id": "r-1"},
            {Status.DELETED: 94, Status.NOT_ATTEMPTED: 6},
            {},
            {"closed": False},
            SAME,
        ),
    ],
)
def test_every_command_has_its_own_next_one(
    opened: dict[str, Any],
    counts: dict[Status, int],
    works: dict[Works, int],
    fields: dict[str, Any],
    command: str | None,
) -> None:
    """Behind what has to be done first: where connections do not work, the keys are corrected."""
    run = summary(counts, works=works, **{"exit_code": ExitCode.UNFINISHED, **fields})
    run = replace(run, opened=replace(run.opened, **opened))

    assert next_command(run, same=SAME) == command


def test_hostile_names_cannot_steer_a_terminal() -> None:
    """Escapes, overrides, line ends and lone surrogates are shown, not obeyed; people's letters stay."""
    assert (
        escape_control("\x1b]0;x\x07\u202e\n\u2028\udcff\x9b")
        == r"\x1b]0;x\x07\u202e\n\u2028\udcff\x9b"
    )
    assert escape_control("Süd 🚀 北京") == "Süd 🚀 北京"

    hostile = replace(DENIED, org="a\x1b[2J", title="t\n! b: all is well")
    lines = closing_lines(summary({Status.FAILED: 1}, incidents=(hostile,)))

    assert not any("\x1b" in line or "\n" in line for line in lines)
