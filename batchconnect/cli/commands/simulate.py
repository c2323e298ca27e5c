"""Serve the simulator of IMS and Flow Service on loopback, for other clients too."""

import signal
from contextlib import suppress
from pathlib import Path

import anyio

from batchconnect.cli.options import OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.model.errors import UsageError
from batchconnect.simulator import Simulator


def run(
    output: OutputOptions,
    *,
    port: int,
    fault: str,
    seed: int,
    rate: float | None,
    state: Path | None,
    foreign_clients: bool,
) -> int:
    """Serve until interrupted."""
    console = Console(output)

    async def serve() -> None:
        simulator = Simulator(
            state=state or ":memory:",
            profile=fault,
            seed=seed,
            port=port,
            rate=rate,
            foreign_clients=foreign_clients,
        )
        async with simulator:
            url = simulator.url
            environment = {
                "BATCHCONNECT_PLATFORM_URL": url,
                "BATCHCONNECT_IMS_URL": url,
                "BATCHCONNECT_ORG_ID": "5C1328435BF324E90A49402A@AdobeOrg",
                "BATCHCONNECT_CLIENT_ID": "sim-5c1328435bf324e90a49402a",
                "BATCHCONNECT_CLIENT_SECRET": "simulated-secret",
                "BATCHCONNECT_SANDBOX": "dev",
            }
            document = {
                "url": url,
                "settle_s": simulator.settle_s,
                "environment": environment,
            }
            lines = [
                f"serving IMS and Flow Service on {url} (profile {fault}); Ctrl-C ends it",
                *(f"export {name}={value}" for name, value in environment.items()),
                f"# doubts settle within --settle {simulator.settle_s:g}",
            ]
            # Whoever reads the lines may end it at once.
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                console.result(document, lines)
                await anext(aiter(signals))

    try:
        with suppress(KeyboardInterrupt):
            anyio.run(serve)
    except (OSError, ValueError) as error:
        raise UsageError(f"the simulator cannot be served: {error}") from None
    return 0
