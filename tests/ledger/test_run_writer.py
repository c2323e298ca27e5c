"""One run writer: the intent before the wire, the doubt with its moment, the outcome before the news."""

import sys
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
from batchconnect.ledger.run_writer import Clock, RunWriter, system_clock
from batchconnect.model import outcome
from batchconnect.model.event import LanePaused
from batchconnect.model.outcome import Created, InDoubt


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
    """Each line bears the run, the row, its marker and the time."""
    pages = Pages()
    writer = RunWriter(pages, run=7, clock=clock())
    doubt = InDoubt(code="timeout")
    settled = Settled(outcome=Created(connection_id="c"))
    await writer.begin(2, "m", number=3)
    moment = await writer.doubt(2, "m", doubt, attempts=3, throttled=1)
    await writer.absent(2, "m")
    await writer.settle(2, "m", settled)

    def line(entry: Sending | Doubted | ProvenAbsent | Settled) -> Line:
        return Line(entry=entry, run=7, row=2, marker="m", at_ms=5000)

    assert moment == Moment(boot_id="boot-1", clock_s=100.0)
    assert pages.pages == [
        [line(Sending(number=3))],
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
    """Two moments of one process compare."""
    ours = system_clock()
    before = ours.moment()

    assert ours.elapsed_s(before) >= 0
    assert ours.now_ms() > 1_700_000_000_000
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
