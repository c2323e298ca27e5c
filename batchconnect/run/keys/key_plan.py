"""What the stores say of the keys that a run would send: looked up as the run would, and dropped at once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from batchconnect.lane.pool import work_on_all
from batchconnect.model.key_end import ending_soon
from batchconnect.model.outcome import NotAttempted, Rejected
from batchconnect.model.reference import KeyOrigin
from batchconnect.reports.result import errors_of, placed
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.key import Keys

KEYS_AT_ONCE: Final = 64
"""Keys that are looked up side by side, whatever for; each store has bounds of its own."""


@dataclass(slots=True, kw_only=True)
class KeyLook:
    """What came of looking the keys of many rows up."""

    refused: list[tuple[int, str]] = field(default_factory=list)
    """Row and reason of each key that cannot be had."""
    stores: dict[str, str] = field(default_factory=dict)
    """Why a store gave nothing at all, by its name."""
    unanswered: dict[int, str] = field(default_factory=dict)
    """By row, the name of such a store, where its key stands in one."""
    origins: dict[int, KeyOrigin] = field(default_factory=dict)
    """By row, where its key stands: of those that were looked up, and could be had."""

    def ending(self) -> int:
        """How many different keys end soon."""
        return ending_soon(self.origins.values(), now_ms=time.time_ns() // 1_000_000)

    @property
    def missing(self) -> int:
        """How many rows a run would leave without a connection for want of their keys."""
        return len(self.refused) + len(self.unanswered)


async def look_at_keys(connections: Sequence[BaseConnection], keys: Keys) -> KeyLook:
    """
    Look up the key of each row, and keep none.

    Args:
        connections: Rows whose keys stand elsewhere.
        keys: As of a run.
    """
    found = KeyLook()

    async def look(connection: BaseConnection) -> None:
        match await keys.ready(connection):
            case Rejected(problems=problems):
                why = "; ".join(placed(error) for error in errors_of(problems))
                found.refused.append((connection.row, why))
            case NotAttempted(store=store, detail=detail):
                found.stores[store or ""] = detail
                found.unanswered[connection.row] = store or ""
            case BaseConnection(key_origin=origin) if origin is not None:
                found.origins[connection.row] = origin
            case _:
                pass

    await work_on_all(connections, look, at_once=KEYS_AT_ONCE)
    found.refused.sort()
    return found
