"""One run, also while it is running."""

import os

from batchconnect.cli.commands.console import Console, counted
from batchconnect.cli.commands.start import options_of, place_flags, settings_of
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.model.escape import escape_control
from batchconnect.reports.json import summary_document
from batchconnect.reports.terminal_summary import closing_lines, next_command
from batchconnect.run.history import find_run, summary_of
from batchconnect.run.lane_view import LaneView, views_of_run, workers_of
from batchconnect.run.opened_ledger import is_in_use, ledger_of, team_reader
from batchconnect.run.places import home_of


def run(output: OutputOptions, given: Given, *, run_id: str | None) -> int:
    """Show how far a run is; by default the last one."""
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    with ledger_of(options) as ledger:
        state = find_run(ledger, run_id)
        team = team_reader(ledger)
        is_worked = is_in_use(options) if team is None else bool(workers_of(team, state))
        live = is_worked and not state.is_closed
        summary = summary_of(ledger, state, live=live)
        folder = home_of(options) / state.opened.run_id
        same = "the command that began it, once more"
        again = next_command(summary, same=same, options=place_flags(given))
        lines = closing_lines(
            summary,
            folder=folder if folder.exists() else None,
            next_command=again,
            width=console.width,
        )
        document = dict(summary_document(summary))
        if team is not None and not state.is_closed:
            lanes, workers = views_of_run(team, state), workers_of(team, state)
            document["team"] = {
                "lanes": [one.document for one in lanes],
                "workers": [one.name for one in workers],
            }
            at_work = counted(len(workers), "worker")
            lines = [*lines, "", f"lanes, with {at_work}:", *map(_shown, lanes)]
        console.result(document, lines)
    return 0


def _shown(lane: LaneView) -> str:
    return escape_control(lane.line)
