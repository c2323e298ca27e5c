"""Send the sheet's keys to the connections that exist; or show which would be sent."""

from collections.abc import Sequence
from functools import partial

from batchconnect.cli.commands.plan import run as show
from batchconnect.cli.commands.run import run as run_sheet
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.run.task import rotation


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheets: Sequence[str],
    failing: bool,
    changed: bool,
    no_verify: bool,
    is_plan: bool,
) -> int:
    """Rotate the keys of a sheet's rows."""
    task_of = partial(rotation, only_failing=failing, only_changed=changed, is_tested=not no_verify)
    if is_plan:
        return show(output, given, sheets=sheets, task_of=task_of)
    return run_sheet(output, given, sheets=sheets, task_of=task_of, command="rotate")
