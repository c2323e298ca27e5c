"""
A Flow Service and IMS for practice, tests and demos, as a real server on loopback.

It imports nothing of the rest of the package, so that it cannot share our mistakes: the contract
was read twice, once for the engine and once for this room.

`PROFILES` is cheap to import; the server, and aiohttp with it, is loaded when `Simulator` is asked for.
"""

from typing import TYPE_CHECKING, Any

from batchconnect.simulator.profiles import PROFILES

if TYPE_CHECKING:
    from batchconnect.simulator.control import Simulator

__all__ = ["PROFILES", "Simulator"]


def __getattr__(name: str) -> Any:
    if name == "Simulator":
        from batchconnect.simulator.control import (  # noqa: PLC0415  # `--help` lists the profiles and must answer at once
            Simulator,
        )

        return Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
