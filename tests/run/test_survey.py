"""The first look over a run's rows: who accounts for them and who joins see the same."""

from dataclasses import replace

import pytest

from batchconnect.model.errors import LedgerError, SheetError
from batchconnect.model.event import Planned, RowSettled
from batchconnect.run.budget import Budget
from batchconnect.run.exit_code import INTERRUPTED, REJECTED_ROWS
from batchconnect.run.stop import Stop
from batchconnect.run.survey import Survey, survey
from batchconnect.sheet.memory import MemorySheet
from tests.fake_service import Bench, cells

pytestmark = pytest.mark.anyio

ROWS = [cells(1), cells(2), cells(3, "beta")]


async def opened(bench: Bench, rows: list[dict[str, str]]) -> None:
    """Leave a run open in which one row was sent."""
    stop = Stop()
    bench.on_event = lambda event: stop.ask(INTERRUPTED) if isinstance(event, RowSettled) else None
    await bench.run(rows, stop=stop, skip_invalid=True)


async def look(bench: Bench, rows: list[dict[str, str]] | None = None, *, joins: bool) -> Survey:
    """As the next process does."""
    (run,) = bench.states()
    job = replace(bench.job(MemorySheet(rows or ROWS)), resumed=run)
    budget = Budget(most_rows=None, on_failures=lambda: None)
    return await survey(
        job, number=run.number, writer=bench.writer(run.number), budget=budget, joins=joins
    )


async def test_who_joins_a_run_sees_what_is_to_do_and_writes_nothing() -> None:
    bench = Bench()
    await opened(bench, ROWS)
    before = bench.dump()
    seen = await look(bench, joins=True)

    assert bench.dump() == before
    assert seen.reason == ""
    goes_on = await look(bench, joins=False)
    assert seen.intake.to_do == goes_on.intake.to_do > 0
    assert seen.intake.offsets.keys() == goes_on.intake.offsets.keys()


async def test_what_others_have_on_their_way_is_no_doubt_of_who_joins() -> None:
    bench = Bench()
    await opened(bench, ROWS)
    seen = await look(bench, joins=True)

    assert isinstance(seen.planned, Planned)
    assert seen.planned.to_settle == 0


async def test_other_rows_than_the_runs_are_not_joined() -> None:
    """Nor does a run go on with them: that is another sheet by now."""
    bench = Bench()
    await opened(bench, ROWS)
    other = [*ROWS, cells(4)]
    with pytest.raises(LedgerError, match="is not the sheet of run run-1: other rows"):
        await look(bench, other, joins=True)

    (run,) = bench.states()
    job = replace(bench.job(MemorySheet(other)), resumed=run, identified=run.identified)
    budget = Budget(most_rows=None, on_failures=lambda: None)
    with pytest.raises(SheetError, match="has changed since it was opened"):
        await survey(job, number=run.number, writer=bench.writer(run.number), budget=budget)


async def test_rejected_rows_stop_who_accounts_for_them_and_not_who_joins() -> None:
    """Whoever opened the run has chosen to leave them out."""
    bench = Bench()
    rows = [*ROWS, cells(4, endpoint="http://no-tls.westeurope.kusto.windows.net")]
    await opened(bench, rows)

    assert (await look(bench, rows, joins=False)).reason == REJECTED_ROWS
    assert (await look(bench, rows, joins=True)).reason == ""
