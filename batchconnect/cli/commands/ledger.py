"""A team's ledger as a whole: made, looked at, upgraded, filled from a file, written to one."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.start import options_of, settings_of
from batchconnect.ledger.health import Health, Made
from batchconnect.model.errors import UsageError
from batchconnect.model.value import by_name
from batchconnect.options import MergedOptions
from batchconnect.run.team.ledger import (
    Copied,
    Granted,
    check,
    export_to,
    import_from,
    init,
    upgrade,
)

_COPIES: Final[Mapping[str, Callable[[MergedOptions, Path], Copied]]] = {
    "export": export_to,
    "import": import_from,
}


def run(
    output: OutputOptions, given: Given, *, action: str, file: Path | None, granted: Granted
) -> int:
    """Do it, and say what is there now."""
    _check_words(action, file, granted)
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    if action == "check":
        health = check(options)
        console.result(by_name(health), _health(health))
        console.warn(health.warnings)
    elif file is not None:
        copied = _COPIES[action](options, file)
        console.result(by_name(copied), [_copied(copied)])
        if action == "import":
            console.say(f"move {file} away: nobody should run on it any more")
    else:
        made = init(options, granted) if action == "init" else upgrade(options)
        document = {**by_name(made), **(by_name(granted) if action == "init" else {})}
        console.result(document, _made(made, granted))
    return 0


def _check_words(action: str, file: Path | None, granted: Granted) -> None:
    if action in _COPIES and file is None:
        raise UsageError(
            f"ledger {action} needs a FILE", hint=f"As `batchconnect ledger {action} copy.sqlite3`."
        )
    if action not in _COPIES and file is not None:
        raise UsageError(f"ledger {action} takes no FILE")
    if action != "init" and (granted.writers or granted.readers):
        raise UsageError("--grant and --grant-read belong to ledger init")


def _made(made: Made, granted: Granted) -> list[str]:
    what = "made" if not made.before else "there already"
    if 0 < made.before < made.version:
        what = f"upgraded from schema {made.before}"
    lines = [f"{made.name}: {what}, schema {made.version}"]
    lines += [f"  {role} may run sheets on it" for role in granted.writers]
    lines += [f"  {role} may look at it" for role in granted.readers]
    return lines


def _health(health: Health) -> list[str]:
    of = f"{health.host}, {health.mode}" if health.mode else "no run yet"
    tls = "encrypted" if health.is_encrypted else "not encrypted"
    return [
        f"{health.name}: in order",
        f"  schema {health.version}, PostgreSQL {health.server}, connection {tls}",
        f"  {of}; {counted(health.runs, 'run')}, {health.size}",
        f"  this role may {'run sheets on it' if health.may_write else 'look at it, not run sheets'}",
    ]


def _copied(copied: Copied) -> str:
    story = copied.story
    return (
        f"{counted(story.runs, 'run')}, {counted(story.lines, 'line')} from {copied.source} to {copied.goal}; "
        f"both say the same (sha256 {story.digest[:16]})"
    )
