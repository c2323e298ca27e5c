"""Which run a command goes on with: the one over the same rows, whatever else it says now."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from batchconnect.ledger.entry import Line, RowPlanned, RunIdentified, RunOpened
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model.column import Column
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import RunStarted
from batchconnect.model.outcome import Rejected, Status
from batchconnect.model.row import Cell, Row
from batchconnect.model.secret import Secret
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.intake.same_run import (
    Identity,
    RowsPrint,
    SeenRows,
    command_of,
    goes_on,
    row_key,
    tab_of,
)
from batchconnect.run.stop import Stop
from batchconnect.sheet.memory import MemorySheet
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.fast_scan import ValidRow
from tests.fake_service import CANARY, Bench, cells, judged, org

pytestmark = pytest.mark.anyio

OPENED = RunOpened(
    run_id="r", sheets=("clients.csv",), sheet_sha256="", platform_host="platform.test"
)
ROWS = [judged(cells(number)) for number in (1, 2, 3)]


def identity(
    rows: Sequence[BaseConnection] = ROWS, opened: RunOpened = OPENED, first: int = 2
) -> str:
    made = Identity(opened)
    for number, one in enumerate(rows, start=first):
        made.add(Row(number=number, cells={}), one)
    return made.made().identity


@pytest.mark.parametrize(
    "other",
    [
        identity(ROWS[::-1]),
        identity(ROWS[:2]),
        identity([*ROWS[:2], judged(cells(4))]),
        identity(first=3),
        identity(opened=replace(OPENED, platform_host="elsewhere.test")),
        identity(opened=replace(OPENED, simulated=True)),
        identity(opened=replace(OPENED, sheets=("clients.xlsx#second",))),
    ],
    ids=["sorted", "shortened", "another row", "moved down", "host", "mode", "tab"],
)
def test_the_identity_is_that_of_the_rows_and_of_where_they_go(other: str) -> None:
    """In their order, at their numbers, from their tab, to a host, for real or simulated."""
    assert identity() != other
    assert identity() == identity(opened=replace(OPENED, run_id="s", note="ticket"))


def scanned(number: int, wanted: BaseConnection) -> ValidRow:
    """A row that the fast scan took."""
    return ValidRow(
        *(number, 0, wanted.org, wanted.sandbox, wanted.name, ""), target=wanted.target, carried=()
    )


def seen_again(then: Sequence[BaseConnection], now: Sequence[BaseConnection]) -> bool:
    """Whether rows that were judged are known again by the rows that are scanned now."""
    before, identified = RowsPrint(), RunIdentified(identity="i", rows=len(then), keyless=0)
    for number, one in enumerate(then, start=2):
        before.add(Row(number=number, cells={}), one)
    again = SeenRows(identified, before.value)
    for number, one in enumerate(now, start=2):
        again.add_scanned(scanned(number, one), is_settled=True)
    return again.made() == identified


def test_rows_that_were_identified_are_known_again_without_their_keys() -> None:
    """By all that a key is made of, at their numbers; whether a row was scanned or judged."""
    named, targeted, boxed = (
        judged({**cells(3), **changed})
        for changed in ({"name": "Other"}, {"database": "other"}, {"sandbox": "other"})
    )

    assert seen_again(ROWS, ROWS)
    assert not seen_again(ROWS, ROWS[::-1])
    assert not seen_again(ROWS, ROWS[:2])
    assert not any(seen_again(ROWS, [*ROWS[:2], one]) for one in (named, targeted, boxed))


def test_of_a_row_that_is_settled_no_key_is_made_again() -> None:
    """Of all others it is the one by which they were identified."""
    again = SeenRows(RunIdentified(identity="i", rows=1, keyless=0), 0)
    row = scanned(2, ROWS[0])

    assert again.add_scanned(row, is_settled=True) is None
    assert again.add_scanned(row, is_settled=False) == ROWS[0].marker == row.marker


def test_a_row_that_is_refused_otherwise_is_another() -> None:
    """What may be shown of its cells is what it is known by."""
    prints = []
    for name in ("One", "One", "Two"):
        seen = RowsPrint()
        seen.add(Row(number=2, cells={Column.NAME: name}), Rejected(problems=()))
        prints.append(seen.value)

    assert prints[0] == prints[1] != prints[2]


def test_no_refused_cell_enters_the_identity() -> None:
    """Not even hashed: what stands in it may be a key in the wrong column."""
    problems = judged_rejected().problems

    def of(endpoint: str) -> RunIdentified:
        made = Identity(OPENED)
        cells: dict[Column, Cell] = {
            Column.ENDPOINT: endpoint,
            Column.SERVICE_PRINCIPAL_KEY: Secret(endpoint),
        }
        row = Row(number=2, cells={Column.NAME: "One", **cells})
        made.add(row, Rejected(problems=problems))
        return made.made()

    assert of(CANARY) == of("https://mistyped")
    assert (of("x").rows, of("x").keyless) == (1, 1)


def judged_rejected() -> Rejected:
    sheet = MemorySheet([{**cells(1), "endpoint": CANARY}])
    found = Bench().job(sheet).parse(next(iter(sheet.rows())))
    assert isinstance(found, Rejected)
    return found


@pytest.mark.parametrize(
    ("name", "tab"), [("book.xlsx#May", "May"), ("clients.csv", ""), ("-", ""), ("rows", "")]
)
def test_a_tab_is_named_behind_the_file(name: str, tab: str) -> None:
    assert tab_of(name) == tab


def test_the_command_that_goes_on_has_what_the_run_was_told() -> None:
    """Quoted for a shell."""
    opened = replace(
        OPENED, sheet_path="/home/me/my clients.xlsx", worksheet="May", org="acme", sandbox="prod"
    )

    assert command_of(opened) == (
        "batchconnect run '/home/me/my clients.xlsx' --worksheet May --org acme --sandbox prod"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"simulated": True}, "run clients.csv --simulate"),
        ({"visible_only": True}, "run clients.csv --visible-only"),
        ({"command": "rotate", "simulated": True}, "rotate clients.csv --simulate"),
        ({"parent_run_id": "r-1"}, "rerun {run}"),
        ({"parent_run_id": "r-1", "simulated": True}, "rerun {run} --simulate"),
        ({"parent_run_id": "r-1", "command": "verify"}, "verify r-1"),
    ],
)
def test_the_command_that_goes_on_is_of_the_same_mode_and_over_the_same_rows(
    changes: dict[str, Any], words: str
) -> None:
    """Pasted without `--simulate` it would be a real run; without `--visible-only` it would create hidden rows."""
    opened = replace(OPENED, **{"sheets": ("clients.csv",), "sheet_path": None, **changes})

    assert command_of(opened) == f"batchconnect {words.format(run=OPENED.run_id)}"


async def interrupted(
    bench: Bench, rows: Sequence[Mapping[str, str]], **changes: object
) -> RunState:
    """A run that Ctrl-C ends as soon as its first row is created."""
    stop = Stop()
    bench.on_event = lambda _event: stop.ask(INTERRUPTED) if bench.service.posts else None
    state = await bench.run(rows, stop=stop, **changes)
    bench.on_event = lambda event: None
    return state


async def test_a_run_goes_on_though_the_sheet_was_saved_again_with_other_keys() -> None:
    """A key is no part of what a row is known by."""
    bench = Bench(orgs=(org("acme", rate=1),))
    rows = [cells(number) for number in range(1, 7)]
    await interrupted(bench, rows)
    state = await bench.run([{**row, "servicePrincipalKey": "another~key"} for row in rows])

    assert state.resumes == 1
    assert bench.statuses(state) == [Status.CREATED] * 6
    assert len(bench.service.posts) == 6


@pytest.mark.parametrize("change", ["sandbox", "sorted", "blank row above"])
async def test_other_rows_are_another_run(change: str) -> None:
    """Each row of the new run has its own connection; none is told of with another one's id."""
    bench = Bench(orgs=(org("acme", rate=1),))
    rows = [cells(number) for number in range(1, 7)]
    await interrupted(bench, rows)
    other = {
        "sandbox": [{**row, "sandbox": "dev"} for row in rows],
        "sorted": rows[::-1],
        "blank row above": [dict.fromkeys(rows[0], ""), *rows],
    }[change]
    state = await bench.run(other)

    assert state.resumes == 0
    assert bench.broken_promises(state, 6) == []
    assert {Status.CREATED, Status.EXISTING} >= set(bench.statuses(state))
    if change == "sandbox":
        assert bench.statuses(state) == [Status.CREATED] * 6


async def test_what_was_rejected_for_the_settings_sake_is_judged_again() -> None:
    """An org that the settings did not know; the same command goes on, and now they know it."""
    acme, late = org("acme", rate=1), org("late", rate=10)
    bench = Bench(orgs=(acme,))
    rows = [*(cells(number) for number in range(1, 7)), cells(7, "late")]
    first = await interrupted(bench, rows, skip_invalid=True)
    assert bench.statuses(first)[-1] is Status.REJECTED

    bench.orgs = (acme, late)
    state = await bench.run(rows, skip_invalid=True)

    assert state.number == first.number
    assert bench.statuses(state) == [Status.CREATED] * 7


async def test_what_is_rejected_still_is_still_rejected() -> None:
    """Once in the report, with today's reason."""
    bench = Bench(orgs=(org("acme", rate=1),))
    rows = [*(cells(number) for number in range(1, 4)), cells(4, "nobody"), cells(1)]
    first = await interrupted(bench, rows, skip_invalid=True)
    state = await bench.run(rows, skip_invalid=True)

    assert state.number == first.number
    created, rejected = Status.CREATED, Status.REJECTED
    assert bench.statuses(state) == [rejected, created, created, rejected, rejected]


async def test_an_open_run_of_a_version_before_goes_on_by_its_rows() -> None:
    """It was never identified: its rows are compared one by one, with what the ledger has of them."""
    bench = Bench(orgs=(org("acme", rate=1),))
    rows = [cells(number) for number in range(1, 4)]
    await interrupted(bench, rows)
    with SqliteLedger(MEMORY, host="platform.test") as old:
        for line in bench.ledger.run_lines(1):
            if not isinstance(line.entry, RunIdentified):
                old.append([line])
        planned = [line for line in bench.ledger.row_lines(1) if isinstance(line.entry, RowPlanned)]
        old.append(planned)
        bench.ledger = old

        other = bench.job(MemorySheet([{**row, "sandbox": "dev"} for row in rows]))
        same = bench.job(MemorySheet(rows))

    assert other.resumed is None
    assert same.resumed is not None


@pytest.mark.parametrize(
    "other",
    [{"carried": ("owner",)}, {"sheet_sha256": "other bytes"}, {"sheets": ("b",)}, {"org": "acme"}],
    ids=lambda other: next(iter(other)),
)
@pytest.mark.parametrize("accounted", [0, 1])
def test_a_run_that_was_never_identified_goes_on_over_its_own_file_alone(
    accounted: int, other: Mapping[str, Any]
) -> None:
    """A crash in the intake left its first rows, or none, and any sheet may begin with these."""
    with SqliteLedger(MEMORY, host="platform.test") as ledger:
        number = ledger.append([Line(entry=OPENED, at_ms=1)])
        first, *_ = keys = [
            row_key(Row(number=at, cells={}), one) for at, one in enumerate(ROWS, start=2)
        ]
        if accounted:
            entry = replace(first.typed, name="a name")
            ledger.append(
                [Line(entry=entry, run=number, row=first.number, marker=first.marker, at_ms=1)]
            )
        state = fold_run(ledger.run_lines(number))
        now = RunIdentified(identity="today's", rows=len(ROWS))

        assert goes_on(state, replace(OPENED, run_id="s"), now, keys, ledger)
        assert not goes_on(state, replace(OPENED, **other), now, keys, ledger)


async def test_a_run_says_which_other_ones_over_its_sheet_are_open() -> None:
    bench = Bench()
    open_run = await interrupted(bench, [cells(1)])
    await bench.run([cells(2)], left_open=(open_run,))

    assert bench.heard(RunStarted)[-1].left_open == ("run-1: batchconnect run rows",)


async def test_a_row_that_was_changed_in_place_is_not_sent() -> None:
    """Same size, time of change kept: nothing but the row itself shows it."""
    bench = Bench(orgs=(org("acme", rate=1),))
    rows = [cells(number) for number in range(1, 7)]
    sheet = MemorySheet(rows)

    def edit(_event: object) -> None:
        if bench.service.posts:
            sheet._rows = MemorySheet([cells(number) for number in range(11, 17)])._rows

    bench.on_event = edit
    state = await bench.run(sheet)

    sent = {seen.marker for seen in bench.service.posts}
    assert sent <= {judged(row).marker for row in rows}
    assert len(sent) < 6
    assert [stop.code for stop in state.stops] == ["sheet_changed"]


async def test_another_encoding_is_another_run() -> None:
    """The same bytes, read as other names: each of them is a row of its own."""
    bench = Bench(orgs=(org("acme", rate=1),))

    def rows(encoding: str) -> list[dict[str, str]]:
        name = "Süd".encode("cp1252").decode(encoding)
        return [cells(number, name=f"{name} {number}") for number in range(1, 5)]

    first = await interrupted(bench, rows("cp1252"))
    sent = {seen.marker for seen in bench.service.posts}
    other = await bench.run(rows("mac-roman"))
    same = await bench.run(rows("cp1252"))

    assert (other.number == first.number, other.resumes) == (False, 0)
    assert (same.number == first.number, same.resumes) == (True, 1)
    assert bench.statuses(other) == [Status.CREATED] * 4
    assert sent.isdisjoint(row.marker for row in bench.rows(other))


async def test_a_run_that_goes_on_looks_again_at_what_it_made() -> None:
    """A connection that somebody deleted between its two lives is said to be missing: exit 6."""
    bench = Bench(orgs=(org("acme", rate=1),))
    rows = [cells(number) for number in range(1, 5)]
    await interrupted(bench, rows)
    (gone,) = bench.service.stored
    gone.applied_at = gone.shown_at = float("inf")

    state = await bench.run(rows)

    assert state.swept is not None
    assert (state.swept.expected, state.swept.missing) == (4, (gone.marker,))
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.IN_DOUBT
    assert len(bench.service.posts) == 4
