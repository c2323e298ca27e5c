"""
What follows from a sweep for the rows: an id that was answered wrongly is not what the report says.

Where the right connection is known, the row gets it; where it is not, the row is in doubt, and the next command
looks for it by its marker, as for every doubt.
"""

from collections.abc import Callable, Mapping, Sequence

from batchconnect.ledger.entry import Settled, SweepDone
from batchconnect.ledger.run_state import together
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.event import Event, RowInDoubt, RowSettled
from batchconnect.model.outcome import Created, InDoubt, Status
from batchconnect.run.lanes.sweep import Expected, SandboxSweep, by_org

WRONG_ID = InDoubt(
    code="wrong_id",
    detail="The service answered with the id of another connection, and none bears the row's marker.",
)


async def write_findings(
    results: Sequence[SandboxSweep],
    wanted: Mapping[tuple[str, str], Expected],
    writer: RunWriter,
    *,
    on_event: Callable[[Event], None],
) -> None:
    """
    Put right what was answered wrongly, then write what was found.

    Args:
        results: Of each sandbox.
        wanted: What each should have shown.
        writer: The run writer.
        on_event: Told of each row that is put right, and of the sweep.

    Raises:
        LedgerError: It cannot be written.
    """
    for result in results:
        rows = wanted[result.org, result.sandbox].rows
        for marker, found in result.corrected.items():
            outcome = Created(connection_id=found.id, etag=found.kept_etag, reconciled=True)
            await writer.settle(rows[marker], marker, Settled(outcome=outcome))
            on_event(
                RowSettled(
                    row=rows[marker],
                    org=result.org,
                    sandbox=result.sandbox,
                    outcome=outcome,
                    was=Status.CREATED,
                )
            )
        for marker in result.lost:
            await writer.doubt(rows[marker], marker, WRONG_ID, attempts=0, throttled=0)
            on_event(
                RowInDoubt(
                    row=rows[marker],
                    org=result.org,
                    sandbox=result.sandbox,
                    code=WRONG_ID.code,
                    was=Status.CREATED,
                )
            )
    sweeps = by_org(results)
    await writer.write([writer.line(SweepDone(event=swept)) for swept in sweeps])
    on_event(together(sweeps))
