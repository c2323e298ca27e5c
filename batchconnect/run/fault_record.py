"""
The faults of ours that came up in one run: each is told in full once, and no listener's costs a row.

A million rows may meet the same fault. Its trace is kept with the first of them; the others name it in
their outcome, so that the ledger still tells how many they are.
"""

from collections.abc import Callable
from dataclasses import replace

from batchconnect.model.errors import BatchConnectError
from batchconnect.model.event import Event, FaultMet
from batchconnect.model.fault import fault_of


class FaultRecord:
    """
    Hears every event of a run before its listener does.

    Args:
        hear: The listener; what it raises is a fault too, and ends nothing.
        keep: Told of each fault that the ledger has to hold.
    """

    def __init__(
        self, hear: Callable[[Event], None], keep: Callable[[FaultMet], None] = lambda event: None
    ) -> None:
        self._hear = hear
        self._keep = keep
        self._labels: set[str] = set()

    def tell(self, event: Event) -> None:
        """Tell the listener."""
        if isinstance(event, FaultMet):
            event = self._recorded(event)
        try:
            self._hear(event)
        except BatchConnectError:
            raise  # it says by name why the run is to end
        except Exception as error:  # noqa: BLE001 - who listens is no part of the run
            self._recorded(FaultMet(fault=fault_of(error), where="listener"))

    def _recorded(self, event: FaultMet) -> FaultMet:
        """Have it kept where it says something new; a known one is told without its trace."""
        is_known = event.fault.label in self._labels
        self._labels.add(event.fault.label)
        if is_known and event.where in {"row", "listener"}:
            return replace(event, fault=replace(event.fault, trace=()))
        self._keep(event)
        return event
