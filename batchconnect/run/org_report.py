"""
One org's part of a run, as a report of its own.

An agency hands each client theirs, and nobody else's.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import PurePath

from batchconnect.lane.lane import is_refusal
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import (
    FaultFound,
    LaneTold,
    Line,
    RunEnded,
    RunOpened,
    RunResumed,
    SweepDone,
)
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, swept_of
from batchconnect.reports.summary import Summary, summarize
from batchconnect.run.exit_code import count_statuses, exit_code
from batchconnect.run.history import run_before

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.@-]+")
_LONGEST_NAME = 60
_UNKNOWN, _WITHOUT = "unknown-org", "without-org"


def folders_of(ledger: LedgerReader, state: RunState) -> dict[str, str]:
    """
    A name for the folder of each org of a run's rows, in the sheet's order.

    A rejected row's org is whatever was typed into its cell: as long as a cell may be, a path, a key in the
    wrong column. Such a text names no folder; it gets a number.

    Returns:
        By org as it stands in the rows; `""` where a row names none. No two names are alike, not even where
        letter case does not count.
    """
    known: dict[str, bool] = {}
    for row in state.rows(ledger.row_lines(state.number)):
        if row.planned is not None:
            of_settings = row.marker is not None
            known[row.planned.org] = known.get(row.planned.org, False) or of_settings
    taken: set[str] = set()
    names: dict[str, str] = {}
    for org, of_settings in known.items():
        wanted = _short(org) if of_settings else (_UNKNOWN if org else _WITHOUT)
        name = next(name for name in _numbered(wanted) if name.casefold() not in taken)
        taken.add(name.casefold())
        names[org] = name
    return names


def _short(org: str) -> str:
    return _NOT_IN_A_NAME.sub("_", org)[:_LONGEST_NAME].strip("._") or _UNKNOWN


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def summary_of_org(ledger: LedgerReader, state: RunState, org: str) -> Summary:
    """
    The report's content for the rows of one org alone.

    Lanes, incidents, the sweep and the exit code are the org's own. It is handed over: ledger, operator,
    machine, note and folders are the agency's matter, and are left out.
    """

    def rows() -> Iterator[RowState]:
        for row in state.rows(ledger.row_lines(state.number)):
            if row.planned is not None and row.planned.org == org:
                yield row

    ended = state.ended
    own = [line for line in ledger.run_lines(state.number) if _is_of(line, org)]
    code = exit_code(
        count_statuses(rows()),
        reason=ended.reason if ended is not None else "",
        every_lane_refused=any(
            stop.org == org and not stop.sandbox and is_refusal(stop.code) for stop in state.stops
        ),
        swept=swept_of(own),
    )
    lines = [_handed_over(line, code) for line in own]
    return summarize(lines, rows, before=run_before(ledger, state))


def _is_of(line: Line, org: str) -> bool:
    match line.entry:
        case LaneTold(event=event):
            return event.org == org
        case FaultFound(event=event):
            return event.org == org
        case SweepDone(event=event):
            return event.org == org
        case _:
            return True


def _handed_over(line: Line, code: int) -> Line:
    match line.entry:
        case RunEnded() as ended:
            return line._replace(entry=replace(ended, exit_code=code))
        case RunOpened() as opened:
            sheets = tuple(PurePath(name).name for name in opened.sheets)
            return line._replace(
                entry=replace(opened, operator="", machine="", note="", sheets=sheets)
            )
        case RunResumed() as resumed:
            return line._replace(entry=replace(resumed, operator="", machine=""))
        case _:
            return line
