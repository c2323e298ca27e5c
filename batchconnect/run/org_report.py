"""
One org's part of a run, as a report of its own.

An agency hands each client theirs, and nobody else's.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from batchconnect.ledger import LedgerReader
from batchconnect.ledger.entry import FaultFound, LaneTold, Line, RunEnded, SweepDone
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, swept_of
from batchconnect.reports.summary import Summary, summarize
from batchconnect.run.exit_code import count_statuses, exit_code

_NOT_IN_A_NAME = re.compile(r"[^\w.-]+")


def orgs_of(ledger: LedgerReader, state: RunState) -> list[str]:
    """The orgs of a run's rows, in the sheet's order; a rejected row's as it was typed."""
    rows = state.rows(ledger.row_lines(state.number))
    return list(dict.fromkeys(row.planned.org for row in rows if row.planned is not None))


def folder_name(org: str) -> str:
    """A name for the org's folder, whatever was typed into the cell."""
    return _NOT_IN_A_NAME.sub("_", org).strip("._") or "without-org"


def summary_of_org(ledger: LedgerReader, state: RunState, org: str) -> Summary:
    """
    The report's content for the rows of one org alone.

    Lanes, incidents, the sweep and the exit code are the org's own.
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
        every_lane_refused=any(stop.org == org and not stop.sandbox for stop in state.stops),
        swept=swept_of(own),
    )
    lines = [_own_end(line, code) for line in own]
    return summarize(lines, rows, ledger=ledger.name)


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


def _own_end(line: Line, code: int) -> Line:
    if isinstance(line.entry, RunEnded):
        return line._replace(entry=replace(line.entry, exit_code=code))
    return line
