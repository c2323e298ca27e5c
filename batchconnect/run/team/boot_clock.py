"""The machine's clock that counts on while it sleeps: what a lease is told by."""

import time
from typing import Final

_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def boot_s() -> float:
    """Seconds since the machine was started, its sleep included, where it has such a clock."""
    # NOTE: macOS has it as CLOCK_MONOTONIC; Windows has none, and its monotonic clock counts a sleep too.
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)
