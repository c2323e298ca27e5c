"""Which lanes of a run are through is told by its lines alone, and by the last resume's only."""

from batchconnect.ledger.entry import (
    Entry,
    LaneClosed,
    LanesOpened,
    LaneTaken,
    Line,
    RunEnded,
    RunLane,
    RunOpened,
    RunResumed,
)
from batchconnect.ledger.run_lanes import RunLanes, fold_lanes

OPENED = RunOpened(run_id="r", sheets=("s.csv",), sheet_sha256="ab")
LANES = LanesOpened(
    lanes=tuple(RunLane(org=org, host="h", org_id=org, client_id="c") for org in ("acme", "beta"))
)


def told(*entries: Entry) -> RunLanes:
    return fold_lanes(Line(entry=entry, run=1) for entry in (OPENED, *entries))


def open_orgs(lanes: RunLanes) -> list[str]:
    return [lane.org for lane in lanes.open]


def test_a_run_whose_sheet_is_being_read_has_no_lanes_and_is_not_through() -> None:
    assert told().lanes is None
    assert not told().are_through


def test_a_lane_is_through_by_its_closing_line() -> None:
    """That somebody took it says nothing."""
    lanes = told(LANES, LaneTaken(org="acme", worker="w"), LaneClosed(org="acme"))

    assert open_orgs(lanes) == ["beta"]
    assert lanes.taken["acme"].worker == "w"
    assert not lanes.are_through


def test_a_resume_takes_every_lane_up_again() -> None:
    """A closing line of the round before does not count, even where it is written late."""
    lanes = told(LANES, LaneClosed(org="acme"), RunResumed(), LaneClosed(org="beta", resumes=0))

    assert open_orgs(lanes) == ["acme", "beta"]
    assert open_orgs(told(LANES, RunResumed(), LaneClosed(org="acme", resumes=1))) == ["beta"]


def test_a_run_ends_by_its_last_line_and_a_resume_opens_it_again() -> None:
    ended = RunEnded(exit_code=0)

    assert told(LANES, ended).is_closed
    assert not told(LANES, RunEnded(exit_code=130, closed=False)).is_closed
    assert not told(LANES, ended, RunResumed()).is_closed


def test_a_run_is_refused_where_each_lane_that_had_rows_was() -> None:
    refused = LaneClosed(org="acme", is_refused=True)
    nothing = LaneClosed(org="beta", had_rows=False)

    assert told(LANES, refused, nothing).every_lane_refused
    assert not told(LANES, refused, LaneClosed(org="beta")).every_lane_refused
    assert not told(LANES, nothing).every_lane_refused


def test_who_works_a_run_alone_is_told_by_the_process_that_began_or_resumed_it_last() -> None:
    assert fold_lanes(
        [Line(entry=RunOpened(run_id="r", sheets=(), sheet_sha256="", alone=True))]
    ).is_alone
    assert told(RunResumed(alone=True)).is_alone
    assert not told(RunResumed(alone=True), RunResumed()).is_alone
