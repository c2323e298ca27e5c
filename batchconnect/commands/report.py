"""Write a run's files again: they are a pure function of the ledger."""

import os

from batchconnect.cli_options import OutputOptions, PlaceOptions
from batchconnect.commands.console import Console
from batchconnect.commands.start import choices_of, ledger_of, settings_of
from batchconnect.history import find_run, summary_of
from batchconnect.ledger.file import is_held
from batchconnect.reports import write_reports
from batchconnect.reports.json import summary_document


def run(output: OutputOptions, places: PlaceOptions, *, run_id: str | None) -> int:
    """Write the report of a run; by default of the last one."""
    console = Console(output)
    choices = choices_of(settings_of(places, os.environ, offline=True), places)
    with ledger_of(choices) as ledger:
        state = find_run(ledger, run_id)
        live = is_held(choices.ledger_path) and not state.is_closed
        summary = summary_of(ledger, state, live=live)
        files = write_reports(summary, choices.home / state.opened.run_id)
        document = {
            **summary_document(summary),
            "files": {name: str(path) for name, path in files.items()},
        }
    console.result(document, [f"{name:<16} {path}" for name, path in files.items()])
    return 0
