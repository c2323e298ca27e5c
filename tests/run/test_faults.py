"""An error of our own: told with type, place and trace, never with what it had seen; no row pays twice."""

from collections.abc import Callable
from typing import Any, NoReturn

import orjson
import pytest

from batchconnect.lane.lane import Lane
from batchconnect.lane.reconciler import Reconciler
from batchconnect.ledger.row_state import fold_rows
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import (
    Event,
    FaultMet,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RunFinished,
    RunStarted,
    Swept,
)
from batchconnect.model.fault import Fault
from batchconnect.model.outcome import Created, InDoubt, Status, status_of
from batchconnect.reports.incident import Incident
from batchconnect.run.batch import Batch
from batchconnect.run.history.history import summary_of
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import Purpose, Request, Response
from batchconnect.transport.pace import RateLimiter
from tests.fake_service import CANARY, Bench, FakeService, cells, judged, lost

pytestmark = pytest.mark.anyio


def rows(*numbers: int, sandbox: str = "prod") -> list[dict[str, str]]:
    return [cells(number, sandbox=sandbox) for number in numbers]


def breaking(*_arguments: Any, **_named: Any) -> NoReturn:
    """Fails with the secret in its text and in its variables."""
    secret = {CANARY: f"{CANARY}0001"}
    raise KeyError(f"no {secret}")


def breaking_once(original: Callable[..., Any]) -> Callable[..., Any]:
    """The first call fails, the others are served."""
    calls = iter([breaking])

    def called(*arguments: Any, **named: Any) -> Any:
        return next(calls, original)(*arguments, **named)

    return called


def the_incident(bench: Bench, state: Any) -> Incident:
    (found,) = [
        one for one in summary_of(bench.ledger, state).incidents if one.code == "internal_fault"
    ]
    assert found.title == "A fault of batchconnect"
    assert found.fault is not None
    assert found.fault.type == "KeyError"
    assert found.fault.place.startswith("tests.run.test_faults:")
    assert found.fault.place.endswith(" breaking")
    assert found.fault.trace[-1] == found.fault.place
    return found


# A row ------------------------------------------------------------------------------------------------


async def test_a_fault_before_the_send_costs_the_row_its_turn_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing can have left, so nothing is in doubt: not attempted, exit 4, and `rerun` takes it up."""
    bench = Bench()
    with monkeypatch.context() as patch:
        patch.setattr("batchconnect.flow_service.client.create_request", breaking)
        state = await bench.run(rows(1))

    (row,) = bench.rows(state)
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED]
    assert bench.codes(state) == ["internal_fault"]
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED
    assert not bench.service.posts
    found = the_incident(bench, state)
    assert (found.rows, found.first_row, found.status) == (1, row.number, Status.NOT_ATTEMPTED)
    assert found.fault is not None
    assert any(frame.startswith("batchconnect.flow_service.client:") for frame in found.fault.trace)
    assert CANARY not in bench.dump()
    assert CANARY not in repr(bench.events)


async def test_twenty_rows_with_the_same_fault_are_one_incident(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its trace is kept once; each row names it."""
    bench = Bench()
    monkeypatch.setattr("batchconnect.flow_service.client.create_request", breaking)

    state = await bench.run(rows(*range(1, 21)))

    assert the_incident(bench, state).rows == 20
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED] * 20
    traces = [event.fault.trace for event in bench.heard(FaultMet)]
    assert len(traces) == 20
    assert sum(map(bool, traces)) == 1


@pytest.mark.parametrize("ring", [RateLimiter.wait_s, RateLimiter.take])
async def test_a_fault_in_a_ring_before_the_wire_is_before_the_send(
    ring: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rings tell whether the request was handed to the wire; the error's type tells nothing."""
    bench = Bench()
    monkeypatch.setattr(RateLimiter, ring.__name__, breaking_once(ring))
    monkeypatch.setattr(Lane, "list", plain_list(Lane.list, monkeypatch, ring))

    state = await bench.run(rows(1))

    assert bench.codes(state) == ["internal_fault"]
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED]


def plain_list(
    original: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, ring: Callable[..., object]
) -> Callable[..., Any]:
    """A listing that does not meet the fault that is meant for the create."""

    async def listed(lane: Lane, sandbox: str) -> Any:
        planted = getattr(RateLimiter, ring.__name__)
        monkeypatch.setattr(RateLimiter, ring.__name__, ring)
        found = await original(lane, sandbox)
        monkeypatch.setattr(RateLimiter, ring.__name__, planted)
        return found

    return listed


async def test_a_fault_after_the_send_is_a_doubt_and_stands_beside_what_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row is settled by its marker as ever; that something of ours broke is told all the same."""
    bench = Bench()
    monkeypatch.setattr("batchconnect.flow_service.client.judge_create", breaking)

    state = await bench.run(rows(1))

    assert [event.code for event in bench.heard(RowInDoubt)] == ["internal_fault"]
    assert bench.statuses(state) == [Status.CREATED]
    assert bench.broken_promises(state, 1) == []
    assert the_incident(bench, state).rows == 1
    assert "judge_create" not in str(bench.rows(state)[0].shown)


@pytest.mark.parametrize("is_applied", [True, False])
async def test_a_fault_in_the_wire_is_after_the_send(is_applied: bool) -> None:
    """As soon as it was handed over it may have left, through all rings, with a fresh token too."""

    class Broken(FakeService):
        async def send(self, request: Request) -> Response:
            if request.purpose is Purpose.CREATE and len(self.posts) == 0:
                if is_applied:
                    await super().send(request)
                breaking()
            return await super().send(request)

    bench = Bench(service=Broken())

    state = await bench.run(rows(1))

    assert [event.code for event in bench.heard(RowInDoubt)][:1] == ["internal_fault"]
    assert bench.broken_promises(state, 1) == []
    assert the_incident(bench, state).rows == 1


async def test_a_fault_after_the_send_that_stays_in_doubt_is_exit_6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its reconciler fails too: the doubt waits for the next command, and both places are told."""
    bench = Bench()
    monkeypatch.setattr("batchconnect.flow_service.client.judge_create", breaking)
    monkeypatch.setattr(Reconciler, "_judge", breaking)

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.IN_DOUBT]
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.IN_DOUBT
    assert the_incident(bench, state).status is Status.IN_DOUBT


# Other rooms ------------------------------------------------------------------------------------------


async def test_a_fault_in_planning_costs_its_sandbox_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent there; the rows of the other sandbox are created; exit 4, not 7."""
    bench = Bench()
    bench.service.plant(judged(cells(9)))
    monkeypatch.setattr("batchconnect.lane.planner.match", breaking)
    state = await bench.run([*rows(1, 2), *rows(3, sandbox="dev")])

    assert bench.statuses(state) == [Status.NOT_ATTEMPTED] * 2 + [Status.CREATED]
    assert bench.codes(state)[:2] == ["sandbox_stopped"] * 2
    found = the_incident(bench, state)
    assert (found.rows, found.org) == (2, None)
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED


async def test_a_row_that_cannot_be_read_again_stops_its_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which row it is nobody knows by then, so none is sent; the other lane goes on."""
    bench = Bench()
    original = MemorySheet.at

    def at(sheet: MemorySheet, offset: int) -> Any:
        return breaking() if offset == 0 else original(sheet, offset)

    monkeypatch.setattr(MemorySheet, "at", at)
    state = await bench.run([*rows(1), cells(2, org="beta")])

    assert bench.codes(state)[0] == "lane_stopped"
    assert bench.statuses(state) == [Status.NOT_ATTEMPTED, Status.CREATED]
    assert the_incident(bench, state).rows == 1
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.UNFINISHED


async def test_a_fault_while_settling_leaves_the_doubts_of_one_sandbox_to_the_next_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They stay as they are, with their own reason; the same sheet again settles them."""
    bench = Bench(service=FakeService(lambda seen: lost() if seen.marker else None))
    with monkeypatch.context() as patch:
        patch.setattr(Reconciler, "_judge", breaking)
        state = await bench.run(rows(1, 2))

    assert bench.codes(state) == ["connection_lost"] * 2
    assert the_incident(bench, state).rows == 2
    assert state.ended is not None
    assert state.ended.exit_code == ExitCode.IN_DOUBT

    again = await bench.run(rows(1, 2))

    assert bench.broken_promises(again, 2) == []
    assert bench.statuses(again) == [Status.CREATED] * 2


async def test_a_fault_in_the_sweep_changes_nothing_of_what_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was not looked at is not called missing; an incident without a row tells of it."""
    bench = Bench(service=FakeService(lambda seen: lost() if seen.marker else None))
    monkeypatch.setattr("batchconnect.run.lanes.sweep._Sweep._judge", breaking)

    state = await bench.run(rows(1))

    assert bench.statuses(state) == [Status.CREATED]
    assert [event.complete for event in bench.heard(Swept)] == [False]
    found = the_incident(bench, state)
    assert (found.rows, found.first_row) == (0, 0)


@pytest.mark.parametrize("kind", [RunStarted, RowStarted, RowSettled, RunFinished])
async def test_what_a_listener_raises_goes_up_and_costs_no_row(kind: type[Event]) -> None:
    """It is the listener's own, no fault of ours: what is on its way is finished, the run can go on."""
    bench = Bench()

    def hear(event: Event) -> None:
        if type(event) is kind:
            raise LookupError("mine")

    bench.on_event = hear
    with pytest.raises(LookupError):
        await bench.run(rows(*range(1, 6)))

    told = [row for number, _, _ in bench.ledger.runs() for row in bench.ledger.row_lines(number)]
    assert all(not state.is_sent for state in fold_rows(told))
    bench.on_event = lambda event: None

    state = await bench.run(rows(*range(1, 6)))

    assert bench.broken_promises(state, 5) == []
    assert {status_of(row.shown) for row in bench.rows(state)} <= {Status.CREATED, Status.EXISTING}
    assert bench.heard(FaultMet) == []


async def test_what_ends_a_run_unforeseen_is_kept_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ledger tells what it was; the same command goes on under the same run id."""
    bench = Bench()
    batch = Batch(bench.job(MemorySheet(rows(1, 2))))
    with monkeypatch.context() as patch:
        patch.setattr("batchconnect.run.lanes.lane_group.LaneGroup.share_out", breaking)
        with pytest.raises(KeyError) as caught:
            await batch.run()
        batch.record(caught.value)

    state = await bench.run(rows(1, 2))

    assert bench.statuses(state) == [Status.CREATED] * 2
    assert state.resumes == 1
    assert the_incident(bench, state).rows == 0
    assert CANARY not in bench.dump()


async def test_a_row_in_doubt_by_a_fault_is_told_by_its_place_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the error's text nor a variable reaches the ledger, an event or the report."""
    bench = Bench()
    monkeypatch.setattr("batchconnect.flow_service.client.judge_create", breaking)

    state = await bench.run(rows(1))

    assert CANARY not in bench.dump() + repr(bench.events)
    assert CANARY not in repr(summary_of(bench.ledger, state))
    assert isinstance(bench.doubts()[0].outcome, InDoubt)
    assert isinstance(bench.rows(state)[0].shown, Created)
    assert orjson.dumps(bench.heard(FaultMet)[0].fault.trace)
    assert isinstance(bench.heard(FaultMet)[0].fault, Fault)
