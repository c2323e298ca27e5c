"""What a run would do, per org and sandbox; reads the service, changes nothing."""

import os
import shlex
import sys
from collections.abc import Callable
from functools import partial

import anyio

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.plan_screen import FOLDED_AT, plan_lines
from batchconnect.cli.commands.signals import ending_at_once
from batchconnect.cli.commands.start import (
    options_of,
    place_flags,
    settings_of,
    sheet_flags,
    sheet_of,
    warn_of_places,
)
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.redactor import Redactor
from batchconnect.options import MergedOptions
from batchconnect.run.plan_run import SheetPlan, plan_run
from batchconnect.run.row_plan import Action
from batchconnect.run.service import connected
from batchconnect.run.task import Task, onboarding
from batchconnect.settings import Settings
from batchconnect.sheet import Sheet


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheet: str,
    task_of: Callable[[MergedOptions], Task] = onboarding,
) -> int:
    """Show what a run, or another command over the sheet, would do with the same options."""
    console = Console(output)
    settings = settings_of(given, os.environ)
    options = options_of(settings, given)
    task = task_of(options)
    with sheet_of(sheet, options, console) as opened:
        warn_of_places(options, settings, console)
        with ending_at_once():
            found = anyio.run(
                partial(_look, opened, settings, options, task, console),
                backend_options={"use_uvloop": sys.platform != "win32"},
            )
    following = _next(found, options, settings, sheet, given, command=task.command)
    lines = plan_lines(
        found,
        creates=task.creates,
        most_rows=options.max_rows,
        shows_all=console.verbose > 0,
    )
    console.result(_document(found, options), [*lines, f"next:   {escape_control(following)}"])
    return found.exit_code(skip_invalid=options.skip_invalid)


async def _look(
    sheet: Sheet, settings: Settings, options: MergedOptions, task: Task, console: Console
) -> SheetPlan:
    with unwrap_exception_group():
        async with connected(settings, options, on_event=console.say_pauses) as service:
            return await plan_run(
                sheet,
                service=service,
                options=options,
                environ=os.environ,
                task=task,
                most_kept=None if console.json or console.verbose else FOLDED_AT + 1,
            )


def _document(found: SheetPlan, options: MergedOptions) -> dict[str, object]:
    return {
        "rows": found.rows,
        "not_selected": found.not_selected,
        "max_rows": options.max_rows,
        "rejected": [
            {"row": row, "cell": problem.cell, "code": problem.code, "what": problem.what}
            for row, problems in sorted(found.rejected.items())
            for problem in problems
        ],
        "warnings": [
            *(
                {"what": problem.what, "code": problem.code, "count": 1, "cells": [problem.cell]}
                for problem in found.about_rows
            ),
            *(
                {
                    "what": kind.problem.what,
                    "column": kind.problem.column,
                    "code": kind.problem.code,
                    "count": kind.count,
                    "cells": kind.places,
                }
                for kind in found.warnings.sorted()
            ),
        ],
        "sandboxes": [
            {
                "org": one.org,
                "sandbox": one.sandbox,
                "rows": one.rows,
                "create": one.create,
                "existing": one.counts[Action.EXISTING],
                "conflict": one.counts[Action.CONFLICT],
                "settle_first": one.settle_first,
                "send_key": one.send_key,
                "unchanged": one.counts[Action.UNCHANGED],
                "not_attempted": one.counts[Action.NOT_ATTEMPTED],
                "in_the_way": [{"row": row.row, "why": row.told_why} for row in one.in_the_way],
                "warnings": [
                    {"row": row.row, "what": what} for row in one.warned for what in row.warnings
                ],
                "refusal": one.refusal,
                "requests": one.create + one.send_key,
                "at_most_s": round(one.at_most_s, 1),
            }
            for one in found.sandboxes
        ],
        "planned": [
            {
                "row": row.row,
                "action": row.action.value,
                "sign": row.action.sign,
                "name": row.name,
                "org": one.org,
                "sandbox": one.sandbox,
                "marker": row.marker,
                "code": row.code or None,
                "why": row.why or None,
                "connection_id": row.connection_id,
                "matched_by": row.matched_by and row.matched_by.value,
                "warnings": row.warnings,
            }
            for one in found.sandboxes
            for row in one.planned
        ],
    }


def _next(
    found: SheetPlan,
    options: MergedOptions,
    settings: Settings,
    sheet: str,
    given: Given,
    *,
    command: str,
) -> str:
    """The run that was planned; where the sheet has to be corrected first, what tells how."""
    again = [*place_flags(given), *sheet_flags(given)]
    if found.rejected and not options.skip_invalid:
        return shlex.join(["batchconnect", "validate", sheet, *again])
    if found.is_refused:
        return shlex.join(["batchconnect", "orgs", *place_flags(given)])
    words = [word for word in sys.argv[1:] if word != "--plan"]
    if "plan" in words:
        words[words.index("plan")] = command
    elif command not in words:
        words = [command, sheet, *again]
    redactor = Redactor()
    redactor.hold(*settings.secrets)
    return redactor.text(shlex.join(["batchconnect", *words]))
