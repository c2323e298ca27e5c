"""
A worker that is frozen while a row's intent is durable and the row waits for its pace, and woken too late.

The ledger's fence does not help here: what the worker will send was begun in good order. What keeps the row from
being made twice is the deadline on sending, in two layers, each of which is enough by itself. Without both of them
this very test finds the row twice.
"""

import signal

import pytest

from tests.acceptance.place import Place, until
from tests.acceptance.practice import Practice
from tests.acceptance.team import Team, orgs
from tests.postgres_cluster import Cluster

pytestmark = pytest.mark.acceptance

ROWS = 5
MAIN = "from batchconnect.__main__ import main; main()"
NO_TIMER = "from batchconnect.cli import deadline_timer; deadline_timer.arm = lambda s: None; "
NO_QUESTION = (
    "from batchconnect.ledger.lease import Lease; Lease.may_send = lambda self, now_s: True; "
)
"""The rule that is asked directly before the socket, and by the loop that lets go of a lease."""


def twice_after_a_freeze(
    place: Place, practice: Practice, postgres: Cluster, without: str
) -> tuple[list[str], int]:
    """
    Freeze a worker, have another one finish its rows, wake it.

    Returns:
        The names of rows that were made more than once, and how the frozen one ended.
    """
    team = Team(
        place=place,
        practice=practice,
        cluster=postgres,
        address=postgres.ledger(),
        lanes=1,
        rows=ROWS,
        rate=1.0,
    )
    frozen = team.start(python=("-c", without + MAIN))
    # Its first create is on its way, and the next rows are begun: they wait for their turn.
    practice.send_at_create(1, signal.SIGSTOP, frozen, after_s=0.3)
    until(lambda: frozen.process.poll() is None and practice.creates(), why=frozen.told)
    practice.script = lambda request: None
    other = team.start()
    until(lambda: len({one.name for one in practice.connections()}) == ROWS, why="not taken over")
    frozen.send(signal.SIGCONT)
    code = frozen.done().code
    assert other.done().code in {0, 6}
    names = [one.name for one in practice.connections()]
    return sorted({name for name in names if names.count(name) > 1}), code


@pytest.fixture
def slow(place: Place) -> object:
    """A service of one lane."""
    with Practice(orgs=orgs(1)) as practice:
        yield practice
        place.secrets |= practice.tokens


@pytest.mark.parametrize(
    ("without", "code"),
    [("", -signal.SIGALRM), (NO_QUESTION, -signal.SIGALRM), (NO_TIMER, 0)],
    ids=["both layers", "the kernel's timer alone", "the question at the socket alone"],
)
def test_a_worker_that_was_frozen_sends_nothing_when_it_wakes(
    place: Place, slow: Practice, postgres: Cluster, without: str, code: int
) -> None:
    """Each layer of the deadline is enough."""
    assert twice_after_a_freeze(place, slow, postgres, without) == ([], code)


def test_without_the_deadline_the_frozen_worker_makes_rows_twice(
    place: Place, slow: Practice, postgres: Cluster
) -> None:
    """So the test above can fail: the fence alone is not enough."""
    twice, _code = twice_after_a_freeze(place, slow, postgres, NO_TIMER + NO_QUESTION)

    assert twice
