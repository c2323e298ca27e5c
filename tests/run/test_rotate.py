"""
Keys for connections that exist: each arrives whole, no parameter is lost, and nobody's change is overwritten.

The service is the in-memory one, time is virtual. Answers get lost before and after the change, and a
process ends hard at every single one of its side effects.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import anyio
import pytest

from batchconnect.lane.lane import Limits
from batchconnect.lane.planner import KeyChoice, Rules
from batchconnect.lane.reconciler import Policy
from batchconnect.ledger.entry import ROTATE, RunEnded, Tested, Updated, Updating
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import Conflict, Status, Updated as Told, Works, status_of
from batchconnect.model.precaution import OnDoubt
from batchconnect.run.exit_code import INTERRUPTED
from batchconnect.run.history.history import run_states
from batchconnect.run.job import Tests
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task, verification
from batchconnect.transport.interface import Purpose, TransportError
from batchconnect.transport.retry import RetryPolicy
from tests.fake_service import (
    ACME,
    DENIED,
    OK,
    Bench,
    Bomb,
    Chooser,
    FakeService,
    Fate,
    Seen,
    Stored,
    cells,
    deaths,
    flow_error,
    judged,
    lost,
    refused,
)
from tests.fast_lane import SHARES, few

pytestmark = pytest.mark.anyio

Rows = Sequence[Mapping[str, str]]
OLD: Rows = [cells(number) for number in range(1, 7)]
NEW: Rows = [{**row, "servicePrincipalKey": f"new~{row['servicePrincipalKey']}"} for row in OLD]
ROTATION = Task(command=ROTATE, keys=KeyChoice(), tests=Tests.CHANGED)
FAILING = Task(command=ROTATE, keys=KeyChoice(is_all=False), tests=Tests.CHANGED)
SOMEBODY = "client-of-a-colleague"


async def stands(bench: Bench, rows: Rows = OLD) -> list[Stored]:
    """What a run made of these rows, with their keys as they were then."""
    await bench.run(rows)
    return in_order(bench.service)


def in_order(service: FakeService) -> list[Stored]:
    """As the rows stand in the sheet; they are created side by side."""
    return sorted(service.existing(), key=lambda one: one.name)


def keys(bench: Bench) -> list[str]:
    return [one.params["servicePrincipalKey"] for one in in_order(bench.service)]


def wanted(rows: Rows) -> list[str]:
    return [row["servicePrincipalKey"] for row in rows]


def whole(bench: Bench) -> bool:
    """Whether each connection has all five parameters."""
    return all(len(one.params) == 5 for one in bench.service.existing())


async def test_each_key_is_sent_once_and_arrives_byte_for_byte() -> None:
    bench = Bench()
    await stands(bench)

    state = await bench.run(NEW, task=ROTATION)

    assert keys(bench) == wanted(NEW)
    assert whole(bench)
    assert len(bench.service.updates) == len(NEW)
    assert set(bench.statuses(state)) == {Status.UPDATED}
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK
    assert {
        (line.entry.outcome.etag_before, line.entry.outcome.etag)
        for line in bench.lines(Updated)
        if isinstance(line.entry, Updated)
    } == {('"e"', '"e+"')}
    assert not bench.broken_promises(state, len(NEW))


async def test_all_five_parameters_go_where_the_service_knows_no_path_to_one() -> None:
    bench = Bench()
    await stands(bench)
    bench.service.takes_one_key = False

    await bench.run(NEW, task=ROTATION)

    assert keys(bench) == wanted(NEW)
    assert whole(bench)


async def test_nothing_is_sent_where_parameters_of_others_would_be_dropped() -> None:
    bench = Bench()
    (first, *_) = await stands(bench)
    first.params["privateEndpointId"] = "p-1"
    bench.service.takes_one_key = False

    state = await bench.run(NEW, task=ROTATION)

    assert bench.codes(state)[0] == "params_of_others"
    assert first.params["privateEndpointId"] == "p-1"
    assert first.params["servicePrincipalKey"] == OLD[0]["servicePrincipalKey"]
    assert keys(bench)[1:] == wanted(NEW)[1:]


LOSSES = {
    "before the change": lost(applied_s=None),
    "after the change": lost(applied_s=0.0),
    "and it is applied late": lost(applied_s=20.0),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_an_answer_that_was_lost_is_settled_by_reading(loss: Fate) -> None:
    """Every first update of a connection loses its answer; what was applied late changes nothing twice."""
    seen_ids: Counter[str] = Counter()

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is not Purpose.UPDATE:
            return None
        seen_ids[seen.path] += 1
        return loss if seen_ids[seen.path] == 1 else OK

    bench = Bench(service=FakeService(choose))
    await stands(bench)

    state = await bench.run(NEW, task=ROTATION)
    await anyio.sleep(200)

    assert set(bench.statuses(state)) == {Status.UPDATED}, bench.codes(state)
    assert keys(bench) == wanted(NEW)
    assert whole(bench)
    assert not bench.service.unheard


async def test_a_key_that_is_lost_each_time_is_told_as_never_applied() -> None:
    def choose(seen: Seen) -> Fate | None:
        return lost(applied_s=None) if seen.purpose is Purpose.UPDATE else None

    bench = Bench(service=FakeService(choose))
    await stands(bench, OLD[:1])

    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.codes(state) == ["never_applied"]
    assert keys(bench) == wanted(OLD[:1])
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED


@pytest.mark.parametrize("what", ["database", "nothing that is shown"])
async def test_what_a_colleague_changes_meanwhile_is_left_and_named(what: str) -> None:
    """Between our reading and our change; what is shown need not differ, for a key is never shown."""
    bench = Bench()
    (first, *_) = await stands(bench)

    def choose(seen: Seen) -> Fate | None:
        is_theirs = seen.purpose is Purpose.UPDATE and seen.path.endswith(first.id)
        if is_theirs and first.client_id != SOMEBODY:
            first.change(SOMEBODY, **({"database": "other"} if what == "database" else {}))
        return None

    bench.service.choose = choose

    state = await bench.run(NEW, task=ROTATION)

    assert bench.codes(state)[0] in {"changed_meanwhile", "target_differs"}
    assert status_of(bench.rows(state)[0].shown) is Status.CONFLICT
    outcome = bench.rows(state)[0].shown
    assert isinstance(outcome, Conflict)
    assert outcome.connection_ids == (first.id,)
    assert keys(bench) == [OLD[0]["servicePrincipalKey"], *wanted(NEW)[1:]]
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED


async def test_what_another_process_of_ours_changed_gets_the_key_all_the_same() -> None:
    """It shows nothing else, and our client changed it last: the key goes with the new etag, once more."""
    bench = Bench()
    (first, *_) = await stands(bench)
    met: list[Seen] = []

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is Purpose.UPDATE and seen.path.endswith(first.id) and not met:
            met.append(seen)
            first.change(ACME.client_id)
        return None

    bench.service.choose = choose

    state = await bench.run(NEW, task=ROTATION)

    assert set(bench.statuses(state)) == {Status.UPDATED}
    assert keys(bench) == wanted(NEW)


async def test_a_row_without_a_connection_is_not_attempted_and_none_is_created() -> None:
    bench = Bench()
    await stands(bench, OLD[:2])
    posts = len(bench.service.posts)

    state = await bench.run(NEW, task=ROTATION)

    assert bench.codes(state) == ["", "", *["no_connection"] * 4]
    assert len(bench.service.posts) == posts
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED


@pytest.mark.parametrize("state", ["disabled", "draft", "initializing", "delete-finalizing"])
async def test_a_connection_that_is_not_enabled_gets_no_key(state: str) -> None:
    bench = Bench()
    (first, *_) = await stands(bench)
    first.state = state

    ended = await bench.run(NEW, task=ROTATION)

    assert bench.codes(ended)[0] == state
    assert keys(bench)[0] == OLD[0]["servicePrincipalKey"]


async def test_with_failing_only_those_get_their_key_whose_last_test_said_no() -> None:
    bench = Bench()
    await stands(bench)
    bench.service.bad_keys = {OLD[1]["servicePrincipalKey"]}
    await bench.run(OLD, task=verification())

    state = await bench.run(NEW, task=FAILING)

    assert bench.codes(state) == ["not_failing", "", *["not_failing"] * 4]
    assert [seen.path.rpartition("/")[2] for seen in bench.service.updates] == [
        in_order(bench.service)[1].id
    ]
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.OK


async def test_created_with_a_wrong_key_verified_mended_rerun_and_it_works() -> None:
    """
    The sentence that this is for: create, verify says no, mend the sheet, `rerun`, verify says yes.

    A rerun sends keys to connections that bear our marker; one that was adopted it leaves, and says so.
    """
    bench = Bench()
    adopted = bench.service.plant(judged(OLD[5]), description="made by hand")
    adopted.params["servicePrincipalKey"] = OLD[5]["servicePrincipalKey"]
    bench.service.bad_keys = {OLD[1]["servicePrincipalKey"], OLD[5]["servicePrincipalKey"]}

    first = await bench.run(OLD, task=Task(tests=Tests.ALL))
    assert first.ended is not None
    assert first.ended.exit_code == ExitCode.UNFINISHED
    posts = len(bench.service.posts)
    rerun = await bench.run(NEW, parent=first.opened.run_id)
    after = await bench.run(NEW, task=verification())

    assert len(bench.service.posts) == posts
    assert len(bench.service.updates) == 1
    assert bench.statuses(rerun) == [
        Status.CREATED, Status.UPDATED, *[Status.CREATED] * 3, Status.EXISTING,
    ]  # fmt: skip
    works = [row.tested and row.tested.works for row in bench.rows(after)]
    assert works == [*[Works.YES] * 5, Works.NO]
    second = bench.rows(after)[1].number
    assert [
        line.entry.works
        for line in bench.lines(Tested)
        if line.row == second and isinstance(line.entry, Tested)
    ] == [Works.YES, Works.YES, Works.NO]


async def test_a_key_that_is_still_wrong_is_told_so_by_the_same_command() -> None:
    bench = Bench()
    await stands(bench)
    bench.service.bad_keys = {NEW[2]["servicePrincipalKey"]}

    state = await bench.run(NEW, task=ROTATION)

    third = bench.rows(state)[2]
    assert status_of(third.shown) is Status.UPDATED
    assert third.tested is not None
    assert (third.tested.works, third.tested.code) == (Works.NO, "AADSTS7000215")
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED


def troubled() -> FakeService:
    """Of the first updates, every second loses its answer, before or after the change, or it comes late."""
    met: Counter[str] = Counter()
    fates = [lost(applied_s=None), OK, lost(), OK, lost(applied_s=15.0), flow_error("1103-503")]

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is not Purpose.UPDATE:
            return None
        met[seen.path] += 1
        return fates[len(met) % len(fates)] if met[seen.path] == 1 else OK

    return FakeService(choose)


async def rotated_until(bomb: Bomb) -> tuple[Bench, bool]:
    bench = Bench(service=troubled())
    await stands(bench)
    return bench, await bench.run_until_crash(NEW, bomb, task=ROTATION)


async def ended_well(bench: Bench) -> RunState:
    """The same command again, and what was late has arrived."""
    state = await bench.run(NEW, task=ROTATION)
    await anyio.sleep(200)
    return state


@pytest.mark.parametrize("share", SHARES)
async def test_a_crash_at_any_side_effect_loses_no_key_and_no_parameter(share: int) -> None:
    """For every N the process ends at its N-th side effect, and the same command goes on with its run."""
    bomb = Bomb()
    _, is_whole = await rotated_until(bomb)
    assert is_whole
    for at in deaths(bomb.points, first=1 + share, every=len(SHARES)):
        bench, is_ended = await rotated_until(Bomb(at))
        assert not is_ended

        state = await ended_well(bench)

        assert keys(bench) == wanted(NEW), at
        assert whole(bench), at
        assert set(bench.statuses(state)) == {Status.UPDATED}, (at, bench.codes(state))
        assert not bench.service.unheard, at


@pytest.mark.parametrize("share", SHARES)
async def test_a_crash_never_overwrites_what_a_colleague_changed_meanwhile(share: int) -> None:
    """
    The first connection is changed by somebody as its key arrives, and the process ends at its N-th side effect.

    Its intent tells as what it stood: the process that goes on leaves it and names it. What is settled is not
    sent again.
    """

    def meddled() -> Bench:
        bench = Bench()

        def choose(seen: Seen) -> Fate | None:
            if seen.purpose is Purpose.UPDATE:
                first = in_order(bench.service)[0]
                if seen.path.endswith(first.id) and first.client_id != SOMEBODY:
                    first.change(SOMEBODY)
            return None

        bench.service.choose = choose
        return bench

    bomb = Bomb()
    bench = meddled()
    await stands(bench)
    await bench.run_until_crash(NEW, bomb, task=ROTATION)
    for at in deaths(bomb.points, first=1 + share, every=len(SHARES)):
        bench = meddled()
        await stands(bench)
        await bench.run_until_crash(NEW, Bomb(at), task=ROTATION)
        is_over = any(
            isinstance(one.entry, RunEnded) for one in bench.ledger.run_lines(_rotated(bench))
        )
        settled = {line.row for line in bench.lines(Updated)}
        sent = Counter(line.row for line in bench.lines(Updating))
        if is_over:
            continue  # then it is a new command, and a person who has read of the conflict

        state = await ended_well(bench)

        assert bench.codes(state) == ["changed_meanwhile", *[""] * 5], at
        assert keys(bench) == [OLD[0]["servicePrincipalKey"], *wanted(NEW)[1:]], at
        assert whole(bench), at
        again = Counter(line.row for line in bench.lines(Updating)) - sent
        assert not settled & again.keys(), at


def _rotated(bench: Bench) -> int:
    """Number of the newest run."""
    return next(iter(bench.ledger.runs()))[0]


async def test_a_key_that_may_have_been_taken_stays_in_doubt_where_it_cannot_be_read() -> None:
    """A resend that finds the service unreadable does not say that no key was sent."""
    bench = Bench()
    (first, *_) = await stands(bench, OLD[:1])
    looks: list[Seen] = []

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is Purpose.UPDATE:
            return lost(applied_s=None)
        if seen.purpose is Purpose.READ and seen.path.endswith(first.id):
            looks.append(seen)
            # The read before the first send, and the one that settles it, are answered.
            return None if len(looks) <= 2 else refused(500)
        return None

    bench.service.choose = choose
    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.statuses(state) == [Status.IN_DOUBT]
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.IN_DOUBT


def first_then(first: Fate, then: Fate) -> Chooser:
    """The first update of the world meets one fate, all others another."""
    updates: list[Seen] = []

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is not Purpose.UPDATE:
            return None
        updates.append(seen)
        return first if len(updates) == 1 else then

    return choose


@pytest.mark.parametrize(
    ("loss", "ends"),
    [
        pytest.param(lost(), Status.UPDATED, id="it was applied"),
        pytest.param(lost(applied_s=20.0), Status.UPDATED, id="and is applied late"),
        pytest.param(lost(applied_s=None), Status.FAILED, id="it was not"),
    ],
)
async def test_a_refusal_is_no_word_on_a_try_before_it(loss: Fate, ends: Status) -> None:
    """The answer to the first try is lost, the second one is refused: reading tells what became of the key."""
    bench = Bench()
    await stands(bench, OLD[:1])
    bench.service.choose = first_then(loss, DENIED)

    state = await bench.run(NEW[:1], task=ROTATION)
    await anyio.sleep(200)

    assert bench.statuses(state) == [ends]
    assert keys(bench) == wanted(NEW[:1] if ends is Status.UPDATED else OLD[:1])
    assert (bench.codes(state) == ["403025"]) is (ends is Status.FAILED)


async def test_a_refused_resend_is_no_word_on_the_send_before_it() -> None:
    """All tries of a send are lost, its key is applied late, and the resend is refused meanwhile."""
    bench = Bench(limits=Limits(retries=RetryPolicy(attempts=1)))
    await stands(bench, OLD[:1])
    bench.service.choose = first_then(lost(applied_s=60.0), DENIED)

    state = await bench.run(NEW[:1], task=ROTATION)

    assert len(bench.service.updates) == 2
    assert bench.statuses(state) == [Status.UPDATED]
    assert keys(bench) == wanted(NEW[:1])


async def test_a_stop_after_a_lost_try_leaves_a_doubt_and_the_same_command_settles_it() -> None:
    """Ctrl-C in the wait for the next try: the key may have been taken, so it is not told as never sent."""
    bench, stop = Bench(), Stop()
    await stands(bench, OLD[:1])

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is not Purpose.UPDATE:
            return None
        stop.ask(INTERRUPTED)
        return lost(answered_s=0.0)

    bench.service.choose = choose
    stopped = await bench.run(NEW[:1], task=ROTATION, stop=stop)
    assert bench.statuses(stopped) == [Status.IN_DOUBT]
    bench.service.choose = lambda _seen: None

    state = await bench.run(NEW[:1], task=ROTATION)

    assert (state.number, bench.statuses(state)) == (stopped.number, [Status.UPDATED])
    assert keys(bench) == wanted(NEW[:1])


async def test_a_key_that_never_left_is_told_as_not_sent() -> None:
    """However often it was tried: nothing of it can have been applied."""
    bench = Bench()
    await stands(bench, OLD[:1])
    unsent = Fate(applied_s=None, answer=TransportError("refused", sent=False))
    bench.service.choose = lambda seen: unsent if seen.purpose is Purpose.UPDATE else None

    state = await bench.run(NEW[:1], task=ROTATION)

    assert len(bench.service.updates) > 1
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED]


def denied_looks(service: FakeService) -> Callable[[Seen], bool]:
    """Whether a request is a look at one connection."""
    ids = {one.id for one in service.stored}
    return lambda seen: seen.purpose is Purpose.READ and seen.path.rpartition("/")[2] in ids


async def test_a_refused_look_stops_the_lane() -> None:
    """What refuses to show one connection refuses them all: it is not asked for each of a sheet's rows."""
    rows = [cells(number) for number in range(1, 61)]
    bench = Bench(limits=Limits(concurrency=1))
    await stands(bench, rows)
    is_look = denied_looks(bench.service)
    bench.service.choose = lambda seen: DENIED if is_look(seen) else None

    state = await bench.run(rows, task=ROTATION)

    assert sum(map(is_look, bench.service.seen)) == 1
    assert set(bench.statuses(state)) == {Status.NOT_ATTEMPTED}
    assert bench.codes(state).count("403025") == 1
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.STOPPED


async def test_a_refused_look_ends_the_search_for_a_lost_key() -> None:
    """It would be refused again, for as long as the patience lasts; the key stays in doubt."""
    bench = Bench()
    await stands(bench, OLD[:1])
    is_look = denied_looks(bench.service)

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is Purpose.UPDATE:
            return lost()
        return DENIED if bench.service.updates and is_look(seen) else None

    bench.service.choose = choose
    began = anyio.current_time()

    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.statuses(state) == [Status.IN_DOUBT]
    assert anyio.current_time() - began < bench.policy.settle_s


def adopted(bench: Bench, **changes: str) -> Stored:
    """A colleague's connection of the first row's name, whose target the service hides."""
    stored = bench.service.plant(judged(OLD[0]), description="made by hand")
    stored.params |= changes
    bench.service.takes_one_key = False
    bench.rules = Rules(adopt_by_name=True)
    return stored


async def test_a_target_that_is_hidden_is_never_replaced_by_the_row_s() -> None:
    """Adopted by its name alone, it may point elsewhere; with all parameters, that would be overwritten."""
    bench = Bench(service=FakeService(hidden=("endpoint", "database")))
    theirs = adopted(bench, endpoint="https://other.westeurope.kusto.windows.net")
    before = dict(theirs.params)

    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.codes(state) == ["target_not_shown"]
    assert theirs.params == before


async def test_all_parameters_go_to_an_adopted_connection_that_shows_its_whole_target() -> None:
    bench = Bench()
    theirs = adopted(bench)

    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.statuses(state) == [Status.UPDATED]
    assert theirs.params["servicePrincipalKey"] == NEW[0]["servicePrincipalKey"]


async def test_all_parameters_go_to_a_connection_of_ours_though_its_target_is_hidden() -> None:
    """Its marker says what its target is."""
    bench = Bench(service=FakeService(hidden=("endpoint", "database")))
    await stands(bench)
    bench.service.takes_one_key = False

    await bench.run(NEW, task=ROTATION)

    assert keys(bench) == wanted(NEW)
    assert whole(bench)


async def test_an_adopted_connection_that_was_renamed_meanwhile_gets_no_key() -> None:
    """Between the plan and the look directly before the key: its name was all that made it the row's."""
    bench = Bench(service=FakeService(hidden=("endpoint", "database")))
    theirs = adopted(bench)
    before = dict(theirs.params)

    def choose(seen: Seen) -> Fate | None:
        if seen.path.endswith(theirs.id):
            theirs.name = "A colleague's own"
        return None

    bench.service.choose = choose
    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.codes(state) == ["changed_since"]
    assert theirs.params == before


async def test_a_run_that_is_cut_off_among_its_tests_keeps_what_its_rows_are() -> None:
    """For every N: a row that was created and tested is no `existing` one when the same command goes on."""
    task = Task(tests=Tests.ALL)
    bomb = Bomb()
    assert await Bench().run_until_crash(OLD, bomb, task=task)
    for at in deaths(bomb.points):
        bench = Bench()
        await bench.run_until_crash(OLD, Bomb(at), task=task)
        is_over = any(run.is_closed for run in run_states(bench.ledger))
        if is_over:
            continue

        state = await bench.run(OLD, task=task)

        assert set(bench.statuses(state)) == {Status.CREATED}, at
        assert {row.tested and row.tested.works for row in bench.rows(state)} == {Works.YES}, at
        assert not bench.broken_promises(state, len(OLD)), at


async def test_an_intent_stands_in_the_ledger_before_each_send() -> None:
    bench = Bench(service=troubled())
    await stands(bench)

    await bench.run(NEW, task=ROTATION)

    intents = [line.entry for line in bench.lines(Updating)]
    assert len(intents) >= len(NEW)
    assert not bench.service.unheard
    assert all(isinstance(one, Updating) and one.etag for one in intents)


async def test_with_max_rows_the_same_command_takes_the_next_rows() -> None:
    """Until all have their key; none is sent twice."""
    bench = Bench()
    await stands(bench)

    codes = []
    for _ in range(3):
        state = await bench.run(NEW, task=ROTATION, max_rows=2)
        assert state.ended is not None
        codes.append(state.ended.exit_code)

    assert codes == [ExitCode.AS_ASKED, ExitCode.AS_ASKED, ExitCode.OK]
    assert keys(bench) == wanted(NEW)
    assert len(bench.service.updates) == len(NEW)
    assert len(list(bench.ledger.runs())) == 2


@pytest.mark.parametrize("fate", ["refused", "held", "stopped"])
async def test_a_key_that_a_rerun_could_not_send_is_sent_by_the_next_one(fate: str) -> None:
    """Whatever became of the row in the rerun before: its connection does not work still."""
    bench = Bench(policy=Policy(on_doubt=OnDoubt.HOLD))
    bench.service.bad_keys = {OLD[1]["servicePrincipalKey"]}
    first = await bench.run(OLD, task=Task(tests=Tests.ALL))
    troubles = {
        "refused": flow_error("1414-400"),
        "held": lost(applied_s=None),
        "stopped": DENIED,
    }

    def choose(seen: Seen) -> Fate | None:
        return troubles[fate] if seen.purpose is Purpose.UPDATE else None

    bench.service.choose = choose
    second = await bench.run(NEW, parent=first.opened.run_id)
    assert second.ended is not None
    assert second.ended.exit_code != ExitCode.OK
    bench.service.choose = lambda _seen: None

    third = await bench.run(NEW, parent=second.opened.run_id)

    assert bench.statuses(third)[1] is Status.UPDATED, bench.codes(third)
    assert keys(bench)[1] == NEW[1]["servicePrincipalKey"]
    assert third.ended is not None
    assert third.ended.exit_code == ExitCode.OK


async def test_a_test_without_an_answer_does_not_hide_the_no_before_it() -> None:
    bench = Bench()
    await stands(bench)
    bench.service.bad_keys = {OLD[1]["servicePrincipalKey"]}
    await bench.run(OLD, task=verification())
    bench.service.choose = lambda seen: (
        flow_error("1103-503") if seen.path.endswith("/test") else None
    )
    await bench.run(OLD, task=verification())
    bench.service.choose = lambda _seen: None

    state = await bench.run(NEW, task=FAILING)

    assert bench.statuses(state)[1] is Status.UPDATED


async def test_a_row_that_is_left_does_not_end_what_another_run_has_begun() -> None:
    """A key in doubt stays in doubt for the identity, though a later rotation leaves the row."""
    bench = Bench(policy=Policy(on_doubt=OnDoubt.HOLD))
    (first, *_) = await stands(bench)
    bench.service.choose = lambda seen: (
        lost(applied_s=None) if seen.purpose is Purpose.UPDATE else None
    )
    await bench.run(NEW, task=ROTATION)
    bench.service.choose = lambda _seen: None

    await bench.run(OLD, task=FAILING)

    state = bench.ledger.states_of([first.marker or ""])[first.marker or ""]
    assert isinstance(state.change, Updating)


async def test_a_rotation_that_goes_on_with_other_keys_is_another_rotation() -> None:
    """What was sent of the earlier sheet is not told as the key of this one."""
    bench = Bench()
    await stands(bench)
    assert not await bench.run_until_crash(NEW, Bomb(len(NEW) * 4), task=ROTATION)
    newer = [{**row, "servicePrincipalKey": f"newer~{row['servicePrincipalKey']}"} for row in OLD]

    state = await bench.run(newer, task=ROTATION)

    assert set(bench.statuses(state)) == {Status.UPDATED}
    assert keys(bench) == wanted(newer)


@pytest.mark.parametrize(
    ("arrives_s", "applied_s"), few(product([None, 100.0], [None, 0.0, 20.0, 110.0]), 2)
)
async def test_a_key_of_an_earlier_run_that_arrives_late_is_never_told_as_today_s(
    arrives_s: float | None, applied_s: float | None
) -> None:
    """
    Both runs' keys would go with one etag, and who reads sees that it was changed, but not to what.

    So the earlier one is outlasted: until it has arrived, or cannot any more.
    """
    fates: dict[str, list[Fate]] = {}

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is not Purpose.UPDATE:
            return None
        earlier = lost(applied_s=arrives_s, answered_s=150)
        left = fates.setdefault(seen.path, [lost(applied_s=applied_s, answered_s=150), earlier])
        return left.pop() if left else OK

    bench = Bench(service=FakeService(choose))
    await stands(bench)
    assert not await bench.run_until_crash(NEW, Bomb(), after_s=1, task=ROTATION)
    assert bench.service.updates
    newer = [{**row, "servicePrincipalKey": f"newer~{row['servicePrincipalKey']}"} for row in OLD]

    state = await bench.run(newer, task=ROTATION, max_rows=len(newer))
    await anyio.sleep(200)

    assert set(bench.statuses(state)) == {Status.UPDATED}, bench.codes(state)
    assert keys(bench) == wanted(newer)
    assert whole(bench)


async def test_a_key_of_an_earlier_run_that_cannot_be_looked_for_is_no_outcome_of_today_s() -> None:
    """Nothing of today's was sent: the row is not attempted, and the next command sends it."""
    is_down = False

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is Purpose.UPDATE:
            return lost(applied_s=None)
        is_one = seen.purpose is Purpose.READ and not seen.path.endswith("connections")
        return refused(500) if is_one and is_down else None

    bench = Bench(service=FakeService(choose))
    await stands(bench, OLD[:1])
    assert not await bench.run_until_crash(NEW[:1], Bomb(), after_s=1, task=ROTATION)
    newer, sent, is_down = (
        [{**NEW[0], "servicePrincipalKey": "newest"}],
        len(bench.service.updates),
        True,
    )

    state = await bench.run(newer, task=ROTATION)

    assert bench.statuses(state) == [Status.NOT_ATTEMPTED]
    assert sent == len(bench.service.updates)
    assert keys(bench) == wanted(OLD[:1])

    is_down, bench.service.choose = False, lambda _seen: None
    state = await bench.run(newer, task=ROTATION)
    assert bench.statuses(state) == [Status.UPDATED]
    assert keys(bench) == wanted(newer)


@pytest.mark.parametrize("etag", ['"a-key-of-16-chars"', '"y-of-16-c"', '"6f662d31362d63"'])
async def test_an_etag_that_repeats_the_row_s_key_is_written_nowhere(etag: str) -> None:
    """Whole, a part of it or in hex: it would stand in the intent, so no key is sent, and it is said."""
    bench = Bench()
    await stands(bench, OLD[:1])
    rows = [{**OLD[0], "servicePrincipalKey": "a-key-of-16-chars"}]
    bench.service.stored[0].etag = etag

    state = await bench.run(rows, task=ROTATION)

    assert bench.codes(state) == ["no_etag"]
    assert not bench.service.updates
    assert etag.strip('"') not in bench.dump()


async def test_an_etag_of_an_unusual_form_is_sent_as_it_is_and_told_of_nowhere_but_in_its_intent() -> (
    None
):
    """What an intent holds was held against the row's key; of what is read later nobody knows whose part it is."""
    fates = [lost()]

    def choose(seen: Seen) -> Fate | None:
        return fates.pop() if seen.purpose is Purpose.UPDATE and fates else None

    bench = Bench(service=FakeService(choose))
    await stands(bench, OLD[:1])
    bench.service.stored[0].etag = '"an-etag-of-others"'

    state = await bench.run(NEW[:1], task=ROTATION)

    assert bench.statuses(state) == [Status.UPDATED]
    assert keys(bench) == wanted(NEW[:1])
    (shown,) = [row.shown for row in bench.rows(state)]
    assert isinstance(shown, Told)
    assert (shown.etag, shown.etag_before) == (None, '"an-etag-of-others"')
