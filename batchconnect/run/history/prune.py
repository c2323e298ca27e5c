"""
`runs --prune`: the report folders of old runs go, and not one line of the ledger.

What goes is ours and known by its name: a file that somebody put beside it stays, and keeps its folder. Links are
never followed. `report` writes all of it again from the ledger, but for the log.
"""

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from batchconnect.ledger import LedgerReader
from batchconnect.model.value import Value
from batchconnect.reports import FORMATS, LOG
from batchconnect.reports.write import LATEST
from batchconnect.run.history.history import run_states

DAY_MS: Final = 86_400_000
_OURS: Final = frozenset({*FORMATS, LOG, "tables.csv", "tables.jsonl"})
_PARTS: Final = re.compile(r"by-[a-z0-9_.@-]+", re.IGNORECASE)
"""The folder of a report's parts, each of which is a folder of ours again."""
_DEEPEST: Final = 2


class Pruned(Value):
    """What became of the folder of one run."""

    run_id: str
    folder: Path
    files: int
    """That were removed."""
    left: tuple[str, ...] = ()
    """What is in it still, with why where the system said no: it is none of ours, or could not be removed."""


def prune_reports(ledger: LedgerReader, home: Path, *, before_ms: int) -> Iterator[Pruned]:
    """
    Remove the report folders of runs that ended long ago.

    Cases, in order:
        1. The newest run keeps its folder, however old it is, as does the one that `latest` leads to.
        2. A run that is open keeps it: the same command goes on with it.
        3. What is no folder (nothing, a link, a file) is left alone.

    Args:
        ledger: Which runs there are; nothing of it is changed.
        home: Where their folders lie.
        before_ms: When their last line was written at the latest, in milliseconds since 1970.

    Yields:
        One for each folder that was looked into, the newest run first.
    """
    latest = _latest(home)
    for number, state in enumerate(run_states(ledger)):
        name = state.opened.run_id
        folder = home / name
        is_old = state.is_closed and state.last_at_ms < before_ms
        is_kept = number == 0 or name == latest or Path(name).name != name
        if is_kept or not is_old or not _is_folder(folder):
            continue
        left: list[str] = []
        files = _remove(folder, "", left)
        yield Pruned(run_id=name, folder=folder, files=files, left=tuple(left))


def _latest(home: Path) -> str | None:
    try:
        return (home / LATEST).readlink().name
    except OSError:
        return None


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _remove(folder: Path, within: str, left: list[str], depth: int = 0) -> int:
    """Remove what is ours; how many files that was. What is left is told by its path within the run's folder."""
    removed, before = 0, len(left)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        left.append(f"{within or '.'} ({error.strerror})")
        return 0
    for entry in entries:
        name = f"{within}{entry.name}"
        if _is_folder(entry) and depth < _DEEPEST and (depth or _PARTS.fullmatch(entry.name)):
            removed += _remove(entry, f"{name}/", left, depth + 1)
        elif entry.name in _OURS and not _is_folder(entry):
            removed += _gone(entry.unlink, name, left)
        else:
            left.append(name)
    if len(left) == before:
        _gone(folder.rmdir, within or ".", left)
    return removed


def _gone(remove: Callable[[], None], name: str, left: list[str]) -> bool:
    try:
        remove()
    except OSError as error:
        left.append(f"{name} ({error.strerror})")
        return False
    return True
