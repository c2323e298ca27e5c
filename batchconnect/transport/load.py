"""
What an answer says about the load of the service, in three words, so that the rings need not know
whose answers they carry.
"""

from collections.abc import Callable
from enum import Enum, auto

from batchconnect.transport.interface import Response


class Signal(Enum):
    """How one answer bears on the pace of its lane."""

    OK = auto()
    """An answer that the service had the time to give, a refusal of the row included."""
    THROTTLED = auto()
    """Refused before it was applied, for a passing cause: 429 and its kin."""
    CONGESTION = auto()
    """A server fault (5xx): overload if it does not stay alone."""


Judge = Callable[[Response], Signal]
