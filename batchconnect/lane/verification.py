"""
Whether the connections of one lane work: each is asked to sign in to its source, at the lane's pace.

A test changes nothing, so it needs no intent and may be repeated. What is no clear word of the service
says nothing of the credentials. A first "no" does not count: a new key or role may take its time to be
known everywhere (contract, section 13), so it is asked once more, later; and then for the reason.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import anyio

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import OrgLevel, StopScope
from batchconnect.flow_service.source import Refusal, Table
from batchconnect.lane.pool import Pool
from batchconnect.ledger.entry import Line, Tested
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.event import Event, RowTested
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.outcome import Works
from batchconnect.model.remedies import NOT_FOUND
from batchconnect.model.value import Value

TEST_FALSE: Final = "test_false"
"""Code of a connection that does not work, and whose source gives no reason."""


class Service(Protocol):
    """What a verification asks of the service; a lane offers it."""

    is_halted: bool
    """Whether nothing at all is sent any more."""
    on_change: Callable[[], None]
    """Told when it is halted."""
    on_admitted: Callable[[], None]
    """Told when a request leaves, so that another may begin."""

    def capacity(self) -> int:
        """How many requests may be on their way."""
        ...

    async def test(self, sandbox: str, connection_id: str) -> bool | NotFound | Unreadable:
        """Whether the source accepts a connection's credentials."""
        ...

    async def tables(
        self, sandbox: str, connection_id: str
    ) -> tuple[Table, ...] | Refusal | NotFound | Unreadable:
        """What a connection sees; where it sees nothing, the source's reason."""
        ...


class ToTest(Value):
    """A row's connection that is to be tested."""

    row: int
    marker: str | None
    sandbox: str
    connection_id: str
    before: Works | None = None
    """What its last test said."""


class LaneTests:
    """
    Tests the connections of one lane.

    Args:
        org: The lane's org, by its settings key.
        service: The lane.
        ledger: Hears of each result first.
        again_after_s: Seconds after which a connection that does not work is asked once more.
        on_event: Told of each result.
        capacity: How many connections may be asked at once, now; None: as the lane says.
    """

    def __init__(
        self,
        org: str,
        *,
        service: Service,
        ledger: RunWriter,
        again_after_s: float,
        on_event: Callable[[Event], None],
        capacity: Callable[[], int] | None = None,
    ) -> None:
        self._capacity = capacity
        self._org = org
        self._service = service
        self._ledger = ledger
        self._again_after_s = again_after_s
        self._on_event = on_event
        self._again: list[ToTest] = []
        self._refusal: str | None = None
        """Of the lane."""
        self._refusals: dict[str, str] = {}
        """By sandbox."""
        self._sandboxes: set[str] = set()
        self._untold: dict[int, ToTest] = {}
        """By row: those of which nothing is written yet."""
        self._results: list[tuple[ToTest, Line, Event]] = []
        """What was found and is still to be written, with what is told when it is."""
        self._has_results = anyio.Event()
        self._pause = anyio.CancelScope()
        """Of the wait for the second try."""

    @property
    def is_refused(self) -> bool:
        """Whether the service refused the lane, or each of its sandboxes."""
        return self._refusal is not None or (
            bool(self._sandboxes) and self._sandboxes <= self._refusals.keys()
        )

    async def run(self, connections: Iterable[ToTest]) -> None:
        """
        Return when each connection was tested, or the lane is halted.

        Raises:
            LedgerError: A result cannot be written.
        """
        connections = list(connections)
        self._sandboxes = {one.sandbox for one in connections}
        self._untold = {one.row: one for one in connections}
        self._service.on_change = self._end_pause_if_halted
        with unwrap_exception_group():
            await self._each(connections, self._first)
            if self._again and not self._service.is_halted:
                with self._pause:
                    await anyio.sleep(self._again_after_s)
                await self._each(self._again, self._second)

    async def leave_untested(self, code: str, *, is_refusal: bool) -> None:
        """
        Say of each connection that was to be tested, and was not, that it is not tested.

        Args:
            code: Why.
            is_refusal: Whether it was the service's word, so that the lane counts as refused.

        Raises:
            LedgerError: It cannot be written.
        """
        if is_refusal and self._untold:
            self._refusal = self._refusal or code
        for one in list(self._untold.values()):
            self._keep(one, Works.NOT_TESTED, code)
        await self._write_results()

    def _end_pause_if_halted(self) -> None:
        if self._service.is_halted:
            self._pause.cancel()

    async def _each(
        self, connections: Iterable[ToTest], test: Callable[[ToTest], Awaitable[None]]
    ) -> None:
        waiting = deque(connections)

        async def no_more() -> bool:
            return False

        def take() -> ToTest | None:
            return waiting.popleft() if waiting and not self._service.is_halted else None

        capacity = self._capacity or self._service.capacity
        pool = Pool(take=take, more=no_more, work=test, capacity=capacity)
        self._service.on_admitted = pool.recheck
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._write_what_is_found)
            await pool.run()
            beside.cancel_scope.cancel()

    async def _write_what_is_found(self) -> None:
        """
        Write results as they come, until nobody finds any more.

        Nobody who asks waits for the disk: a test needs no intent, and what is not written is asked again.
        """
        try:
            while True:
                await self._has_results.wait()
                await self._write_results()
        finally:
            await self._write_results()

    async def _write_results(self) -> None:
        # Shielded: what is known is written and told, whoever ends it in between.
        with anyio.CancelScope(shield=True):
            found, self._results = self._results, []
            self._has_results = anyio.Event()
            await self._ledger.write([line for _one, line, _event in found])
            for one, _line, event in found:
                self._untold.pop(one.row, None)
                self._on_event(event)

    async def _first(self, one: ToTest) -> None:
        if await self._ask(one) is False:
            self._again.append(one)

    async def _second(self, one: ToTest) -> None:
        if await self._ask(one) is False:
            told = await self._service.tables(one.sandbox, one.connection_id)
            code = told.code if isinstance(told, Refusal) else TEST_FALSE
            self._tell(one, Works.NO, code)

    async def _ask(self, one: ToTest) -> bool:
        """Whether it may work; False: its source says no."""
        refusal = self._refusal or self._refusals.get(one.sandbox)
        if refusal is not None:
            self._tell(one, Works.NOT_TESTED, refusal)
            return True
        answer = await self._service.test(one.sandbox, one.connection_id)
        match answer:
            case True:
                self._tell(one, Works.YES)
            case False:
                return False
            case NotFound():
                self._tell(one, Works.NOT_TESTED, NOT_FOUND)
            case Unreadable(refusal=OrgLevel() as refused):
                self._refuse(refused, one.sandbox)
                self._tell(one, Works.NOT_TESTED, refused.code)
            case Unreadable(fault=fault):  # the last case
                self._tell(one, Works.NOT_TESTED, fault.code)
        return True

    def _refuse(self, refusal: OrgLevel, sandbox: str) -> None:
        """Whatever of its scope is still to be asked would meet it, too."""
        if refusal.scope is StopScope.SANDBOX:
            self._refusals[sandbox] = refusal.code
        else:
            self._refusal = refusal.code

    def _tell(self, one: ToTest, works: Works, code: str = "") -> None:
        if works is not Works.YES and self._service.is_halted:
            return  # it was cut off: that says nothing
        self._keep(one, works, code)

    def _keep(self, one: ToTest, works: Works, code: str) -> None:
        """Have a result written, and told when it is."""
        entry = Tested(connection_id=one.connection_id, works=works, code=code, before=one.before)
        line = self._ledger.line(entry, row=one.row, marker=one.marker)
        event = RowTested(row=one.row, org=self._org, sandbox=one.sandbox, works=works, code=code)
        self._results.append((one, line, event))
        self._has_results.set()
