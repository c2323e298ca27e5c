"""Whose lanes are whose: shares of those who take any, and lanes that somebody is pinned to."""

import copy
from collections.abc import Callable, Sequence

import anyio
import pytest

from batchconnect.ledger.entry import LaneTaken
from batchconnect.ledger.lease_keeper import LeaseKeeper
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.team import Company, WorkerRow
from batchconnect.model.event import LaneAwaited, RunCounted
from batchconnect.model.outcome import Status
from batchconnect.model.value import replace
from batchconnect.run.job import Job
from batchconnect.run.stop import Stop
from batchconnect.run.team.opening import opened_run
from batchconnect.run.team.sharing import Share, share_of
from batchconnect.run.team.team_run import TeamRun
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import Purpose, Request, Response
from tests.fake_service import ACME, BETA, Bench, FakeService, cells
from tests.memory_team import TERMS, Lanes, MemoryLeases, MemoryTeamLedger, team_of

LIMIT_S = 60
"""Whatever takes longer hangs."""


def other(*pins: int, wants: bool = True, any_lane: bool = False, name: str = "other") -> WorkerRow:
    """Somebody else, pinned to lanes or to none."""
    return WorkerRow(
        name=name, run=1, wants=wants, silent_s=0, terms=TERMS,
        pins=None if any_lane else frozenset(pins),
    )  # fmt: skip


def share(pins: tuple[int, ...] | None, others: list[WorkerRow], held: Sequence[int] = ()) -> Share:
    """One worker's, of five lanes."""
    return share_of(
        "us", {lane: "us" if lane in held else "" for lane in range(1, 6)}, pins, others
    )


ANYBODY = other(any_lane=True)
CONTENT = other(any_lane=True, wants=False)


def taken(share: Share) -> list[int]:
    """What somebody comes to have who has nothing, and finds all of it free."""
    has: list[int] = []
    for lane in range(1, 6):
        if share.may_take(lane, has=len(has)):
            has.append(lane)
    return has


@pytest.mark.parametrize(
    ("pins", "others", "takes"),
    [
        (None, [], [1, 2, 3, 4, 5]),
        (None, [CONTENT], [1, 2, 3, 4, 5]),
        (None, [ANYBODY], [1, 2, 3]),
        (None, [other(2)], [1, 3, 4, 5]),
        (None, [other(2, wants=False)], [1, 3, 4, 5]),
        (None, [other(2), ANYBODY], [1, 3]),
        ((), [], []),
        ((4,), [ANYBODY], [4]),
        ((4,), [other(4)], [4]),
        ((1, 2, 9), [other(2)], [1]),
        ((1, 2), [other(2, wants=False)], [1, 2]),
        ((1, 2), [other(3)], [1, 2]),
    ],
)
def test_what_is_free_is_taken_up_to_the_share(
    pins: tuple[int, ...] | None, others: list[WorkerRow], takes: list[int]
) -> None:
    """A lane that somebody is pinned to is left alone even while he is content, for he may have it already."""
    assert taken(share(pins, others)) == takes


@pytest.mark.parametrize(
    ("pins", "others", "held", "gives"),
    [
        (None, [], [1, 2, 3, 4, 5], []),
        (None, [CONTENT], [1, 2, 3, 4, 5], []),
        (None, [ANYBODY], [5, 4, 3, 2, 1], [2, 1]),
        (None, [other(4, wants=False)], [5, 4, 3], [4]),
        (None, [other(5), ANYBODY], [1, 2, 3, 5], [5, 3]),
        (None, [ANYBODY] * 7, [1, 2], [2]),
        (None, [ANYBODY] * 7, [1], []),
        ((1, 2), [other(1)], [2, 1], [1]),
        ((1, 2), [other(1)], [1, 2], [1]),
        ((1,), [other(1)], [1], []),
    ],
)
def test_what_is_too_much_is_given_the_latest_first(
    pins: tuple[int, ...] | None, others: list[WorkerRow], held: list[int], gives: list[int]
) -> None:
    """And only to somebody who takes it: what one is pinned to goes to him, however few one has."""
    assert share(pins, others, held).to_give(held) == gives


@pytest.mark.parametrize(
    ("pins", "others", "gives"),
    [
        (None, [ANYBODY], [2, 3]),
        (None, [ANYBODY] * 7, [1, 2, 3]),
        (None, [other(5)], [5]),
        ((1, 2, 3, 4, 5), [other(4, 5)], []),
    ],
)
def test_what_is_through_soon_is_not_given_but_to_one_who_is_pinned_to_it(
    pins: tuple[int, ...] | None, others: list[WorkerRow], gives: list[int]
) -> None:
    """Before another one had begun with it, it is done; who is pinned to it has it from where it has to be worked."""
    held = [1, 2, 3, 4, 5]

    assert share(pins, others, held).to_give(held, ending=[4, 5]) == gives


@pytest.mark.parametrize("workers", range(1, 9))
@pytest.mark.parametrize("lanes", range(9))
def test_whoever_has_too_few_is_given_one_and_nothing_goes_back_and_forth(
    lanes: int, workers: int
) -> None:
    """From one who has all to shares that stay: also where it is no even number, or fewer lanes than workers."""
    for holder in range(workers):
        held: dict[str, list[int]] = {f"w{number}": [] for number in range(workers)}
        held[f"w{holder}"] = list(range(lanes))
        before: dict[str, list[int]] = {}
        for turn in range(3 * workers):
            before = {name: list(has) for name, has in held.items()}
            for name, has in held.items():
                holders = dict.fromkeys(range(lanes), "")
                holders |= {lane: one for one, lanes_of in held.items() for lane in lanes_of}
                others = [other(any_lane=True, name=one) for one in held if one != name]
                ours = share_of(name, holders, None, others)
                given = ours.to_give(has)
                assert not (given and turn > 1), "it takes two looks at most"
                has[:] = [lane for lane in has if lane not in given]
                for lane in [lane for lane, one in holders.items() if not one]:
                    if ours.may_take(lane, has=len(has)):
                        has.append(lane)
        assert held == before
        counts = sorted(map(len, held.values()))
        assert sum(counts) == lanes
        assert counts[-1] - counts[0] <= 1


# Two workers --------------------------------------------------------------------------------------


class Held(FakeService):
    """It answers what has one purpose when it is let."""

    def __init__(self, purpose: Purpose) -> None:
        super().__init__()
        self._purpose = purpose
        self.may_answer: Callable[[], bool] = lambda: True

    async def send(self, request: Request) -> Response:
        answer = await super().send(request)
        while request.purpose is self._purpose and not self.may_answer():  # noqa: ASYNC110 - of looks, in threads
            await anyio.sleep(0.001)
        return answer

    def has_seen(self, purpose: Purpose) -> bool:
        """Whether any such request has arrived."""
        return any(seen.purpose is purpose for seen in self.seen)


class Place:
    """One ledger and one service, and workers of one run."""

    def __init__(self, purpose: Purpose) -> None:
        self.table = Lanes()
        self.ledger = MemoryTeamLedger(lanes=self.table, name="opener")
        self.service = Held(purpose)
        self.service.ledger = self.ledger
        self.rows = [
            *(cells(number, sandbox=f"s{number}") for number in range(1, 9)),
            cells(9, "beta"),
        ]
        self.stop = Stop()

    async def run(
        self, name: str, bench: Bench, *, only: str | None = None, joins: str | None = None
    ) -> RunState:
        """One worker's part."""
        ledger = copy.copy(self.ledger)
        ledger.leases = self.leases = MemoryLeases(self.table, name)
        bench.ledger, bench.service = ledger, self.service

        async def look_back() -> Job:
            job = bench.job(MemorySheet(self.rows))
            return replace(job, stop=self.stop)

        async with LeaseKeeper(ledger.leases, terms=TERMS, boot_s=lambda: 0.0) as keeper:
            team = team_of(bench, ledger, keeper)
            if only is not None:
                team = replace(team, pinned=lambda org: org == only)
            found = await opened_run(
                team, look_back, command="run", parent=None, joins=joins, stop=self.stop,
                on_wait=lambda run_id: None,
            )  # fmt: skip
            assert found is not None
            return await TeamRun(team, found).run()

    def takers(self, org: str) -> list[str]:
        """Who took an org's lane, in that order."""
        entries = [line.entry for line in self.ledger.run_lines(1)]
        return [one.worker for one in entries if isinstance(one, LaneTaken) and one.org == org]


@pytest.mark.asyncio
@pytest.mark.parametrize(("purpose", "rate"), [(Purpose.READ, 4.0), (Purpose.CREATE, 50.0)])
async def test_a_worker_that_is_pinned_is_handed_its_lane_by_one_that_has_all(
    purpose: Purpose, rate: float
) -> None:
    """
    It hands back what is pinned, whatever it is at there, keeps the rest, and takes nothing back.
    """
    place = Place(purpose)
    # Some of the sandboxes wait for their turn to be read when the lane is given back.
    opener, pinned = Bench(orgs=(replace(ACME, rate=rate), BETA)), Bench()
    looks = 0
    company = MemoryLeases.company

    def look(self: MemoryLeases, run_id: str) -> Company:
        nonlocal looks
        told = company(self, run_id)
        looks += self.name == "opener" and any(one.pins for one in told.workers)
        return told

    # What is on its way is answered when the opener has twice seen who is pinned: by then it gives the lane back.
    place.service.may_answer = lambda: looks >= 2
    states: list[RunState] = []

    async def work(name: str, bench: Bench, only: str | None, joins: str | None) -> None:
        states.append(await place.run(name, bench, only=only, joins=joins))

    with pytest.MonkeyPatch.context() as patch, anyio.fail_after(LIMIT_S):
        patch.setattr(MemoryLeases, "company", look)
        async with anyio.create_task_group() as both:
            both.start_soon(work, "opener", opener, None, None)
            while not place.service.has_seen(purpose):  # noqa: ASYNC110 - likewise
                await anyio.sleep(0.001)
            both.start_soon(work, "pinned", pinned, ACME.key, "run-1")

    assert place.takers("acme") == ["opener", "pinned"]
    assert place.takers("beta") == ["opener"]
    assert {state.is_closed for state in states} == {True}
    assert opener.statuses(states[0]) == [Status.CREATED] * len(place.rows)
    assert opener.broken_promises(states[0], len(place.rows)) == []
    counted = [bench.heard(RunCounted) for bench in (opener, pinned)]
    whole = RunCounted(done=len(place.rows), total=len(place.rows))
    assert [of_one[-1] for of_one in counted] == [whole, whole], "each tells of what both did"
    awaited = pinned.heard(LaneAwaited)
    assert [(one.org, one.holder) for one in awaited] == [("acme", "opener")], "and said for whom"
