"""An undo: only what one run created, only as it was left, and gone once; whatever comes in between."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import anyio
import pytest

from batchconnect.ledger.entry import Deleting, Left, Line, RunEnded, RunOpened, Sending
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.model.errors import (
    ExitCode,
    LedgerError,
    LedgerGoneError,
    SettingsError,
    UsageError,
)
from batchconnect.model.event import RowSettled
from batchconnect.model.outcome import Created, Deleted, InDoubt, Kept, NotAttempted, Status
from batchconnect.run.exit_code import INTERRUPTED, LEDGER_GONE
from batchconnect.run.stop import Stop
from batchconnect.run.undo.choice import run_to_undo
from batchconnect.transport.interface import Purpose
from tests.fake_service import (
    ACME,
    BETA,
    DENIED,
    HOST,
    OK,
    Bench,
    Bomb,
    FakeService,
    Fate,
    Seen,
    Stored,
    cells,
    deaths,
    flow_error,
    judged,
    lost,
    org,
    refused,
)
from tests.fast_lane import SHARES

pytestmark = pytest.mark.anyio

S = 180.0
ROWS: Sequence[Mapping[str, str]] = [
    *map(cells, (1, 2, 3, 4)),
    *(cells(number, "beta") for number in (5, 6, 7, 8)),
]


async def made(bench: Bench | None = None, rows: Sequence[Mapping[str, str]] = ROWS) -> Bench:
    """A bench on which a run has created its rows."""
    bench = bench or Bench()
    await bench.run(rows)
    return bench


def stored(bench: Bench, number: int) -> Stored:
    """The connection of a row."""
    return next(one for one in bench.service.stored if one.name == f"Connection {number}")


def codes(bench: Bench, state: RunState) -> dict[int, str]:
    """Status of each row, and its reason where it has one."""
    return {row.number: getattr(row.shown, "code", "deleted") for row in bench.rows(state)}


def code_of(state: RunState | None) -> int:
    assert state is not None
    assert state.ended is not None
    return state.ended.exit_code


async def test_an_undo_takes_back_what_the_run_created_and_the_next_run_makes_it_again() -> None:
    bench = await made()
    assert (await bench.plan_undo()).to_delete == 8

    state = await bench.undo(8)
    assert state is not None
    assert code_of(state) == ExitCode.OK
    assert {Status.DELETED} == set(bench.statuses(state))
    assert bench.service.existing() == []
    assert bench.service.unheard == []
    assert (state.opened.command, state.opened.parent_run_id) == ("undo", "run-1")

    again = await bench.run(ROWS)
    assert {Status.CREATED} == set(bench.statuses(again)), "without --recreate"
    assert len(bench.service.existing()) == 8
    assert bench.broken_promises(again, 8) == []


async def test_each_kept_row_says_why_and_the_exit_code_is_4() -> None:
    bench = await made()
    stored(bench, 1).users = 1
    stored(bench, 2).name = "Renamed"
    stored(bench, 3).gone_at = 0
    stored(bench, 5).etag = '"somebody else\'s"'
    stored(bench, 6).state = "disabled"
    plan = await bench.plan_undo()
    assert (plan.to_delete, plan.exit_code) == (3, ExitCode.UNFINISHED)

    state = await bench.undo(3)

    assert state is not None
    assert code_of(state) == ExitCode.UNFINISHED
    assert codes(bench, state) == {
        1: "in_use",
        2: "changed_by_others",
        3: "already_gone",
        4: "deleted",
        5: "changed_by_others",
        6: "not_enabled",
        7: "deleted",
        8: "deleted",
    }
    assert len(bench.service.deletes) == 3


async def test_another_number_than_the_preview_showed_sends_nothing_and_opens_no_run() -> None:
    bench = await made()
    stored(bench, 1).users = 1

    with pytest.raises(UsageError, match="would delete 7; nothing was sent"):
        await bench.undo(8)
    assert bench.service.deletes == []
    assert len(list(bench.ledger.runs())) == 1


async def test_only_what_that_run_created_is_deleted() -> None:
    """What stood there before it, and what its parent created, is none of the undo's."""
    planted = judged(cells(1))
    service = FakeService(lambda seen: flow_error("1308-400") if _is_row(seen, 8) else None)
    service.plant(planted)
    bench = await made(Bench(service=service))
    service.choose = lambda _seen: None
    await bench.run(ROWS, parent="run-1")

    first, second = await bench.plan_undo("run-1"), await bench.plan_undo("run-2")
    assert (first.to_delete, first.not_created) == (6, 2)
    assert (second.to_delete, second.not_created) == (1, 7)

    await bench.undo(1, run_id="run-2")
    assert {one.name for one in bench.service.existing()} == {
        f"Connection {number}" for number in range(1, 8)
    }


def _is_row(seen: Seen, number: int) -> bool:
    return seen.purpose is Purpose.CREATE and seen.marker == judged(ROWS[number - 1]).marker


async def test_what_a_later_run_found_is_still_held_against_how_it_was_made() -> None:
    """A colleague changed it, and a run said `existing` since: its etag is not one that we left."""
    bench = await made()
    stored(bench, 1).etag = '"colleague"'
    later = await bench.run(ROWS)
    assert {Status.EXISTING} == set(bench.statuses(later))

    plan = await bench.plan_undo()

    assert (plan.to_delete, dict(plan.kept)) == (7, {"changed_by_others": 1})


async def test_a_row_that_was_found_after_a_lost_answer_needs_us_as_its_last_editor() -> None:
    """Its etag was read later than it was made."""
    service = FakeService(lambda seen: lost() if _is_row(seen, 1) or _is_row(seen, 2) else None)
    bench = await made(Bench(service=service))
    service.choose = lambda _seen: None
    stored(bench, 1).client_id = "somebody-else"

    plan = await bench.plan_undo()

    assert [row.number for row in plan.rows if row.kept] == [1]


async def test_a_create_in_doubt_is_named_and_left() -> None:
    """Whether it is there is found out by `reconcile`."""
    service = FakeService(lambda seen: lost(applied_s=None) if _is_row(seen, 1) else None)
    bench = Bench(service=service)
    stop = Stop()

    async def interrupt() -> None:
        await anyio.sleep(20)
        stop.ask("max_failures")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(interrupt)
        await bench.run(ROWS, stop=stop)

    plan = await bench.plan_undo()

    assert (plan.to_delete, dict(plan.kept)) == (7, {"create_in_doubt": 1})


async def test_a_run_that_is_open_is_not_undone() -> None:
    bench = Bench()
    stop = Stop()
    stop.ask(INTERRUPTED)
    await bench.run(ROWS, stop=stop)

    with pytest.raises(UsageError, match="not finished"):
        await bench.undo(0)


async def test_a_run_of_another_host_or_mode_is_refused() -> None:
    bench = await made()
    with pytest.raises(LedgerError, match=f"a real one on {HOST}"):
        run_to_undo(bench.ledger, "run-1", host=HOST, simulated=True)

    opened = RunOpened(run_id="run-9", sheets=("a",), sheet_sha256="", platform_host="stage.test")
    number = bench.ledger.append([Line(entry=opened)])
    bench.ledger.append([Line(entry=RunEnded(exit_code=0), run=number)])
    with pytest.raises(LedgerError, match=r"stage\.test"):
        run_to_undo(bench.ledger, "run-9", host=HOST, simulated=False)


async def test_an_undo_stands_for_the_run_that_it_is_of() -> None:
    """Its id is the one that was on the screen last."""
    bench = await made()
    await bench.undo(8)

    run = run_to_undo(bench.ledger, "run-2", host=HOST, simulated=False)

    assert run.opened.run_id == "run-1"


async def test_an_org_that_means_another_one_now_is_not_asked() -> None:
    bench = await made()
    bench.orgs = (org("acme", org_id=BETA.org_id), BETA)

    with pytest.raises(SettingsError, match="another one now"):
        await bench.plan_undo()


async def test_given_again_after_its_end_it_deletes_nothing() -> None:
    bench = await made()
    await bench.undo(8)
    runs = len(list(bench.ledger.runs()))

    assert await bench.undo(8) is None
    plan = await bench.plan_undo()
    assert (plan.to_delete, plan.deleted_before) == (0, 8)
    assert len(bench.service.deletes) == 8
    assert len(list(bench.ledger.runs())) == runs


async def test_a_rerun_leaves_deleted_what_was_undone() -> None:
    """It takes up what a run left unfinished, and this was finished and taken back; `run` makes it again."""
    service = FakeService(lambda seen: flow_error("1308-400") if _is_row(seen, 8) else None)
    bench = await made(Bench(service=service))
    await bench.undo(7)
    service.choose = lambda _seen: None

    rerun = await bench.run(ROWS, parent="run-1")
    run = await bench.run(ROWS)

    assert Counter(bench.statuses(rerun)) == {Status.DELETED: 7, Status.CREATED: 1}
    assert Counter(bench.statuses(run)) == {Status.CREATED: 7, Status.EXISTING: 1}


# Lanes, refusals, stops -----------------------------------------------------------------------------------


async def test_a_lane_that_is_refused_keeps_its_rows_and_the_other_goes_on() -> None:
    bench = await made()
    plan = await bench.plan_undo()
    assert plan.to_delete == 8

    def choose(seen: Seen) -> Fate | None:
        is_beta = seen.org_id == BETA.org_id
        return DENIED if is_beta and seen.purpose is Purpose.DELETE else None

    bench.service.choose = choose
    state = await bench.undo(8)

    assert state is not None
    assert code_of(state) == ExitCode.UNFINISHED
    counts = Counter(bench.statuses(state))
    assert counts[Status.DELETED] == 4
    assert counts[Status.FAILED] >= 1
    assert counts[Status.FAILED] + counts[Status.NOT_ATTEMPTED] == 4
    # What is mended is taken up by the same command with the number that is left.
    bench.service.choose = lambda _seen: None
    assert (await bench.plan_undo()).to_delete == 4
    assert code_of(await bench.undo(4)) == ExitCode.OK


async def test_a_preview_that_is_refused_everywhere_is_exit_7() -> None:
    bench = await made(Bench(orgs=(org("acme", rate=1), org("beta", rate=1))))
    bench.service.denied = {ACME.org_id: DENIED, BETA.org_id: DENIED}

    plan = await bench.plan_undo()

    assert plan.exit_code == ExitCode.STOPPED
    assert plan.to_delete == 0
    looks = [s for s in bench.service.seen if "/connections/" in s.path]
    assert len(looks) < 8, "it stops where nobody is shown anything"


async def test_every_delete_refused_is_exit_7() -> None:
    bench = await made()
    bench.service.choose = lambda seen: DENIED if seen.purpose is Purpose.DELETE else None

    assert code_of(await bench.undo(8)) == ExitCode.STOPPED


async def test_an_interruption_leaves_the_undo_open_and_the_same_command_goes_on() -> None:
    bench = await made(Bench(orgs=(org("acme", rate=2), org("beta", rate=2))))
    stop = Stop()

    async def interrupt() -> None:
        await anyio.sleep(6)
        stop.ask(INTERRUPTED)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(interrupt)
        state = await bench.undo(8, stop=stop)

    assert state is not None
    assert code_of(state) == ExitCode.INTERRUPTED
    assert not state.is_closed
    with pytest.raises(UsageError, match="was begun with 8"):
        await bench.undo(5)

    again = await bench.undo(8)
    assert again is not None
    assert again.opened.run_id == state.opened.run_id
    assert code_of(again) == ExitCode.OK
    assert {Status.DELETED} == set(bench.statuses(again))


async def test_while_an_undo_is_open_a_run_leaves_its_rows_alone() -> None:
    """Whether the connection is gone is not known, so it is neither existing nor made again."""
    bench = await made()
    bench.service.choose = lambda seen: lost(applied_s=None) if _deletes(seen, bench, 1) else None
    assert not await bench.until_crash(partial(bench.undo, 8), Bomb(), after_s=2)
    bench.service.choose = lambda _seen: None

    state = await bench.run(ROWS)

    shown = next(row.shown for row in bench.rows(state) if row.number == 1)
    assert isinstance(shown, NotAttempted)
    assert (shown.code, "run-1" in shown.detail) == ("undo_open", True)
    assert code_of(state) == ExitCode.UNFINISHED
    assert len([s for s in bench.service.posts if s.marker == judged(ROWS[0]).marker]) == 1

    assert code_of(await bench.undo(8)) == ExitCode.OK


def _deletes(seen: Seen, bench: Bench, number: int) -> bool:
    is_of = seen.path.endswith(stored(bench, number).id)
    return seen.purpose is Purpose.DELETE and is_of


async def test_a_listing_that_lags_behind_a_delete_shows_nothing_that_exists() -> None:
    """An id that was deleted by our hand is never `existing`."""
    bench = await made()
    await bench.undo(8)
    for one in bench.service.stored:
        one.gone_at = float("inf")  # as a listing shows it that has not heard of the delete
        one.going_at = float("inf")

    state = await bench.run(ROWS)

    assert {Status.CREATED} == set(bench.statuses(state))
    new = {row.shown.connection_id for row in bench.rows(state) if isinstance(row.shown, Created)}
    assert new.isdisjoint(one.id for one in bench.service.stored[:8])


async def test_a_second_undo_settles_what_the_first_left_in_doubt() -> None:
    """The first ended with exit 6, for the service took the delete on and never finished it."""
    bench = await made()
    bench.service.finalizing_s = 10_000
    first = await bench.undo(8)
    assert first is not None
    assert code_of(first) == ExitCode.IN_DOUBT
    assert all(isinstance(row.shown, InDoubt) for row in bench.rows(first))
    for one in bench.service.stored:
        one.gone_at = 0

    plan = await bench.plan_undo()
    second = await bench.undo(8)

    assert (plan.to_delete, plan.deleted_before) == (8, 0)
    assert second is not None
    assert second.number != first.number
    assert code_of(second) == ExitCode.OK
    assert len(bench.service.deletes) == 8, "what is gone is not deleted once more"


async def test_what_was_left_in_doubt_stays_so_where_nobody_answers() -> None:
    """A look that says nothing is no reason to call it kept; it is not sent again either."""
    bench = await made()
    bench.service.finalizing_s = 10_000
    await bench.undo(8)
    doomed = stored(bench, 1)
    bench.service.choose = lambda seen: refused(500) if seen.path.endswith(doomed.id) else None
    assert (await bench.plan_undo()).to_delete == 7
    for one in bench.service.stored:
        one.gone_at = 0

    state = await bench.undo(7)

    assert state is not None
    assert code_of(state) == ExitCode.IN_DOUBT
    assert Counter(bench.statuses(state)) == {Status.DELETED: 7, Status.IN_DOUBT: 1}
    assert len(bench.service.deletes) == 8
    bench.service.choose = lambda _seen: None
    again = await bench.run(ROWS)
    assert [row.number for row in bench.rows(again) if not isinstance(row.shown, Created)] == [1]
    assert code_of(await bench.undo(1)) == ExitCode.OK


async def renamed_in_doubt() -> Bench:
    """A delete that was never applied stayed in doubt, its undo closed, and then somebody renamed it."""
    bench = await made(rows=ROWS[:1])
    doomed = stored(bench, 1)

    def choose(seen: Seen) -> Fate | None:
        if _deletes(seen, bench, 1):
            return lost(applied_s=None)
        is_asked_again = bench.service.deletes and seen.path.endswith(doomed.id)
        return refused(500) if is_asked_again else None

    bench.service.choose = choose
    state = await bench.undo(1)
    assert code_of(state) == ExitCode.IN_DOUBT
    assert state is not None
    assert state.is_closed
    bench.service.choose = lambda _seen: None
    doomed.name = "Renamed"
    return bench


async def test_a_doubt_about_what_is_not_deleted_any_more_is_settled_with_the_number_0() -> None:
    """Nothing is left to delete, yet no run touches the row until it is known what became of it."""
    bench = await renamed_in_doubt()
    before = len(bench.service.deletes)
    assert bench.codes(await bench.run(ROWS[:1])) == ["undo_open"]
    plan = await bench.plan_undo()
    assert (plan.to_delete, plan.to_settle, plan.has_work) == (0, 1, True)

    with pytest.raises(UsageError, match="would delete 0"):
        await bench.undo(1)
    state = await bench.undo(0)

    assert state is not None
    assert codes(bench, state) == {1: "changed_by_others"}
    assert len(bench.service.deletes) == before, "nobody agreed to another one"
    assert not (await bench.plan_undo()).has_work
    assert await bench.undo(0) is None
    assert bench.statuses(await bench.run(ROWS[:1])) == [Status.EXISTING]


async def test_a_settling_that_was_cut_off_goes_on_with_its_0() -> None:
    bench = await renamed_in_doubt()
    before = len(bench.service.deletes)
    assert not await bench.until_crash(partial(bench.undo, 0), Bomb(4))
    assert (await bench.plan_undo()).agreed == 0

    state = await bench.undo(0)

    assert state is not None
    assert codes(bench, state) == {1: "changed_by_others"}
    assert len(bench.service.deletes) == before


async def test_nothing_is_settled_where_the_service_refuses_to_show_it() -> None:
    """No run is opened that could find nothing out; the exit code says why."""
    bench = await renamed_in_doubt()
    bench.service.choose = lambda _seen: DENIED

    plan = await bench.plan_undo()

    assert (plan.to_settle, plan.has_work, plan.exit_code) == (1, False, ExitCode.STOPPED)


async def test_every_row_is_told_once() -> None:
    bench = await made()
    stored(bench, 1).users = 1
    bench.events.clear()

    await bench.undo(7)

    settled = [event.row for event in bench.heard(RowSettled)]
    assert sorted(settled) == [2, 3, 4, 5, 6, 7, 8]


# A crash at every side effect -----------------------------------------------------------------------------

TROUBLE: Mapping[int, Sequence[Fate]] = {
    4: [lost()],
    5: [lost(applied_s=None), OK],
    6: [lost(applied_s=100)],
    7: [flow_error("1102-500"), lost(answered_s=100)],
}
"""What becomes of the deletes of a row, first to last; later ones are served well."""


async def troubled() -> Bench:
    """One used, one renamed, one gone already; and of the deletes, every second answer is lost."""
    bench = await made()
    stored(bench, 1).users = 1
    stored(bench, 2).name = "Renamed"
    stored(bench, 3).gone_at = 0
    sends: Counter[str] = Counter()
    numbers = {stored(bench, number).id: number for number in TROUBLE}

    def choose(seen: Seen) -> Fate | None:
        number = numbers.get(seen.path.rpartition("/")[2])
        if seen.purpose is not Purpose.DELETE or number is None:
            return None
        sends[seen.path] += 1
        fates = TROUBLE[number]
        return fates[sends[seen.path] - 1] if sends[seen.path] <= len(fates) else OK

    bench.service.choose = choose
    return bench


def check(bench: Bench, state: RunState) -> None:
    """Five are gone by our hand, three are told with their reason, and nothing left without an intent."""
    assert bench.service.unheard == []
    assert codes(bench, state) == {
        1: "in_use",
        2: "changed_by_others",
        3: "already_gone",
        **dict.fromkeys((4, 5, 6, 7, 8), "deleted"),
    }
    assert code_of(state) == ExitCode.UNFINISHED
    gone = {row.number for row in bench.rows(state) if isinstance(row.shown, Deleted)}
    standing = {one.name for one in bench.service.existing(anyio.current_time() + 1000)}
    assert standing == {"Connection 1", "Renamed"}
    assert gone == {4, 5, 6, 7, 8}


async def side_effects() -> list[str]:
    """The points at which an undo may end."""
    bench, bomb = await troubled(), Bomb()
    assert await bench.until_crash(partial(bench.undo, 5), bomb)
    return bomb.points


async def test_the_troubled_undo_has_every_kind_of_side_effect() -> None:
    kinds = Counter(await side_effects())

    assert 5 < kinds["before delete"] == kinds["after delete"]
    assert kinds["before commit"] == kinds["after commit"] > 12


@pytest.mark.parametrize("share", SHARES)
async def test_a_crash_at_any_side_effect_changes_nothing_in_the_end(share: int) -> None:
    """For every N the process ends at its N-th side effect, and the same command goes on."""
    for at in deaths(await side_effects(), first=1 + share, every=len(SHARES)):
        bench = await troubled()

        assert not await bench.until_crash(partial(bench.undo, 5), Bomb(at))
        state = await bench.undo(5)
        if state is None:  # it had come to its end, and only its last words were lost
            number = next(bench.ledger.runs())[0]
            lines = bench.ledger.run_lines(number)
            assert isinstance(lines[-1].entry, RunEnded)
            continue

        check(bench, state)
        again = await bench.run(ROWS)
        created = [row.number for row in bench.rows(again) if isinstance(row.shown, Created)]
        assert created == [4, 5, 6, 7, 8]


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.parametrize("first", [8, 17, 25])
async def test_a_crash_at_any_side_effect_of_the_recovery_changes_nothing(first: int) -> None:
    at, has_ended = 1, False
    while not has_ended:
        bench = await troubled()
        assert not await bench.until_crash(partial(bench.undo, 5), Bomb(first))
        has_ended = await bench.until_crash(partial(bench.undo, 5), Bomb(at))
        if not has_ended and (state := await bench.undo(5)) is not None:
            check(bench, state)
        at += 3


async def test_an_undo_that_dies_every_few_seconds_comes_to_its_end() -> None:
    """What is in doubt goes on being so, with the window that it has: no death begins it anew."""
    bench = await troubled()
    deaths = 0
    while not await bench.until_crash(partial(bench.undo, 5), Bomb(), after_s=3):
        deaths += 1
        assert deaths < 100
    number = next(bench.ledger.runs())[0]

    rows = [row for row in bench.rows(_state(bench, number)) if isinstance(row.shown, Deleted)]
    assert len(rows) == 5
    assert deaths > 3


def _state(bench: Bench, number: int) -> RunState:
    return fold_run(bench.ledger.run_lines(number))


async def test_no_intent_is_ever_left_behind_by_an_undo_that_ended() -> None:
    """Each has an end, so that a run knows how the identity stands."""
    bench = await troubled()
    state = await bench.undo(5)
    assert state is not None

    markers = [row.marker for row in bench.rows(state) if row.marker]
    whole = bench.ledger.states_of(markers)
    assert all(one.change is None for one in whole.values())
    assert len(bench.lines(Left)) == 3
    assert len(bench.lines(Deleting)) > len(bench.lines(Sending)) - 3
    assert [one for one in bench.rows(state) if isinstance(one.shown, Kept)]


async def test_what_a_rerun_copies_ends_no_doubt_of_another_run() -> None:
    """
    Made, undone, made again with a lost answer, and then a rerun of the first run copies that it was deleted.

    The create that was lost is in doubt still: it is looked for, and not sent once more.
    """
    bench = Bench()
    rows = [cells(1)]
    await bench.run(rows)
    await bench.undo(1)
    bench.service.choose = lambda seen: (
        lost(applied_s=100.0) if seen.purpose is Purpose.CREATE else None
    )
    assert not await bench.run_until_crash(rows, Bomb(), after_s=5.0)
    bench.service.choose = lambda _seen: None

    await bench.run(rows, parent="run-1")
    state = await bench.run(rows)
    await anyio.sleep(300)

    assert bench.service.twice() == []
    assert bench.statuses(state) == [Status.CREATED]


# What goes wrong with us, and with the ledger -----------------------------------------------------------


async def test_an_org_that_is_not_in_the_settings_any_more_is_named_with_its_row() -> None:
    bench = await made()
    bench.orgs = (ACME,)

    with pytest.raises(
        SettingsError, match="row 5 was created in the org beta, which is not in the settings"
    ):
        await bench.plan_undo()


def fail_on(bench: Bench, error: LedgerError) -> None:
    """No intent of a delete can be written any more; other lines can."""
    append = bench.ledger.append

    def refuse(lines: Sequence[Line]) -> int:
        if any(isinstance(line.entry, Deleting) for line in lines):
            raise error
        return append(lines)

    bench.ledger.append = refuse  # type: ignore[method-assign]


async def test_where_no_lane_can_write_its_intents_nothing_is_deleted_and_the_undo_stays_open() -> (
    None
):
    """A full disk: the same command goes on with it when there is room."""
    bench = await made()
    append = bench.ledger.append
    fail_on(bench, LedgerError("the disk is full"))

    with pytest.raises(LedgerError, match="the disk is full"):
        await bench.undo(8)
    assert bench.service.deletes == []
    bench.ledger.append = append  # type: ignore[method-assign]

    assert code_of(await bench.undo(8)) == ExitCode.OK
    assert bench.service.existing() == []


async def test_a_ledger_that_was_taken_away_ends_the_undo_with_what_is_known_of_it() -> None:
    """Another command may hold another ledger by now, so that nothing more is sent; the report can be written."""
    bench = await made()
    fail_on(bench, LedgerGoneError("the ledger was moved"))

    state = await bench.undo(8)

    assert bench.service.deletes == []
    assert state is not None
    assert not state.is_closed
    assert state.ended is not None
    assert state.ended.reason == LEDGER_GONE
