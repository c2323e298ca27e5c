"""
The faults of ours that came up in one run: each is told in full once, and none of a listener's costs a row.

A million rows may meet the same fault. Its trace is kept with the first of them; the others name it in
their outcome, so that the ledger still tells how many they are.
"""

from collections.abc import Callable

from batchconnect.model.event import Event, FaultMet
from batchconnect.model.value import replace


class FaultRecord:
    """
    Hears every event of a run before its listener does.

    What a listener raises is its own: the rows on their way are finished, then it goes up to whoever
    handed the listener in.

    Args:
        hear: The listener.
        keep: Told of each fault that the ledger has to hold.
        on_raised: Told once that the listener failed, so that the run ends in good order.
    """

    def __init__(
        self,
        hear: Callable[[Event], None],
        *,
        keep: Callable[[FaultMet], None],
        on_raised: Callable[[], None],
    ) -> None:
        self.raised: Exception | None = None
        """What the listener raised; it is told nothing more."""
        self._hear = hear
        self._keep = keep
        self._on_raised = on_raised
        self._labels: set[str] = set()

    def tell(self, event: Event) -> None:
        """Tell the listener."""
        if isinstance(event, FaultMet):
            event = self._recorded(event)
        if self.raised is not None:
            return
        try:
            self._hear(event)
        except Exception as error:  # noqa: BLE001 - it goes up when no row is in the way
            self.raised = error
            self._on_raised()

    def check(self) -> None:
        """Raise what the listener raised."""
        if self.raised is not None:
            raise self.raised

    def _recorded(self, event: FaultMet) -> FaultMet:
        """Have it kept where it says something new; a known one is told without its trace."""
        is_known = event.fault.label in self._labels
        self._labels.add(event.fault.label)
        if is_known and event.where == "row":
            return replace(event, fault=replace(event.fault, trace=()))
        self._keep(event)
        return event
