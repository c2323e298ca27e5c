"""What a run would do, per org and sandbox; reads the service, changes nothing."""

import os
import shlex
import sys
from functools import partial

import anyio

from batchconnect.cli.commands.console import Console
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
from batchconnect.model.errors import ExitCode
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.outcome import Status
from batchconnect.model.redactor import Redactor
from batchconnect.options import MergedOptions
from batchconnect.run.plan_run import SandboxPlan, SheetPlan, plan_run
from batchconnect.run.service import connected
from batchconnect.settings import Settings
from batchconnect.sheet import Sheet


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheet: str,
) -> int:
    """Show what a run with the same options would do."""
    console = Console(output)
    settings = settings_of(given, os.environ)
    options = options_of(settings, given)
    with sheet_of(sheet, options, console) as opened:
        warn_of_places(options, settings, console)
        with ending_at_once():
            found = anyio.run(
                partial(_look, opened, settings, options, console),
                backend_options={"use_uvloop": sys.platform != "win32"},
            )
    console.result(
        _document(found, options),
        _lines(found, options, following=_next(found, options, settings, sheet, given)),
    )
    if found.rejected and not options.skip_invalid:
        return ExitCode.SHEET
    if found.is_refused:
        return ExitCode.STOPPED
    in_the_way = bool(found.rejected) or found.stands_in_the_way
    return ExitCode.UNFINISHED if in_the_way else ExitCode.OK


async def _look(
    sheet: Sheet, settings: Settings, options: MergedOptions, console: Console
) -> SheetPlan:
    with unwrap_exception_group():
        async with connected(settings, options, on_event=console.say_pauses) as service:
            return await plan_run(sheet, service=service, options=options, environ=os.environ)


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
                "in_the_way": [{"row": row, "why": why} for row, why in one.in_the_way],
                "warnings": [{"row": row, "what": what} for row, what in one.warnings],
                "refusal": one.refusal,
                "requests": one.create,
                "at_most_s": round(one.at_most_s, 1),
            }
            for one in found.sandboxes
        ],
    }


def _next(
    found: SheetPlan, options: MergedOptions, settings: Settings, sheet: str, given: Given
) -> str | None:
    """The run that was planned; where the sheet has to be corrected first, what tells how."""
    again = [*place_flags(given), *sheet_flags(given)]
    if found.rejected and not options.skip_invalid:
        return shlex.join(["batchconnect", "validate", sheet, *again])
    if found.is_refused:
        return shlex.join(["batchconnect", "orgs", *place_flags(given)])
    words = sys.argv[1:]
    if "plan" in words:
        words[words.index("plan")] = "run"
    else:
        words = ["run", sheet, *again]
    redactor = Redactor()
    redactor.hold(*settings.secrets)
    return redactor.text(shlex.join(["batchconnect", *words]))


def _lines(found: SheetPlan, options: MergedOptions, *, following: str | None) -> list[str]:
    # A settings key may be an org id of 33 characters: the columns are as wide as they must be.
    orgs = max([len("org"), *(len(escape_control(one.org)) for one in found.sandboxes)])
    sandboxes = max(
        [len("sandbox"), *(len(escape_control(one.sandbox)) for one in found.sandboxes)]
    )
    lines = [f"{'org':<{orgs}} {'sandbox':<{sandboxes}} create existing conflict doubts   time"]
    for one in found.sandboxes:
        name = f"{escape_control(one.org):<{orgs}} {escape_control(one.sandbox):<{sandboxes}}"
        lines += _sandbox_lines(one, name)
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
    if found.not_selected:
        lines.append(f"{_rows(found.not_selected)} left out by --only")
    create = sum(one.create for one in found.sandboxes)
    most = options.max_rows
    canary = f" ({most} of them with --max-rows)" if most is not None and most < create else ""
    rejected = len(found.rejected)
    lines.append(
        f"{_rows(found.rows)}: {create} to create{canary}, {rejected} rejected; nothing was sent"
    )
    if not found.rows:
        lines.append("no rows yet: there is nothing to do below the header")
    return lines if following is None else [*lines, f"next:   {escape_control(following)}"]


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _sandbox_lines(one: SandboxPlan, name: str) -> list[str]:
    if one.refusal is not None:
        return [f"{name} could not be read", escape_control(f"    {one.refusal}")]
    numbers = (
        f"{one.create:>6} {one.settled[Status.EXISTING]:>8} "
        f"{one.settled[Status.CONFLICT]:>8} {one.settle_first:>6} {_time(one.at_most_s):>6}"
    )
    return [
        f"{name} {numbers}",
        *(escape_control(f"    row {row}: {why}") for row, why in one.in_the_way),
        *(escape_control(f"    row {row}: warning: {what}") for row, what in one.warnings),
    ]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
