"""All that one run is made of, handed in: its sheet, its ledger, its lanes, its bounds, and who listens."""

from collections.abc import Callable, Sequence
from enum import Enum, auto

from batchconnect.lane.key_ahead import Holding, InTrouble, Ready
from batchconnect.lane.lane import Lane
from batchconnect.lane.orphan import MissingRow
from batchconnect.lane.planner import Rules
from batchconnect.lane.reconciler import Policy
from batchconnect.ledger import Ledger
from batchconnect.ledger.entry import (
    RunIdentified,
    RunOpened,
)
from batchconnect.ledger.run_state import RunState
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.model.errors import SettingsError
from batchconnect.model.event import Event, RunStarted
from batchconnect.model.precaution import FailureLimit
from batchconnect.model.row import Row
from batchconnect.model.value import Value
from batchconnect.run.intake.accounting import CarryOver
from batchconnect.run.intake.intake import Parse
from batchconnect.run.intake.same_run import command_of
from batchconnect.run.stop import Stop
from batchconnect.sheet.interface import Sheet
from batchconnect.validation.fast_scan import Scan


class Bounds(Value):
    """Where a run ends before its sheet does."""

    skip_invalid: bool = False
    """Run the valid rows although others are rejected."""
    max_rows: int | None = None
    """At most so many creates: a canary."""
    max_failures: FailureLimit | None = None
    sweep: bool = True
    """Compare what was created with the service, at the end."""


class Tests(Enum):
    """Which connections of a run are tested at its end."""

    NONE = auto()
    CHANGED = auto()
    """Those whose key this run sent."""
    MADE = auto()
    """These, and those of the rows that this run itself settled: a rerun leaves the others as they were."""
    ALL = auto()


class Job(Value):
    """All that one run is made of."""

    sheet: Sheet
    parse: Parse
    ready: Ready
    """Looks up the key of a row whose turn has come."""
    trouble: InTrouble = lambda connection: None
    """Whether the store of a row's key is in trouble, so that others are sent meanwhile."""
    lane_of: Callable[[str], Lane]
    """The lane of an org's settings key; asked once for each."""
    ledger: Ledger
    writer: Callable[[int], RunWriter]
    """The run writer, once its number is known."""
    clock: Clock
    opened: RunOpened
    resumed: RunState | None = None
    """The run that this one goes on with; then *opened* is not written."""
    identified: RunIdentified | None = None
    """Which run the sheet's rows are, where that was looked at before; they have to be the same still."""
    seen: int | None = None
    """Their `RowsPrint` then, by which they are known again."""
    left_open: Sequence[RunState] = ()
    """Runs over the same sheet that are open, and other ones."""
    is_selected: Callable[[Row], bool] = lambda row: True
    """What `--only` chooses."""
    strict: bool = False
    """Warnings are errors."""
    fast_scan: Scan | None = None
    """Takes most rows at one look, where all are selected and none is carried over."""
    carry_over: CarryOver = lambda row, judged: None
    """What a rerun inherits from its parent, or leaves for `run`."""
    gone: Callable[[], Sequence[MissingRow]] = tuple
    """Rows of the parent that the sheet no longer has, asked when the sheet was read."""
    elsewhere: Callable[[MissingRow], SettingsError | None] = lambda row: None
    """Why the doubt of such a row cannot be settled here; None: it can."""
    rules: Rules
    policy: Policy
    tests: Tests = Tests.NONE
    looks_at_keys: bool = False
    """Ask the stores for the rows' keys at the end, and send nothing."""
    bounds: Bounds = Bounds()
    on_event: Callable[[Event], None] = lambda event: None
    stop: Stop
    holding: Holding
    """Keeps a row's secret out of every text while it is in flight."""

    @property
    def started(self) -> RunStarted:
        """What is told when it is opened, or goes on."""
        opened = (self.resumed or self).opened
        return RunStarted(
            run_id=opened.run_id,
            resumed=self.resumed is not None,
            simulated=self.opened.simulated,
            places=opened.places,
            left_open=tuple(
                f"{left.opened.run_id}: {command_of(left.opened)}" for left in self.left_open
            ),
        )
