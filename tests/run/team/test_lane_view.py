"""Lanes as people see them: held by whom, silent, left alone for a while, free, or through."""

from dataclasses import replace

import pytest

from batchconnect.ledger.entry import LaneClosed, LanesOpened, Line, RunLane, RunOpened
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.team import Holding
from batchconnect.run.team.lane_view import LaneView, views, views_of_run
from tests.memory_team import TERMS, Lanes, MemoryTeamLedger

ACME = LaneKey("platform.test", "ACME@AdobeOrg", "client")


@pytest.fixture
def table() -> Lanes:
    return Lanes()


@pytest.fixture
def ledger(table: Lanes) -> MemoryTeamLedger:
    ledger = MemoryTeamLedger(lanes=table)
    run = ledger.append(
        [Line(entry=RunOpened(run_id="r-1", sheets=("a.csv",), sheet_sha256=""), at_ms=1)]
    )
    lane = RunLane(org="acme", host=ACME.host, org_id=ACME.org_id, client_id=ACME.client_id)
    ledger.append([Line(entry=LanesOpened(lanes=(lane,)), run=run, at_ms=2)])
    return ledger


def run_of(ledger: MemoryTeamLedger) -> RunState:
    return fold_run(ledger.run_lines(1))


def close(ledger: MemoryTeamLedger) -> None:
    closed = LaneClosed(org="acme", resumes=0, is_refused=False, had_rows=True)
    ledger.append([Line(entry=closed, run=1, at_ms=3)])


def seen(ledger: MemoryTeamLedger) -> LaneView:
    (view,) = views_of_run(ledger, run_of(ledger))
    return view


def test_a_lane_that_nobody_has_taken_yet_is_free(ledger: MemoryTeamLedger, table: Lanes) -> None:
    """Whether the ledger has it already or not: one that was copied has its lines alone."""
    assert seen(ledger).line.strip() == "-  acme                      free"
    table.row(Holding(key=ACME))
    assert seen(ledger).line.strip() == "1  acme                      free"


def test_a_lane_that_is_through_is_told_so_also_in_a_ledger_that_was_copied(
    ledger: MemoryTeamLedger,
) -> None:
    """Its lines say it; what says who holds it did not come along."""
    close(ledger)

    assert seen(ledger).state == "through"


def test_a_lane_that_another_run_holds_is_through_for_this_one(
    ledger: MemoryTeamLedger, table: Lanes
) -> None:
    close(ledger)
    table.change(table.row(Holding(key=ACME)), holder="ops-7", run=2)

    assert seen(ledger).state == "through"
    (everywhere,) = views(ledger, [])
    assert (everywhere.state, everywhere.name, everywhere.run_id) == ("held", "ACME@AdobeOrg", "")


def test_a_lane_is_kept_out_by_the_one_of_another_client_of_its_org(
    ledger: MemoryTeamLedger, table: Lanes
) -> None:
    """Free by itself, and not to be had: who has that one, since when, and which it is."""
    other = table.row(Holding(key=ACME._replace(client_id="another")))
    table.change(other, holder="ops-7", run=2, held_s=42.0)

    view = seen(ledger)

    assert (view.state, view.kept_out_by, view.holder) == ("kept_out", other.lane, "ops-7")
    assert view.line == "   -  acme                      waits: lane 1 held 42 s by ops-7"
    assert view.document["kept_out_by"] == other.lane
    table.change(table.row(Holding(key=ACME)), holder="ops-8", run=1)
    assert seen(ledger).state == "held"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"holder": "ops-7", "held_s": 42.0}, "held 42 s by ops-7"),
        ({"holder": "ops-7", "held_s": 600.0}, "held 10 min by ops-7"),
        ({"holder": "ops-7", "held_s": 36_000.0}, "held 10 h by ops-7"),
        (
            {"holder": "ops-7", "silent_s": TERMS.take_after_s},
            f"silent for {TERMS.take_after_s / 60:.0f} min: ops-7",
        ),
        ({"waits_s": 90.0}, "failed; left alone for 90 s"),
    ],
)
def test_who_holds_it_and_for_how_long_is_one_line(
    ledger: MemoryTeamLedger, table: Lanes, changes: dict[str, object], line: str
) -> None:
    row = table.row(Holding(key=ACME))
    table.rows[row.holding] = replace(row, run=1, **changes)  # type: ignore[arg-type]

    view = seen(ledger)

    assert view.line == f"   1  acme                      {line}"
    assert len(view.line) <= 80
    assert view.document["holder"] == changes.get("holder")
