"""One run, also while it is running."""

import os
import sys
import time
from collections.abc import Callable
from typing import Final

from batchconnect.cli.commands.console import Console
from batchconnect.cli.commands.start import options_of, place_flags, settings_of
from batchconnect.cli.commands.status_screen import live_lines
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.paint import is_terminal
from batchconnect.options import MergedOptions
from batchconnect.reports.json import summary_document
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import closing_lines, next_command
from batchconnect.run.history import find_run, summary_of
from batchconnect.run.opened_ledger import is_in_use, ledger_of
from batchconnect.run.places import home_of

_EVERY_S: Final = 2.0
"""Seconds between two looks; a look that takes long is made less often."""
_SHARE: Final = 5
"""A look takes at most this part of the time, so that a large ledger is not read without end."""
_HOME: Final = "\x1b[H\x1b[J"
"""To the upper left corner, and the screen is empty."""


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
        summary = _look(options, run_id)
        lines = _lines(summary, options, given, console)
        if not (watches and summary.live):
            break
        run_id = summary.opened.run_id
        if not console.json and not console.quiet:
            console.result({}, [_screen(lines)])
        sleep(max(_EVERY_S, _SHARE * (time.monotonic() - began_s)))
    console.result(summary_document(summary), lines)
    return 0


def _look(options: MergedOptions, run_id: str | None) -> Summary:
    with ledger_of(options) as ledger:
        state = find_run(ledger, run_id)
        live = is_in_use(options) and not state.is_closed
        return summary_of(ledger, state, live=live)


def _lines(summary: Summary, options: MergedOptions, given: Given, console: Console) -> list[str]:
    if summary.live:
        return [*live_lines(summary, now_ms=time.time_ns() // 1_000_000, width=console.width)]
    folder = home_of(options) / summary.opened.run_id
    same = "the command that began it, once more"
    return closing_lines(
        summary,
        folder=folder if folder.exists() else None,
        next_command=next_command(summary, same=same, options=place_flags(given)),
        width=console.width,
    )


def _screen(lines: list[str]) -> str:
    """On a terminal the lines in place of those before, elsewhere one line."""
    if is_terminal(sys.stdout):
        return _HOME + "\n".join(lines)
    return "; ".join(line.strip() for line in lines)
