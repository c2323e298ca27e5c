"""
Worker and database in two networks, and the cable between them is cut.

Nothing breaks and nothing is refused, as it is with a cable: packets are lost, each way or both, for a time that is
shorter than the lease or longer. Root makes such networks, on Linux; elsewhere these tests say so and are skipped, and
`test_team` has a proxy that does some of it.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import psycopg
import pytest

from batchconnect.ledger.entry import LaneTaken
from tests.acceptance.cables import Cable, Direction, Namespace, forbidden, namespace
from tests.acceptance.place import Place, Running, until
from tests.acceptance.practice import Practice
from tests.acceptance.team import Team, orgs
from tests.acceptance.test_frozen_worker import MAIN, NO_QUESTION, NO_TIMER
from tests.postgres_cluster import OWNER, PASSWORD, Cluster, cluster

pytestmark = pytest.mark.acceptance

LEASE_S = 6.0
LATE_S = 1.5
"""How much later than it was let go a request may arrive on a busy machine."""
ASKED_S = 0.2
"""How often the database is asked, which takes a connection each time."""
TURN_S = 10.0
"""Until the next row's turn, where it has to come when the lease is over."""


@dataclass(kw_only=True)
class Cut:
    """A team whose workers have a cable each."""

    team: Team
    network: Namespace
    cables: list[Cable] = field(default_factory=list)

    def start(
        self, *options: str, python: Sequence[str] = ("-m", "batchconnect")
    ) -> tuple[Running, Cable]:
        """One more worker, by a cable of its own."""
        cable = Cable(self.network)
        self.cables.append(cable)
        database = self.team.address.url.reveal().rpartition("/")[2].partition("?")[0]
        place, port = self.team.place, self.team.cluster.port
        place.environ["BATCHCONNECT_LEDGER"] = (
            f"postgresql://{OWNER}@{cable.address}:{port}/{database}?sslmode=disable"
        )
        place.environ["PGPASSWORD"] = PASSWORD
        return self.team.start(*options, python=python), cable

    def lines(self) -> int:
        """How many the ledger has, asked on the server's own side of the cables."""
        return self._number("SELECT count(*) FROM batchconnect.entry")

    def intents(self) -> int:
        """How many creates are announced in it."""
        return self._number("SELECT count(*) FROM batchconnect.entry WHERE kind = 'sending'")

    def sessions(self) -> int:
        """How many connections of the first worker the server believes in."""
        at = str(self.cables[0].address)
        return self._number(f"SELECT count(*) FROM pg_stat_activity WHERE client_addr << '{at}/30'")

    def _number(self, question: str) -> int:
        with psycopg.connect(self.team.address.url.reveal()) as session:
            found = session.execute(question.encode()).fetchone()
        assert found is not None
        return int(found[0])

    def taken(self) -> list[LaneTaken]:
        """Who took a lane, in order."""
        return [entry for _at_s, entry in self._taken()]

    def taken_over_at(self) -> float | None:
        """When a second worker took the lane, by the clock of this machine."""
        times = [at_s for at_s, _entry in self._taken()]
        return times[1] if len(times) > 1 else None

    def _taken(self) -> list[tuple[float, LaneTaken]]:
        with self.team.ledger() as ledger:
            lines = [*ledger.run_lines(self.team.runs()[-1].number)]
        return [
            (line.at_ms / 1000, line.entry) for line in lines if isinstance(line.entry, LaneTaken)
        ]

    def arrived(self) -> list[float]:
        """When creates came to the service."""
        return [one.at for one in self.team.practice.creates()]


MakeCut = Callable[..., Cut]


@pytest.fixture(scope="module")
def network() -> Iterator[Namespace]:
    """The database's; where there can be none, the tests are skipped and say why."""
    if why := forbidden():
        pytest.skip(why)
    with namespace() as made:
        yield made


@pytest.fixture(scope="module")
def far_cluster(network: Namespace) -> Iterator[Cluster]:
    """A server on the other side."""
    with cluster(namespace=network.path, listen_addresses="*") as made:
        with (made.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write("host all all 198.18.0.0/15 scram-sha-256\n")
        made.run("pg_ctl", "reload", "-s", "-D", made.data)
        yield made


@pytest.fixture
def cut_of(place: Place, network: Namespace, far_cluster: Cluster) -> Iterator[MakeCut]:
    """Makes a team with a service of its own; its one lane is slow, so that rows wait under their intents."""
    with Practice(orgs=orgs(1)) as practice:

        def make(*, rows: int, rate: float) -> Cut:
            team = Team(
                place=place,
                practice=practice,
                cluster=far_cluster,
                address=far_cluster.ledger(),
                lanes=1,
                rows=rows,
                rate=rate,
            )
            return Cut(team=team, network=network)

        yield make
    place.secrets |= practice.tokens


ALL_WAYS = pytest.mark.parametrize("way", Direction, ids=lambda way: way.value)


@ALL_WAYS
def test_a_cut_that_is_shorter_than_the_lease_costs_a_pause(
    cut_of: MakeCut, way: Direction
) -> None:
    """What was lost comes again, the answers of commits too: the worker goes on, and no row is in doubt."""
    cut = cut_of(rows=24, rate=4)
    worker, cable = cut.start("--lease", "60")
    until(lambda: len(cut.arrived()) > 4, why=worker.told)

    before = cut.lines()
    cable.cut(way)
    if way is Direction.FROM_SERVER:
        # Committed, and nobody hears of it.
        until(lambda: cut.lines() > before, every_s=ASKED_S, why=worker.told)
    time.sleep(4)
    cable.heal()

    assert worker.done().code == 0, worker.told
    assert cut.team.broken_promises() == []
    assert [(state.sends, state.doubts) for state in cut.team.states()] == [(1, 0)] * 24
    assert len(cut.taken()) == 1


def sent_in_between(cut: Cut, way: Direction, *, without: str = "") -> list[float]:
    """
    Cut a worker off that has a row whose intent is durable, and whose turn comes when its lease is over.

    Args:
        cut: The team.
        way: What is lost.
        without: Takes layers of the deadline out.

    Returns:
        When creates came after the lease of the first worker, and before another one took the lane.
    """
    python = ("-c", without + MAIN) if without else ("-m", "batchconnect")
    cut_off, cable = cut.start(
        "--lease", f"{LEASE_S:g}", "--rate", f"{1 / TURN_S:g}", python=python
    )
    until(lambda: cut.arrived() and cut.intents() > 1, every_s=ASKED_S, why=cut_off.told)
    began = time.time()
    cable.cut(way)

    def late() -> list[float]:
        return [at for at in cut.arrived() if at > began + LEASE_S + LATE_S]

    if without:
        until(late, why=cut_off.told)
    else:
        time.sleep(TURN_S + LATE_S)  # its turn has come, and nothing is to be seen of it

    other, _uncut = cut.start("--lease", "60", "--rate", "20")
    until(cut.taken_over_at, every_s=ASKED_S, why=other.told)
    taken_over_at = cut.taken_over_at()
    assert taken_over_at is not None
    assert other.done().code == 0, other.told
    cable.heal()
    assert cut_off.done().code in {0, 5}, "the run is closed, or the ledger was away for too long"
    return [at for at in late() if at < taken_over_at]


@ALL_WAYS
def test_a_worker_that_is_cut_off_for_longer_sends_nothing_after_its_lease(
    cut_of: MakeCut, way: Direction
) -> None:
    """Nothing tells it that it is cut off; another one takes the lane, and makes the rest."""
    cut = cut_of(rows=6, rate=20)

    assert sent_in_between(cut, way) == []

    assert cut.team.broken_promises() == []
    assert len(cut.taken()) == 2


def test_without_its_deadline_a_worker_that_is_cut_off_would_send(cut_of: MakeCut) -> None:
    """The fence does not help: the row was begun in good order. So the test above tells something."""
    assert sent_in_between(cut_of(rows=6, rate=20), Direction.BOTH, without=NO_QUESTION + NO_TIMER)


def test_a_commit_of_which_nobody_hears_is_settled_by_whoever_takes_over(cut_of: MakeCut) -> None:
    """The server has the intent of a row, its worker does not know, and sends nothing for it."""
    cut = cut_of(rows=16, rate=1)
    cut_off, cable = cut.start("--lease", f"{LEASE_S:g}")
    until(lambda: len(cut.arrived()) > 2, why=cut_off.told)
    before = cut.lines()
    cable.cut(Direction.FROM_SERVER)
    until(lambda: cut.lines() > before, every_s=ASKED_S, why=cut_off.told)

    other, _uncut = cut.start("--lease", "60", "--rate", "20")
    assert other.done().code == 0, other.told
    cable.heal()

    assert cut_off.done().code in {0, 5}, cut_off.told
    assert cut.team.broken_promises() == []
    assert len(cut.taken()) == 2


def test_what_arrives_after_the_lane_was_taken_over_is_not_written(cut_of: MakeCut) -> None:
    """The first worker's lines were on their way for longer than its lease, and come when another one has the lane."""
    cut = cut_of(rows=24, rate=2)
    cut_off, cable = cut.start("--lease", "4")
    until(lambda: len(cut.arrived()) > 2, why=cut_off.told)
    other, _uncut = cut.start("--lease", "60")
    until(lambda: "lanes:" in other.told, why=other.told)
    cable.cut(Direction.TO_SERVER)
    until(cut.taken_over_at, every_s=ASKED_S, why=other.told)
    cable.heal()

    assert other.done().code == 0, other.told
    assert cut_off.done().code == 0, cut_off.told
    assert cut.team.broken_promises() == []


def test_a_worker_that_dies_behind_a_cut_holds_nothing_up(cut_of: MakeCut) -> None:
    """No FIN and no RST arrive: the server keeps its sessions, and the lane is free all the same."""
    cut = cut_of(rows=24, rate=2)
    dead, cable = cut.start("--lease", f"{LEASE_S:g}")
    until(lambda: len(cut.arrived()) > 2, why=dead.told)
    cable.cut(Direction.BOTH)
    time.sleep(1)
    dead.send(signal.SIGKILL)
    dead.process.wait()

    other, _uncut = cut.start("--lease", "60")

    assert other.done().code == 0, other.told
    assert cut.sessions() > 0, "the server has not noticed"
    assert cut.team.broken_promises() == []
    assert len(cut.taken()) == 2
