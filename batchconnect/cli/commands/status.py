"""One run, also while it is running."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.screen.paint import is_terminal
from batchconnect.cli.screen.status_screen import live_lines
from batchconnect.cli.start import options_of, place_flags, settings_of
from batchconnect.model.escape import escape_control
from batchconnect.model.value import Value, field, replace
from batchconnect.options import MergedOptions
from batchconnect.reports.json import summary_document
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import closing_lines, next_command
from batchconnect.run.history.history import find_run, summary_of
from batchconnect.run.history.live import live_runs
from batchconnect.run.opening.opened_ledger import ledger_of, team_reader
from batchconnect.run.opening.places import home_of
from batchconnect.run.team.lane_view import views_of_run, workers_of

_EVERY_S: Final = 2.0
"""Seconds between two looks; a look that takes long is made less often."""
_SHARE: Final = 5
"""A look takes at most this part of the time, so that a large ledger is not read without end."""
_HOME: Final = "\x1b[H\x1b[J"
"""To the upper left corner, and the screen is empty."""


class Seen(Value):
    """One look at a run."""

    summary: Summary
    team: dict[str, Any] = field(default_factory=dict)
    """For programs: who works on it, and on which lanes; empty where the ledger is no team's."""
    lanes: tuple[str, ...] = ()
    """Likewise for a person."""


def run(
    output: OutputOptions,
    given: Given,
    *,
    run_id: str | None,
    watches: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Show how far a run is, by default the last one; with *watches* until it has ended."""
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    while True:
        began_s = time.monotonic()
        seen = _look(options, run_id)
        lines = [*_lines(seen.summary, options, given, console), *seen.lanes]
        if not (watches and seen.summary.live):
            break
        run_id = seen.summary.opened.run_id
        if not console.json and not console.quiet:
            console.result({}, [_screen(lines)])
        sleep(max(_EVERY_S, _SHARE * (time.monotonic() - began_s)))
    console.result({**summary_document(seen.summary), **seen.team}, lines)
    return 0


def _look(options: MergedOptions, run_id: str | None) -> Seen:
    with ledger_of(options) as ledger:
        is_live, team = live_runs(ledger, options), team_reader(ledger)
        state = find_run(ledger, run_id)
        summary = summary_of(ledger, state, live=is_live(state))
        if team is None or state.is_closed:
            return Seen(summary=summary)
        lanes, workers = views_of_run(team, state), workers_of(team, state)
        return Seen(
            summary=summary,
            team={
                "team": {
                    "lanes": [one.document for one in lanes],
                    "workers": [one.name for one in workers],
                }
            },
            lanes=(
                "",
                f"lanes, with {counted(len(workers), 'worker')}:",
                *(escape_control(lane.line) for lane in lanes),
            ),
        )


def _lines(summary: Summary, options: MergedOptions, given: Given, console: Console) -> list[str]:
    if summary.live:
        return [*live_lines(summary, now_ms=time.time_ns() // 1_000_000, width=console.width)]
    folder = home_of(options) / summary.opened.run_id
    same = "the command that began it, once more"
    return closing_lines(
        replace(summary, place=tuple(place_flags(given))),
        folder=folder if folder.exists() else None,
        next_command=next_command(summary, same=same, options=place_flags(given)),
        width=console.width,
    )


def _screen(lines: list[str]) -> str:
    """On a terminal the lines in place of those before, elsewhere one line."""
    if is_terminal(sys.stdout):
        return _HOME + "\n".join(lines)
    return "; ".join(line.strip() for line in lines if line)
