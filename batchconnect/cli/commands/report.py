"""Write a run's files again: they are a pure function of the ledger."""

import os
from collections.abc import Mapping
from pathlib import Path

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console
from batchconnect.cli.start import options_of, place_flags, settings_of
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.run_state import RunState
from batchconnect.model.escape import escape_control
from batchconnect.model.value import replace
from batchconnect.reports import ReportError, write_reports
from batchconnect.reports.json import summary_document
from batchconnect.run.history.history import find_run, summary_of
from batchconnect.run.history.live import live_runs
from batchconnect.run.history.part_report import By, folders_of, part_by, summary_of_part
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.places import home_of


def run(output: OutputOptions, given: Given, *, run_id: str | None, by: str | None = None) -> int:
    """Write the report of a run; by default of the last one. With *by*, one per value of a column."""
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    with ledger_of(options) as ledger:
        is_live = live_runs(ledger, options)
        state = find_run(ledger, run_id)
        parted = None if by is None else part_by(state.opened, by)
        summary = summary_of(ledger, state, live=is_live(state), compares=True)
        summary = replace(summary, place=tuple(place_flags(given)))
        home = home_of(options).absolute()
        files = write_reports(summary, home / state.opened.run_id)
        folders = _write_parts(ledger, state, home, parted) if parted else {}
        document = {
            **summary_document(summary),
            "files": {name: str(path) for name, path in files.items()},
            **_told(parted, folders),
        }
    console.result(
        document,
        [
            *(f"{name:<16} {path}" for name, path in files.items()),
            *(escape_control(f"{org:<16} {folder}") for org, folder in folders.items()),
        ],
    )
    return 0


def _told(by: By | None, folders: Mapping[str, Path]) -> dict[str, object]:
    if by is None:
        return {}
    parts = {value: str(folder) for value, folder in folders.items()}
    return {"by": by.column, "parts": parts, **({"orgs": parts} if by.is_org else {})}


def _write_parts(ledger: LedgerReader, state: RunState, home: Path, by: By) -> dict[str, Path]:
    """
    One folder per value; one that cannot be written keeps none of the others back.

    Raises:
        ReportError: Files of some could not be written.
    """
    folders: dict[str, Path] = {}
    failed: dict[Path, str] = {}
    for value, name in folders_of(ledger, state, by).items():
        folders[value] = home / state.opened.run_id / by.folder / name
        try:
            part = summary_of_part(ledger, state, by, value)
            write_reports(part, folders[value], is_run=False)
        except ReportError as error:
            failed |= error.failed
    if failed:
        raise ReportError(failed, {})
    return folders
