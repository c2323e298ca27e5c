"""One run, also while it is running."""

import os

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.start import choices_of, ledger_of, place_flags, settings_of
from batchconnect.cli.options import OutputOptions, PlaceOptions
from batchconnect.reports.json import summary_document
from batchconnect.reports.terminal_summary import closing_lines, next_command
from batchconnect.run.history import find_run, summary_of
from batchconnect.run.opened_ledger import is_in_use


def run(output: OutputOptions, places: PlaceOptions, *, run_id: str | None) -> int:
    """Show how far a run is; by default the last one."""
    console = Console(output)
    choices = choices_of(settings_of(places, os.environ, offline=True), places)
    with ledger_of(choices) as ledger:
        state = find_run(ledger, run_id)
        live = is_in_use(choices) and not state.is_closed
        summary = summary_of(ledger, state, live=live)
        folder = choices.home / state.opened.run_id
        same = "the command that began it, once more"
        again = next_command(summary, same=same, options=place_flags(places))
        lines = closing_lines(
            summary, folder=folder if folder.exists() else None, next_command=again
        )
        console.result(summary_document(summary), lines)
    return 0
