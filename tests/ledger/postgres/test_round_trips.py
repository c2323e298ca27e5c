"""
How often a ledger is asked, and waited for: over a link of milliseconds that is what a run on it costs.

Counted, for a clock would tell more of the machine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from batchconnect.ledger.entry import Line, RowPlanned, RunOpened, Sending, Tested
from batchconnect.ledger.interface import LaneKey
from batchconnect.ledger.postgres import store
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Works
from batchconnect.run.intake.known_rows import known_of
from tests.postgres_cluster import PASSWORD, Cluster
from tests.round_trips import RoundTrips, counted

LANE = LaneKey("platform.adobe.io", "5C1328435BF324E90A49402A@AdobeOrg", "client")
ROWS = 100
MARKERS = [f"bc1-{number:026}" for number in range(2, 2 + ROWS)]


@dataclass
class Far:
    """A ledger with one run of rows that were sent, behind the counter."""

    address: LedgerAddress
    near: LedgerAddress
    told: RoundTrips

    def cost(self, ask: Callable[[PostgresLedger], object]) -> int:
        """
        Ways there and back that a question takes, of a connection that is there: the least of three times.

        What is said in two pieces counts twice where the machine lets the server answer in between.
        """
        with PostgresLedger(self.address, read_only=True) as ledger:
            return min(self._once(ledger, ask) for _ in range(3))

    def _once(self, ledger: PostgresLedger, ask: Callable[[PostgresLedger], object]) -> int:
        before = self.told.ways
        ask(ledger)
        return self.told.since(before)


def line(entry: RunOpened | RowPlanned | Sending | Tested, number: int) -> Line:
    return Line(entry=entry, run=1, row=number, marker=f"bc1-{number:026}", at_ms=2)


@pytest.fixture
def far(postgres: Cluster) -> Iterator[Far]:
    near = postgres.address(postgres.database("ledger_template"), over_tcp=True, password=PASSWORD)
    opened = RunOpened(run_id="20261130-1", sheets=("clients.csv",), sheet_sha256="ab")
    with PostgresLedger(near, host="platform.adobe.io") as ledger:
        ledger.append([Line(entry=opened, at_ms=1)])
        numbers = range(2, 2 + ROWS)
        ledger.of_lane(LANE).append(
            [
                line(entry, number)
                for number in numbers
                for entry in (RowPlanned(name="n"), Sending(number=1))
            ]
        )
    with counted(postgres.port) as told:
        url = near.url.reveal().replace(f":{postgres.port}/", f":{told.port}/")
        yield Far(LedgerAddress(type(near.url)(url)), near, told)


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.identities(),
        lambda ledger: list(ledger.runs()),
        lambda ledger: ledger.run_lines(1),
        lambda ledger: ledger.steps(1),
        lambda ledger: list(ledger.row_lines(1)),
        lambda ledger: list(ledger.row_lines(1, range(2, 2 + ROWS))),
        lambda ledger: list(ledger.last_lines(1)),
        lambda ledger: list(ledger.ends(1)),
        lambda ledger: ledger.states_of(MARKERS),
    ],
    ids=["identities", "runs", "of a run", "steps", "rows", "some rows", "last", "ends", "states"],
)
def test_a_question_is_one_way_there_and_back(
    far: Far, ask: Callable[[PostgresLedger], object]
) -> None:
    """Also one that needs a setting of its own, which is sent with it."""
    assert far.cost(ask) == 1


@pytest.mark.parametrize(
    ("ask", "lines"),
    [
        (lambda ledger: list(ledger.row_lines(1)), 2 * ROWS),
        (lambda ledger: list(ledger.last_lines(1)), ROWS),
    ],
)
def test_a_page_is_one_way_there_and_back(
    far: Far, monkeypatch: pytest.MonkeyPatch, ask: Callable[[PostgresLedger], object], lines: int
) -> None:
    """And one more says that there is none behind the last full one."""
    monkeypatch.setattr(store, "_PAGE", 20)

    assert far.cost(ask) == lines / 20 + 1


def test_a_ledger_is_opened_for_one_question(far: Far) -> None:
    """Whether it may be written to, whose it is, and what stands in it; the connection has ways of its own."""
    PostgresLedger(far.address, host="platform.adobe.io").close()

    assert far.told.ways == _OF_A_CONNECTION + 1


def test_rows_that_have_to_be_folded_are_asked_for_together(far: Far) -> None:
    """After a verification that is all of them: the last line of each says nothing of what became of it."""
    with PostgresLedger(far.near) as ledger:
        tested = Tested(connection_id="c-1", works=Works.YES)
        ledger.of_lane(LANE).append([line(tested, number) for number in range(2, 2 + ROWS)])

    assert far.cost(lambda ledger: known_of(ledger, 1)) <= 5


_OF_A_CONNECTION = 4
"""Whether TLS is spoken, who comes, and two for the password."""
