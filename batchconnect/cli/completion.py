"""What the shell offers at TAB: orgs of the settings, practice profiles, ids of past runs; never an error."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from batchconnect.model.errors import BatchConnectError
from batchconnect.options import RunOptions
from batchconnect.simulator.profiles import PROFILES

if TYPE_CHECKING:
    from batchconnect.settings import Settings

_MOST_RUNS: Final = 30
"""Newest first: who wants an older one types its beginning."""


def profiles(incomplete: str) -> Iterator[str]:
    """Of `--fault`."""
    return (name for name in PROFILES if name.startswith(incomplete))


def orgs(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Of `--org`: the keys in the settings."""
    settings = _settings(context)
    for org in settings.orgs if settings is not None else ():
        if org.key.startswith(incomplete):
            yield org.key


def choices(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Of `--only`: each org by its name."""
    before, sign, begun = incomplete.partition("=")
    if not sign:
        yield from (one for one in ("org=", "sandbox=") if one.startswith(before))
    elif before == "org":
        yield from (f"org={name}" for name in orgs(context, begun))


def runs(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Ids of the ledger's runs, each with its command and sheet."""
    # Late: only who presses TAB at a run's place waits for it.
    from batchconnect.options import with_defaults  # noqa: PLC0415 - only TAB pays for it
    from batchconnect.run.history.history import run_states  # noqa: PLC0415 - only TAB pays for it
    from batchconnect.run.opening.opened_ledger import ledger_of  # noqa: PLC0415 - only TAB pays for it

    settings = _settings(context)
    if settings is None:
        return
    with suppress(BatchConnectError, OSError), ledger_of(with_defaults(settings.options)) as ledger:
        opened = (state.opened for state in run_states(ledger))
        named = (one for one in opened if one.run_id.startswith(incomplete))
        for one in islice(named, _MOST_RUNS):
            yield one.run_id, " ".join((one.command, *one.sheets))


def _settings(context: typer.Context) -> "Settings | None":
    """The settings with the places that were typed so far; None: they cannot be read."""
    from batchconnect.settings import load_settings  # noqa: PLC0415 - only TAB pays for it

    typed = context.params
    options = RunOptions(
        reports=_path(typed.get("reports")),
        ledger=typed.get("ledger"),
        simulate=typed.get("simulate") or None,
    )
    with suppress(BatchConnectError, OSError):
        return load_settings(
            path=_path(typed.get("settings")),
            environ=os.environ,
            options=options,
            resolve_secrets=False,
            flags=True,
        )
    return None


def _path(typed: object) -> Path | None:
    return None if typed is None else Path(str(typed))
