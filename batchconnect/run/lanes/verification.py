"""
Which connections are tested, lane by lane; asking one is `lane/verification`'s.

What a test says is known of the identity, whichever run asked: so a run can tell what changed since.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import anyio

from batchconnect.lane.lane import Lane, is_refusal
from batchconnect.lane.verification import LaneTests, ToTest
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import Event, FaultMet, Verifying
from batchconnect.model.fault import INTERNAL_FAULT, fault_of
from batchconnect.model.outcome import Updated, Works, has_connection
from batchconnect.run.job import Tests
from batchconnect.run.stop import Stop

_SAID: Final[dict[bool | None, Works]] = {True: Works.YES, False: Works.NO}
_AGAIN_SHARE: Final = 1 / 18
"""Of the settle window: 10 s, after which a connection that does not work is asked once more."""


def again_after_s(settle_s: float) -> float:
    """Seconds after which a connection that does not work is asked once more."""
    return settle_s * _AGAIN_SHARE


def to_test(rows: Iterable[RowState], tests: Tests) -> list[RowState]:
    """The rows of a run whose connections are to be tested, and were not by an earlier process of it."""
    if tests is Tests.NONE:
        return []
    return [row for row in rows if _is_wanted(row, tests) and not _was_asked(row)]


def _is_wanted(row: RowState, tests: Tests) -> bool:
    if row.is_open or row.planned is None or row.made is None:
        return False
    if tests is Tests.CHANGED or (tests is Tests.MADE and row.inherited):
        return isinstance(row.change_outcome, Updated)
    outcome = row.change_outcome or row.outcome
    return outcome is not None and has_connection(outcome)


def _was_asked(row: RowState) -> bool:
    """By this run: what it took over from another one bears a time of its own."""
    return row.tested is not None and row.tested.at_ms is None


class Verification:
    """
    Tests the connections of rows, each in its lane.

    Args:
        lane_of: The lane of an org's settings key.
        writer: The run writer.
        again_after_s: As of `LaneTests`.
        on_event: Told of each result.
        is_left: Whether what is not tested is left to whoever goes on with it: then nothing is said of it.
    """

    def __init__(
        self,
        lane_of: Callable[[str], Lane],
        *,
        writer: RunWriter,
        again_after_s: float,
        on_event: Callable[[Event], None],
        is_left: Callable[[], bool],
    ) -> None:
        self._lane_of = lane_of
        self._writer = writer
        self._again_after_s = again_after_s
        self._on_event = on_event
        self._is_left = is_left
        self._works: dict[str, LaneTests] = {}
        self._lanes: dict[str, Lane] = {}
        self._broken: list[LedgerError] = []

    @property
    def is_refused(self) -> bool:
        """Whether every lane that had connections was refused."""
        return bool(self._works) and all(one.is_refused for one in self._works.values())

    @property
    def lanes(self) -> Collection[Lane]:
        """All that were asked."""
        return self._lanes.values()

    async def run(
        self, rows: Sequence[RowState], *, states: Mapping[str, RowState], stop: Stop
    ) -> None:
        """
        Return when all were tested, or the stop is asked for.

        What a lane cannot ask, since its service wants to be left alone or for a fault of ours, is told
        as not tested.

        Args:
            rows: Those whose connections are tested.
            states: What all runs together know of their identities.
            stop: Ends it.

        Raises:
            LedgerError: A result cannot be written.
        """
        by_org = _by_org(rows, states)
        self._on_event(Verifying(connections=sum(map(len, by_org.values()))))
        lanes = self._lanes = {org: self._lane_of(org) for org in by_org}
        async with anyio.create_task_group() as beside:
            beside.start_soon(_halt_when_asked, stop, lanes)
            async with anyio.create_task_group() as tasks:
                for org, connections in by_org.items():
                    self._works[org] = LaneTests(
                        org,
                        service=lanes[org],
                        ledger=self._writer,
                        again_after_s=self._again_after_s,
                        on_event=self._on_event,
                        capacity=lanes[org].capacity_of_looks,
                    )
                    tasks.start_soon(self._one, org, connections)
            beside.cancel_scope.cancel()
        for error in self._broken:
            raise error

    async def _one(self, org: str, connections: list[ToTest]) -> None:
        tests, lane = self._works[org], self._lanes[org]
        try:
            why = await self._tested(tests, connections, org) or lane.halted_by
            if why and not self._is_left():
                await tests.leave_untested(why, is_refusal=is_refusal(why))
        except LedgerError as error:
            self._broken.append(error)

    async def _tested(self, tests: LaneTests, connections: list[ToTest], org: str) -> str:
        """Test them; the code of a fault of ours that came in between, or ""."""
        try:
            await tests.run(connections)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours leaves a lane's connections untested
            self._on_event(FaultMet(fault=fault_of(error), where="verify", org=org))
            return INTERNAL_FAULT
        return ""


def known_of(rows: Iterable[RowState], ledger: LedgerReader) -> Mapping[str, RowState]:
    """What all runs together know of the identities of these rows."""
    return ledger.states_of(row.marker for row in rows if row.marker is not None)


def _by_org(rows: Iterable[RowState], states: Mapping[str, RowState]) -> Mapping[str, list[ToTest]]:
    by_org: dict[str, list[ToTest]] = {}
    for row in rows:
        assert row.planned is not None
        assert row.made is not None
        whole = states.get(row.marker or "")
        known = whole if whole is not None and whole.made == row.made else row
        by_org.setdefault(row.planned.org, []).append(
            ToTest(
                row=row.number,
                marker=row.marker,
                sandbox=row.planned.sandbox,
                connection_id=row.made,
                before=_SAID.get(known.works),
            )
        )
    return by_org


async def _halt_when_asked(stop: Stop, lanes: Mapping[str, Lane]) -> None:
    reason = await stop.wait()
    for lane in lanes.values():
        lane.halt(reason)
