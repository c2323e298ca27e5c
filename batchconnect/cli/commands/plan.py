"""What a run would do, per org and sandbox; reads the service, changes nothing."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import anyio

from batchconnect.cli.commands.console import Console, counted
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
from batchconnect.cli.refusals import refusal_lines
from batchconnect.model.errors import ExitCode
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.outcome import Status
from batchconnect.model.redactor import Redactor
from batchconnect.model.remedies import look_hint_for
from batchconnect.options import MergedOptions
from batchconnect.run.plan_run import SandboxPlan, SheetPlan, plan_run
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
    console.result(
        _document(found, options),
        _lines(
            found,
            options,
            task=task,
            following=_next(found, options, settings, sheet, given, command=task.command),
        ),
    )
    if found.rejected and not options.skip_invalid:
        return ExitCode.SHEET
    if found.is_refused:
        return ExitCode.STOPPED
    in_the_way = bool(found.rejected) or found.stands_in_the_way
    return ExitCode.UNFINISHED if in_the_way else ExitCode.OK


async def _look(
    sheet: Sheet, settings: Settings, options: MergedOptions, task: Task, console: Console
) -> SheetPlan:
    with unwrap_exception_group():
        async with connected(settings, options, on_event=console.say_pauses) as service:
            return await plan_run(
                sheet, service=service, options=options, environ=os.environ, task=task
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
                "existing": one.settled[Status.EXISTING],
                "conflict": one.settled[Status.CONFLICT],
                "settle_first": one.settle_first,
                "send_key": one.send_key,
                "unchanged": one.settled[Status.UNCHANGED],
                "not_attempted": one.settled[Status.NOT_ATTEMPTED],
                "in_the_way": [{"row": row, "why": why} for row, why in one.in_the_way],
                "warnings": [{"row": row, "what": what} for row, what in one.warnings],
                "refusal": one.refusal,
                "remedy": look_hint_for(one.refusal_code) if one.refusal_code else None,
                "requests": one.create + one.send_key,
                "at_most_s": round(one.at_most_s, 1),
            }
            for one in found.sandboxes
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
) -> str | None:
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


_Column = tuple[str, Callable[[SandboxPlan], int]]
_OF_RUN: Final[Sequence[_Column]] = (
    ("create", lambda one: one.create),
    ("existing", lambda one: one.settled[Status.EXISTING]),
    ("conflict", lambda one: one.settled[Status.CONFLICT]),
    ("doubts", lambda one: one.settle_first),
)
_OF_ROTATE: Final[Sequence[_Column]] = (
    ("keys", lambda one: one.send_key),
    ("unchanged", lambda one: one.settled[Status.UNCHANGED]),
    ("conflict", lambda one: one.settled[Status.CONFLICT]),
    ("missing", lambda one: one.settled[Status.NOT_ATTEMPTED]),
)


def _lines(
    found: SheetPlan, options: MergedOptions, *, task: Task, following: str | None
) -> list[str]:
    columns = _OF_RUN if task.creates else _OF_ROTATE
    # A settings key may be an org id of 33 characters: the columns are as wide as they must be.
    orgs = max([len("org"), *(len(escape_control(one.org)) for one in found.sandboxes)])
    sandboxes = max(
        [len("sandbox"), *(len(escape_control(one.sandbox)) for one in found.sandboxes)]
    )
    heads = " ".join(head for head, _of in columns)
    lines = [f"{'org':<{orgs}} {'sandbox':<{sandboxes}} {heads}   time"]
    for one in found.sandboxes:
        name = f"{escape_control(one.org):<{orgs}} {escape_control(one.sandbox):<{sandboxes}}"
        lines += _sandbox_lines(one, name, columns)
    for row, problems in sorted(found.rejected.items()):
        lines += [
            escape_control(f"rejected: {problem.cell or f'row {row}'}: {problem.what}")
            for problem in problems
        ]
    lines += [
        *(
            escape_control(
                f"warning: {problem.cell}: {problem.column}: {problem.what}. {problem.remedy}"
            )
            for problem in found.about_rows
        ),
        *(
            escape_control(f"warning: {kind.where}: {kind.what}")
            for kind in found.warnings.sorted()
        ),
    ]
    lines += refusal_lines(one.refusal_code for one in found.sandboxes)
    if found.not_selected:
        lines.append(f"{counted(found.not_selected, 'row')} left out by --only")
    to_do = sum(one.create + one.send_key for one in found.sandboxes)
    what = "to create" if task.creates else "get their key"
    most = options.max_rows
    canary = f" ({most} of them with --max-rows)" if most is not None and most < to_do else ""
    rejected = len(found.rejected)
    lines.append(
        f"{counted(found.rows, 'row')}: {to_do} {what}{canary}, {rejected} rejected; nothing was sent"
    )
    if not found.rows:
        lines.append("no rows yet: there is nothing to do below the header")
    return lines if following is None else [*lines, f"next:   {escape_control(following)}"]


def _sandbox_lines(one: SandboxPlan, name: str, columns: Sequence[_Column]) -> list[str]:
    if one.refusal is not None:
        return [f"{name} could not be read", escape_control(f"    {one.refusal}")]
    numbers = " ".join(
        [*(f"{of(one):>{len(head)}}" for head, of in columns), f"{_time(one.at_most_s):>6}"]
    )
    return [
        f"{name} {numbers}",
        *(escape_control(f"    row {row}: {why}") for row, why in one.in_the_way),
        *(escape_control(f"    row {row}: warning: {what}") for row, what in one.warnings),
    ]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
