"""
Rows that were created before another row was answered with the same id: they are looked for once more.

Their own turn is over when that is found out, so a lane takes them up as it does rows without a sheet.
"""

from collections.abc import Iterable

from batchconnect.lane.orphan import Orphan
from batchconnect.ledger import Ledger
from batchconnect.ledger.entry import Line
from batchconnect.ledger.row_state import fold_rows
from batchconnect.run.rerun.rerun import wanted_of


def shared_rows(ledger: Ledger, run: int, doubts: Iterable[Line]) -> dict[str, list[Orphan]]:
    """
    The rows of a run that were put in doubt so, and still are, by their org.

    Args:
        ledger: Where they stand.
        run: Number of the run; rows of earlier runs are left to the next command that accounts for them.
        doubts: The lines that put them in doubt.
    """
    numbers = dict.fromkeys(line.row for line in doubts if line.run == run)
    orphans: dict[str, list[Orphan]] = {}
    for number in numbers:
        assert number is not None
        for row in fold_rows(ledger.lines_of_row(run, number)):
            if not row.is_open or row.marker is None or row.planned is None:
                continue
            orphan = Orphan(
                row=row.number,
                sandbox=row.planned.sandbox,
                wanted=wanted_of(row.marker, row.planned),
                state=row,
            )
            orphans.setdefault(row.planned.org, []).append(orphan)
    return orphans
