"""
What an answer says about the load of the service, in three words, so that the rings need not know
whose answers they carry.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from batchconnect.transport.interface import Response

ISOLATED_ANSWERS = 20
"""Answers. A server fault is isolated if none of so many answers before it was one."""
ISOLATED_S = 30.0
"""Seconds. An earlier server fault that is older says nothing about the load of now."""


class Signal(Enum):
    """How one answer bears on the pace of its lane."""

    OK = auto()
    """An answer that the service had the time to give, a refusal of the row included."""
    THROTTLED = auto()
    """Refused before it was applied, for a passing cause: 429 and its kin."""
    CONGESTION = auto()
    """A server fault (5xx): overload if it does not stay alone."""


Judge = Callable[[Response], Signal]


class Faults:
    """
    The server faults of late, to tell an isolated one from overload.

    Two faults among `ISOLATED_ANSWERS` answers and within `ISOLATED_S` seconds are overload (contract,
    section 6: "overload may show as 500"); one alone is an accident.
    """

    def __init__(self) -> None:
        self._answers = 0
        self._faults: deque[tuple[float, int]] = deque()

    def answered(self) -> None:
        """Count an answer that was no server fault."""
        self._answers += 1

    def failed(self, now: float) -> bool:
        """
        Count a server fault.

        Returns:
            Whether another came shortly before it, so that it means overload.
        """
        self._answers += 1
        while self._faults and (
            now - self._faults[0][0] > ISOLATED_S
            or self._answers - self._faults[0][1] >= ISOLATED_ANSWERS
        ):
            self._faults.popleft()
        self._faults.append((now, self._answers))
        return len(self._faults) > 1
