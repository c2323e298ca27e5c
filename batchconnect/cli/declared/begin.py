"""Declared: `init`, `template`, `orgs`, `doctor`, with which a person begins."""

from pathlib import Path
from typing import Annotated

import typer

from batchconnect.cli.options import NETWORK, PART, PLACES, SERVICE, Given, OutputOptions, takes

commands = typer.Typer()


@commands.command(epilog="Example: batchconnect init")
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


@commands.command(epilog="Example: batchconnect template clients.xlsx")
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


@commands.command(epilog="Example: batchconnect orgs --sandbox dev")
@takes(PLACES, PART, SERVICE)
def orgs(output: OutputOptions, given: Given) -> int:
    """Sign in to each org of the settings; say what is refused, and why."""
    from batchconnect.cli.commands import orgs as command

    return command.run(output, given)


@commands.command(epilog="Example: batchconnect doctor --json > doctor.json")
@takes(PLACES, PART, SERVICE)
def doctor(output: OutputOptions, given: Given) -> int:
    """Look at what a first contact meets; each thing is in order, or has its remedy."""
    from batchconnect.cli.commands import doctor as command

    return command.run(output, given)
