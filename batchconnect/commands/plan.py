"""What a run would do, per org and sandbox; reads the service, changes nothing."""

import os
import sys
from functools import partial

import anyio

from batchconnect.choices import Choices
from batchconnect.cli_options import OutputOptions, PlaceOptions, ServiceOptions, SheetOptions
from batchconnect.commands.console import Console
from batchconnect.commands.start import (
    choices_of,
    settings_of,
    sheet_of,
    warn_of_places,
)
from batchconnect.error_group import the_cause
from batchconnect.errors import ExitCode
from batchconnect.inert import inert
from batchconnect.outcome import Status
from batchconnect.preview import Preview, SandboxPreview, preview
from batchconnect.service import connected
from batchconnect.settings import Settings
from batchconnect.sheet import Sheet


def run(
    output: OutputOptions,
    places: PlaceOptions,
    sheet_options: SheetOptions,
    service: ServiceOptions,
    *,
    sheet: str,
) -> int:
    """Show what a run would do."""
    console = Console(output)
    settings = settings_of(places, os.environ, service=service, sheet=sheet_options)
    choices = choices_of(settings, places, service=service, sheet=sheet_options)
    with sheet_of(sheet, sheet_options, console) as opened:
        warn_of_places(choices, settings, console)
        found = anyio.run(
            partial(_look, opened, settings, choices),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    console.result(_document(found), _lines(found, sheet))
    if found.rejected:
        return ExitCode.SHEET
    if found.is_refused:
        return ExitCode.STOPPED
    return ExitCode.UNFINISHED if found.stands_in_the_way else ExitCode.OK


async def _look(sheet: Sheet, settings: Settings, choices: Choices) -> Preview:
    with the_cause():
        async with connected(settings, choices, on_event=lambda _event: None) as service:
            return await preview(sheet, service=service, choices=choices, environ=os.environ)


def _document(found: Preview) -> dict[str, object]:
    return {
        "rows": found.rows,
        "not_selected": found.not_selected,
        "rejected": [
            {"row": row, "cell": problem.cell, "code": problem.code, "what": problem.what}
            for row, problems in sorted(found.rejected.items())
            for problem in problems
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


def _lines(found: Preview, sheet: str) -> list[str]:
    lines = [f"{'org':<20} {'sandbox':<16} create existing conflict in doubt   time"]
    for one in found.sandboxes:
        lines += _sandbox_lines(one)
    for row, problems in sorted(found.rejected.items()):
        lines += [
            inert(f"rejected: {problem.cell or f'row {row}'}: {problem.what}")
            for problem in problems
        ]
    if found.not_selected:
        lines.append(f"{found.not_selected} rows left out by --only")
    create = sum(one.create for one in found.sandboxes)
    lines.append(
        f"{found.rows} rows: {create} to create, {len(found.rejected)} rejected; nothing was sent"
    )
    if not found.rejected and not found.is_refused:
        lines.append(f"next:   batchconnect run {sheet}")
    return lines


def _sandbox_lines(one: SandboxPreview) -> list[str]:
    name = inert(f"{one.org:<20} {one.sandbox:<16}")
    if one.refusal is not None:
        return [f"{name} could not be read", inert(f"    {one.refusal}")]
    numbers = (
        f"{one.create:>6} {one.settled[Status.EXISTING]:>8} "
        f"{one.settled[Status.CONFLICT]:>8} {one.settle_first:>8} {_time(one.at_most_s):>6}"
    )
    return [
        f"{name} {numbers}",
        *(inert(f"    row {row}: {why}") for row, why in one.in_the_way),
        *(inert(f"    row {row}: warning: {what}") for row, what in one.warnings),
    ]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
