"""
How far a run is, told by the lines that came since somebody looked last.

A lane's lines are numbered without a gap, so what is new stands side by side in its index: a look costs what came
since, however long the run and the ledger are.
"""

from typing import Final

from batchconnect.ledger.conditions import ENDS_AS_IT_SAYS, STANDS_ALWAYS
from batchconnect.model.outcome import NotAttempted

_LEFT: Final = f'"{NotAttempted.__name__}"}}'
"""How the body ends of what was left for another time; what was rejected, or is in doubt for good, is settled."""

ENDS: Final = (
    "SELECT id, coalesce((SELECT max(n) FROM batchconnect.entry AS e WHERE e.lane = l.id), 0) "
    "FROM batchconnect.lane AS l WHERE run_id = ''"
)
"""The number of each lane's last line."""

SETTLED_BEHIND: Final = f"""SELECT seen.lane, new.last, new.rows
    FROM unnest(%s::bigint[], %s::bigint[]) AS seen(lane, number), LATERAL (
        SELECT max(n) AS last,
            array_agg(row) FILTER (WHERE run = %s AND row IS NOT NULL AND (
                {STANDS_ALWAYS} OR ({ENDS_AS_IT_SAYS} AND right(body, {len(_LEFT)}) <> '{_LEFT}')
            )) AS rows
        FROM batchconnect.entry AS e WHERE e.lane = seen.lane AND e.n > seen.number
    ) AS new
    WHERE new.last IS NOT NULL"""
"""By lanes, and line numbers in them: the last one now, and the rows that were settled behind it."""
