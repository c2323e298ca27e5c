"""Declared: `simulate`, the service to practise on."""

from pathlib import Path
from typing import Annotated

import typer

from batchconnect.cli import completion
from batchconnect.cli.options import OutputOptions, takes
from batchconnect.options import OPTIONS
from batchconnect.simulator.profiles import PROFILES

commands = typer.Typer()


@commands.command(epilog="Example: batchconnect simulate --port 8080 --fault flaky")
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
