"""One run writer: the intent before the wire, the doubt with its moment, the outcome before the news."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from batchconnect.ledger.entry import (
    ChangeDoubted,
    Doubted,
    LaneTold,
    Line,
    Moment,
    ProvenAbsent,
    RowPlanned,
    Sending,
    Settled,
    Updated,
    Updating,
)
from batchconnect.ledger.group_commit import Append
from batchconnect.ledger.interface import LaneKey, SharedIdError
from batchconnect.ledger.run_writer import Clock, RunWriter, system_clock
from batchconnect.model import outcome
from batchconnect.model.event import LanePaused
from batchconnect.model.outcome import Created, InDoubt
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.value import replace


class Pages(Append):
    """Where lines become durable; one page for each commit."""

    def __init__(self) -> None:
        self.pages: list[list[Line]] = []

    async def append(self, lines: Sequence[Line]) -> None:
        self.pages.append(list(lines))


def clock(boot_id: str = "boot-1", now_s: float = 100.0) -> Clock:
    return Clock(now_ms=lambda: 5000, monotonic_s=lambda: now_s, boot_id=boot_id)


@pytest.mark.anyio
async def test_the_story_of_a_row_is_written_line_by_line() -> None:
    """Each line bears the run, the row, its marker and the time; an intent tells where its key came from."""
    pages = Pages()
    writer = RunWriter(pages, run=7, clock=clock())
    doubt = InDoubt(code="timeout")
    settled = Settled(outcome=Created(connection_id="c"))
    key = KeyOrigin(reference="vault:acme", version="3")
    await writer.begin(2, "m", number=3, key=key)
    moment = await writer.doubt(2, "m", doubt, attempts=3, throttled=1)
    await writer.absent(2, "m")
    await writer.settle(2, "m", settled)

    def line(entry: Sending | Doubted | ProvenAbsent | Settled) -> Line:
        return Line(entry=entry, run=7, row=2, marker="m", at_ms=5000)

    assert moment == Moment(boot_id="boot-1", clock_s=100.0)
    assert pages.pages == [
        [line(Sending(number=3, key=key))],
        [line(Doubted(outcome=doubt, moment=moment, attempts=3, throttled=1))],
        [line(ProvenAbsent())],
        [line(settled)],
    ]


@pytest.mark.anyio
async def test_a_change_of_its_connection_is_written_line_by_line() -> None:
    """Intent, doubt with its moment, end: as of a create, under kinds of their own."""
    pages = Pages()
    writer = RunWriter(pages, run=7, clock=clock())
    doubt = InDoubt(code="timeout")
    intent = Updating(connection_id="c", etag='"1"')
    ended = Updated(outcome=outcome.Updated(connection_id="c", etag='"2"'))
    await writer.begin_change(2, "m", intent)
    moment = await writer.doubt_change(2, "m", doubt, attempts=3, throttled=1)
    await writer.end_change(2, "m", ended)

    assert moment == Moment(boot_id="boot-1", clock_s=100.0)
    assert pages.pages == [
        [Line(entry=entry, run=7, row=2, marker="m", at_ms=5000)]
        for entry in (
            intent,
            ChangeDoubted(outcome=doubt, moment=moment, attempts=3, throttled=1),
            ended,
        )
    ]


@pytest.mark.anyio
async def test_a_doubt_is_of_one_try_unless_more_is_said() -> None:
    """Of a create as of a change."""
    pages = Pages()
    writer = RunWriter(pages, run=7, clock=clock())
    await writer.doubt(2, "m", InDoubt(code="timeout"))
    await writer.doubt_change(2, "m", InDoubt(code="timeout"))
    entries = [page[0].entry for page in pages.pages]

    assert all(isinstance(entry, Doubted | ChangeDoubted) for entry in entries)
    assert [(entry.attempts, entry.throttled) for entry in entries] == [(1, 0)] * 2  # type: ignore[union-attr]  # so they are


class Taken(Pages):
    """Where other rows have that id already: the first line by which a row is created is refused."""

    def __init__(self, *others: Line) -> None:
        super().__init__()
        self.others = others

    async def append(self, lines: Sequence[Line]) -> None:
        others, self.others = self.others, ()
        if others:
            raise SharedIdError(others)
        await super().append(lines)


def created(row: int, *, reconciled: bool = False) -> Line:
    """The line of an earlier run by which another row was created."""
    made = Created(connection_id="c", reconciled=reconciled)
    return Line(entry=Settled(outcome=made, attempts=4), run=5, row=row, marker=f"m{row}", at_ms=90)


def doubted(row: int, run: int = 5, *, entry: Doubted | None = None) -> Line:
    """A row's doubt about its id, by default of one that was answered earlier and adds no tries."""
    words = "Two rows were answered with one id, and a connection is one row's."
    about_id = Doubted(
        outcome=InDoubt(code="shared_id", detail=words),
        moment=Moment(boot_id="boot-1", clock_s=100.0),
        attempts=0,
    )
    return Line(entry=entry or about_id, run=run, row=row, marker=f"m{row}", at_ms=5000)


@pytest.mark.anyio
async def test_two_rows_with_one_id_are_doubts_both_at_once() -> None:
    """No commit stands between them, and each is its own run's line; the answer's facts stay with its row."""
    pages = Taken(created(3), created(4))
    writer = RunWriter(pages, run=7, clock=clock())
    answer = Created(connection_id="c", http_status=201, request_id="req")
    stands = await writer.settle(2, "m2", Settled(outcome=answer, attempts=3, throttled=1))

    about_id = doubted(3).entry
    assert isinstance(about_id, Doubted)
    ours = replace(about_id.outcome, http_status=201, request_id="req")
    entry = replace(about_id, outcome=ours, attempts=3, throttled=1)
    assert stands == ours
    assert pages.pages == [[doubted(3), doubted(4), doubted(2, 7, entry=entry)]]
    assert writer.put_in_doubt == [doubted(3), doubted(4)]


@pytest.mark.anyio
async def test_a_row_that_was_found_by_its_marker_keeps_its_id_against_an_answer() -> None:
    """The listing showed it there: only whoever was told of it in an answer is in doubt."""
    pages = Taken(created(3, reconciled=True), created(4))
    writer = RunWriter(pages, run=7, clock=clock())
    stands = await writer.settle(2, "m2", Settled(outcome=Created(connection_id="c")))

    assert isinstance(stands, InDoubt)
    assert [[line.row for line in page] for page in pages.pages] == [[4, 2]]
    assert writer.put_in_doubt == [doubted(4)]


@pytest.mark.anyio
async def test_a_row_that_is_found_by_its_marker_puts_all_others_with_its_id_in_doubt() -> None:
    """First they are doubts, then it is created: at no instant do two rows have the one connection."""
    pages = Taken(created(3), created(4, reconciled=True))
    writer = RunWriter(pages, run=7, clock=clock())
    settled = Settled(outcome=Created(connection_id="c", reconciled=True))
    stands = await writer.settle(2, "m2", settled)

    ours = Line(entry=settled, run=7, row=2, marker="m2", at_ms=5000)
    assert stands == settled.outcome
    assert pages.pages == [[doubted(3), doubted(4)], [ours]]
    assert writer.put_in_doubt == [doubted(3), doubted(4)]


@pytest.mark.anyio
async def test_what_a_lane_puts_in_doubt_is_known_to_the_whole_run() -> None:
    """The other row may be another lane's; each lane's lines go where that lane's lines go."""
    lane = LaneKey(host="h", org_id="o", client_id="i")
    asked: list[LaneKey] = []

    class ByLane(Pages):
        def of_lane(self, lane: LaneKey) -> Append:
            asked.append(lane)
            return pages

    pages = Taken(created(3))
    whole = RunWriter(ByLane(), run=7, clock=clock())
    of_lane = whole.of_lane(lane)
    await of_lane.settle(2, "m2", Settled(outcome=Created(connection_id="c")))
    pages.others = (created(4),)
    await of_lane.settle(5, "m5", Settled(outcome=Created(connection_id="c")))

    assert asked == [lane]
    assert [[line.row for line in page] for page in pages.pages] == [[3, 2], [4, 5]]
    assert pages.pages[0][1].run == 7
    assert whole.put_in_doubt == [doubted(3), doubted(4)]


@pytest.mark.anyio
async def test_what_a_lane_did_is_no_rows_line() -> None:
    """It belongs to the run."""
    pages = Pages()
    paused = LanePaused(org="acme", host="h", pause_s=7, reason="retry_after")
    await RunWriter(pages, run=7, clock=clock()).tell(paused)

    assert pages.pages == [[Line(entry=LaneTold(event=paused), run=7, at_ms=5000)]]


@pytest.mark.anyio
async def test_nothing_to_write_costs_no_commit() -> None:
    """And many lines cost one."""
    pages = Pages()
    writer = RunWriter(pages, run=7, clock=clock())
    await writer.write([])
    await writer.write([writer.line(RowPlanned(name=name), row=2) for name in "ab"])

    assert [len(page) for page in pages.pages] == [2]


@pytest.mark.parametrize(
    ("since", "now", "elapsed_s"),
    [
        (clock("boot-1", 40.0), clock("boot-1", 100.0), 60.0),
        (clock("boot-1", 40.0), clock("boot-2", 100.0), 0.0),
        (clock("", 40.0), clock("", 100.0), 0.0),
        (clock("boot-1", 100.0), clock("boot-1", 40.0), 0.0),
    ],
    ids=["same boot", "started anew", "a boot without a name", "backwards"],
)
def test_a_window_counts_on_only_within_one_boot(
    since: Clock, now: Clock, elapsed_s: float
) -> None:
    """Where nobody can know how long it was, the window begins again: slower, never wrong."""
    assert now.elapsed_s(since.moment()) == elapsed_s


def test_the_machines_own_clocks() -> None:
    """Two moments of one process compare, and people are told whole milliseconds."""
    ours, began_ms = system_clock(), time.time_ns() // 1_000_000
    before = ours.moment()

    assert ours.elapsed_s(before) >= 0
    now_ms = ours.now_ms()
    assert isinstance(now_ms, int)
    assert began_ms <= now_ms <= time.time_ns() // 1_000_000
    assert ours.boot_id == system_clock().boot_id


def _not_there(*_: object, **__: object) -> str:
    raise FileNotFoundError


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(sys, "platform", "darwin"),
        lambda patch: patch.setattr(Path, "read_text", _not_there),
    ],
    ids=["macOS", "a container that hides it"],
)
def test_a_machine_may_have_no_name_for_its_boot(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Then no two moments compare."""
    monkeypatch.setattr(sys, "platform", "linux")
    change(monkeypatch)

    assert system_clock().boot_id != system_clock().boot_id
