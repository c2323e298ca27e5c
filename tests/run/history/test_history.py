"""Past runs, as the ledger tells them."""

from collections.abc import Iterator

import pytest

from batchconnect.ledger.entry import Line, RunEnded, RunOpened
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model.errors import UsageError
from batchconnect.run.history.history import find_run, run_in_doubt, run_states, summary_of


def opened(run_id: str, sheet: str = "sha", parent: str | None = None) -> RunOpened:
    return RunOpened(
        run_id=run_id,
        parent_run_id=parent,
        sheets=("clients.csv",),
        sheet_path=None,
        sheet_sha256=sheet,
        carried=(),
        columns={},
        note="",
        operator="me",
        machine="here",
        tool_version="0",
        platform_host="platform.test",
        simulated=False,
        settle_s=180.0,
    )


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    """In memory."""
    with SqliteLedger(MEMORY, host="platform.test") as ledger:
        yield ledger


def begin(ledger: SqliteLedger, run_id: str, **rest: str) -> int:
    return ledger.append([Line(entry=opened(run_id, **rest), at_ms=1)])


def end(ledger: SqliteLedger, run: int, *, closed: bool = True) -> None:
    ended = RunEnded(exit_code=0 if closed else 130, closed=closed, reason="")
    ledger.append([Line(entry=ended, run=run, at_ms=2)])


def test_runs_come_newest_first(ledger: SqliteLedger) -> None:
    """As a person looks for them."""
    begin(ledger, "20260101-a")
    begin(ledger, "20260102-b")

    assert [state.opened.run_id for state in run_states(ledger)] == ["20260102-b", "20260101-a"]


def test_a_run_is_found_by_its_id_or_the_beginning_of_it(ledger: SqliteLedger) -> None:
    """None means the newest."""
    for name in ("20260101-a", "20260101-ab", "20260102-b"):
        begin(ledger, name)

    assert find_run(ledger, "20260102").opened.run_id == "20260102-b"
    assert find_run(ledger, None).opened.run_id == "20260102-b"
    assert find_run(ledger, "20260101-a").opened.run_id == "20260101-a", "the whole id wins"


def test_a_beginning_of_several_runs_is_not_enough(ledger: SqliteLedger) -> None:
    """The hint names them."""
    begin(ledger, "20260101-a")
    begin(ledger, "20260101-b")

    with pytest.raises(UsageError, match="several runs begin with 20260101") as caught:
        find_run(ledger, "20260101")

    assert caught.value.hint == "20260101-b run clients.csv; 20260101-a run clients.csv"


def test_what_is_not_there_is_told(ledger: SqliteLedger) -> None:
    """By name, or as an empty ledger."""
    with pytest.raises(UsageError, match="there is no run yet"):
        find_run(ledger, None)
    with pytest.raises(UsageError, match="no run is called x"):
        find_run(ledger, "x")


def test_without_doubts_the_newest_run_is_meant(ledger: SqliteLedger) -> None:
    """A named one is meant in any case."""
    begin(ledger, "20260101-a")
    begin(ledger, "20260102-b")

    assert run_in_doubt(ledger, None).opened.run_id == "20260102-b"
    assert run_in_doubt(ledger, "20260101").opened.run_id == "20260101-a"


def test_a_report_s_content_comes_from_the_ledger_alone(ledger: SqliteLedger) -> None:
    """Here of a run that has no row yet."""
    begin(ledger, "20260101-a")

    summary = summary_of(ledger, find_run(ledger, None), live=True)

    assert (summary.total, summary.live, summary.closed) == (0, True, False)
    assert list(summary.rows()) == []
