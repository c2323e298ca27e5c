"""
The options that several commands share, and what makes a command take them.

What a run may be told is declared in `RunOptions`; here stand which commands take which of it, and the few
options that only a command line has. `takes` writes them into a command's signature, which is all that
Typer reads.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer

from batchconnect.cli import completion
from batchconnect.cli.late_authorities import import_transport
from batchconnect.model.defaults import DRAIN_S
from batchconnect.model.value import Value, field
from batchconnect.options import OPTIONS, Option, RunOptions, options_from
from batchconnect.options.run_options import OUTPUT, SAFETY, WHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """How a command speaks."""

    json: Annotated[
        bool,
        typer.Option(
            "--json",
            metavar="",
            help="The result, and nothing else, on stdout.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", metavar="", help="Only errors.", rich_help_panel=OUTPUT),
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="Tell of each row, too.",
            rich_help_panel=OUTPUT,
        ),
    ] = 0


class Given(Value):
    """What a command was given, beside how it speaks: the options of a run, and its own."""

    options: RunOptions = field(default_factory=RunOptions)
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="Settings; by default batchconnect.toml where it exists.",
            rich_help_panel=WHERE,
        ),
    ] = None
    drain: Annotated[
        float,
        typer.Option(
            "--drain",
            metavar="SECONDS",
            min=0,
            show_default=False,
            help=f"After SIGTERM: how long what is in flight may take. (default: {DRAIN_S:g})",
            hidden=True,
            rich_help_panel=SAFETY,
        ),
    ] = DRAIN_S
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary",
            metavar="FILE.md",
            help="A short summary in Markdown.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit",
            metavar="FILE.xml",
            help="A test case per row, for a CI server's page.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    metrics: Annotated[
        Path | None,
        typer.Option(
            "--metrics",
            metavar="FILE.prom",
            help="How it ended, for Prometheus' textfile collector.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="NAME",
            help=r"Tell \[notify.NAME] of the settings how it ended; may be given again.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    log_json: Annotated[
        bool,
        typer.Option(
            "--log-json",
            metavar="",
            help="The run's log on stderr, too.",
            hidden=True,
            rich_help_panel=OUTPUT,
        ),
    ] = False


SHORT: Final = frozenset(
    (
        *("settings", "reports", "simulate", "fault", "worksheet", "org", "sandbox", "only"),
        *("skip_invalid", "max_rows", "max_failures", "verify", "note", "strict", "on_doubt"),
    )
)
"""Options of a run that `--help` shows; `--help-all` has the rest."""


class Group(Value):
    """Options that commands take together."""

    heading: str
    """Of their table in the docs."""
    names: tuple[str, ...]
    helps: Mapping[str, str] = field(default_factory=dict)
    """What the help says here in place of the declaration, where a command has another use for one."""


PLACES: Final = Group(heading="Place options", names=("settings", "reports", "ledger", "simulate"))
SHEET: Final = Group(
    heading="Sheet options",
    names=(
        "worksheet",
        "all_worksheets",
        "map",
        "visible_only",
        "encoding",
        "org",
        "sandbox",
        "only",
        "allow_refs",
        "refs_dir",
        "strict",
    ),
)
_IDLE: Final = "As for run; nothing is created here."
PART: Final = Group(
    heading="Part options",
    names=("org", "sandbox", "only", "strict", "max_rows", "max_failures", "note"),
    helps={
        "org": "Only this org.",
        "sandbox": "orgs: instead of each org's default; reconcile, explore: only this one.",
        "only": "Only these; may be given again.",
        "max_rows": _IDLE,
        "max_failures": _IDLE,
        "note": "As for run; no run is opened here.",
    },
)
"""A run's options that fit commands without a sheet, so that one command line serves all."""
AGAINST: Final = Group(
    heading="Reading options",
    names=(
        "worksheet",
        "map",
        "visible_only",
        "encoding",
        "accept_unproven_listing",
    ),
    helps={
        "accept_unproven_listing": "Take a listing for whole although nothing proves it; that is said."
    },
)
"""Of a command that reads sandboxes, and may read a sheet beside them."""
SERVICE: Final = Group(
    heading="Service options",
    names=(
        "rate",
        "concurrency",
        "timeout",
        "patience",
        "settle",
        "on_doubt",
        "lease",
        "adopt_by_name",
        "proxy",
        "ca_bundle",
        "allow_hosts",
        "fault",
        "seed",
    ),
)
NETWORK: Final = Group(
    heading="Network options", names=("proxy", "ca_bundle", "allow_hosts", "timeout")
)
"""Of these, what leads to the hosts."""
RUN: Final = Group(
    heading="Run options",
    names=(
        "skip_invalid",
        "max_rows",
        "max_failures",
        "settle_first",
        "recreate",
        "accept_unproven_listing",
        "no_sweep",
        "verify",
        "note",
        "drain",
        "log_json",
    ),
)
TOLD: Final = Group(
    heading="Told options",
    names=("skip_invalid", "max_failures", "max_rows", "note", "drain", "log_json"),
    helps={"max_rows": _IDLE, "max_failures": _IDLE},
)
"""A run's options that fit commands which change nothing, and keep what they found as a run."""
WORK: Final = Group(
    heading="Worker options",
    names=("only", "allow_refs", "refs_dir", "drain", "log_json"),
    helps={"only": "Take only these lanes (org=NAME); may be given again."},
)
"""Of a worker, which does to a row what its run was told."""
CI: Final = Group(heading="CI options", names=("summary", "junit"))
OPERATIONS: Final = Group(heading="Operations options", names=("metrics", "notify"))
UNDO: Final = Group(heading="Undo options", names=("note", "drain", "log_json"))
"""No option that a deletion would not obey: one that was meant to hold it back must not be passed over."""
GROUPS: Final = (
    *(PLACES, SHEET, PART, AGAINST, SERVICE, NETWORK, RUN, TOLD, CI, OPERATIONS, UNDO),
    WORK,
)


_COMPLETED: Final[Mapping[str, Callable[..., Any]]] = {
    "org": completion.orgs,
    "only": completion.choices,
    "fault": completion.profiles,
}
"""What the shell offers for an option, by its name."""


def takes(*groups: Group) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """
    Make a command take groups of options beside its own arguments.

    Args:
        groups: The command is handed its `OutputOptions` and, with any group, what was `Given` of them,
            as positional arguments. Its own parameters follow as keywords; it returns its exit code.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[2 if groups else 1 :]
        output = [_own(OutputOptions, one.name) for one in fields(OutputOptions)]
        shared = [_parameter(group, name) for group in groups for name in group.names]
        asks_service = any(group is SERVICE or group is NETWORK for group in groups)

        @wraps(command)
        def wrapped(**values: Any) -> None:
            if asks_service:
                import_transport()
            values.pop(_HELP_ALL.name, None)
            how = OutputOptions(**_taken(values, output))
            given = [_given(_taken(values, shared))] if groups else []
            raise typer.Exit(command(how, *given, **values))

        parameters = [
            *(parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own),
            *output,
            *shared,
            _HELP_ALL,
        ]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return decorate


def _taken(values: dict[str, Any], parameters: Iterable[inspect.Parameter]) -> dict[str, Any]:
    return {parameter.name: values.pop(parameter.name) for parameter in parameters}


def _given(values: dict[str, Any]) -> Given:
    chosen = {name: values.pop(name) for name in [*values] if name in OPTIONS}
    return Given(
        options=options_from(
            {name: _chosen(OPTIONS[name], value) for name, value in chosen.items()}, flags=True
        ),
        **values,
    )


def _chosen(one: Option, value: Any) -> object:
    """What was typed; a switch that is off, and a list without an entry, were not chosen."""
    if one.shape.is_list:
        return [part for parts in value or () for part in parts] or None
    return value or None if one.shape.kind is bool else value


def _parameter(group: Group, name: str) -> inspect.Parameter:
    if name not in OPTIONS:
        return _own(Given, name)
    return _of_run(name, group.helps.get(name, OPTIONS[name].help))


@cache
def _of_run(name: str, told: str) -> inspect.Parameter:
    """An option of a run with its help. Twenty commands share forty of them, and all are declared at each start."""
    one = OPTIONS[name]
    is_switch = one.shape.kind is bool
    how = typer.Option(
        one.flag,
        metavar=one.metavar,
        help=told,
        rich_help_panel=one.panel,
        min=one.shape.least,
        parser=None if is_switch else one.read,
        hidden=name not in SHORT,
        autocompletion=_COMPLETED.get(name),
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if is_switch else None,
        annotation=Annotated[bool if is_switch else one.shape.kind | None, how],
    )


@cache
def _own(declaring: type[Any], name: str) -> inspect.Parameter:
    """An option of the command line alone, as it is declared."""
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=next(one.default for one in fields(declaring) if one.name == name),
        annotation=get_type_hints(declaring, include_extras=True)[name],
    )


def _show_all(context: typer.Context, value: bool) -> None:  # noqa: FBT001 - as Typer calls it
    """The help with every option in it."""
    if not value:
        return
    hidden = [one for one in context.command.params if getattr(one, "hidden", False)]
    for one in hidden:
        one.hidden = False  # type: ignore[attr-defined]  # of options, which all of these are
    typer.echo(context.get_help(), color=context.color)
    for one in hidden:
        one.hidden = True  # type: ignore[attr-defined]
    raise typer.Exit


_HELP_ALL: Final = inspect.Parameter(
    "help_all",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--help-all",
            metavar="",
            callback=_show_all,
            is_eager=True,
            help="Every option, those for special cases too.",
        ),
    ],
)
