"""
Many rows wait for the disk together.

Real threads: virtual clocks outrun them, so these tests run on asyncio. Nothing sleeps; the ledger's
gate says when a commit may end.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import anyio
import anyio.to_thread
import pytest

from batchconnect.ledger.entry import Line, RowPlanned, RunOpened, Sending
from batchconnect.ledger.group_commit import GroupCommit, InPlace
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model.errors import LedgerError, LedgerGoneError
from batchconnect.model.secret import Secret

pytestmark = pytest.mark.asyncio


class Gated(SqliteLedger):
    """A ledger on a disk that is as slow, or as full, as the test wants."""

    def __init__(self) -> None:
        super().__init__(MEMORY)
        opened = RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab")
        super().append([Line(entry=opened)])
        self.groups: list[int] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.is_full = False

    def append(self, lines: Sequence[Line]) -> int:
        self.groups.append(len(lines))
        self.entered.set()
        assert self.gate.wait(timeout=30)
        if self.is_full:
            raise LedgerError("the ledger: database or disk is full")
        return super().append(lines)

    @property
    def rows(self) -> list[int | None]:
        """The rows of the lines that are durable."""
        return [line.row for line in self.row_lines(1)]


@pytest.fixture
def ledger() -> Iterator[Gated]:
    """Closed at the end, for Python 3.13 warns of a connection that nobody closes."""
    with Gated() as ledger:
        yield ledger


def line(row: int) -> Line:
    return Line(entry=Sending(number=1), run=1, row=row, marker=f"m-{row}")


async def until_waiting(group: GroupCommit, count: int) -> None:
    while group.waiting < count:  # noqa: ASYNC110 - the writer has no event for its tests
        await asyncio.sleep(0)


async def test_what_gathers_during_a_commit_is_one_transaction(ledger: Gated) -> None:
    """Fifty rows in flight cost as much as one."""
    async with GroupCommit(ledger) as group, anyio.create_task_group() as rows:
        rows.start_soon(group.append, [line(2)])
        await anyio.to_thread.run_sync(ledger.entered.wait)
        for row in range(3, 53):
            rows.start_soon(group.append, [line(row)])
        await until_waiting(group, 50)
        ledger.gate.set()

    assert ledger.groups == [1, 50]
    assert ledger.rows == list(range(2, 53))


async def test_after_a_group_of_several_the_next_one_gathers_for_a_moment(ledger: Gated) -> None:
    """On a quick disk a commit is over before many have come; a row that is alone never waits."""
    ledger.gate.set()
    slept: list[float] = []
    over = anyio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await over.wait()

    async with GroupCommit(ledger, gather_s=0.003, sleep=sleep) as group:
        await group.append([line(2)])
        async with anyio.create_task_group() as rows:
            rows.start_soon(group.append, [line(3)])
            rows.start_soon(group.append, [line(4)])
        assert slept == [0.003]
        async with anyio.create_task_group() as rows:
            for row in range(5, 10):
                rows.start_soon(group.append, [line(row)])
            await until_waiting(group, 5)
            over.set()

    assert ledger.groups == [1, 2, 5]


async def test_nobody_waits_for_more_when_the_run_is_over(ledger: Gated) -> None:
    """Nothing gathers any more once the ledger is being closed."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with anyio.create_task_group() as rows, GroupCommit(ledger, sleep=sleep) as group:
        rows.start_soon(group.append, [line(2)])
        rows.start_soon(group.append, [line(3)])
        await anyio.to_thread.run_sync(ledger.entered.wait)
        asyncio.get_running_loop().call_soon(ledger.gate.set)  # when the closing has begun

    assert ledger.groups == [2]
    assert slept == []


async def test_nobody_goes_on_before_the_lines_are_durable(ledger: Gated) -> None:
    """An intent first, the request after it."""
    story: list[str] = []

    async def row() -> None:
        await group.append([line(2)])
        story.append("sends")

    async with GroupCommit(ledger) as group, anyio.create_task_group() as rows:
        rows.start_soon(row)
        await anyio.to_thread.run_sync(ledger.entered.wait)
        story.append("commits")
        ledger.gate.set()

    assert story == ["commits", "sends"]


async def test_an_error_of_the_disk_reaches_each_waiter_of_the_group(ledger: Gated) -> None:
    """None of them sends; once there is room, the next one is written."""
    ledger.gate.set()
    ledger.is_full = True
    refused: list[int] = []

    async def row(number: int) -> None:
        with pytest.raises(LedgerError, match="full"):
            await group.append([line(number)])
        refused.append(number)

    async with GroupCommit(ledger) as group:
        async with anyio.create_task_group() as rows:
            for number in range(2, 12):
                rows.start_soon(row, number)
        ledger.is_full = False
        await group.append([line(99)])

    assert sorted(refused) == list(range(2, 12))
    assert ledger.rows == [99]


async def test_a_line_that_cannot_be_written_is_its_own_rows_matter(ledger: Gated) -> None:
    """A secret in an entry is a mistake of ours; its neighbours in the group do not pay for it."""
    broken = Line(entry=RowPlanned(name=Secret("hush")), run=1, row=3)  # type: ignore[arg-type]  # on purpose

    async def row() -> None:
        with pytest.raises(TypeError):
            await group.append([broken])

    async with GroupCommit(ledger) as group, anyio.create_task_group() as rows:
        rows.start_soon(group.append, [line(2)])
        await anyio.to_thread.run_sync(ledger.entered.wait)
        rows.start_soon(group.append, [line(4)])
        rows.start_soon(row)
        await until_waiting(group, 2)
        ledger.gate.set()

    assert ledger.groups == [1, 2, 1, 1]
    assert ledger.rows == [2, 4]


async def test_a_waiter_that_is_cancelled_has_its_lines_written(ledger: Gated) -> None:
    """What was handed in is written, whoever still waits for it."""
    async with GroupCommit(ledger) as group:
        async with anyio.create_task_group() as rows:
            rows.start_soon(group.append, [line(2)])
            await anyio.to_thread.run_sync(ledger.entered.wait)
            rows.start_soon(group.append, [line(3)])
            await until_waiting(group, 1)
            rows.cancel_scope.cancel()
        ledger.gate.set()

    assert ledger.rows == [2, 3]


async def test_closing_writes_what_waits(ledger: Gated) -> None:
    """Also where an error ends the run."""

    async def run() -> None:
        async with GroupCommit(ledger) as group, anyio.create_task_group() as rows:
            rows.start_soon(group.append, [line(2)])
            await anyio.to_thread.run_sync(ledger.entered.wait)
            rows.start_soon(group.append, [line(3)])
            await until_waiting(group, 1)
            ledger.gate.set()
            raise ValueError("a mistake")

    with pytest.raises(ExceptionGroup) as caught:
        await run()

    assert caught.group_contains(ValueError, match="a mistake")
    assert ledger.rows == [2, 3]


async def test_nobody_waits_for_a_writer_that_is_gone(ledger: Gated) -> None:
    """An error, not a silence for ever."""
    ledger.gate.set()
    async with GroupCommit(ledger) as group:
        pass
    with pytest.raises(LedgerError, match="closed"):
        await group.append([line(2)])

    assert ledger.groups == []


async def test_in_place_writes_at_once(ledger: Gated) -> None:
    """For tests under virtual time, and for what is no run."""
    ledger.gate.set()
    await InPlace(ledger).append([line(2), line(3)])

    assert ledger.rows == [2, 3]


async def test_where_the_ledger_is_gone_answers_of_the_same_group_are_kept() -> None:
    """They go into the file that is held; who waits for an intent hears why there is none."""

    class Gone(SqliteLedger):
        def append(self, lines: Sequence[Line]) -> int:
            if any(isinstance(line.entry, Sending) for line in lines):
                raise LedgerGoneError("moved")
            return super().append(lines)

    with Gone(MEMORY) as ledger:
        opened = RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab")
        ledger.append([Line(entry=opened)])
        async with GroupCommit(ledger) as group:
            answer = Line(entry=RowPlanned(name="n"), run=1, row=3)
            intent = Line(entry=Sending(number=1), run=1, row=2, marker="m")
            refused, kept = await asyncio.gather(
                group.append([intent]), group.append([answer]), return_exceptions=True
            )

        assert isinstance(refused, LedgerGoneError)
        assert kept is None
        assert [line.row for line in ledger.row_lines(1)] == [3]


class Far(Gated):
    """A server's."""

    is_remote = True


async def turns() -> None:
    """Whoever can go on does."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_of_a_server_as_many_are_waited_for_as_came_the_last_time() -> None:
    """Not one less, and not one more, also where they came while the commit was on its way."""
    with Far() as ledger, anyio.fail_after(30):
        async with GroupCommit(ledger, gather_s=3600) as group:
            async with anyio.create_task_group() as rows:
                for row in range(2, 5):
                    rows.start_soon(group.append, [line(row)])
                await anyio.to_thread.run_sync(ledger.entered.wait)
                for row in range(5, 8):
                    rows.start_soon(group.append, [line(row)])
                await until_waiting(group, 3)
                ledger.gate.set()
            async with anyio.create_task_group() as rows:
                for row in range(8, 11):
                    rows.start_soon(group.append, [line(row)])
                    await turns()

    assert ledger.groups == [3, 3, 3]


async def test_of_a_server_nobody_waits_for_those_who_do_not_come_again() -> None:
    """Only for the time that a group may gather: the last row of a run is alone."""
    with Far() as ledger, anyio.fail_after(30):
        ledger.gate.set()
        async with GroupCommit(ledger, gather_s=0) as group:
            async with anyio.create_task_group() as rows:
                for row in range(2, 5):
                    rows.start_soon(group.append, [line(row)])
            await group.append([line(5)])

    assert ledger.groups == [3, 1]


async def test_no_lane_waits_for_the_commit_of_another() -> None:
    """Each has groups of its own, whether it came before the run began or since; what is its own it has once."""
    lanes = [LaneKey(host="h", org_id=org, client_id="c") for org in "ab"]

    class Parted(Gated):
        def of_lane(self, lane: LaneKey) -> Gated:
            return parts[lane]

    with Parted() as ledger, Gated() as slow, Gated() as quick, anyio.fail_after(30):
        parts = dict(zip(lanes, (slow, quick), strict=True))
        for each in (ledger, quick):
            each.gate.set()
        group = GroupCommit(ledger)
        early = group.of_lane(lanes[0])
        async with group, anyio.create_task_group() as rows:
            late = group.of_lane(lanes[1])
            rows.start_soon(early.append, [line(2)])
            await anyio.to_thread.run_sync(slow.entered.wait)
            rows.start_soon(early.append, [line(3)])
            await until_waiting(group, 1)
            await late.append([line(4)])
            await group.append([line(5)])
            assert (slow.rows, quick.rows, ledger.rows) == ([], [4], [5])
            slow.gate.set()

        assert slow.rows == [2, 3]
        assert group.of_lane(lanes[0]) is early


async def test_in_place_each_lane_writes_to_its_own_part() -> None:
    """As in a run."""
    asked: list[LaneKey] = []

    class Parted(Gated):
        def of_lane(self, lane: LaneKey) -> Gated:
            asked.append(lane)
            return part

    key = LaneKey(host="h", org_id="o", client_id="c")
    with Parted() as ledger, Gated() as part:
        part.gate.set()
        await InPlace(ledger).of_lane(key).append([line(2)])

        assert (part.rows, ledger.rows, asked) == ([2], [], [key])


async def test_of_a_server_no_more_are_waited_for_than_came_the_last_time() -> None:
    """A file's group gathers for its time; what a server adds to a commit is not lengthened further."""
    with Far() as ledger:
        ledger.gate.set()
        with anyio.fail_after(30):
            async with GroupCommit(ledger, gather_s=3600) as commits:

                async def write_three_times(row: int) -> None:
                    for _ in range(3):
                        await commits.append([line(row)])

                async with anyio.create_task_group() as tasks:
                    for row in range(4):
                        tasks.start_soon(write_three_times, row)

    assert sum(ledger.groups) == 12
    assert len(ledger.groups) <= 5
