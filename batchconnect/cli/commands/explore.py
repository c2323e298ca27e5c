"""The tables that each connection of a run can see."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.screen.looking import looking
from batchconnect.cli.signals import watch_signals
from batchconnect.cli.start import (
    as_part,
    options_of,
    settings_of,
    warn_ignored_flags,
)
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import ONBOARD
from batchconnect.ledger.run_state import RunState
from batchconnect.model.errors import ExitCode
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.remedies import title_for
from batchconnect.model.row_place import Places
from batchconnect.options import MergedOptions
from batchconnect.reports.tables import FORMATS
from batchconnect.reports.write import ReportError, make_folder, redacted, write_file
from batchconnect.run.exit_code import TERMINATED
from batchconnect.run.explore_run import Exploration, explore_rows
from batchconnect.run.history.history import find_run
from batchconnect.run.history.made_rows import made_rows
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.places import home_of, try_places
from batchconnect.run.opening.service import connected
from batchconnect.run.stop import Stop
from batchconnect.settings import Settings

_MOST_SHOWN: Final = 50
"""Connections on a screen; the files and --json have all."""


def run(output: OutputOptions, given: Given, *, run_id: str | None, columns: bool) -> int:
    """Ask every connection of a run for its tables, and write them beside the run's reports."""
    console = Console(output)
    settings = settings_of(as_part(given, sandbox=given.options.sandbox), os.environ)
    options = options_of(settings, given)
    warn_ignored_flags(given, console)
    console.warn(settings.warnings)
    with ledger_of(options) as ledger:
        state = find_run(ledger, run_id, command=ONBOARD)
        console.warn(try_places(options))
        found = anyio.run(
            partial(
                _explore,
                state,
                ledger=ledger,
                settings=settings,
                options=options,
                columns=columns,
                console=console,
            ),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    folder = (home_of(options) / state.opened.run_id).absolute()
    files = _write(found, folder, console.redactor.text)
    document = _document(found, state, files)
    console.result(
        document,
        (escape_control(one) for one in _lines(found, state.opened.places, files)),
    )
    if found.stopped:
        return ExitCode.TERMINATED if found.stopped == TERMINATED else ExitCode.INTERRUPTED
    if found.is_refused:
        return ExitCode.STOPPED
    return ExitCode.OK if found.is_whole else ExitCode.UNFINISHED


async def _explore(
    state: RunState,
    *,
    ledger: LedgerReader,
    settings: Settings,
    options: MergedOptions,
    columns: bool,
    console: Console,
) -> Exploration:
    stop = Stop()
    with unwrap_exception_group(), looking(console) as hear:
        async with connected(
            settings, options, on_event=hear, hold=console.redactor.hold
        ) as service:
            rows = list(made_rows(state, ledger=ledger, service=service, options=options))
            async with anyio.create_task_group() as beside:
                beside.start_soon(partial(watch_signals, stop, drain_s=0))
                found = await explore_rows(
                    rows,
                    service=service,
                    at_once=options.concurrency,
                    columns=columns,
                    stop=stop,
                )
                beside.cancel_scope.cancel()
    return found


def _write(found: Exploration, folder: Path, redact: Callable[[str], str]) -> dict[str, str]:
    """
    Write every file whole, or not at all.

    Raises:
        ReportError: One could not be written.
    """
    written: dict[str, Path] = {}
    for name, render in FORMATS.items():
        path = folder / name
        try:
            make_folder(folder)
            write_file(path, redacted(render(found.lines()), redact))
        except OSError as error:
            raise ReportError({path: error.strerror or str(error)}, written) from None
        written[name] = path
    return {name: str(path) for name, path in written.items()}


def _document(found: Exploration, state: RunState, files: dict[str, str]) -> dict[str, object]:
    return {
        "run_id": state.opened.run_id,
        "stopped": found.stopped or None,
        "connections": [
            {
                **state.opened.places.keys(row.row),
                "name": row.name,
                "org": row.org,
                "sandbox": row.sandbox,
                "connection_id": row.connection_id,
                "tables": None if found.code(row) is not None else len(found.seen(row)),
                "maybe_cut": found.maybe_cut(row),
                "error_code": found.code(row),
            }
            for row in found.rows
        ],
        "files": files,
    }


def _lines(found: Exploration, places: Places, files: dict[str, str]) -> Iterator[str]:
    told = [
        f"{places.told(row.row)} {row.name}: {counted(len(found.seen(row)), 'table')}"
        + (", maybe more: the list may be cut" if found.maybe_cut(row) else "")
        for row in found.rows
        if found.code(row) is None
    ]
    yield from told[:_MOST_SHOWN]
    if len(told) > _MOST_SHOWN:
        yield f"and {len(told) - _MOST_SHOWN:,} more: tables.csv has all of them"
    failed = Counter(
        (code, found.advice(row)) for row in found.rows if (code := found.code(row)) is not None
    )
    for (code, advice), count in sorted(failed.items()):
        yield f"{counted(count, 'connection')}: {code}: {title_for(code)}"
        yield f"    -> {advice}"
    columns = Counter(line.error_code for line in found.lines() if line.path is not None)
    for code, count in columns.items():
        if code is not None:
            yield f"{counted(count, 'table')} without columns: {code}: {title_for(code)}"
    tables = sum(len(found.seen(row)) for row in found.rows)
    yield f"{counted(len(found.rows), 'connection')}, {counted(tables, 'table')}"
    yield f"tables: {files['tables.csv']}"
