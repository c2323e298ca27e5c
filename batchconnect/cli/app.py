"""
The command line: which commands there are, in the order in which a person comes to need them.

A panel of the help is a module of `declared/`. Nothing heavy is imported for `--help` and `--version`, which
answer at once, and of a command that is given nothing but its own panel.
"""

from copy import copy
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final

import typer


class Panel(StrEnum):
    """A heading of the help, over the commands of one module."""

    BEGIN = "Begin"
    SHEETS = "A sheet, from its first look to its end"
    LOOK = "Look at runs"
    LATER = "What stands there"
    TEAM = "A team on one ledger"
    PRACTICE = "Practice"


PANEL_OF: Final = {
    **dict.fromkeys(("init", "template", "orgs", "doctor"), Panel.BEGIN),
    **dict.fromkeys(("validate", "plan", "run", "rerun", "reconcile", "verify"), Panel.SHEETS),
    **dict.fromkeys(("runs", "status", "report"), Panel.LOOK),
    **dict.fromkeys(("rotate", "undo", "export", "expiring", "explore"), Panel.LATER),
    **dict.fromkeys(("work", "lanes", "ledger"), Panel.TEAM),
    **dict.fromkeys(("simulate",), Panel.PRACTICE),
}
"""Every command, where it is declared; within a panel as the help lists them."""


@cache
def command(name: str | None = None) -> Any:
    """
    What Typer makes of what is declared: put together once, whoever calls.

    Args:
        name: The one command that will be given: to put the others together, too, takes as long as a tenth
            of a short run. None, or no command's name: all of them.
    """
    app = typer.Typer(
        name="batchconnect",
        help="Batch onboarding of Azure Data Explorer base connections into Adobe Experience Platform: "
        "no row twice, no row lost, no secret out.",
        epilog="Begin: batchconnect init, then batchconnect template clients.xlsx. --simulate needs no account.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(main_options)
    panel_of = {name: PANEL_OF[name]} if name in PANEL_OF else PANEL_OF
    for panel in dict.fromkeys(panel_of.values()):
        for one in map(copy, _declared(panel).registered_commands):
            if one.callback is not None and one.callback.__name__ in panel_of:
                one.rich_help_panel = panel
                app.registered_commands.append(one)
    return typer.main.get_command(app)


def _declared(panel: Panel) -> typer.Typer:
    match panel:
        case Panel.BEGIN:
            from batchconnect.cli.declared import begin

            return begin.commands
        case Panel.SHEETS:
            from batchconnect.cli.declared import sheets

            return sheets.commands
        case Panel.LOOK:
            from batchconnect.cli.declared import look

            return look.commands
        case Panel.LATER:
            from batchconnect.cli.declared import later

            return later.commands
        case Panel.TEAM:
            from batchconnect.cli.declared import team

            return team.commands
        case Panel.PRACTICE:  # the last case
            from batchconnect.cli.declared import practice

            return practice.commands


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"batchconnect {version('batchconnect')}")
        raise typer.Exit


def main_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Options of batchconnect itself."""
