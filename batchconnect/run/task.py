"""What a command over a sheet does to its rows: it creates connections, sends keys to them, or only tests."""

from collections.abc import Set as AbstractSet

from batchconnect.lane.planner import KeyChoice
from batchconnect.ledger.entry import ONBOARD, ROTATE, VERIFY
from batchconnect.model.value import Value
from batchconnect.options import MergedOptions
from batchconnect.run.job import Tests


class Task(Value):
    """What a command over a sheet does."""

    command: str = ONBOARD
    parent: str | None = None
    """The run whose unfinished rows are taken up; None: all rows of the sheet."""
    keys: KeyChoice | None = None
    """Which rows get their key sent, where their connection exists."""
    tests: Tests = Tests.NONE
    approved: AbstractSet[str] | None = None
    """Keys of the rows that a plan lets be created; None: all."""

    @property
    def sends_keys(self) -> bool:
        """Whether a row's key is used at all."""
        return self.command != VERIFY

    @property
    def looks_at_keys(self) -> bool:
        """Whether the stores are asked for the rows' keys although none is sent."""
        return self.command == VERIFY

    @property
    def creates(self) -> bool:
        """Whether rows without a connection are created."""
        return self.command == ONBOARD


def onboarding(
    options: MergedOptions, *, parent: str | None = None, was_tested: bool = False
) -> Task:
    """
    `run`; with a parent `rerun`, which also sends keys to connections that do not work, and tests those.

    Args:
        options: Whether all are tested.
        parent: The run that a rerun takes up.
        was_tested: That one's connections were tested: so are those that the rerun makes.
    """
    of_rerun = Tests.NONE if parent is None else Tests.MADE if was_tested else Tests.CHANGED
    return Task(parent=parent, tests=Tests.ALL if options.verify else of_rerun)


def rotation(
    options: MergedOptions, *, only_failing: bool, is_tested: bool, only_changed: bool = False
) -> Task:
    """`rotate`: keys to connections that exist; nothing is created."""
    tests = Tests.CHANGED if is_tested else Tests.NONE
    return Task(
        command=ROTATE,
        keys=KeyChoice(is_all=not only_failing, only_changed=only_changed),
        tests=Tests.ALL if options.verify else tests,
    )


def verification() -> Task:
    """`verify` of a sheet: its connections are found and tested, its stores asked for the keys; nothing is sent."""
    return Task(command=VERIFY, tests=Tests.ALL)
