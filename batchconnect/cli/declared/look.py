"""Declared: `runs`, `status` and `report`, which look at runs in the ledger."""

from typing import Annotated

import typer

from batchconnect.cli.declared.arguments import RunArgument
from batchconnect.cli.options import PLACES, Given, OutputOptions, takes

commands = typer.Typer()


@commands.command(epilog="Example: batchconnect runs --limit 5")
@takes(PLACES)
def runs(
    output: OutputOptions,
    given: Given,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="At most so many.")
    ] = 20,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune",
            metavar="DAYS",
            min=0,
            show_default=False,
            help="Remove the report folders of runs that ended longer ago; the ledger keeps every line.",
        ),
    ] = None,
) -> int:
    """Show past runs, newest first."""
    from batchconnect.cli.commands import runs as command

    return command.run(output, given, limit=limit, prune=prune)


@commands.command(epilog="Example: batchconnect status")
@takes(PLACES)
def status(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", metavar="", help="Show it again and again, until it has ended."),
    ] = False,
) -> int:
    """Show one run, also while it is running."""
    from batchconnect.cli.commands import status as command

    return command.run(output, given, run_id=run_id, watches=watch)


@commands.command(epilog="Example: batchconnect report 20261123-16")
@takes(PLACES)
def report(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help="One folder per org, or per value of any column, as well: to hand each theirs.",
        ),
    ] = None,
) -> int:
    """Write a run's report again from the ledger."""
    from batchconnect.cli.commands import report as command

    return command.run(output, given, run_id=run_id, by=by)
