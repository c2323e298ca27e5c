"""Which rows a rerun takes up: what its parent left unfinished, found again by key in today's sheet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from batchconnect.lane.matching import wanted
from batchconnect.lane.orphan import Orphan
from batchconnect.ledger.entry import Doubted, Line, Moment, RowPlanned, Settled
from batchconnect.ledger.group_commit import Append
from batchconnect.ledger.row_state import UNANSWERED, RowState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.column import Column
from batchconnect.model.identity import marker
from batchconnect.model.org import Org
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    MatchedBy,
    NotAttempted,
    Outcome,
    Rejected,
)
from batchconnect.model.row import Cell, Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.run.intake.accounting import CarriedOver, Skipped
from batchconnect.run.rerun.rerun import ParentRun, inherited, wanted_of
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import cells

ORG = Org(key="acme", org_id="5C1328435BF324E90A49402A@AdobeOrg", client_id="id")
GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CREATED = Created(connection_id="c-1")
FAILED = Failed(code="FLOW-1308-400", detail="refused")
DOUBT = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=0), attempts=2)
ROW_GONE = NotAttempted(code="row_gone", detail="The row is no longer in the sheet.")


def connection(
    name: str, number: int = 2, *, sandbox: str = "prod", database: str | None = None
) -> BaseConnection:
    target = Target(
        endpoint="https://acme.westeurope.kusto.windows.net",
        database=database or f"of {name}",
        tenant=GUID,
        service_principal_id=GUID,
    )
    return BaseConnection(
        row=number,
        org=ORG,
        sandbox=sandbox,
        name=name,
        target=target,
        service_principal_key=Secret("planted~secret"),
        marker=marker(
            org_id=ORG.org_id,
            sandbox=sandbox,
            name=name,
            target=target,
        ),
    )


def planned(name: str, **where: Any) -> RowPlanned:
    asked = connection(name, **where)
    return RowPlanned(
        name=name,
        org="acme",
        org_id=ORG.org_id,
        sandbox=asked.sandbox,
        **asked.target._asdict(),
    )


def before(number: int, name: str, outcome: Outcome | None = FAILED, **where: Any) -> RowState:
    """A row of the parent run; None: it is in doubt."""
    state = RowState(
        number=number,
        marker=None if isinstance(outcome, Rejected) else connection(name, **where).marker,
        planned=planned(name, **where),
        attempts=2,
        throttled=1,
        warnings=("w",),
        started_at_ms=10,
        finished_at_ms=20,
    )
    return replace(state, doubt=DOUBT) if outcome is None else replace(state, outcome=outcome)


def row(number: int) -> Row:
    return Row(number=number, cells={})


class Sheet(MemorySheet):
    """Rows that were judged already."""

    def __init__(self, judged: Mapping[int, tuple[Row, BaseConnection | Rejected]]) -> None:
        super().__init__([cells(1)])
        self.judged = judged

    def rows(self) -> Iterator[Row]:
        """In the order of their numbers."""
        return (row for row, _ in self.judged.values())

    def parse(self, row: Row) -> BaseConnection | Rejected:
        """What was found of it."""
        return self.judged[row.number][1]


def chain(rows: Iterable[RowState], *today: BaseConnection, wrong: Iterable[Row] = ()) -> ParentRun:
    """A rerun that has looked at today's sheet: its valid rows, and its rejected ones."""
    judged: dict[int, tuple[Row, BaseConnection | Rejected]] = {
        one.row: (row(one.row), one) for one in today
    }
    judged |= {one.number: (one, Rejected(problems=())) for one in wrong}
    parent_run = ParentRun(rows)
    sheet = Sheet(judged)
    parent_run.look_ahead(sheet, sheet.parse)
    return parent_run


def carry_over(
    parent_run: ParentRun, number: int, name: str
) -> Settled | CarriedOver | Skipped | None:
    """Today's sheet has this row."""
    return parent_run.carry_over(row(number), connection(name, number))


def gone(parent_run: ParentRun) -> list[tuple[int, Outcome | None]]:
    return [
        (each.number, each.settled.outcome if each.settled else None) for each in parent_run.gone()
    ]


@pytest.mark.parametrize(
    "outcome", [CREATED, Existing(connection_id="c-1", matched_by=MatchedBy.MARKER)]
)
def test_what_the_parent_finished_is_inherited(outcome: Outcome) -> None:
    """With its attempts, its warnings and its times."""
    parent_run = chain([before(2, "One", outcome)], connection("One"))

    assert carry_over(parent_run, 2, "One") == Settled(
        outcome=outcome,
        attempts=2,
        throttled=1,
        warnings=("w",),
        started_at_ms=10,
        inherited=True,
        finished_at_ms=20,
    )
    assert gone(parent_run) == []


@pytest.mark.parametrize(
    "outcome",
    [
        FAILED,
        Rejected(problems=()),
        Conflict(code="name_taken", detail=""),
        NotAttempted(code="lane_stopped"),
        InDoubt(code="possible_match"),
        None,
    ],
)
def test_what_the_parent_left_unfinished_is_taken_up(outcome: Outcome | None) -> None:
    """Failed, rejected, in conflict, not attempted, in doubt at the end, in doubt still."""
    parent_run = chain([before(2, "One", outcome)], connection("One"))

    assert parent_run.unfinished == 1
    assert carry_over(parent_run, 2, "One") is None
    assert gone(parent_run) == []


def test_a_created_row_that_is_in_doubt_again_is_not_done() -> None:
    """What is open comes first."""
    again = replace(before(2, "One", CREATED), is_sent=True)
    parent_run = chain([again], connection("One"))

    assert parent_run.unfinished == 1
    assert carry_over(parent_run, 2, "One") is None


def test_a_sorted_sheet_changes_nothing() -> None:
    """Rows are found by key, not by number."""
    parent_run = chain(
        [before(2, "One", CREATED), before(3, "Two")], connection("Two", 2), connection("One", 3)
    )

    assert carry_over(parent_run, 2, "Two") is None
    assert isinstance(carry_over(parent_run, 3, "One"), Settled)
    assert (gone(parent_run), parent_run.unfinished) == ([], 1)


def taken_up(parent_run: ParentRun, *today: BaseConnection) -> list[int]:
    """Numbers of today's rows that are no new ones."""
    return [
        one.row for one in today if parent_run.carry_over(row(one.row), one) != Skipped()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parent", "today", "expected"),
    [
        ([before(2, "One")], [connection("One", 7, database="mended")], [7]),
        ([before(2, "Wun", database="d")], [connection("One", 7, database="d")], [7]),
        ([before(2, "One")], [connection("Two", 2)], []),
        ([before(2, "One", CREATED)], [connection("One", 2, database="other")], []),
        ([before(2, "One")], [connection("One", 2), connection("One", 3, sandbox="dev")], [2]),
        ([before(2, "One", sandbox="prdo")], [connection("One", 2)], [2]),
        (
            [before(2, "One"), before(3, "One", sandbox="dev")],
            [connection("One", 9, database="a"), connection("One", 8, sandbox="dev", database="b")],
            [9, 8],
        ),
        (
            [before(2, "One", sandbox="a"), before(3, "One", sandbox="b")],
            [connection("One", 2, sandbox="c", database="mended")],
            [],
        ),
        (
            [before(2, "One")],
            [connection("One", 2, sandbox="c"), connection("One", 3, sandbox="d")],
            [],
        ),
        (
            [before(2, "Wun", database="d"), before(3, "One", database="e")],
            [connection("One", 2, database="d")],
            [],
        ),
        (
            [before(2, "One")],
            [
                connection("One", 2, sandbox="new", database="other"),
                connection("One", 3, database="mended"),
            ],
            [3],
        ),
    ],
    ids=[
        "by name, at another number",
        "by target",
        "a number alone",
        "the name of one that is done",
        "its key is there still",
        "a sandbox that was mistyped",
        "one name in two sandboxes",
        "two that it could be",
        "two that could be it",
        "the name of one, the target of another",
        "the closer one, whichever comes first",
    ],
)
def test_a_corrected_row_stands_for_the_one_that_it_fits(
    parent: list[RowState], today: list[BaseConnection], expected: list[int]
) -> None:
    """By name, or by the whole target, and only where one fits one; a number alone never decides."""
    assert taken_up(chain(parent, *today), *today) == expected


def test_a_corrected_row_is_no_row_that_is_gone() -> None:
    """The old key is no row of its own any more."""
    mended = connection("One", 3, database="mended")
    parent_run = chain([before(2, "One")], mended)

    assert taken_up(parent_run, mended) == [3]
    assert gone(parent_run) == []


def test_a_doubt_about_the_key_before_is_settled_beside_the_corrected_row() -> None:
    """It may have been applied under the old key, and nobody else would look for that."""
    mended = connection("One", 2, database="mended")
    parent_run = chain([before(2, "One", None)], mended)

    assert taken_up(parent_run, mended) == [2]
    assert gone(parent_run) == [(3, None)]


@pytest.mark.parametrize("number", [2, 9])
def test_a_row_that_is_still_wrong_is_judged_again(number: int) -> None:
    """It is rejected in the rerun too, with today's problems, wherever it stands."""
    still = replace(fed_back("One"), number=number)
    parent_run = chain([before(2, "One", Rejected(problems=()))], wrong=[still])

    assert parent_run.carry_over(still, Rejected(problems=())) is None


def test_a_wrong_row_that_nobody_touched_is_known_by_its_cells() -> None:
    """Neither its name nor its target is to be seen, and yet it is no new one."""
    state = replace(before(2, "One", Rejected(problems=())), planned=RowPlanned(name="", org="x"))
    same, other = (Row(number=2, cells={Column.ORG: org}) for org in ("x", "y"))

    for today, expected in ((same, None), (other, Skipped())):
        parent_run = chain([state], wrong=[today])
        assert parent_run.carry_over(today, Rejected(problems=())) == expected


def test_of_two_doubles_the_one_that_stays_is_itself() -> None:
    """The other one is gone, and says so."""
    doubled = Conflict(code="x", detail="")
    parent_run = chain([before(2, "One", doubled), before(3, "One", doubled)], connection("One", 3))

    assert carry_over(parent_run, 3, "One") is None
    assert gone(parent_run) == [(2, ROW_GONE)]


def test_a_new_row_is_left_for_run() -> None:
    """Behind the others, or in the place of one that is done."""
    today = [connection("Two", 3), connection("Three", 2)]
    wrong = Row(number=4, cells={Column.NAME: "Four"})
    parent_run = chain([before(2, "One", CREATED)], *today, wrong=[wrong])

    assert taken_up(parent_run, *today) == []
    assert parent_run.carry_over(wrong, Rejected(problems=())) == Skipped()


def test_what_is_done_and_gone_from_the_sheet_stays_in_the_report() -> None:
    """Under its own number where that is free."""
    parent_run = chain([before(2, "One", CREATED), before(3, "Two")], connection("Two", 3))
    carry_over(parent_run, 3, "Two")
    (row_gone,) = parent_run.gone()

    assert row_gone.number == 2
    assert row_gone.settled == inherited(before(2, "One", CREATED))
    assert row_gone.orphan is None


def test_a_row_that_is_unfinished_and_gone_says_so() -> None:
    """Nobody can send it."""
    parent_run = ParentRun([before(2, "One"), before(3, "Two", Rejected(problems=()))])

    assert gone(parent_run) == [(2, ROW_GONE), (3, ROW_GONE)]


def test_a_number_that_another_row_has_now_is_not_taken_twice() -> None:
    """What is gone gets one behind all others."""
    parent_run = chain(
        [before(2, "One", CREATED), before(3, "Two", CREATED), before(4, "Three")],
        connection("Three", 2),
        connection("New", 3),
    )
    carry_over(parent_run, 2, "Three")
    carry_over(parent_run, 3, "New")

    assert gone(parent_run) == [(5, CREATED), (6, CREATED)]


def test_a_row_in_doubt_that_is_gone_is_an_orphan() -> None:
    """It may have been applied: it is looked for by its marker, and not sent."""
    lost = before(2, "One", None)
    (row_gone,) = ParentRun([lost]).gone()

    assert row_gone.settled is None
    assert row_gone.orphan == Orphan(
        row=2, sandbox="prod", wanted=wanted(connection("One")), state=lost
    )


def test_what_a_row_is_recognised_by_outlives_the_row() -> None:
    """The ledger keeps enough of it: name, target and marker as the connection has them."""
    asked = connection("Telemetrie Su\u0308d")

    assert wanted_of(asked.marker, planned(asked.name)) == wanted(asked)


def test_a_row_that_only_leaves_out_is_kept_by_its_key() -> None:
    """Done or not, it is as the parent left it, doubts included, wherever it stands today."""
    rows = [before(2, "One", CREATED), before(3, "Two"), before(4, "Three", None)]
    today = [connection("One", 4), connection("Two", 2), connection("Three", 3)]
    parent_run = chain(rows, *today)
    kept = [parent_run.carry_over(row(number), None) for number in (4, 2, 3)]

    assert kept == [
        CarriedOver(planned=planned(name), marker=connection(name).marker, settled=inherited(state))
        for name, state in zip(["One", "Two", "Three"], rows, strict=True)
    ]
    assert inherited(rows[2]).outcome == DOUBT.outcome
    assert gone(parent_run) == []


def test_a_new_row_that_only_leaves_out_is_no_row_of_the_chain() -> None:
    """Whatever stood at its number."""
    stray = RowState(number=3, marker=connection("Stray").marker, is_sent=True)
    parent_run = chain([before(2, "One"), stray], connection("New", 2), connection("Stray", 3))

    assert parent_run.carry_over(row(2), None) == Skipped()
    assert parent_run.carry_over(row(3), None) == Skipped()
    assert gone(parent_run) == [(3 + 1, ROW_GONE)]


def test_an_unanswered_row_is_inherited_as_a_doubt() -> None:
    """The parent's process died between intent and answer."""
    state = replace(before(2, "One", CREATED), is_sent=True, outcome=None)

    assert inherited(state).outcome == UNANSWERED


def entries(lines: Iterable[Line]) -> list[tuple[object, int | None, str | None]]:
    return [(line.entry, line.row, line.marker) for line in lines]


def test_a_row_that_is_gone_is_accounted_for() -> None:
    """Planned and settled; an orphan is settled later, by the look-up."""
    clock = Clock(now_ms=lambda: 1, monotonic_s=lambda: 0.0, boot_id="")

    class Nowhere(Append):
        async def append(self, lines: object) -> None: ...

    writer = RunWriter(Nowhere(), run=1, clock=clock)
    done, lost = before(2, "One", CREATED), before(3, "Two", None)
    of_done, of_lost = ParentRun([done, lost]).gone()

    assert entries(of_done.lines(writer)) == [
        (planned("One"), 2, done.marker),
        (inherited(done), 2, None),
    ]
    assert entries(of_lost.lines(writer)) == [(planned("Two"), 3, lost.marker)]


def fed_back(name: str, **changed: str | Secret) -> Row:
    """A row as our reports show it: the secret is blank."""
    asked = planned(name)
    cells: dict[Column, Cell] = {
        Column.NAME: asked.name,
        **dict(zip(TARGET_COLUMNS, asked.target, strict=True)),
        Column.SERVICE_PRINCIPAL_KEY: Secret(""),
    }
    return Row(number=2, cells={**cells, **{Column(c): cell for c, cell in changed.items()}})


def test_a_row_that_is_done_needs_no_secret() -> None:
    """Who feeds our workbook back fills in the keys of the others alone."""
    state = before(2, "One", CREATED)
    fed = fed_back("One", tenant=GUID.upper())
    parent_run = chain([state], wrong=[fed])

    kept = parent_run.carry_over(fed, Rejected(problems=()))

    assert kept == CarriedOver(
        planned=planned("One"), marker=state.marker, settled=inherited(state)
    )
    assert gone(parent_run) == []


@pytest.mark.parametrize(
    ("outcome", "row", "expected"),
    [
        (CREATED, fed_back("Two"), Skipped()),
        (CREATED, fed_back("One", database="other"), Skipped()),
        (CREATED, fed_back("One", servicePrincipalKey=Secret("typed")), Skipped()),
        (FAILED, fed_back("One"), None),
    ],
)
def test_a_row_without_its_secret_is_kept_only_where_it_is_the_same_and_done(
    outcome: Outcome, row: Row, expected: Skipped | None
) -> None:
    """Another row at its number is new; an unfinished one is judged, and lacks its key."""
    parent_run = chain([before(2, "One", outcome)], wrong=[row])

    assert parent_run.carry_over(row, Rejected(problems=())) == expected
