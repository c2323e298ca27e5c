"""Make it so: every row of the sheet has its connection, and the report says which."""

import os
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from batchconnect.cli.ending import Ending
from batchconnect.cli.files.ci_files import CiFiles
from batchconnect.cli.observer import RunObserver, attend
from batchconnect.cli.options import SERVICE, SHEET, Given, OutputOptions
from batchconnect.cli.screen.console import Console, ResultError, counted, wrapped
from batchconnect.cli.start import (
    flags_of,
    kept_flags,
    options_of,
    place_flags,
    rerun_flags,
    settings_of,
    sheet_flags,
    sheet_of,
    warn_of_places,
)
from batchconnect.model.errors import PlanChangedError, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.outcome import Status
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions, merge
from batchconnect.reports.new_file import new_beside
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import next_command
from batchconnect.run.engine import onboard_sheet
from batchconnect.run.opening.places import try_places
from batchconnect.run.task import Task, onboarding
from batchconnect.sheet import STDIN

_MOST_PROBLEMS: Final = 1000
"""Changes of a plan that the screen shows."""


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheets: Sequence[str],
    plan: Path | None = None,
    task_of: Callable[[MergedOptions], Task] = onboarding,
    joins: str | None = None,
    command: str = "run",
) -> int:
    """Run a sheet: all of it, or what the task says is to be done to its rows; with a plan, as was approved."""
    console = Console(output)
    with Ending(given, console, command=command) as ending:
        return run_told(
            output, given, console, ending, sheets=sheets, plan=plan, task_of=task_of, joins=joins
        )


def run_told(
    output: OutputOptions,
    given: Given,
    console: Console,
    ending: Ending,
    *,
    sheets: Sequence[str],
    plan: Path | None = None,
    task_of: Callable[[MergedOptions], Task] = onboarding,
    joins: str | None = None,
) -> int:
    """As `run`, where somebody else tells how it ended."""
    environ = os.environ
    files = CiFiles.of(given)
    carry_out: Callable[..., Awaitable[Summary]] = onboard_sheet
    about_plan = ""
    if plan is not None:
        # What plans are is a tenth of a short command's imports, and most runs have none.
        from batchconnect.run.plan.plan_file import (  # noqa: PLC0415 - most runs have no plan
            check_mode,
            read_plan,
        )
        from batchconnect.run.plan.planned_run import run_as_planned  # noqa: PLC0415 - most runs have no plan
        from batchconnect.run.plan.saved_plan import KEY_UNSEEN  # noqa: PLC0415 - most runs have no plan

        saved = read_plan(plan)
        check_mode(saved, plan, simulate=bool(given.options.simulate))
        given = replace(given, options=merge(given.options, saved.run_options()))
        sheets = sheets or saved.sheets
        carry_out = partial(run_as_planned, plan=saved, path=plan)
        about_plan = f"plan {plan}: {counted(len(saved.rows), 'row')}; {KEY_UNSEEN}"
    if not sheets:
        raise UsageError(
            "no sheet is named",
            hint="batchconnect run SHEET, or: batchconnect run --plan plan.json",
        )
    settings = settings_of(given, environ)
    options = options_of(settings, given)
    ending.reach(settings, options)
    with sheet_of(sheets, options, console) as opened:
        warn_of_places(options, settings, console)
        console.warn(try_places(options))
        observer = RunObserver(
            options=options,
            output=output,
            log_json=given.log_json,
            console=console,
            place=place_flags(given),
            kept=rerun_flags(given),
            joins=joins,
            files=files,
        )
        work = partial(
            carry_out,
            opened,
            settings=settings,
            options=options,
            environ=environ,
            listener=observer.listener,
            report=observer.report,
            task=task_of(options),
        )
        if about_plan:
            console.say(about_plan)
        try:
            summary = attend(observer, work, drain_s=given.drain)
        except PlanChangedError as error:
            files.write_changes(error, console)
            ending.code = error.exit_code
            anew = _plan_again(sheets, plan, given)
            hint = f"Plan again, and have that approved: {anew}"
            return _told_changes(error, console, hint=observer.redactor.text(hint))
    ending.summary = summary
    again = next_command(
        summary,
        same=observer.redactor.text(shlex.join(["batchconnect", *sys.argv[1:]])),
        options=place_flags(given),
        kept=partial(kept_flags, given),
    )
    if observer.problems is not None:
        again = _annotating(sheets, given) or again
    code = int(summary.exit_code or 0)
    is_practice = given.options.fault not in {None, "none"}
    if is_practice and 0 < summary.total == summary.counts[Status.EXISTING]:
        console.say(
            "note: every row stood there already, so there was no trouble to see;"
            " another --reports begins anew"
        )
    try:
        observer.tell_end(summary, again)
    except ResultError as error:
        if not code:
            raise
        console.say(f"error: {error.message}")
    _tell_other_way(observer, console, others=summary.counts[Status.NOT_ATTEMPTED])
    return code


def _plan_again(sheets: Sequence[str], plan: Path | None, given: Given) -> str:
    """The command that makes the plan anew as it was made: by what it keeps, and by what this run was given."""
    from batchconnect.run.plan.saved_plan import KEPT  # noqa: PLC0415 - most runs have no plan

    names = dict.fromkeys((*SHEET.names, *SERVICE.names, *KEPT))
    flags = [*place_flags(given), *flags_of(given.options, names)]
    return shlex.join(["batchconnect", "plan", *sheets, "--out", str(plan), *flags])


def _tell_other_way(observer: RunObserver, console: Console, *, others: int) -> None:
    """What can be done where rows are rejected, besides correcting them."""
    if observer.problems is not None and others:
        which = "the other row" if others == 1 else f"the {others:,} others"
        command = shlex.join(["batchconnect", *sys.argv[1:], "--skip-invalid"])
        console.say(observer.redactor.text(f"or send {which} without them: {command}"))


def _told_changes(error: PlanChangedError, console: Console, *, hint: str) -> int:
    """What is not as planned; of very much, the first of it, for --json has all."""
    document = {
        "error": error.message,
        "hint": hint,
        "exit_code": int(error.exit_code),
        "changes": error.changes,
    }
    lines = list(error.changes[:_MOST_PROBLEMS])
    if len(error.changes) > len(lines):
        lines.append(f"and {len(error.changes) - len(lines)} more: --json shows all of them")
    told = [part for line in lines for part in wrapped(escape_control(line), console.width)]
    console.result(document, told)
    console.say(f"error: {error.message}\nhint:  {escape_control(hint)}")
    return int(error.exit_code)


def _annotating(sheets: Sequence[str], given: Given) -> str | None:
    """The command that shows the problems in the sheet itself; standard input is no such sheet, nor are several."""
    if len(sheets) > 1 or sheets[0] == STDIN:
        return None
    flags = [*place_flags(given), *sheet_flags(given)]
    out = new_beside(sheets[0])
    return shlex.join(["batchconnect", "validate", sheets[0], "--annotate", out, *flags])
