"""
What the stores say of the keys of rows whose connections are only tested: asked for, written down, and dropped.

A key that is gone from its store, or ends soon, is no trouble of the connection today, and that of the next send.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final, TypeGuard

import anyio
from anyio.lowlevel import checkpoint

from batchconnect.lane.pool import work_on_all
from batchconnect.ledger.entry import KeyLooked
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.event import Event, FaultMet
from batchconnect.model.fault import INTERNAL_FAULT, fault_of
from batchconnect.model.outcome import NotAttempted, Rejected, has_connection
from batchconnect.model.reference import OWN_WORDS, Reference
from batchconnect.run.job import Job
from batchconnect.run.keys.key_plan import KEYS_AT_ONCE
from batchconnect.validation.connection import BaseConnection

_CHUNK: Final = 1000
"""Rows whose cells are held at once."""


def wanted_keys(rows: Iterable[RowState]) -> dict[int, str | None]:
    """The rows that have a connection and whose store has not answered yet: their markers, by number."""
    return {row.number: row.marker for row in rows if _is_wanted(row)}


async def check_keys(
    wanted: Mapping[int, str | None], *, job: Job, writer: RunWriter, tell: Callable[[Event], None]
) -> None:
    """
    Ask for the key of each row that has a connection, as far as a store of the settings holds it.

    Return when all were asked for, or the stop is asked for: what is left then, the same command asks for.

    Args:
        wanted: Of the run, as `wanted_keys` has them.
        job: The run.
        writer: Hears what each store said.
        tell: Told of errors of our own.

    Raises:
        LedgerError: It cannot be written.
        SheetError: The sheet cannot be read any more.
    """

    async def look(connection: BaseConnection) -> None:
        row = connection.row
        entry = await _looked(connection, job, tell)
        await writer.write([writer.line(entry, row=row, marker=wanted[row])])

    async def look_at_all() -> None:
        cells = iter(job.sheet.rows())
        while chunk := list(islice(cells, _CHUNK)):
            await checkpoint()
            judged = (job.parse(row) for row in chunk if row.number in wanted)
            await work_on_all(filter(_is_elsewhere, judged), look, at_once=KEYS_AT_ONCE)
        beside.cancel_scope.cancel()

    async with anyio.create_task_group() as beside:
        if wanted:
            beside.start_soon(look_at_all)
            await job.stop.wait()
        beside.cancel_scope.cancel()


def _is_wanted(row: RowState) -> bool:
    outcome = row.change_outcome or row.outcome
    was_answered = row.key_looked is not None and row.key_looked.unanswered is None
    return not was_answered and outcome is not None and has_connection(outcome)


def _is_elsewhere(judged: BaseConnection | Rejected) -> TypeGuard[BaseConnection]:
    if isinstance(judged, Rejected):
        return False
    key = judged.service_principal_key
    return isinstance(key, Reference) and key.store not in OWN_WORDS


async def _looked(connection: BaseConnection, job: Job, tell: Callable[[Event], None]) -> KeyLooked:
    try:
        match await job.ready(connection):
            case Rejected(problems=problems):
                return KeyLooked(problems=problems)
            case NotAttempted() as unanswered:
                return KeyLooked(unanswered=unanswered)
            case BaseConnection(key_origin=key):  # the last case
                return KeyLooked(key=key)
    except Exception as error:  # noqa: BLE001 - a fault of ours leaves one key unasked
        fault = fault_of(error)
        tell(FaultMet(fault=fault, where="verify", rows=(connection.row,)))
        return KeyLooked(unanswered=NotAttempted(code=INTERNAL_FAULT, detail=fault.label))
