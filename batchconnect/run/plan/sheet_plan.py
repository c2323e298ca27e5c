"""What a run over a sheet would do, counted and told sandbox by sandbox."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from batchconnect.flow_service.answer import OrgLevel
from batchconnect.flow_service.listing import ListingFault
from batchconnect.model.errors import ExitCode
from batchconnect.model.outcome import Problem
from batchconnect.model.row_place import Places
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.run.keys.key_plan import KeyLook
from batchconnect.run.plan.row_plan import IN_THE_WAY, Action, RowPlan
from batchconnect.transport.pace import START_RATE


@dataclass(slots=True, kw_only=True)
class SandboxPlan:
    """What a run would do in one sandbox."""

    org: str
    sandbox: str
    rows: int
    counts: Counter[Action] = field(default_factory=Counter)
    """Of all its rows, what is done to each."""
    planned: list[RowPlan] = field(default_factory=list)
    """Its rows, in the sheet's order, as far as they were asked for; with all that a person has to look at."""
    refusal: str | None = None
    """Why the sandbox could not be read."""
    refusal_code: str = ""
    """Its code, by which the remedy is found."""
    rate: float = START_RATE
    keys: KeyLook = field(default_factory=KeyLook)
    """What the stores say of the keys that would be sent."""

    @property
    def create(self) -> int:
        """Rows of which nothing stands there."""
        return self.counts[Action.CREATE]

    @property
    def send_key(self) -> int:
        """Rows whose connection exists, and gets their key."""
        return self.counts[Action.SEND_KEY]

    @property
    def settle_first(self) -> int:
        """Rows in doubt from an earlier run."""
        return self.counts[Action.SETTLE_FIRST]

    @property
    def in_the_way(self) -> list[RowPlan]:
        """Rows that a run would leave without a connection."""
        return [row for row in self.planned if row.action in IN_THE_WAY]

    @property
    def warned(self) -> list[RowPlan]:
        """Rows of which something is odd, for all that is done to them."""
        return [row for row in self.planned if row.warnings]

    @property
    def at_most_s(self) -> float:
        """Seconds that the creates, or the keys, take at the rate that is set, or at a lane's first one: it grows."""
        return (self.create + self.send_key) / self.rate


@dataclass(slots=True, kw_only=True)
class SheetPlan:
    """What a run would do."""

    places: Places
    """The sheets, by which rows are told."""
    rows: int = 0
    not_selected: int = 0
    rejected: dict[int, Sequence[Problem]] = field(default_factory=dict)
    about_rows: list[Problem] = field(default_factory=list)
    """What is odd about rows taken together; a run sends them all the same."""
    sandboxes: list[SandboxPlan] = field(default_factory=list)
    warnings: FindingKinds = field(default_factory=FindingKinds)
    """About cells; those about what stands in a sandbox are told with it."""

    @property
    def stands_in_the_way(self) -> bool:
        """Whether a run would leave rows without a connection, as far as can be seen."""
        return any(
            sandbox.refusal is not None or sandbox.in_the_way or sandbox.keys.missing > 0
            for sandbox in self.sandboxes
        )

    @property
    def has_work(self) -> bool:
        """Whether a run would do anything but account for its rows."""
        return bool(self.rejected) or any(
            one.refusal is not None
            or one.create
            or one.send_key
            or one.settle_first
            or one.in_the_way
            for one in self.sandboxes
        )

    @property
    def shut_stores(self) -> Mapping[str, tuple[str, int]]:
        """By its name, why a store gave nothing at all, and how many rows have their keys in it."""
        rows: Counter[str] = Counter()
        for one in self.sandboxes:
            rows.update(one.keys.unanswered.values())
        whys = {store: why for one in self.sandboxes for store, why in one.keys.stores.items()}
        return {store: (why, rows[store]) for store, why in whys.items()}

    @property
    def is_refused(self) -> bool:
        """Whether no sandbox could be read."""
        return bool(self.sandboxes) and all(
            sandbox.refusal is not None for sandbox in self.sandboxes
        )

    def exit_code(self, *, skip_invalid: bool) -> ExitCode:
        """
        What the plan amounts to.

        Args:
            skip_invalid: Whether the run would start although rows are rejected.

        Source:
            docs/commands.md, "batchconnect plan".
        """
        if self.rejected and not skip_invalid:
            return ExitCode.SHEET
        if self.is_refused:
            return ExitCode.STOPPED
        in_the_way = bool(self.rejected) or self.stands_in_the_way
        return ExitCode.UNFINISHED if in_the_way else ExitCode.OK


def told_reason(why: OrgLevel | ListingFault) -> str:
    """A code with what the service said about it, if it said anything."""
    return ": ".join(part for part in (why.code, why.detail) if part)
