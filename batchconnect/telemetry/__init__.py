"""
A run as OpenTelemetry sees it, where a program or an agent has set an SDK up; else nothing, at no cost.

We speak the API alone: who exports what, and where to, is the business of whoever runs us.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from batchconnect.model.event import Event

__all__ = ["heard_by_telemetry"]


@contextmanager
def heard_by_telemetry() -> Iterator[Callable[[Event], None] | None]:
    """
    Who tells OpenTelemetry of a run's events, for as long as the block lasts.

    Yields:
        The listener; None: the API is not installed, or nobody has set an SDK up.
    """
    if not _may_be_set_up():
        yield None
        return
    from batchconnect.telemetry.spans import Telemetry, is_set_up  # noqa: PLC0415 - an extra

    if not is_set_up():
        yield None
        return
    telemetry = Telemetry()
    try:
        yield telemetry.hear
    finally:
        telemetry.close()


def _may_be_set_up() -> bool:
    """Whether it is worth the look: who sets an SDK up has imported the API, or names it in the environment."""
    if "opentelemetry" not in sys.modules and not any(
        name.startswith("OTEL_PYTHON_") for name in os.environ
    ):
        return False
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None
