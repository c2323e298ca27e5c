"""An answer that names another connection's id: the look at the end finds it, and the report shows the row's own."""

from collections.abc import Mapping

import orjson
import pytest

from batchconnect.cli.progress.state import ProgressState
from batchconnect.model.event import RowInDoubt, RowSettled
from batchconnect.model.outcome import Created, Status
from batchconnect.transport.interface import Purpose, Response
from tests.fake_service import Bench, FakeService, Fate, Seen, cells, judged

pytestmark = pytest.mark.anyio

ROWS = [cells(1), cells(2)]


def misleading(*, applied_s: float | None) -> Bench:
    """A service that answers the first row with the id of a connection of somebody else."""

    def choose(seen: Seen) -> Fate | None:
        if seen.purpose is not Purpose.CREATE or seen.marker != judged(ROWS[0]).marker:
            return None
        body = orjson.dumps({"id": service.stored[0].id, "etag": '"e"'})
        return Fate(applied_s=applied_s, answer=Response(status=201, headers={}, body=body))

    service = FakeService(choose)
    service.plant(judged(cells(9)))
    return Bench(service=service)


def progress(bench: Bench) -> Mapping[Status, int]:
    """What the last line on the screen counts: each row once, whatever the sweep found of it."""
    state = ProgressState()
    for event in bench.events:
        state.event(event, 0.0)
    view = state.view(0.0)
    assert view.total == len(ROWS)
    return view.counts


async def test_where_the_right_connection_is_there_the_row_gets_it() -> None:
    bench = misleading(applied_s=0.0)
    state = await bench.run(ROWS)

    first = bench.rows(state)[0].shown
    (own,) = (one for one in bench.service.stored if one.name == "Connection 1")
    assert isinstance(first, Created)
    assert (first.connection_id, first.reconciled) == (own.id, True)
    assert state.swept is not None
    assert state.swept.wrong_id == (judged(ROWS[0]).marker,)
    assert progress(bench) == {Status.CREATED: 2}
    assert own.id in [
        event.outcome.connection_id
        for event in bench.heard(RowSettled)
        if isinstance(event.outcome, Created)
    ]


async def test_where_none_bears_its_marker_the_row_is_in_doubt_and_is_not_called_created() -> None:
    """The answer was wrong in one thing, so that it is believed in nothing; the next command looks for it."""
    bench = misleading(applied_s=None)
    state = await bench.run(ROWS)

    assert bench.statuses(state) == [Status.IN_DOUBT, Status.CREATED]
    assert bench.codes(state)[0] == "wrong_id"
    assert [event.code for event in bench.heard(RowInDoubt)] == ["wrong_id"]
    assert progress(bench) == {Status.CREATED: 1, Status.IN_DOUBT: 1}
    assert state.ended is not None
    assert state.ended.exit_code == 6
