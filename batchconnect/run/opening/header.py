"""The first line of a run: what it is over, who asked for it, where, and with which version."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import SystemRandom
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from batchconnect.ledger.entry import ONBOARD, RunOpened
from batchconnect.ledger.run_writer import Clock
from batchconnect.model.value import replace
from batchconnect.model.who import operator
from batchconnect.options import MergedOptions
from batchconnect.sheet.interface import Sheet
from batchconnect.sheet.several import parts_of, places_of

_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_URI: Final = "file:///"
"""No absolute path begins so."""
SIMULATED: Final = "sim-"
"""How the id of a simulated run begins."""


def run_header(
    sheet: Sheet,
    *,
    options: MergedOptions,
    clock: Clock,
    parent: str | None,
    host: str,
    settle_s: float,
    command: str = ONBOARD,
) -> RunOpened:
    """
    The first line of a run.

    Args:
        sheet: What it is over.
        options: How it is to go.
        clock: Names the moment.
        parent: The run that it takes up the rest of, if any.
        host: Platform host whose connections it makes.
        settle_s: S, the settle window.
        command: What it does to the rows.
    """
    parts, places = parts_of(sheet), places_of(sheet)
    return RunOpened(
        run_id=new_run_id(clock, simulated=options.simulate),
        parent_run_id=parent,
        sheets=places.sheets,
        sheet_path=_path_of(sheet.name) if len(parts) == 1 else None,
        sheet_paths=tuple(_path_of(part.name) for part in parts) if len(parts) > 1 else (),
        tabs=places.tabs,
        sheet_sha256=sheet.sha256,
        carried=sheet.header.carried,
        columns=_columns_of(parts),
        worksheet=options.worksheet[0] if len(options.worksheet) == 1 else None,
        worksheets=tuple(options.worksheet) if len(options.worksheet) > 1 else (),
        all_worksheets=options.all_worksheets,
        map=tuple(options.map),
        encoding=options.encoding,
        visible_only=options.visible_only,
        org=options.org,
        sandbox=options.sandbox,
        note=options.note,
        operator=operator(),
        machine=platform.node(),
        tool_version=version("batchconnect"),
        platform_host=host,
        simulated=options.simulate,
        settle_s=settle_s,
        command=command,
    )


def header_of_run(parent: RunOpened, *, command: str, clock: Clock, note: str) -> RunOpened:
    """
    The first line of a run over the rows of another one.

    Args:
        parent: How that one began: its sheet, its columns, its host.
        command: What is done to its rows.
        clock: Names the moment.
        note: Of this run; the other one's is its own.
    """
    return replace(
        parent,
        run_id=new_run_id(clock, simulated=parent.simulated),
        parent_run_id=parent.run_id,
        command=command,
        note=note,
        operator=operator(),
        machine=platform.node(),
        tool_version=version("batchconnect"),
    )


def _columns_of(parts: Sequence[Sheet]) -> Mapping[str, int] | None:
    """Where the columns stand; several sheets have them each in their own places."""
    if len(parts) > 1:
        return None
    return {str(column): place for column, place in parts[0].header.columns.items()}


def _path_of(name: str) -> str | None:
    # `book.xlsx#tab` names a workbook, and a file may have a `#` in its own name.
    for path in (Path(name), Path(name.rpartition("#")[0])):
        if name != "-" and path.is_file():
            return _kept(path.absolute())
    return None


def _kept(path: Path) -> str:
    """The path as the ledger keeps it: a name that is no UTF-8 as a `file:` URI, byte for byte."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return str(path)


def sheet_file(kept: str) -> str:
    """The path of a sheet, as this system's calls take it, of what the ledger keeps."""
    if not kept.startswith(_URI):
        return kept
    return os.fsdecode(unquote_to_bytes(urlsplit(kept).path))


def new_run_id(clock: Clock, *, simulated: bool) -> str:
    """A sortable name: UTC with milliseconds, and four random characters."""
    now = datetime.fromtimestamp(clock.now_ms() / 1000, tz=UTC)
    stamp = now.strftime("%Y%m%d-%H%M%S") + f"{now.microsecond // 1000:03d}"
    tail = "".join(SystemRandom().choices(_ALPHABET, k=4))
    return f"{SIMULATED if simulated else ''}{stamp}-{tail}"


def as_named(path: str) -> str:
    """A path as a person in this folder would type it: it stands in every message."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path
