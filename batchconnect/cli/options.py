"""
The options that several commands share, each said once, and what makes a command take them.

A group of options is a frozen dataclass; `takes` writes its fields into a command's signature, which is
all that Typer reads.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from batchconnect.simulator.profiles import PROFILES

_WHERE = "Where"
_WHICH = "Which rows"
_PACE = "Pace"
_SAFETY = "Safety"
_OUTPUT = "Output"
_NETWORK = "Network"
_PRACTICE = "Practice"


def known_profile(name: str | None) -> str | None:
    """Refuse a fault profile that the simulator does not know, before anything is opened."""
    if name is not None and name not in PROFILES:
        raise typer.BadParameter(f"{name} is no fault profile: {', '.join(sorted(PROFILES))}")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """How a command speaks."""

    json: Annotated[
        bool,
        typer.Option(
            "--json",
            metavar="",
            help="The result, and nothing else, on stdout.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", metavar="", help="Only errors.", rich_help_panel=_OUTPUT),
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="Tell of each row, too.",
            rich_help_panel=_OUTPUT,
        ),
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """Where ledger and reports lie."""

    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="Settings; by default batchconnect.toml where it exists.",
            rich_help_panel=_WHERE,
        ),
    ] = None
    reports: Annotated[
        Path | None,
        typer.Option("--reports", metavar="DIR", help="Default: reports/", rich_help_panel=_WHERE),
    ] = None
    ledger: Annotated[
        Path | None,
        typer.Option(
            "--ledger",
            metavar="FILE",
            help="Default: ledger.sqlite3 among the reports; a simulation keeps its own.",
            rich_help_panel=_WHERE,
        ),
    ] = None
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            metavar="",
            help="Against the built-in simulator; needs no settings, touches nothing real.",
            rich_help_panel=_PRACTICE,
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOptions:
    """How a sheet is read, and what fills its blank cells."""

    worksheet: Annotated[
        str | None,
        typer.Option(
            "--worksheet", metavar="NAME", help="The workbook's tab.", rich_help_panel=_WHICH
        ),
    ] = None
    visible_only: Annotated[
        bool,
        typer.Option(
            "--visible-only",
            metavar="",
            help="Leave out a workbook's hidden and filtered rows.",
            rich_help_panel=_WHICH,
        ),
    ] = False
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding", metavar="NAME", help="Of a CSV not in UTF-8.", rich_help_panel=_WHICH
        ),
    ] = None
    org: Annotated[
        str | None,
        typer.Option(
            "--org", metavar="NAME", help="Fills blank org cells.", rich_help_panel=_WHICH
        ),
    ] = None
    sandbox: Annotated[
        str | None,
        typer.Option(
            "--sandbox", metavar="NAME", help="Fills blank sandbox cells.", rich_help_panel=_WHICH
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="org=|sandbox=NAME",
            help="Only these rows; may be given again.",
            rich_help_panel=_WHICH,
        ),
    ] = None
    allow_refs: Annotated[
        bool,
        typer.Option(
            "--allow-refs",
            metavar="",
            help="Keys may be env:NAME (and file:PATH with --refs-dir).",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    refs_dir: Annotated[
        Path | None,
        typer.Option(
            "--refs-dir",
            metavar="DIR",
            help="The one folder for file: keys.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    strict: Annotated[
        bool,
        typer.Option("--strict", metavar="", help="Warnings are errors.", rich_help_panel=_SAFETY),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOptions:
    """Which part a command without a sheet looks at, and what it shares with a run's command line."""

    org: Annotated[
        str | None,
        typer.Option("--org", metavar="NAME", help="Only this org.", rich_help_panel=_WHICH),
    ] = None
    sandbox: Annotated[
        str | None,
        typer.Option(
            "--sandbox",
            metavar="NAME",
            help="orgs: instead of each org's default; reconcile: only this one.",
            rich_help_panel=_WHICH,
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="org=|sandbox=NAME",
            help="Only these; may be given again.",
            rich_help_panel=_WHICH,
        ),
    ] = None
    strict: Annotated[
        bool,
        typer.Option("--strict", metavar="", help="Warnings are errors.", rich_help_panel=_SAFETY),
    ] = False
    max_rows: Annotated[
        int | None,
        typer.Option(
            "--max-rows",
            metavar="N",
            min=0,
            help="As for run; nothing is created here.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    max_failures: Annotated[
        str | None,
        typer.Option(
            "--max-failures",
            metavar="N|N%",
            help="As for run; nothing is created here.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    note: Annotated[
        str,
        typer.Option(
            "--note",
            metavar="TEXT",
            show_default=False,
            help="As for run; no run is opened here.",
            rich_help_panel=_OUTPUT,
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """How a command talks to the service."""

    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            min=0.01,
            help="Requests per second and lane; by default each lane finds its pace.",
            rich_help_panel=_PACE,
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            help="Requests in flight over all lanes. (default: 64)",
            rich_help_panel=_PACE,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=0.05,
            help="Read timeout of a request. (default: 120)",
            rich_help_panel=_PACE,
        ),
    ] = None
    patience: Annotated[
        float | None,
        typer.Option(
            "--patience",
            metavar="SECONDS",
            min=0,
            help="How long a lane may go without a normal answer. (default: 900)",
            rich_help_panel=_PACE,
        ),
    ] = None
    settle: Annotated[
        float | None,
        typer.Option(
            "--settle",
            metavar="SECONDS",
            min=0,
            help="Settle window of a row in doubt. (default: 180)",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    on_doubt: Annotated[
        Literal["resend", "hold"] | None,
        typer.Option(
            "--on-doubt",
            help="What follows proven absence. (default: resend)",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    adopt_by_name: Annotated[
        bool,
        typer.Option(
            "--adopt-by-name",
            metavar="",
            help="A connection of the same name whose target is hidden is the row's own.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="URL", help="HTTP proxy.", rich_help_panel=_NETWORK),
    ] = None
    ca_bundle: Annotated[
        Path | None,
        typer.Option(
            "--ca-bundle",
            metavar="FILE",
            help="Certificates to trust beside the system's.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            help="A host that is neither Adobe's nor loopback; may be given again.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    fault: Annotated[
        str | None,
        typer.Option(
            "--fault",
            metavar="PROFILE",
            callback=known_profile,
            help=f"Trouble to practise with --simulate: {', '.join(PROFILES)}.",
            rich_help_panel=_PRACTICE,
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            show_default=False,
            help="The same seed, the same trouble. (default: 0)",
            rich_help_panel=_PRACTICE,
        ),
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run goes, and where it ends."""

    skip_invalid: Annotated[
        bool,
        typer.Option(
            "--skip-invalid",
            metavar="",
            help="Run the valid rows although others are rejected.",
            rich_help_panel=_WHICH,
        ),
    ] = False
    max_rows: Annotated[
        int | None,
        typer.Option(
            "--max-rows",
            metavar="N",
            min=0,
            help="A canary: at most N creates.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    max_failures: Annotated[
        str | None,
        typer.Option(
            "--max-failures",
            metavar="N|N%",
            help="Stop at so many failed rows.",
            rich_help_panel=_SAFETY,
        ),
    ] = None
    settle_first: Annotated[
        bool,
        typer.Option(
            "--settle-first",
            metavar="",
            help="Wait a settle window before each sandbox's first create.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    recreate: Annotated[
        bool,
        typer.Option(
            "--recreate",
            metavar="",
            help="Make again what was created and is gone since.",
            rich_help_panel=_SAFETY,
        ),
    ] = False
    note: Annotated[
        str,
        typer.Option(
            "--note",
            metavar="TEXT",
            help="A change ticket, kept in ledger and report.",
            rich_help_panel=_OUTPUT,
        ),
    ] = ""
    drain: Annotated[
        float,
        typer.Option(
            "--drain",
            metavar="SECONDS",
            min=0,
            show_default=False,
            help="After SIGTERM: how long what is in flight may take. (default: 25)",
            rich_help_panel=_SAFETY,
        ),
    ] = 25.0
    log_json: Annotated[
        bool,
        typer.Option(
            "--log-json",
            metavar="",
            help="The run's log on stderr, too.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False


def takes(*groups: type[Any]) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """
    Make a command take groups of options beside its own arguments.

    Args:
        groups: Dataclasses of options, handed to the command as positional arguments in this order.
            The command's own parameters follow as keywords; it returns its exit code.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[len(groups) :]
        shared = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if field.default is MISSING else field.default,
                annotation=get_type_hints(group, include_extras=True)[field.name],
            )
            for group in groups
            for field in fields(group)
        ]

        @wraps(command)
        def wrapped(**given: Any) -> None:
            values = [
                group(**{field.name: given.pop(field.name) for field in fields(group)})
                for group in groups
            ]
            raise typer.Exit(command(*values, **given))

        parameters = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own]
        wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what Typer reads
            [*parameters, *shared]
        )
        wrapped.__annotations__ = {p.name: p.annotation for p in [*parameters, *shared]}
        return wrapped

    return decorate
