"""Write a run's files again: they are a pure function of the ledger."""

import os
from dataclasses import replace
from pathlib import Path

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.start import options_of, place_flags, settings_of
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.run_state import RunState
from batchconnect.model.escape import escape_control
from batchconnect.reports import ReportError, write_reports
from batchconnect.reports.json import summary_document
from batchconnect.run.history import find_run, summary_of
from batchconnect.run.opened_ledger import is_in_use, ledger_of
from batchconnect.run.org_report import folders_of, summary_of_org
from batchconnect.run.places import home_of

BY_ORG = "by-org"
"""Folder of the orgs' own reports, in the run's."""


def run(output: OutputOptions, given: Given, *, run_id: str | None, by_org: bool = False) -> int:
    """Write the report of a run; by default of the last one. With *by_org*, one per org as well."""
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    with ledger_of(options) as ledger:
        state = find_run(ledger, run_id)
        live = is_in_use(options) and not state.is_closed
        summary = summary_of(ledger, state, live=live, compares=True)
        summary = replace(summary, place=tuple(place_flags(given)))
        files = write_reports(summary, home_of(options) / state.opened.run_id)
        folders = _write_by_org(ledger, state, home_of(options)) if by_org else {}
        document = {
            **summary_document(summary),
            "files": {name: str(path) for name, path in files.items()},
            **({"orgs": {org: str(folder) for org, folder in folders.items()}} if by_org else {}),
        }
    console.result(
        document,
        [
            *(f"{name:<16} {path}" for name, path in files.items()),
            *(escape_control(f"{org:<16} {folder}") for org, folder in folders.items()),
        ],
    )
    return 0


def _write_by_org(ledger: LedgerReader, state: RunState, home: Path) -> dict[str, Path]:
    """
    One folder per org; one that cannot be written keeps none of the others back.

    Raises:
        ReportError: Files of some could not be written.
    """
    folders: dict[str, Path] = {}
    failed: dict[Path, str] = {}
    for org, name in folders_of(ledger, state).items():
        folders[org] = home / state.opened.run_id / BY_ORG / name
        try:
            write_reports(summary_of_org(ledger, state, org), folders[org], is_run=False)
        except ReportError as error:
            failed |= error.failed
    if failed:
        raise ReportError(failed, {})
    return folders
