"""
The doubts of one lane: a reconciler per sandbox, beside the work of a run, or all that a command does.

No worker is held while they wait, and a sandbox's doubts share their listings.
"""

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from batchconnect.flow_service.answer import OrgLevel
from batchconnect.flow_service.listing import Listing
from batchconnect.lane.lane import Lane
from batchconnect.lane.matching import Wanted
from batchconnect.lane.reconciler import Doubt, Policy, Reconciler, take_up
from batchconnect.ledger.entry import Doubted
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import SHARED_ID, Clock, RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.event import Event, FaultMet, RowSettled, Settling
from batchconnect.model.fault import fault_of
from batchconnect.model.outcome import Created, Outcome
from batchconnect.model.value import replace


class LaneDoubts:
    """
    Settles what is in doubt in one lane.

    Args:
        lane: Whose sandboxes are read.
        ledger: The run writer.
        clock: The run's clocks.
        policy: How doubts are settled.
        on_event: Told of everything.
        on_broken: Told that the ledger cannot be written.
        resend: Told of each row that is free to be sent again; never, where the policy sends nothing.
        on_refused: Told that the service refuses the lane, or a sandbox, as it is looked up.
        on_change: Told when the last doubt of a sandbox is settled, or given up.
    """

    def __init__(
        self,
        *,
        lane: Lane,
        ledger: RunWriter,
        clock: Clock,
        policy: Policy,
        on_event: Callable[[Event], None],
        on_broken: Callable[[LedgerError], None],
        resend: Callable[[Doubt], None] = lambda doubt: None,
        on_refused: Callable[[OrgLevel, str], None] = lambda refusal, sandbox: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.were_any = False
        """Whether anything was in doubt: then the run has to be swept."""
        self._lane = lane
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._resend = resend
        self._on_event = on_event
        self._on_broken = on_broken
        self._on_refused = on_refused
        self._on_change = on_change
        self._reconcilers: dict[str, Reconciler] = {}
        self._at_work: dict[str, anyio.CancelScope] = {}
        self._tasks: TaskGroup | None = None

    @property
    def are_open(self) -> bool:
        """Whether a doubt is being settled, so that a row may come back to be sent again."""
        return bool(self._at_work)

    def begin(self, tasks: TaskGroup) -> None:
        """Settle in this group from now on, what was taken in before as well."""
        self._tasks = tasks
        for sandbox in self._reconcilers:
            self._start(sandbox)

    def stop(self) -> None:
        """Look up no more; what is in doubt stays so."""
        for reconciler in self._reconcilers.values():
            reconciler.stop()
        for scope in self._at_work.values():
            scope.cancel()

    def add(self, sandbox: str, doubt: Doubt) -> None:
        """Take a doubt in that stands in the ledger."""
        self.were_any = True
        reconciler = self._reconcilers.get(sandbox)
        if reconciler is None:
            reconciler = self._reconcilers[sandbox] = self._reconciler(sandbox)
        reconciler.add(doubt)
        self._start(sandbox)

    async def add_again(
        self,
        row: int,
        sandbox: str,
        what: Wanted,
        state: RowState,
        *,
        offset: int | None = None,
    ) -> Doubt:
        """
        Take up a doubt of an earlier process: its window counts from the recovery, once.

        Args:
            row: Its number in the sheet.
            sandbox: Where it was sent.
            what: What is looked for.
            state: What the ledger knows of it; `planned` is None where the doubt is another run's.
            offset: Where the row stands in the sheet; None: it is not sent again.

        Raises:
            LedgerError: The recovery cannot be written.
        """
        taken_up = take_up(state.doubt, self._clock, Doubted)
        is_of_this_run = state.planned is not None
        if taken_up != state.doubt or not is_of_this_run:
            # Another run's doubt becomes this one's, for this one accounts for the row now.
            anew = replace(taken_up, attempts=taken_up.attempts if state.doubt is None else 0)
            await self._ledger.write([self._ledger.line(anew, row=row, marker=what.marker)])
        doubt = Doubt(
            row=row,
            wanted=what,
            outcome=taken_up.outcome,
            moment=taken_up.moment,
            sends=state.spent,
            is_ours=state.sends > 0,
            offset=offset,
        )
        self.add(sandbox, doubt)
        return doubt

    def _start(self, sandbox: str) -> None:
        if self._tasks is None or sandbox in self._at_work or self._lane.is_halted:
            return
        self._at_work[sandbox] = anyio.CancelScope()
        self._tasks.start_soon(self._run, sandbox, self._reconcilers[sandbox])

    async def _run(self, sandbox: str, reconciler: Reconciler) -> None:
        try:
            with self._at_work[sandbox]:
                await reconciler.run()
        except LedgerError as error:
            self._on_broken(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours leaves the doubts to the next command
            self._on_event(
                FaultMet(
                    fault=fault_of(error),
                    where="settle",
                    org=self._lane.org.key,
                    sandbox=sandbox,
                    rows=reconciler.rows,
                )
            )
        finally:
            del self._at_work[sandbox]
            self._on_change()

    def _reconciler(self, sandbox: str) -> Reconciler:
        def settled(doubt: Doubt, outcome: Outcome) -> None:
            org = self._lane.org.key
            self._on_event(RowSettled(row=doubt.row, org=org, sandbox=sandbox, outcome=outcome))
            if isinstance(outcome, Created) and doubt.outcome.code != SHARED_ID:  # counted already
                self._lane.count_created()

        def looked(waiting: int, left_s: float) -> None:
            self._on_event(
                Settling(org=self._lane.org.key, sandbox=sandbox, waiting=waiting, left_s=left_s)
            )

        return Reconciler(
            look=self._looker(sandbox),
            ledger=self._ledger,
            clock=self._clock,
            policy=self._policy,
            settled=settled,
            resend=self._resend,
            looked=looked,
        )

    def _looker(self, sandbox: str) -> Callable[[], Awaitable[Listing]]:
        async def look() -> Listing:
            listing = await self._lane.list(sandbox)
            if listing.refusal is not None:
                self._on_refused(listing.refusal, sandbox)
            return listing

        return look
