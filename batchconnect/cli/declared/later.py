"""Declared: what is done about connections that stand there, from `rotate` to `explore`."""

from pathlib import Path
from typing import Annotated

import typer

from batchconnect.cli import completion
from batchconnect.cli.declared.arguments import RunArgument, SheetsArgument
from batchconnect.cli.options import (
    AGAINST,
    CI,
    OPERATIONS,
    PART,
    PLACES,
    RUN,
    SERVICE,
    SHEET,
    UNDO,
    Given,
    OutputOptions,
    takes,
)

commands = typer.Typer()


@commands.command(epilog="Example: batchconnect rotate clients.csv --failing")
@takes(PLACES, SHEET, SERVICE, RUN, CI, OPERATIONS)
def rotate(
    output: OutputOptions,
    given: Given,
    sheets: SheetsArgument,
    failing: Annotated[
        bool,
        typer.Option("--failing", metavar="", help="Only to connections whose last test said no."),
    ] = False,
    changed: Annotated[
        bool,
        typer.Option("--changed", metavar="", help="Only keys with a new version in their store."),
    ] = False,
    no_verify: Annotated[
        bool,
        typer.Option("--no-verify", metavar="", help="Do not test what got its key."),
    ] = False,
    plan: Annotated[
        bool,
        typer.Option("--plan", metavar="", help="Show what would be sent; change nothing."),
    ] = False,
) -> int:
    """Send the sheet's keys to the connections that exist."""
    from batchconnect.cli.commands import rotate as command

    return command.run(
        output,
        given,
        sheets=sheets,
        failing=failing,
        changed=changed,
        no_verify=no_verify,
        is_plan=plan,
    )


@commands.command(epilog="Example: batchconnect undo 20261123-16 --yes 94")
@takes(PLACES, SERVICE, UNDO, OPERATIONS)
def undo(
    output: OutputOptions,
    given: Given,
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run id, or the beginning of one.",
            autocompletion=completion.runs,
        ),
    ],
    yes: Annotated[
        int | None,
        typer.Option(
            "--yes",
            metavar="N",
            min=0,
            show_default=False,
            help="Delete them: as many as were shown without it; 0 only settles.",
        ),
    ] = None,
) -> int:
    """Show what would be deleted of what a run created; --yes N deletes it."""
    from batchconnect.cli.commands import undo as command

    return command.run(output, given, run_id=run_id, yes=yes)


@commands.command(epilog="Example: batchconnect export dev.xlsx --org acme --sandbox dev")
@takes(PLACES, AGAINST, SERVICE)
def export(
    output: OutputOptions,
    given: Given,
    out: Annotated[
        Path | None,
        typer.Argument(metavar="OUT", help="A new .xlsx or .csv; --against needs none."),
    ] = None,
    orgs: Annotated[
        list[str] | None,
        typer.Option(
            "--org",
            metavar="NAME",
            help="Of this org; may be given again.",
            autocompletion=completion.orgs,
        ),
    ] = None,
    sandboxes: Annotated[
        list[str] | None,
        typer.Option(
            "--sandbox",
            metavar="NAME",
            help="This one, in place of each org's default; may be given again.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", metavar="", help="Of every org of the settings.")
    ] = False,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Only the connections of this run.",
            autocompletion=completion.runs,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="SHEET", help="Tell how far this sheet has drifted."),
    ] = None,
    usage: Annotated[
        bool,
        typer.Option("--usage", metavar="", help="Count who uses each connection, too."),
    ] = False,
    keep_target: Annotated[
        bool,
        typer.Option(
            "--keep-target", metavar="", help="Fill in org and sandbox with where they stand."
        ),
    ] = False,
) -> int:
    """Write what stands in sandboxes as a sheet, keys blank; reads only."""
    from batchconnect.cli.commands import export as command
    from batchconnect.run.export.export_run import Wish

    wish = Wish(orgs=orgs or (), sandboxes=sandboxes or (), every=every, run_id=run_id, usage=usage)
    return command.run(output, given, out=out, wish=wish, against=against, keep_target=keep_target)


@commands.command(epilog="Example: batchconnect expiring clients.csv --within 30d")
@takes(PLACES, SHEET, SERVICE)
def expiring(
    output: OutputOptions,
    given: Given,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN | SHEET",
            help="The keys that a run sent, or those of a sheet's rows; default: the last run.",
        ),
    ] = None,
    within: Annotated[
        str,
        typer.Option("--within", metavar="TIME", help="As 30d, 12h or 2w.", show_default=True),
    ] = "30d",
) -> int:
    """List keys whose store says that they end soon; nothing is sent."""
    from batchconnect.cli.commands import expiring as command

    return command.run(output, given, what=what, within=within)


@commands.command(epilog="Example: batchconnect explore --columns")
@takes(PLACES, PART, SERVICE)
def explore(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
    columns: Annotated[
        bool,
        typer.Option("--columns", metavar="", help="Their columns too: one request per table."),
    ] = False,
) -> int:
    """List the tables that each connection of a run sees; reads only."""
    from batchconnect.cli.commands import explore as command

    return command.run(output, given, run_id=run_id, columns=columns)
