"""
Batch onboarding of Azure Data Explorer base connections into Adobe Experience Platform.

No row twice, no row lost, no secret out, and a report that tells a person what to do next.
Each command is a function to `await`, with a `_sync` twin: see docs/from-python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchconnect.api import (
        Export,
        OrgChecks,
        Plan,
        Report,
        Undo,
        Validation,
        export,
        export_sync,
        onboard,
        onboard_sync,
        orgs,
        orgs_sync,
        plan,
        plan_sync,
        reconcile,
        reconcile_sync,
        rerun,
        rerun_sync,
        rotate,
        rotate_sync,
        undo,
        undo_sync,
        validate,
        validate_sync,
        verify,
        verify_sync,
    )
    from batchconnect.model.errors import (
        BatchConnectError,
        ExitCode,
        LedgerError,
        ListenerError,
        PlanChangedError,
        SettingsError,
        SheetError,
        UnfinishedError,
        UsageError,
    )
    from batchconnect.model.event import Event
    from batchconnect.model.org import Org
    from batchconnect.model.outcome import Problem, Severity, Status, Works
    from batchconnect.model.precaution import FailureLimit, OnDoubt
    from batchconnect.model.row_place import RowPlace
    from batchconnect.model.secret import Secret
    from batchconnect.options import RunOptions
    from batchconnect.reports.incident import Incident
    from batchconnect.reports.result import Result
    from batchconnect.run.plan.row_plan import Action
    from batchconnect.run.stop import Stop
    from batchconnect.settings import Settings, load_settings

    __version__: str

_API = (
    "Export OrgChecks Plan Report Undo Validation export export_sync onboard onboard_sync orgs orgs_sync plan "
    "plan_sync reconcile reconcile_sync rerun rerun_sync rotate rotate_sync undo undo_sync validate "
    "validate_sync verify verify_sync"
)
_ERRORS = (
    "BatchConnectError ExitCode LedgerError ListenerError PlanChangedError SettingsError SheetError "
    "UnfinishedError UsageError"
)
_HOMES = {
    **dict.fromkeys(_API.split(), "api"),
    **dict.fromkeys(_ERRORS.split(), "model.errors"),
    **dict.fromkeys(("Problem", "Severity", "Status", "Works"), "model.outcome"),
    **dict.fromkeys(("FailureLimit", "OnDoubt"), "model.precaution"),
    **dict.fromkeys(("Settings", "load_settings"), "settings"),
    "Action": "run.plan.row_plan",
    "Event": "model.event",
    "Incident": "reports.incident",
    "Org": "model.org",
    "Result": "reports.result",
    "RowPlace": "model.row_place",
    "RunOptions": "options",
    "Secret": "model.secret",
    "Stop": "run.stop",
}

__all__ = [
    "Action",
    "BatchConnectError",
    "Event",
    "ExitCode",
    "Export",
    "FailureLimit",
    "Incident",
    "LedgerError",
    "ListenerError",
    "OnDoubt",
    "Org",
    "OrgChecks",
    "Plan",
    "PlanChangedError",
    "Problem",
    "Report",
    "Result",
    "RowPlace",
    "RunOptions",
    "Secret",
    "Settings",
    "SettingsError",
    "Severity",
    "SheetError",
    "Status",
    "Stop",
    "Undo",
    "UnfinishedError",
    "UsageError",
    "Validation",
    "Works",
    "export",
    "export_sync",
    "load_settings",
    "onboard",
    "onboard_sync",
    "orgs",
    "orgs_sync",
    "plan",
    "plan_sync",
    "reconcile",
    "reconcile_sync",
    "rerun",
    "rerun_sync",
    "rotate",
    "rotate_sync",
    "undo",
    "undo_sync",
    "validate",
    "validate_sync",
    "verify",
    "verify_sync",
]


def __getattr__(name: str) -> Any:
    # Loaded when first used: the command line answers `--help` without the engine.
    if name in _HOMES:
        return getattr(import_module(f"batchconnect.{_HOMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - few ask for the version

        return version("batchconnect")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
