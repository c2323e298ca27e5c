"""Past runs, newest first."""

import os
import textwrap
import time
from collections import Counter
from typing import Final

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.start import options_of, settings_of
from batchconnect.ledger.entry import ONBOARD, ROTATE, UNDO, RunOpened
from batchconnect.model.escape import escape_control
from batchconnect.model.outcome import DONE, Status, Works
from batchconnect.options import MergedOptions
from batchconnect.reports.columns import iso
from batchconnect.reports.summary import Summary
from batchconnect.run.history.history import run_states, summary_of
from batchconnect.run.history.live import live_runs
from batchconnect.run.history.prune import DAY_MS, Pruned, prune_reports
from batchconnect.run.opening.opened_ledger import (
    is_there,
    ledger_of,
    read_ledger,
    where_else,
)
from batchconnect.run.opening.places import home_of, ledger_place

_MOST_LEFT: Final = 3
"""Files of somebody else's that a line names."""
_BEHIND_ID: Final = 25
"""Where a line goes on whose run does not fit."""
_CHANGED: Final = {ROTATE: Status.UPDATED, UNDO: Status.DELETED}
"""What these commands do to a row; what they leave as it is counts for nothing."""


def run(output: OutputOptions, given: Given, *, limit: int, prune: int | None) -> int:
    """Show the last runs of the ledger; or remove the report folders of old ones."""
    console = Console(output)
    options = options_of(settings_of(given, os.environ, offline=True), given)
    if prune is not None:
        return _prune(console, options, prune)
    if not is_there(options):
        console.result({"runs": []}, [f"no run yet in {ledger_place(options)}"])
        console.say(f"hint:  {where_else(options)}")
        return 0
    with read_ledger(options) as ledger:
        is_live = live_runs(ledger, options)
        summaries: list[Summary] = []
        for state in run_states(ledger):
            if len(summaries) == limit:
                break
            summaries.append(summary_of(ledger, state, live=is_live(state)))
    console.result(
        {"runs": [_document(summary) for summary in summaries]},
        [part for summary in summaries for part in _parts(_line(summary), console.width)]
        or ["no run yet"],
    )
    return 0


def _prune(console: Console, options: MergedOptions, days: int) -> int:
    before_ms = time.time_ns() // 1_000_000 - days * DAY_MS
    with ledger_of(options) as ledger:
        pruned = list(prune_reports(ledger, home_of(options), before_ms=before_ms))
    gone = [one for one in pruned if not one.left]
    lines = [_pruned_line(one) for one in pruned]
    kept = f", {counted(len(pruned) - len(gone), 'folder')} kept" if len(gone) < len(pruned) else ""
    again = "; the ledger has every line: `batchconnect report RUN` writes one again"
    lines.append(f"{counted(len(gone), 'report folder')} removed{kept}{again if pruned else ''}")
    documents = [
        {
            "run_id": one.run_id,
            "folder": str(one.folder.absolute()),
            "files": one.files,
            "left": list(one.left),
        }
        for one in pruned
    ]
    console.result({"pruned": documents}, lines)
    return 0


def _pruned_line(one: Pruned) -> str:
    files = counted(one.files, "file")
    if not one.left:
        return escape_control(f"{one.run_id}  removed, {files}")
    more = len(one.left) - _MOST_LEFT
    names = ", ".join(one.left[:_MOST_LEFT]) + (f" and {more} more" if more > 0 else "")
    return escape_control(f"{one.run_id}  kept, {files} removed; in it still: {names}")


def _document(summary: Summary) -> dict[str, object]:
    return {
        "run_id": summary.opened.run_id,
        "command": summary.opened.command,
        "parent_run_id": summary.opened.parent_run_id,
        "simulated": summary.opened.simulated,
        "sheet": ", ".join(summary.opened.sheets),
        "note": summary.opened.note,
        "started_at": iso(summary.started_at_ms),
        "finished_at": iso(summary.finished_at_ms),
        "rows": summary.total,
        "counts": {str(status): count for status, count in summary.counts.items()},
        "works": {str(works): summary.works.get(works, 0) for works in Works},
        "exit_code": summary.exit_code,
        "closed": summary.closed,
    }


def _line(summary: Summary) -> str:
    opened = summary.opened
    if summary.live:
        how = "running"
    elif not summary.closed:
        how = "open"
    else:
        how = f"exit {summary.exit_code}"
    tested = sum(summary.works.values())
    works = f", {summary.works.get(Works.YES, 0)} of {tested} work" if tested else ""
    of = "rerun of" if opened.command == ONBOARD else "of"
    parent = f"  {of} {opened.parent_run_id}" if opened.parent_run_id else ""
    note = f"  {opened.note}" if opened.note else ""
    return escape_control(
        f"{opened.run_id}  {opened.command:<6}  {how:<8} {_done(summary)}{works}"
        f"  {_sheets(opened)}{note}{parent}"
    )


def _sheets(opened: RunOpened) -> str:
    """The files, and of each how many tabs where that is more than one."""
    tabs = Counter(sheet for sheet, _tab in opened.places.named)
    told = [name if count == 1 else f"{name} ({count} tabs)" for name, count in tabs.items()]
    return ", ".join(told)


def _parts(line: str, width: int) -> list[str]:
    """A run on as many lines as the terminal needs, below its command."""
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * _BEHIND_ID,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _done(summary: Summary) -> str:
    changed = _CHANGED.get(summary.opened.command)
    if changed is not None:
        return f"{summary.counts[changed]}/{summary.total} {changed.value}"
    return f"{sum(summary.counts[status] for status in DONE)}/{summary.total} connected"
