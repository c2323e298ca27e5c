"""
Batch onboarding of Azure Data Explorer base connections into Adobe Experience Platform.

No row twice, no row lost, no secret out, and a report that tells a person what to do next.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchconnect.api import Report, onboard, onboard_sync
    from batchconnect.model.errors import BatchConnectError
    from batchconnect.model.event import Event
    from batchconnect.model.org import Org
    from batchconnect.model.outcome import Status, Works
    from batchconnect.model.secret import Secret
    from batchconnect.options import RunOptions
    from batchconnect.reports.result import Result
    from batchconnect.run.stop import Stop
    from batchconnect.settings import Settings, load_settings

_HOMES = {
    "BatchConnectError": "model.errors",
    "Event": "model.event",
    "Org": "model.org",
    "Report": "api",
    "Result": "reports.result",
    "RunOptions": "options",
    "Secret": "model.secret",
    "Settings": "settings",
    "Status": "model.outcome",
    "Stop": "run.stop",
    "Works": "model.outcome",
    "load_settings": "settings",
    "onboard": "api",
    "onboard_sync": "api",
}

__all__ = [
    "BatchConnectError",
    "Event",
    "Org",
    "Report",
    "Result",
    "RunOptions",
    "Secret",
    "Settings",
    "Status",
    "Stop",
    "Works",
    "load_settings",
    "onboard",
    "onboard_sync",
]


def __getattr__(name: str) -> Any:
    # Loaded when first used: the command line answers `--help` without the engine.
    if name in _HOMES:
        return getattr(import_module(f"batchconnect.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
