"""
Which refusal stopped which lane, for the rows that never had their turn.

The row that met the refusal is `failed`, the others are `not_attempted`: one cause, so they are
brought together here, through the `LaneStopped` events that the ledger keeps.
"""

from collections.abc import Iterable

from batchconnect.ledger.entry import LaneTold, Line
from batchconnect.model.event import BANNED_UNTIL, LaneStopped
from batchconnect.model.outcome import Failed, InDoubt, NotAttempted, Outcome


class Stops:
    """
    Which refusal stopped which lane or sandbox.

    Args:
        run_lines: The run's own lines, oldest first.
    """

    def __init__(self, run_lines: Iterable[Line]) -> None:
        self._stops: dict[tuple[str, str | None], list[LaneStopped]] = {}
        for line in run_lines:
            match line.entry:
                case LaneTold(event=LaneStopped() as stop):
                    self._stops.setdefault((stop.org, stop.sandbox), []).append(stop)
                case _:
                    pass

    def of(self, org: str, sandbox: str, outcome: Outcome) -> LaneStopped | None:
        """The refusal that a row met, or that kept it from its turn; None: it stands for itself."""
        if not self._stops:
            return None
        lane = self._stops.get((org, None), [])
        box = self._stops.get((org, sandbox), [])
        match outcome:
            # A resumed run may be stopped again, by something else: the last refusal is why.
            case NotAttempted(code=code) if lane and code in {"lane_stopped", BANNED_UNTIL}:
                return lane[-1]
            case NotAttempted(code="sandbox_stopped") if box:
                return box[-1]
            case Failed(code=code) | InDoubt(code=code):
                return next((stop for stop in [*lane, *box] if stop.code == code), None)
            case _:
                return None
