"""Declared: `work`, `lanes` and `ledger`, for a team on one ledger."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from batchconnect.cli.declared.arguments import RunArgument
from batchconnect.cli.options import PLACES, SERVICE, WORK, Given, OutputOptions, takes

commands = typer.Typer()


@commands.command(epilog="Example: batchconnect work --only org=acme")
@takes(PLACES, SERVICE, WORK)
def work(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
    sheets: Annotated[
        list[str] | None,
        typer.Option(
            "--sheet",
            metavar="SHEET",
            help="This machine's copy of the run's sheet; may be given again.",
        ),
    ] = None,
) -> int:
    """Join a run on a team ledger: take lanes, and hand them back at the end."""
    from batchconnect.cli.commands import work as command

    return command.run(output, given, run_id=run_id, sheets=sheets or ())


@commands.command(epilog="Example: batchconnect lanes release 7 --yes")
@takes(PLACES)
def lanes(
    output: OutputOptions,
    given: Given,
    action: Annotated[
        Literal["release"] | None,
        typer.Argument(metavar="release", help="Take a lane from its holder."),
    ] = None,
    lane: Annotated[
        int | None,
        typer.Argument(metavar="LANE", help="Its number, as the list shows it."),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", metavar="", help="Do it: its holder is surely dead."),
    ] = False,
) -> int:
    """Show who holds which lane of a team ledger, since when, and what waits."""
    from batchconnect.cli.commands import lanes as command

    return command.run(output, given, releases=action is not None, lane=lane, yes=yes)


@commands.command(
    epilog="Example: batchconnect ledger check --ledger postgresql://host/batchconnect"
)
@takes(PLACES)
def ledger(
    output: OutputOptions,
    given: Given,
    action: Annotated[
        Literal["init", "check", "upgrade", "export", "import"],
        typer.Argument(
            metavar="ACTION",
            help="init, check, upgrade, export or import.",
            show_default=False,
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="export: a new file; import: the one to take over."),
    ] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant", metavar="ROLE", help="init: let this role run sheets; may be given again."
        ),
    ] = None,
    grant_read: Annotated[
        list[str] | None,
        typer.Option(
            "--grant-read", metavar="ROLE", help="init: let this role look; may be given again."
        ),
    ] = None,
) -> int:
    """Make, check, upgrade or copy a team's ledger on PostgreSQL."""
    from batchconnect.cli.commands import ledger as command
    from batchconnect.run.team.ledger import Granted

    granted = Granted(writers=grant or (), readers=grant_read or ())
    return command.run(output, given, action=action, file=file, granted=granted)
