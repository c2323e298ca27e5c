"""Whether the connections of a lane work: a clear word counts, a first "no" does not, and a refusal ends the asking."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import pytest

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import OrgLevel, StopScope
from batchconnect.flow_service.listing import ListingFault
from batchconnect.flow_service.source import Refusal, Table
from batchconnect.lane.verification import TEST_FALSE, LaneTests, ToTest
from batchconnect.ledger.entry import Line, Tested
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import RowTested
from batchconnect.model.outcome import Works
from batchconnect.model.remedies import NOT_FOUND
from tests.fake_service import Bench
from tests.lane.test_onboarding import Pen

pytestmark = pytest.mark.anyio

Answer = bool | NotFound | Unreadable
AGAIN_S = 10.0
SECRET_WRONG = Refusal(code="AADSTS7000215")
GONE = NotFound(connection_id="a")
TIMEOUT = Unreadable(fault=ListingFault(code="timeout", detail="no answer"))


def refused(scope: StopScope = StopScope.LANE) -> Unreadable:
    """As a 403 of the service is read."""
    refusal = OrgLevel(
        code="403025", title="No", detail="", scope=scope, http_status=403, request_id=None
    )
    return Unreadable(fault=ListingFault(code="403025", detail="no"), refusal=refusal)


@dataclass(kw_only=True)
class Sources:
    """The lane, with what each connection's tests say in turn; the last one is said from then on."""

    tests: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    reasons: Mapping[str, Refusal | NotFound | Unreadable | tuple[Table, ...]] = field(
        default_factory=dict
    )
    takes_s: float = 0.1
    at_once: int = 4
    is_halted: bool = False
    asked: list[tuple[float, str]] = field(default_factory=list)
    explored: list[str] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    times: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.on_admitted: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None

    def capacity(self) -> int:
        return self.at_once

    async def test(self, sandbox: str, connection_id: str) -> Answer:
        self.asked.append((anyio.current_time(), connection_id))
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        await anyio.sleep(self.takes_s)
        self.busy -= 1
        said = self.tests.get(connection_id, [True])
        self.times[connection_id] += 1
        return said[min(self.times[connection_id], len(said)) - 1]

    async def tables(
        self, sandbox: str, connection_id: str
    ) -> tuple[Table, ...] | Refusal | NotFound | Unreadable:
        self.explored.append(connection_id)
        return self.reasons.get(connection_id, ())


@dataclass(slots=True, kw_only=True)
class Desk:
    """One lane's tests, what is written of them, and what is told."""

    sources: Sources = field(default_factory=Sources)
    pen: Pen = field(default_factory=Pen)
    events: list[RowTested] = field(default_factory=list)
    tests: LaneTests = field(init=False)

    def __post_init__(self) -> None:
        self.tests = LaneTests(
            "acme",
            service=self.sources,
            ledger=RunWriter(self.pen, run=1, clock=Bench().clock),
            again_after_s=AGAIN_S,
            on_event=self._hear,
        )

    def _hear(self, event: object) -> None:
        assert isinstance(event, RowTested)
        self.events.append(event)

    async def run(self, *connections: ToTest) -> dict[str, tuple[Works, str]]:
        """What was found of each connection, by its id."""
        await self.tests.run(connections)
        told = {one.connection_id: (one.works, one.code) for one in self.entries}
        assert len(told) == len(self.entries), "one line for each connection"
        assert [(one.works, one.code) for one in self.events] == [*told.values()]
        return told

    @property
    def entries(self) -> list[Tested]:
        return [entry for entry in self.pen.entries if isinstance(entry, Tested)]


def one(
    connection_id: str = "a", *, row: int = 2, sandbox: str = "prod", before: Works | None = None
) -> ToTest:
    return ToTest(
        row=row,
        marker=f"bc1-{connection_id}",
        sandbox=sandbox,
        connection_id=connection_id,
        before=before,
    )


def many(count: int, sandbox: str = "prod") -> list[ToTest]:
    return [one(f"{sandbox}-{at}", row=at + 2, sandbox=sandbox) for at in range(count)]


async def test_true_means_that_it_works() -> None:
    desk = Desk()

    assert await desk.run(one()) == {"a": (Works.YES, "")}
    assert desk.sources.explored == []


async def test_a_first_no_may_be_entras_delay_and_does_not_count() -> None:
    """It is asked once more, later; what it says then holds."""
    desk = Desk(sources=Sources(tests={"a": [False, True]}))

    assert await desk.run(one()) == {"a": (Works.YES, "")}
    (first, _), (second, _) = desk.sources.asked
    assert second - first >= AGAIN_S


async def test_one_wait_is_enough_for_all_that_said_no() -> None:
    desk = Desk(sources=Sources(tests={f"prod-{at}": [False, True] for at in range(8)}))
    began = anyio.current_time()

    await desk.run(*many(8))

    assert anyio.current_time() - began < AGAIN_S + 1


async def test_after_the_second_no_the_source_is_asked_for_its_reason() -> None:
    desk = Desk(sources=Sources(tests={"a": [False]}, reasons={"a": SECRET_WRONG}))

    assert await desk.run(one(), one("b")) == {
        "a": (Works.NO, "AADSTS7000215"),
        "b": (Works.YES, ""),
    }
    assert desk.sources.explored == ["a"], "once, and only where the answer was no"


@pytest.mark.parametrize("says", [(), GONE, TIMEOUT], ids=["tables", "not found", "timeout"])
async def test_without_a_reason_a_no_stays_a_no(
    says: NotFound | Unreadable | tuple[Table, ...],
) -> None:
    desk = Desk(sources=Sources(tests={"a": [False]}, reasons={"a": says}))

    assert await desk.run(one()) == {"a": (Works.NO, TEST_FALSE)}


async def test_no_clear_word_says_nothing_of_the_credentials() -> None:
    sources = Sources(tests={"a": [TIMEOUT], "b": [GONE], "c": [False, TIMEOUT]})
    desk = Desk(sources=sources)

    assert await desk.run(one(), one("b"), one("c")) == {
        "a": (Works.NOT_TESTED, "timeout"),
        "b": (Works.NOT_TESTED, NOT_FOUND),
        "c": (Works.NOT_TESTED, "timeout"),
    }
    assert not desk.tests.is_refused


async def test_a_refusal_is_met_once_and_told_of_all_that_were_still_to_be_asked() -> None:
    """What the service refuses one connection of a lane it would refuse the others."""
    connections = many(50)
    sources = Sources(tests={it.connection_id: [refused()] for it in connections}, at_once=1)
    desk = Desk(sources=sources)

    found = await desk.run(*connections)

    assert set(found.values()) == {(Works.NOT_TESTED, "403025")}
    assert len(found) == 50
    assert len(sources.asked) == 1
    assert desk.tests.is_refused


async def test_a_refusal_of_one_sandbox_is_none_of_the_others() -> None:
    sources = Sources(
        tests={f"dev-{at}": [refused(StopScope.SANDBOX)] for at in range(9)}, at_once=1
    )
    desk = Desk(sources=sources)

    found = await desk.run(*many(9, "dev"), *many(9, "prod"))

    assert [works for works, _ in found.values()] == [*[Works.NOT_TESTED] * 9, *[Works.YES] * 9]
    assert len(sources.asked) == 1 + 9
    assert not desk.tests.is_refused


async def test_a_lane_is_refused_where_each_of_its_sandboxes_is() -> None:
    tests = {name: [refused(StopScope.SANDBOX)] for name in ("dev-0", "prod-0")}
    desk = Desk(sources=Sources(tests=tests))

    await desk.run(*many(1, "dev"), *many(1, "prod"))

    assert desk.tests.is_refused


async def test_a_lane_that_was_halted_is_asked_nothing_and_writes_nothing() -> None:
    desk = Desk(sources=Sources(is_halted=True))

    assert await desk.run(*many(5)) == {}
    assert desk.sources.asked == []


async def test_what_the_stop_cut_off_is_not_told_as_untested() -> None:
    """Its answer is the stop's own; what still came is kept."""
    sources = Sources(tests={"cut": [TIMEOUT], "no": [False]}, takes_s=5.0)
    desk = Desk(sources=sources)

    async def halt() -> None:
        await anyio.sleep(1)
        sources.is_halted = True

    found: dict[str, tuple[Works, str]] = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(halt)
        found |= await desk.run(one("cut"), one("no"), one("yes"))

    assert found == {"yes": (Works.YES, "")}
    assert len(sources.asked) == 3, "nothing is asked again"


async def test_a_stop_ends_the_pause_before_the_second_try() -> None:
    """A person who asked for the end does not wait for a key to become known."""
    sources = Sources(tests={"no": [False]})
    desk = Desk(sources=sources)
    began = anyio.current_time()

    async def halt() -> None:
        await anyio.sleep(2)
        sources.is_halted = True
        sources.on_change()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(halt)
        assert await desk.run(one("no")) == {}

    assert anyio.current_time() - began == 2.0
    assert len(sources.asked) == 1


@pytest.mark.parametrize("is_refusal", [True, False])
async def test_what_is_left_untested_is_told_once_and_by_its_reason(is_refusal: bool) -> None:
    """What was tested before keeps its result; whether the lane counts as refused is the reason's matter."""
    sources = Sources(at_once=1)
    desk = Desk(sources=sources)
    admitted = sources.capacity

    def halt_after_two() -> int:
        sources.is_halted = len(sources.asked) >= 2
        return admitted()

    sources.capacity = halt_after_two  # type: ignore[method-assign]  # the lane is halted between two
    found = await desk.run(*many(4))
    assert set(found.values()) == {(Works.YES, "")}

    await desk.tests.leave_untested("banned_until", is_refusal=is_refusal)

    left = desk.entries[len(found) :]
    assert {one.connection_id for one in left} == {one.connection_id for one in many(4)} - {*found}
    assert {(one.works, one.code) for one in left} == {(Works.NOT_TESTED, "banned_until")}
    assert desk.tests.is_refused is is_refusal


async def test_slow_sources_are_asked_side_by_side() -> None:
    """A source may take a minute; a hundred of them do not take a hundred."""
    desk = Desk(sources=Sources(takes_s=60.0, at_once=20))
    began = anyio.current_time()

    found = await desk.run(*many(100))

    assert len(found) == 100
    assert desk.sources.most_busy == 20
    assert anyio.current_time() - began == pytest.approx(300, abs=1)


async def test_a_lane_that_may_do_more_meanwhile_does_more() -> None:
    sources = Sources(takes_s=60.0, at_once=1)
    desk = Desk(sources=sources)

    async def grow() -> None:
        await anyio.sleep(1)
        sources.at_once = 10
        sources.on_admitted()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(grow)
        await desk.run(*many(10))

    assert sources.most_busy == 10


async def test_each_line_tells_what_the_test_before_said() -> None:
    """So a person sees what changed since."""
    sources = Sources(tests={"broke": [False]})
    desk = Desk(sources=sources)

    await desk.run(one("broke", before=Works.YES), one("mended", before=Works.NO), one("new"))

    assert {it.connection_id: (it.before, it.works) for it in desk.entries} == {
        "broke": (Works.YES, Works.NO),
        "mended": (Works.NO, Works.YES),
        "new": (None, Works.YES),
    }


class SlowPen(Pen):
    """A disk that takes ten seconds for each commit."""

    commits = 0

    async def append(self, lines: Sequence[Line]) -> None:
        await anyio.sleep(10)
        self.commits += 1
        await super().append(lines)


async def test_nobody_who_asks_waits_for_the_disk() -> None:
    """What is found meanwhile is written together, and all of it is told, the last one too, when it is durable."""
    pen = SlowPen()
    desk = Desk(sources=Sources(takes_s=1.0, at_once=2), pen=pen)
    began = anyio.current_time()

    found = await desk.run(*many(20))

    assert (len(found), len(desk.events)) == (20, 20)
    assert max(asked_s for asked_s, _ in desk.sources.asked) - began == pytest.approx(9)
    assert anyio.current_time() - began == pytest.approx(21)
    assert pen.commits == 2


async def test_what_was_found_when_it_is_cut_off_is_written_and_told() -> None:
    """It is known, so the next command need not ask for it again."""
    desk = Desk(sources=Sources(takes_s=1.0, at_once=2), pen=SlowPen())

    with anyio.move_on_after(4.5):
        await desk.tests.run(many(20))

    assert len(desk.entries) == len(desk.events) == 8


async def test_a_result_that_cannot_be_written_ends_it() -> None:
    desk = Desk(pen=Pen(refuse=Tested))

    with pytest.raises(LedgerError):
        await desk.run(one())

    assert desk.events == []
