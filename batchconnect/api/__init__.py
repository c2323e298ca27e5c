"""
The same job from Python: each function is a command, `await`ed, and has a `_sync` twin for plain code.

The library installs no signal handler, no logging and no loop policy, and writes only where it was
told to.
"""

from batchconnect.api.exporting import Export, export
from batchconnect.api.org_checks import OrgChecks, orgs
from batchconnect.api.over_runs import reconcile, verify
from batchconnect.api.over_sheets import onboard, rerun, rotate
from batchconnect.api.planning import Plan, plan
from batchconnect.api.report import Report
from batchconnect.api.twin import twin_of
from batchconnect.api.undoing import Undo, undo
from batchconnect.api.validation import Validation, validate

__all__ = [
    "Export",
    "OrgChecks",
    "Plan",
    "Report",
    "Undo",
    "Validation",
    "export",
    "export_sync",
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

export_sync = twin_of(export)
onboard_sync = twin_of(onboard)
orgs_sync = twin_of(orgs)
plan_sync = twin_of(plan)
reconcile_sync = twin_of(reconcile)
rerun_sync = twin_of(rerun)
rotate_sync = twin_of(rotate)
undo_sync = twin_of(undo)
validate_sync = twin_of(validate)
verify_sync = twin_of(verify)
