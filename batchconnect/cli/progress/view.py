"""What there is to be shown of a run under way, as frozen values: between what counts and what draws."""

from collections.abc import Mapping
from typing import Final

from batchconnect.model.event import PageRead
from batchconnect.model.outcome import Status
from batchconnect.model.value import Value

WAITS_FOR_SETTLE: Final = "waits_for_settle"
"""The one pause that holds a sandbox and not its lane."""


class Pause(Value):
    """A lane sends nothing now."""

    left_s: float
    reason: str
    """As in `LanePaused`."""


class LaneView(Value):
    """One lane as of now."""

    org: str
    counts: Mapping[Status, int]
    """Only what is not zero; doubts that are still being settled count as `in_doubt`."""
    sending: int
    """Rows on their way."""
    rate: float | None
    """Sent rows that were settled per second; None while that cannot be told."""
    pause: Pause | None
    settle_left_s: float | None
    """Seconds until the last doubt is decided at the latest, None where none is being settled."""
    stopped: str
    """Code of the refusal that stopped the whole lane, "" while it is at work."""


class Here(Value):
    """What one worker does of a run that others work, too."""

    done: int
    rate: float | None


class ConnectionTests(Value):
    """The tests of connections, which come when the rows are done."""

    connections: int
    tested: int
    failing: int
    """Those that do not work."""

    @property
    def are_under_way(self) -> bool:
        """Whether answers are still to come."""
        return self.tested < self.connections


class View(Value):
    """The run as of now."""

    has_begun: bool
    """Whether any event was heard."""
    done: int
    """Rows that got their outcome since the plan stood."""
    total: int | None
    """Rows to look after, None until the plan stands."""
    sandboxes: int
    """Sandboxes that were read."""
    reading: PageRead | None
    """The page that was read last, while a sandbox is being read."""
    looked: tuple[int, int] | None
    """Connections that were asked about by their ids, and of how many; None: none is asked about."""
    counts: Mapping[Status, int]
    rate: float | None
    left_s: float | None
    """Seconds to the end, None while that cannot be told."""
    settle_left_s: float | None
    lanes: tuple[LaneView, ...]
    """In the order in which they were heard of."""
    tests: ConnectionTests | None
    """None until they begin."""
    is_draining: bool
    finished_s: float | None
    """How long the run took, None while it is under way."""
    here: Here | None = None
    """Others work the run, too: `done`, `total`, `rate` and `left_s` are of all, and this is the worker's own, as
    `counts` and `lanes` are."""

    @property
    def is_planned(self) -> bool:
        """Whether it is known what there is to do."""
        return self.total is not None or self.tests is not None

    @property
    def is_at_work(self) -> bool:
        """Whether there is anything to show that moves."""
        has_looks = self.reading is not None or self.looked is not None
        return self.is_planned or has_looks or bool(self.counts)
