"""
The commands, as Typer declares them; what each does is told in `commands/`.

Nothing heavy is imported here, for `--help` and `--version` answer at once: a command imports its engine
when it is given.
"""

from copy import copy
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from batchconnect.cli import completion
from batchconnect.cli.options import (
    AGAINST,
    CI,
    NETWORK,
    OPERATIONS,
    PART,
    PLACES,
    RUN,
    SERVICE,
    SHEET,
    TOLD,
    UNDO,
    WORK,
    Given,
    OutputOptions,
    takes,
)
from batchconnect.cli.typed import read_by_ourselves
from batchconnect.options import OPTIONS
from batchconnect.simulator.profiles import PROFILES

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


_BEGIN: Final = "Begin"
_SHEETS: Final = "A sheet, from its first look to its end"
_LOOK: Final = "Look at runs"
_LATER: Final = "What stands there"
_TEAM: Final = "A team on one ledger"
_PRACTICE: Final = "Practice"


@cache
def command(name: str | None = None) -> Any:
    """
    What Typer makes of what is declared here: put together once, whoever calls.

    Args:
        name: The one command that will be given: to put the others together, too, takes as long as a tenth
            of a short run. None, or no command's name: all of them.
    """
    named = [one for one in app.registered_commands if _name_of(one) == name]
    declared = copy(app)
    declared.registered_commands = named or app.registered_commands
    found = typer.main.get_command(declared)
    read_by_ourselves(found)
    return found


def _name_of(declared: typer.models.CommandInfo) -> str | None:
    if declared.name is not None or declared.callback is None:
        return declared.name
    return typer.main.get_command_name(declared.callback.__name__)


SheetsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SHEET",
        help="CSV, XLSX, XLS, XLSB or ODS; several make one run; - reads CSV from stdin.",
    ),
]
RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="Run id, or the beginning of one; default: the last run.",
        autocompletion=completion.runs,
    ),
]


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"batchconnect {version('batchconnect')}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Options of batchconnect itself."""


@app.command(epilog="Example: batchconnect init", rich_help_panel=_BEGIN)
@takes(NETWORK)
def init(
    output: OutputOptions,
    given: Given,
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The settings; one that is there gets an org more."),
    ] = Path("batchconnect.toml"),
    org: Annotated[
        str | None,
        typer.Option("--org", metavar="NAME", help="As the org cells of sheets will call it."),
    ] = None,
    org_id: Annotated[
        str | None,
        typer.Option("--org-id", metavar="ID", help="Of the organization: ...@AdobeOrg."),
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option("--client-id", metavar="ID", help="Of its server-to-server credential."),
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(
            "--client-secret",
            metavar="REF",
            help="Where its secret is: env:NAME or file:PATH; never the secret itself.",
        ),
    ] = None,
    sandbox: Annotated[
        str | None, typer.Option("--sandbox", metavar="NAME", help="For rows that name none.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", metavar="", help="Write only; sign in nowhere.")
    ] = False,
) -> int:
    """Write the settings, asking for what is not given, and sign in to each org."""
    from batchconnect.cli.commands import init as command
    from batchconnect.cli.screen.new_orgs import Wish

    wish = Wish(
        key=org,
        org_id=org_id,
        client_id=client_id,
        client_secret=client_secret,
        sandbox=sandbox,
        offline=offline,
    )
    return command.run(output, given, path=path, wish=wish)


@app.command(epilog="Example: batchconnect template clients.xlsx", rich_help_panel=_BEGIN)
@takes()
def template(
    output: OutputOptions,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="A new .xlsx or .csv; without it: CSV on stdout."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="Offers its orgs and sandboxes (.xlsx)."),
    ] = None,
) -> int:
    """Write an empty sheet with headers, notes and an example row."""
    from batchconnect.cli.commands import template as command

    return command.run(output, path=path, settings=settings)


@app.command(epilog="Example: batchconnect orgs --sandbox dev", rich_help_panel=_BEGIN)
@takes(PLACES, PART, SERVICE)
def orgs(output: OutputOptions, given: Given) -> int:
    """Sign in to each org of the settings; say what is refused, and why."""
    from batchconnect.cli.commands import orgs as command

    return command.run(output, given)


@app.command(epilog="Example: batchconnect doctor --json > doctor.json", rich_help_panel=_BEGIN)
@takes(PLACES, PART, SERVICE)
def doctor(output: OutputOptions, given: Given) -> int:
    """Look at what a first contact meets; each thing is in order, or has its remedy."""
    from batchconnect.cli.commands import doctor as command

    return command.run(output, given)


@app.command(epilog="Example: batchconnect validate clients.xlsx", rich_help_panel=_SHEETS)
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


@app.command(
    epilog="Example: batchconnect plan clients.csv --only org=acme", rich_help_panel=_SHEETS
)
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


@app.command(
    epilog="Example: batchconnect run clients.csv --max-rows 5 --note CHG-1234",
    rich_help_panel=_SHEETS,
)
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


@app.command(
    epilog="Example: batchconnect rerun --sheet clients-fixed.csv", rich_help_panel=_SHEETS
)
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


@app.command(epilog="Example: batchconnect reconcile", rich_help_panel=_SHEETS)
@takes(PLACES, PART, SERVICE, OPERATIONS)
def reconcile(
    output: OutputOptions,
    given: Given,
    run_id: RunArgument = None,
) -> int:
    """Settle what is in doubt; creates nothing."""
    from batchconnect.cli.commands import reconcile as command

    return command.run(output, given, run_id=run_id)


@app.command(epilog="Example: batchconnect verify clients.csv", rich_help_panel=_SHEETS)
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


@app.command(epilog="Example: batchconnect runs --limit 5", rich_help_panel=_LOOK)
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


@app.command(epilog="Example: batchconnect status", rich_help_panel=_LOOK)
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


@app.command(epilog="Example: batchconnect report 20261123-16", rich_help_panel=_LOOK)
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


@app.command(epilog="Example: batchconnect rotate clients.csv --failing", rich_help_panel=_LATER)
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


@app.command(epilog="Example: batchconnect undo 20261123-16 --yes 94", rich_help_panel=_LATER)
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


@app.command(
    epilog="Example: batchconnect export dev.xlsx --org acme --sandbox dev", rich_help_panel=_LATER
)
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


@app.command(
    epilog="Example: batchconnect expiring clients.csv --within 30d", rich_help_panel=_LATER
)
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


@app.command(epilog="Example: batchconnect explore --columns", rich_help_panel=_LATER)
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


@app.command(epilog="Example: batchconnect work --only org=acme", rich_help_panel=_TEAM)
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


@app.command(epilog="Example: batchconnect lanes release 7 --yes", rich_help_panel=_TEAM)
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


@app.command(
    epilog="Example: batchconnect ledger check --ledger postgresql://host/batchconnect",
    rich_help_panel=_TEAM,
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


@app.command(
    epilog="Example: batchconnect simulate --port 8080 --fault flaky", rich_help_panel=_PRACTICE
)
@takes()
def simulate(
    output: OutputOptions,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            show_default=False,
            help="On this port; default: any free one.",
        ),
    ] = 0,
    fault: Annotated[
        str,
        typer.Option(
            "--fault",
            metavar="PROFILE",
            parser=OPTIONS["fault"].read,
            show_default=False,
            autocompletion=completion.profiles,
            help=f"Trouble to practise with: {', '.join(PROFILES)}.",
        ),
    ] = "none",
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            show_default=False,
            help="The same seed, the same trouble. (default: 0)",
        ),
    ] = 0,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", min=0.01, help="A hidden limit per second and org."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FILE", help="Keep its state; default: in memory."),
    ] = None,
    foreign_clients: Annotated[
        bool,
        typer.Option(
            "--foreign-clients",
            metavar="",
            help="Take other clients' forms, too: IMS v2, parameters in the query.",
        ),
    ] = False,
) -> int:
    """Serve the simulator of IMS and Flow Service on loopback."""
    from batchconnect.cli.commands import simulate as command

    return command.run(
        output,
        port=port,
        fault=fault,
        seed=seed,
        rate=rate,
        state=state,
        foreign_clients=foreign_clients,
    )
