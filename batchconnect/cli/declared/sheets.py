"""Declared: what is done with a sheet, from `validate` to `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from batchconnect.cli.declared.arguments import RunArgument, SheetsArgument
from batchconnect.cli.options import (
    CI,
    OPERATIONS,
    PART,
    PLACES,
    RUN,
    SERVICE,
    SHEET,
    TOLD,
    Given,
    OutputOptions,
    takes,
)

commands = typer.Typer()


@commands.command(epilog="Example: batchconnect validate clients.xlsx")
@takes(PLACES, SHEET)
def validate(
    output: OutputOptions,
    given: Given,
    sheets: SheetsArgument,
    annotate: Annotated[
        Path | None,
        typer.Option(
            "--annotate",
            metavar="OUT.xlsx",
            help="Write the sheet with its problems coloured and commented, without keys.",
        ),
    ] = None,
    keep_keys: Annotated[
        bool,
        typer.Option(
            "--keep-keys",
            metavar="",
            help="In that copy, which then stands beside the sheet, mode 0600.",
        ),
    ] = False,
) -> int:
    """Find every problem of a sheet, offline; nothing is sent."""
    from batchconnect.cli.commands import validate as command

    return command.run(output, given, sheets=sheets, annotate=annotate, keep_keys=keep_keys)


@commands.command(epilog="Example: batchconnect plan clients.csv --only org=acme")
@takes(PLACES, SHEET, SERVICE, RUN, CI)
def plan(
    output: OutputOptions,
    given: Given,
    sheets: SheetsArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE.json", help="Save it, to be approved and run with run --plan."
        ),
    ] = None,
) -> int:
    """Show what a run with these options would do; reads the service, changes nothing."""
    from batchconnect.cli.commands import plan as command

    return command.run(output, given, sheets=sheets, out=out)


@commands.command(epilog="Example: batchconnect run clients.csv --max-rows 5 --note CHG-1234")
@takes(PLACES, SHEET, SERVICE, RUN, CI, OPERATIONS)
def run(
    output: OutputOptions,
    given: Given,
    sheets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SHEET",
            show_default=False,
            help="CSVs, workbooks; - reads stdin.",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", metavar="FILE.json", help="Do what this plan says, and nothing else."
        ),
    ] = None,
) -> int:
    """Make it so; safe to repeat: what exists is not created again."""
    from batchconnect.cli.commands import run as command

    return command.run(output, given, sheets=sheets or (), plan=plan)


@commands.command(epilog="Example: batchconnect rerun --sheet clients-fixed.csv")
@takes(PLACES, SHEET, SERVICE, RUN, CI, OPERATIONS)
def rerun(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
    sheets: Annotated[
        list[str] | None,
        typer.Option(
            "--sheet",
            metavar="SHEET",
            help="A fixed copy of the run's sheet; may be given again.",
        ),
    ] = None,
) -> int:
    """Take up only what a run left unfinished."""
    from batchconnect.cli.commands import rerun as command

    return command.run(output, given, run_id=run_id, sheets=sheets or ())


@commands.command(epilog="Example: batchconnect reconcile")
@takes(PLACES, PART, SERVICE, OPERATIONS)
def reconcile(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
) -> int:
    """Settle what is in doubt; creates nothing."""
    from batchconnect.cli.commands import reconcile as command

    return command.run(output, given, run_id=run_id)


@commands.command(epilog="Example: batchconnect verify clients.csv")
@takes(PLACES, SHEET, SERVICE, TOLD, CI, OPERATIONS)
def verify(
    output: OutputOptions,
    given: Given,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN | SHEET",
            show_default=False,
            help="A run's connections, or those of a sheet's rows; default: the last run.",
        ),
    ] = None,
) -> int:
    """Ask each connection's source whether it works; nothing is changed."""
    from batchconnect.cli.commands import verify as command

    return command.run(output, given, what=what or ())
