"""What a run would do, per org and sandbox; reads the service, changes nothing."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio

from batchconnect.cli.files.ci_files import CiFiles
from batchconnect.cli.files.plan_files import cases, markdown_lines
from batchconnect.cli.options import NETWORK, RUN, Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.screen.looking import looking
from batchconnect.cli.screen.plan_screen import FOLDED_AT, plan_errors, plan_lines
from batchconnect.cli.signals import ending_at_once
from batchconnect.cli.start import (
    flags_of,
    options_of,
    place_flags,
    service_flags,
    settings_of,
    sheet_flags,
    sheet_of,
    warn_of_places,
)
from batchconnect.model.contact import is_of_contact
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.remedies import look_hint_for
from batchconnect.model.value import Value
from batchconnect.options import MergedOptions
from batchconnect.reports.new_file import write_over
from batchconnect.run.opening.service import connected
from batchconnect.run.plan.plan_file import render, try_out
from batchconnect.run.plan.plan_run import plan_run
from batchconnect.run.plan.row_plan import Action
from batchconnect.run.plan.saved_plan import (
    KEPT,
    KEY_UNSEEN,
    SavedPlan,
    SeenRows,
    is_savable,
    saved_plan,
)
from batchconnect.run.plan.sheet_plan import SheetPlan
from batchconnect.run.task import Task, onboarding
from batchconnect.settings import Settings
from batchconnect.sheet import Sheet


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheets: Sequence[str],
    out: Path | None = None,
    task_of: Callable[[MergedOptions], Task] = onboarding,
) -> int:
    """Show what a run, or another command over the sheet, would do with the same options; save it, if asked."""
    console = Console(output)
    if out is not None:
        try_out(out)
    files = CiFiles.of(given)
    settings = settings_of(given, os.environ)
    options = options_of(settings, given)
    task = task_of(options)
    with sheet_of(sheets, options, console) as opened:
        warn_of_places(options, settings, console)
        look = _Look(
            sheet=opened,
            settings=settings,
            options=options,
            task=task,
            console=console,
            sheets=tuple(sheets),
        )
        with ending_at_once():
            found, saved = anyio.run(
                partial(look, saves=out is not None, is_whole=files.junit is not None),
                backend_options={"use_uvloop": sys.platform != "win32"},
            )
    document = _document(found, options)
    lines = [
        *plan_lines(
            found,
            creates=task.creates,
            most_rows=options.max_rows,
            shows_all=console.verbose > 0,
            width=console.width,
        )
    ]
    following = _next(found, options, sheets, given, command=task.command, saves=out is not None)
    if out is not None and saved is not None:
        write_over(out, render(saved))
        document["saved"] = str(out.absolute())
        lines.append(escape_control(f"saved:  {out}; {KEY_UNSEEN}"))
        following = _run_of(out, sheets, given)
    elif out is not None:
        document["saved"] = None
        lines.append("saved:  nothing: a plan is saved where each row has one")
    files.write_plan(
        partial(
            markdown_lines,
            found,
            command=task.command,
            creates=task.creates,
            most_rows=options.max_rows,
            saved=str(out) if saved is not None else None,
        ),
        partial(cases, found),
        console,
        name=f"batchconnect plan of {task.command}",
    )
    errors = plan_errors(found, width=console.width)
    if following is not None:
        lines.append(f"next:   {escape_control(following)}")
    console.result(document, lines, errors=errors)
    return found.exit_code(skip_invalid=options.skip_invalid)


class _Look(Value):
    """One look at the service."""

    sheet: Sheet
    settings: Settings
    options: MergedOptions
    task: Task
    console: Console
    sheets: tuple[str, ...]

    async def __call__(self, *, saves: bool, is_whole: bool) -> tuple[SheetPlan, SavedPlan | None]:
        """The plan, and what is saved of it where that is wanted and each row has one."""
        is_whole |= saves or self.console.json or self.console.verbose > 0
        seen = SeenRows()
        with unwrap_exception_group(), looking(self.console) as hear:
            async with connected(
                self.settings, self.options, on_event=hear, hold=self.console.redactor.hold
            ) as service:
                found = await plan_run(
                    self.sheet,
                    service=service,
                    options=self.options,
                    environ=os.environ,
                    task=self.task,
                    most_kept=None if is_whole else FOLDED_AT + 1,
                    on_row=seen.add if saves else lambda _row, _judged: None,
                )
                if not saves or not is_savable(found, self.options):
                    return found, None
                return found, saved_plan(
                    found,
                    seen,
                    sheets=self.sheets,
                    service=service,
                    options=self.options,
                    command=self.task.command,
                )


def _document(found: SheetPlan, options: MergedOptions) -> dict[str, object]:
    places = found.places
    return {
        "rows": found.rows,
        "not_selected": found.not_selected,
        "max_rows": options.max_rows,
        "rejected": [
            {**places.keys(row), "cell": problem.cell, "code": problem.code, "what": problem.what}
            for row, problems in sorted(found.rejected.items())
            for problem in problems
        ],
        "warnings": [
            *(
                {
                    "what": problem.what,
                    "column": problem.column,
                    "code": problem.code,
                    "count": 1,
                    "cells": [problem.cell],
                }
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
                "in_the_way": [
                    {**places.keys(row.row), "why": row.told_why} for row in one.in_the_way
                ],
                "warnings": [
                    {**places.keys(row.row), "what": what}
                    for row in one.warned
                    for what in row.warnings
                ],
                "keys_ending": one.keys.ending(),
                "keys_refused": [{**places.keys(row), "why": why} for row, why in one.keys.refused],
                "stores": dict(one.keys.stores),
                "refusal": one.refusal,
                "remedy": look_hint_for(one.refusal_code) if one.refusal_code else None,
                "requests": one.create + one.send_key,
                "at_most_s": round(one.at_most_s, 1),
            }
            for one in found.sandboxes
        ],
        "planned": [
            {
                **places.keys(row.row),
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
    sheets: Sequence[str],
    given: Given,
    *,
    command: str,
    saves: bool,
) -> str | None:
    """
    The run that was planned, or what tells why there is none yet; None: nothing is to do.

    A plan that is to be saved, and is not, cannot be carried out: one sandbox that could not be read is enough.
    """
    again = [*place_flags(given), *sheet_flags(given)]
    if found.rejected and not options.skip_invalid:
        return shlex.join(["batchconnect", "validate", *sheets, *again])
    refused = [one for one in found.sandboxes if one.refusal is not None]
    if found.is_refused or (saves and refused):
        flags = [*place_flags(given), *flags_of(given.options, NETWORK.names)]
        if any(is_of_contact(one.refusal_code) for one in refused):
            return shlex.join(["batchconnect", "doctor", *flags])
        # Where others could be read, it is about this one, and `orgs` by itself reads the defaults.
        place = (
            [] if found.is_refused else ["--org", refused[0].org, "--sandbox", refused[0].sandbox]
        )
        return shlex.join(["batchconnect", "orgs", *place, *flags])
    if found.rows and not found.has_work:
        return None
    if found.shut_stores:
        return shlex.join(
            ["batchconnect", "orgs", *place_flags(given)]
        )  # it says what each store says
    words = [word for word in sys.argv[1:] if word != "--plan"]
    if "plan" in words:
        words[words.index("plan")] = command
    elif command not in words:
        words = [command, *sheets, *again]
    return shlex.join(["batchconnect", *words])


def _run_of(out: Path, sheets: Sequence[str], given: Given) -> str:
    """The run that carries a saved plan out, guarded as it was planned: the plan has the rest."""
    stdin = [one for one in sheets if one == "-"]
    guards = flags_of(given.options, (name for name in RUN.names if name not in KEPT))
    flags = [*place_flags(given), *service_flags(given), *guards]
    return shlex.join(["batchconnect", "run", *stdin, "--plan", str(out), *flags])
