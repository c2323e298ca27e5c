"""The report is a function of the ledger: the same lines, the same numbers, crash or no crash."""

from collections.abc import Iterator
from typing import Any

import pytest

from batchconnect.ledger.entry import (
    ChangeDoubted,
    Doubted,
    Entry,
    LaneTold,
    Line,
    Moment,
    ProvenAbsent,
    RowPlanned,
    RunEnded,
    RunOpened,
    RunResumed,
    Sending,
    Settled,
    SweepDone,
    Tested,
    Updated,
    Updating,
)
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.event import LaneCounted, LanePaused, LaneStopped, PaceChanged, Swept
from batchconnect.model.outcome import Created, InDoubt, Status, Works
from batchconnect.reports import summary
from batchconnect.reports.summary import Requests, Summary, summarize

START_MS = 1_764_000_000_000
OPENED = RunOpened(
    run_id="20251124-160000000-k3f9",
    sheets=("clients.csv",),
    sheet_sha256="5e1f",
    platform_host="platform.adobe.io",
)


def told(
    *entries: Entry | tuple[int, Entry], opened: RunOpened = OPENED, **options: Any
) -> Summary:
    """Write entries to a ledger, one a second, those of a row with its number, and sum them up."""
    with SqliteLedger(":memory:") as ledger:
        run = ledger.append([Line(entry=opened, at_ms=START_MS)])
        for number, told in enumerate(entries, 1):
            row, entry = told if isinstance(told, tuple) else (None, told)
            marker = None if row is None else f"bc1-{row:026}"
            at_ms = START_MS + number * 1000
            ledger.append([Line(entry=entry, run=run, row=row, marker=marker, at_ms=at_ms)])
        of_run, of_rows = list(ledger.run_lines(run)), list(ledger.row_lines(run))
    return summarize(of_run, lambda: fold_rows(of_rows), **options)


ACME = RowPlanned(name="Acme", org="acme", sandbox="prod")
BETA = RowPlanned(name="Beta", org="beta", sandbox="dev")
CREATED = Settled(outcome=Created(connection_id="c-1", http_status=201), attempts=1)
DOUBT = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=1.0))
HOST = "platform.adobe.io"


def counted(org: str, *, sent: int, paused_s: float = 0.0, rate: float = 2.0) -> LaneTold:
    event = LaneCounted(
        org=org,
        host=HOST,
        sent=sent,
        created=1,
        throttled=0,
        retried=0,
        paused_s=paused_s,
        rate_max=rate,
        rate_last=rate / 2,
    )
    return LaneTold(event=event)


def test_every_status_is_counted() -> None:
    """Each row has exactly one status, and a status without rows is a zero."""
    summary = told(
        (2, ACME), (2, Sending(number=1)), (2, CREATED), (3, BETA), RunEnded(exit_code=4)
    )

    assert summary.total == 2
    assert summary.counts == {
        Status.CREATED: 1,
        Status.EXISTING: 0,
        Status.FAILED: 0,
        Status.REJECTED: 0,
        Status.CONFLICT: 0,
        Status.IN_DOUBT: 0,
        Status.NOT_ATTEMPTED: 1,
        Status.UPDATED: 0,
        Status.UNCHANGED: 0,
        Status.DELETED: 0,
        Status.KEPT: 0,
    }


def test_what_works_is_counted_beside_the_statuses() -> None:
    """The last test of each; of rows that nobody tested nothing is said."""
    fails = Tested(connection_id="c-1", works=Works.NO, code="x")
    works = Tested(connection_id="c-1", works=Works.YES)

    summary = told(
        *((row, entry) for row in (2, 3, 4) for entry in (ACME, CREATED)),
        *((2, fails), (2, works), (3, fails)),
        RunEnded(exit_code=4),
    )

    assert summary.works == {Works.YES: 1, Works.NO: 1}
    assert summary.counts[Status.CREATED] == 3
    assert told((2, ACME), (2, CREATED)).works == {}


@pytest.mark.parametrize(("works", "code"), [(Works.YES, 0), (Works.NO, 4), (Works.NOT_TESTED, 6)])
def test_a_run_that_was_cut_off_after_its_tests_amounts_to_what_they_said(
    works: Works, code: int
) -> None:
    """As one that ended: does not work is 4, could not be tested is 6."""
    answer = Tested(connection_id="c-1", works=works, code="x")

    assert told((2, ACME), (2, CREATED), (2, answer)).exit_code == code


def test_a_change_is_a_request_as_a_create_is() -> None:
    """Its lost answer is a doubt, also where a crash left nobody to write it down; its row names the connection."""
    updating = Updating(connection_id="c-1", etag='"1"')
    doubt = ChangeDoubted(outcome=DOUBT.outcome, moment=DOUBT.moment, attempts=2, throttled=1)
    again = Updating(connection_id="c-1", etag='"1"', number=2)
    updated = Updated(outcome=o.Updated(connection_id="c-1"), attempts=1)

    settled = told((2, ACME), (2, updating), (2, doubt), (2, again), (2, updated))
    cut_off = told((2, ACME), (2, updating))
    at_work = told((2, ACME), (2, updating), live=True)

    assert settled.requests == Requests(sent=3, created=0, throttled=1, retried=2, in_doubt=1)
    assert cut_off.requests == Requests(sent=1, created=0, throttled=0, retried=0, in_doubt=1)
    assert at_work.requests.in_doubt == 0
    (row,) = cut_off.rows()
    assert (row.status, row.connection_id, row.attempts) == (Status.IN_DOUBT, "c-1", 1)


def test_requests_are_tries() -> None:
    """A row that was throttled twice, lost, and sent again has four tries, three of them retries."""
    lost = Doubted(outcome=DOUBT.outcome, moment=DOUBT.moment, attempts=3, throttled=2)
    sent = (2, Sending(number=1)), (2, lost), (2, ProvenAbsent()), (2, Sending(number=2))

    summary = told((2, ACME), *sent, (2, CREATED), RunEnded(exit_code=0))

    assert summary.requests == Requests(sent=4, created=1, throttled=2, retried=3, in_doubt=1)


def test_rows_of_the_parent_run_sent_nothing_here() -> None:
    """A rerun's report has all rows of the chain, and its own requests only."""
    inherited = Settled(
        outcome=CREATED.outcome, attempts=3, inherited=True, finished_at_ms=START_MS - 5000
    )

    summary = told((2, ACME), (2, inherited), RunEnded(exit_code=0))

    assert summary.counts[Status.CREATED] == 1
    assert summary.requests.sent == 0
    assert summary.lanes == ()
    assert next(summary.rows()).attempts == 3


def test_an_unanswered_intent_is_a_request_and_a_doubt() -> None:
    """After a crash the row may have been sent: it counts until somebody knows better."""
    summary = told((2, ACME), (2, Sending(number=1)))

    assert (summary.requests.sent, summary.requests.in_doubt) == (1, 1)
    assert summary.counts[Status.IN_DOUBT] == 1
    assert (summary.exit_code, summary.closed) == (6, False)


def test_a_live_run_has_no_end_and_calls_nothing_interrupted() -> None:
    """What is under way waits; there is no exit code, no incident, no end."""
    summary = told((2, ACME), (2, Sending(number=1)), (3, BETA), live=True)

    assert [row.error_code for row in summary.rows()] == ["in_flight", "pending"]
    assert (summary.exit_code, summary.finished_at_ms, summary.live) == (None, None, True)
    assert summary.incidents == ()
    assert summary.requests.in_doubt == 0
    assert summary.duration_s == 2.0


def test_the_last_end_wins_and_a_resume_takes_it_back() -> None:
    """130, gone on, 0: the run ended with 0; while it goes on it has not ended."""
    interrupted = (2, ACME), RunEnded(exit_code=130, closed=False), RunResumed(crashed=False)

    finished = told(*interrupted, (2, Sending(number=1)), (2, CREATED), RunEnded(exit_code=0))

    assert (finished.exit_code, finished.closed) == (0, True)
    assert told(*interrupted, live=True).exit_code is None
    assert told(*interrupted).exit_code == 4
    stopped = told(*interrupted[:2])
    assert (stopped.exit_code, stopped.closed) == (130, False)


def test_a_crashed_run_ends_with_its_last_line() -> None:
    """Killed after its last row: the time is that row's, the code is what the rows amount to."""
    summary = told((2, ACME), (2, Sending(number=1)), (2, CREATED))

    assert summary.finished_at_ms == START_MS + 3000
    assert summary.duration_s == 3.0
    assert summary.exit_code == 0


def test_what_is_settled_after_the_end_moves_it() -> None:
    """`reconcile` settles a doubt of a closed run, and the report says when."""
    doubted = (2, ACME), (2, Sending(number=1)), (2, DOUBT), RunEnded(exit_code=6)

    summary = told(*doubted, (2, Settled(outcome=Created(connection_id="c", reconciled=True))))

    assert summary.finished_at_ms == START_MS + 5000
    assert next(summary.rows()).reconciled


def test_lane_counts_of_all_processes_are_added() -> None:
    """A resumed run has several counts per lane: sums, the highest rate, the last rate."""
    summary = told(
        counted("acme", sent=5, paused_s=1.5, rate=8.0),
        RunEnded(exit_code=130, closed=False),
        RunResumed(crashed=False),
        counted("acme", sent=7, paused_s=2.0, rate=4.0),
        RunEnded(exit_code=0),
    )

    (lane,) = summary.lanes
    assert (lane.org, lane.host, lane.sent, lane.created) == ("acme", HOST, 12, 2)
    assert (lane.paused_s, lane.rate_max, lane.rate_last) == (3.5, 8.0, 2.0)


def test_a_killed_lane_is_completed_from_what_it_told_and_its_rows() -> None:
    """Without the last count there are still pauses, paces and rows."""
    paused = LanePaused(org="acme", host=HOST, pause_s=7.0, reason="retry_after")
    cut = PaceChanged(org="acme", host=HOST, rate=1.4, reason="congestion")
    throttled = Settled(outcome=CREATED.outcome, attempts=3, throttled=2)

    summary = told(
        (2, ACME),
        (3, BETA),
        (2, Sending(number=1)),
        LaneTold(event=paused),
        LaneTold(event=cut),
        (2, throttled),
        (3, Sending(number=1)),
        (3, CREATED),
        RunResumed(),
        LaneTold(event=paused),
        counted("acme", sent=1, paused_s=7.0, rate=1.4),
        RunEnded(exit_code=0),
    )

    acme, beta = summary.lanes
    assert (acme.sent, acme.created, acme.throttled) == (3, 1, 2)
    assert (acme.paused_s, acme.rate_max, acme.rate_last) == (14.0, 1.4, 0.7)
    assert (beta.org, beta.host, beta.sent, beta.rate_max) == ("beta", HOST, 1, None)


def test_a_lane_that_only_stopped_is_named_with_the_runs_host() -> None:
    """A lane refused at sign-in never sent a row."""
    stopped = LaneStopped(org="acme", sandbox=None, code="invalid_client", title="", detail="")

    (lane,) = told(LaneTold(event=stopped), RunEnded(exit_code=7)).lanes

    assert (lane.host, lane.sent, lane.rate_last) == (HOST, 0, None)


def test_the_last_sweep_wins() -> None:
    """A reconcile sweeps again; duplicates of a run that was cut off are exit 6."""
    first = SweepDone(event=Swept(expected=1, found=0, duplicated=(), missing=("bc1-x",)))
    last = SweepDone(event=Swept(expected=1, found=1, duplicated=("bc1-x",), missing=()))

    summary = told((2, ACME), (2, Sending(number=1)), (2, CREATED), first, last)

    assert summary.sweep == last.event
    assert summary.exit_code == 6


def test_lines_of_no_run_are_no_run() -> None:
    """A run begins with its opening."""
    with pytest.raises(ValueError, match="RunOpened"):
        summarize([Line(entry=RunEnded(exit_code=0))], lambda: iter([]))


@pytest.mark.parametrize("kept", [0, 3, 6, 7])
def test_what_a_run_has_beyond_the_rows_that_are_kept_is_read_once_more(
    monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """From where the others end, which are let go as they are taken: a million rows stand in no memory."""
    monkeypatch.setattr(summary, "_KEPT", kept)
    read: list[int] = []

    def rows(behind: int = -1) -> Iterator[RowState]:
        for number in range(1, 7):
            if number > behind:
                read.append(number)
                (state,) = fold_rows([Line(entry=ACME, run=1, row=number)])
                yield state

    found = summarize([Line(entry=OPENED)], rows, rows_behind=rows)
    read_first = [*read]
    shown = [[result.row for result in found.rows()] for _ in range(2)]
    from_all = summarize([Line(entry=OPENED)], rows)

    assert shown == [[1, 2, 3, 4, 5, 6]] * 2
    assert read[: len(read_first)] == [1, 2, 3, 4, 5, 6]
    again = [] if kept >= 6 else [*range(kept + 1, 7), *range(1, 7)]
    assert read[len(read_first) :][: len(again)] == again
    assert [result.row for result in from_all.rows()] == [1, 2, 3, 4, 5, 6]
