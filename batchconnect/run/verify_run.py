"""`verify` of a run: are its connections still working? It opens a run of its own, and changes nothing."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from batchconnect.lane.orphan import stands_elsewhere
from batchconnect.ledger import Ledger, LedgerReader
from batchconnect.ledger.aside import aside, run_state_of
from batchconnect.ledger.entry import VERIFY, Line, RowPlanned, RunEnded, RunOpened, RunResumed
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Event, RunFinished, RunStarted
from batchconnect.model.org import Org
from batchconnect.model.outcome import Existing, MatchedBy, has_connection
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.reports.summary import Summary
from batchconnect.run.desk import Listener, at_work, reported
from batchconnect.run.exit_code import INTERRUPTED, TERMINATED, count_statuses, exit_code
from batchconnect.run.fault_record import FaultRecord
from batchconnect.run.history.history import run_states, run_to_verify, summary_of
from batchconnect.run.job import Tests
from batchconnect.run.lanes.lane_lines import LaneLines
from batchconnect.run.lanes.verification import Verification, again_after_s, known_of, to_test
from batchconnect.run.opening.header import header_of_run
from batchconnect.run.opening.service import ConnectedService
from batchconnect.run.rerun.rerun import inherited
from batchconnect.run.selection import chooser
from batchconnect.run.stop import Stop
from batchconnect.run.team.team import interrupted_early
from batchconnect.settings import Settings


async def verify(
    run_id: str | None,
    *,
    settings: Settings,
    options: MergedOptions,
    listener: Listener,
    report: Callable[[Summary], None],
) -> Summary:
    """
    Test the connections of a run, in a run of its own; nothing is changed.

    Args:
        run_id: The run; None: the newest that creates.
        settings: The orgs.
        options: Which rows, and the pace.
        listener: Who hears of it.
        report: Called with the summary while its rows can still be read.

    Raises:
        SettingsError: A connection's org is not in the settings, or is another one there.
        LedgerError: The ledger is in use, unusable, or cannot be written.
        UsageError: There is no such run, or it is an undo.
    """
    async with at_work(settings, options, listener, command=VERIFY) as desk:
        verification = VerifyRun(
            parent=run_to_verify(desk.ledger, run_id),
            ledger=desk.ledger,
            hold=desk.held.hold,
            writer=desk.writer,
            service=desk.service,
            options=options,
            clock=desk.clock,
            on_event=listener.on_event,
            stop=listener.stop,
        )
        with listener.stop.cutting_off() as scope:
            state = await verification.run()
        if scope.cancelled_caught:
            state = await verification.abandon()
        await desk.held.hand_back()
        return reported(summary_of(desk.ledger, state, compares=True), report, listener)


_TakenOver = tuple[RowState, RowPlanned, RowState]
"""A row of the parent run, what was sent, and what all runs together know of it."""


async def _nothing_to_hold(_run_id: str) -> None:
    """One process has the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRun:
    """
    Tests the connections of a run.

    Args:
        parent: The run.
        ledger: Its ledger, locked.
        writer: The run writer, once its number is known.
        service: Whose connections are tested.
        options: Which of them, and what is noted.
        clock: The run's clocks.
        on_event: Told of each result.
        stop: When it is asked for, nothing more is asked; the same command goes on.
        hold: Holds a run before it is written to, where others could be at work on it.
    """

    parent: RunState
    ledger: Ledger
    writer: Callable[[int], RunWriter]
    service: ConnectedService
    options: MergedOptions
    clock: Clock
    on_event: Callable[[Event], None]
    stop: Stop
    hold: Callable[[str], Awaitable[None]] = _nothing_to_hold
    _opened: list[int] = field(default_factory=list, init=False)
    """Number of the run, once it is opened."""

    async def run(self) -> RunState:
        """
        Return when each was tested, or the stop was asked for.

        Raises:
            SettingsError: A connection's org is not in the settings, or is another one there.
            LedgerError: A result cannot be written.
        """
        began_ms = self.clock.now_ms()
        lane_lines = LaneLines()
        record = FaultRecord(
            self.on_event, keep=lane_lines.keep, on_raised=lambda: self.stop.ask(INTERRUPTED)
        )
        # Before the run is opened: of one that cannot be, no trace is left.
        taken, now = await aside(self.ledger, self._taken_over)
        number, opened, is_resumed = await self._open()
        writer = self.writer(number)
        record.tell(
            RunStarted(
                run_id=opened.run_id,
                resumed=is_resumed,
                simulated=opened.simulated,
                places=opened.places,
            )
        )
        # They are written all at once: a process that ended before left none.
        ledger = self.ledger
        is_begun = is_resumed and await aside(ledger, lambda: _has_rows(ledger, number))
        if is_begun:
            rows, states = await aside(ledger, lambda: self._left(number))
        else:
            lines, states = [line for one in taken for line in _lines_of(*one, writer)], now
            await writer.write(lines)
            # What was written is known: it need not be read again.
            rows = await aside(ledger, lambda: to_test(fold_rows(lines), Tests.ALL))
        verification = Verification(
            self.service.lane_of,
            writer=writer,
            again_after_s=again_after_s(self.service.settle_s),
            on_event=record.tell,
            # The same command goes on with what is left.
            is_left=lambda: bool(self.stop.reason),
        )
        if rows:
            await verification.run(rows, states=states, stop=self.stop)
        for lane in verification.lanes:
            lane_lines.keep(lane.counted())
        await lane_lines.write(writer)
        reason = self.stop.reason
        counts = await aside(ledger, lambda: count_statuses(fold_rows(ledger.row_lines(number))))
        code = exit_code(
            counts,
            reason=reason,
            every_lane_refused=verification.is_refused,
            swept=None,
        )
        await writer.write(
            [writer.line(RunEnded(exit_code=code, closed=not reason, reason=reason))]
        )
        duration_s = (self.clock.now_ms() - began_ms) / 1000
        record.tell(RunFinished(run_id=opened.run_id, exit_code=code, duration_s=duration_s))
        record.check()
        return await run_state_of(self.ledger, number)

    async def abandon(self) -> RunState:
        """
        End one that was cut off; the same command goes on with it.

        Raises:
            InterruptedEarlyError: It was cut off while it waited for what it needs.
        """
        if not self._opened:
            raise interrupted_early()
        (number,) = self._opened
        reason = self.stop.reason or INTERRUPTED
        code = ExitCode.TERMINATED if reason == TERMINATED else ExitCode.INTERRUPTED
        ended = RunEnded(exit_code=code, closed=False, reason=reason)
        await self._append(ended, run=number)
        return await run_state_of(self.ledger, number)

    async def _append(self, entry: RunOpened | RunResumed | RunEnded, *, run: int = 0) -> int:
        line = Line(entry=entry, run=run, at_ms=self.clock.now_ms())
        return await aside(self.ledger, lambda: self.ledger.append([line]))

    def _begun(self) -> RunState | None:
        """A verification of this run that is not over."""
        for state in run_states(self.ledger):
            is_mine = state.opened.command == VERIFY and (
                state.opened.parent_run_id == self.parent.opened.run_id
            )
            if is_mine and not state.is_closed:
                return state
        return None

    async def _open(self) -> tuple[int, RunOpened, bool]:
        """Go on with a verification of this run that was cut off, or begin one."""
        state = await aside(self.ledger, self._begun)
        if state is not None:
            await self.hold(state.opened.run_id)
            # Whoever was at work on it may have closed it before it let go.
            state = await aside(self.ledger, self._begun)
        if state is not None:
            resumed = RunResumed(
                operator=state.opened.operator,
                machine=state.opened.machine,
                tool_version=state.opened.tool_version,
                crashed=state.ended is None,
            )
            await self._append(resumed, run=state.number)
            self._opened.append(state.number)
            return state.number, state.opened, True
        opened = header_of_run(
            self.parent.opened, command=VERIFY, clock=self.clock, note=self.options.note
        )
        # Before anybody can see it: who finds it open, and held by nobody, would go on with it.
        await self.hold(opened.run_id)
        number = await self._append(opened)
        self._opened.append(number)
        return number, opened, False

    def _taken_over(self) -> tuple[list[_TakenOver], Mapping[str, RowState]]:
        """The rows that are tested, and what all runs together know of the parent's identities."""
        lines = self.ledger.row_lines(self.parent.number)
        rows = [row for row in self.parent.rows(lines) if row.marker is not None]
        now = known_of(rows, self.ledger)
        return list(self._rows(rows, now)), now

    def _rows(self, rows: Iterable[RowState], now: Mapping[str, RowState]) -> Iterator[_TakenOver]:
        """The parent's rows whose identity has a connection today, whichever run made it or changed it last."""
        is_chosen = chooser(self.options, self.service.orgs)
        for row in rows:
            today = now.get(row.marker or "", row)
            if row.planned is None or today.made is None:
                continue
            # Before rows are chosen: a name that means nothing now would choose none of them.
            org = self._org_of(row, row.planned)
            if is_chosen(org, row.planned.sandbox):
                yield row, row.planned, today

    def _left(self, run: int) -> tuple[Sequence[RowState], Mapping[str, RowState]]:
        """What a verification that was cut off has left to test, and what is known of it."""
        rows = to_test(fold_rows(self.ledger.row_lines(run)), Tests.ALL)
        for row in rows:
            assert row.planned is not None
            self._org_of(row, row.planned)
        return rows, known_of(rows, self.ledger)

    def _org_of(self, row: RowState, planned: RowPlanned) -> Org:
        """Where a row's connection stands; another org would be asked in vain."""
        org = self.service.orgs.find(planned.org)
        elsewhere = stands_elsewhere(self.parent.opened.places.told(row.number), planned, org)
        if elsewhere is not None:
            raise elsewhere
        assert org is not None
        return org


def _has_rows(ledger: LedgerReader, run: int) -> bool:
    return next(iter(ledger.row_lines(run)), None) is not None


def _lines_of(
    row: RowState, planned: RowPlanned, today: RowState, writer: RunWriter
) -> Iterator[Line]:
    settled = replace(inherited(row), tested=None)
    if today.made is not None and not (_stands(row) and today.made == row.made):
        # Another run made it anew, or this one did not come to change it.
        stands = Existing(connection_id=today.made, matched_by=MatchedBy.MARKER, etag=today.etag)
        settled = replace(settled, outcome=stands)
    yield writer.line(planned, row=row.number, marker=row.marker)
    yield writer.line(settled, row=row.number)


def _stands(row: RowState) -> bool:
    outcome = row.change_outcome or row.outcome
    return not row.is_open and outcome is not None and has_connection(outcome)
