"""
Several workers of one run on a team ledger, and what may happen to each of them.

The ledger is a real PostgreSQL of the test's own, the service the simulator, the workers are processes.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import psycopg

from batchconnect.ledger.entry import Line, RunEnded, RunOpened
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Created, Existing
from batchconnect.simulator.decision import Closed, Decision, Reset
from batchconnect.simulator.exchange import Request
from tests.acceptance.place import Place, Running, cells
from tests.acceptance.practice import Practice
from tests.postgres_cluster import Cluster

SECRET: Final = "canary~team-secret"
SETTLE_S: Final = 6.0
"""More than the service's own D and L below, for a busy machine is late with what it does later."""
LEASE_S: Final = 2.0
TAKEN_OVER_S: Final = LEASE_S * 7 / 6
_D_S, _L_S = 1.0, 0.5
_ROWS_OF_SANDBOX: Final = 40
"""A sandbox is listed again when its plan is older than the window, which is short here: few rows, few pages."""


def org_id(number: int) -> str:
    """Of the team's org of this number."""
    return f"{number:024X}@AdobeOrg"


def orgs(lanes: int) -> dict[str, tuple[str, str]]:
    """Of so many lanes, as the simulator takes them."""
    return {org_id(number): (f"client-{number}", SECRET) for number in range(lanes)}


@dataclass(kw_only=True)
class Team:
    """A sheet, a ledger, a service, and the workers."""

    place: Place
    practice: Practice
    cluster: Cluster
    address: LedgerAddress
    lanes: int
    rows: int
    rate: float
    workers: list[Running] = field(default_factory=list)
    """Those that were started, ended ones too."""
    _started: int = 0

    def __post_init__(self) -> None:
        self.place.environ["BATCHCONNECT_LEDGER"] = self.address.url.reveal()
        self.place.environ["TEAM_SECRET"] = SECRET
        self.sheet = self.place.sheet(
            cells(
                number,
                org=f"org{number % self.lanes}",
                sandbox=f"dev{number // self.lanes // _ROWS_OF_SANDBOX}",
            )
            for number in range(1, self.rows + 1)
        )
        of_orgs = "".join(
            f'[orgs.org{number}]\norg_id = "{org_id(number)}"\nclient_id = "client-{number}"\n'
            f'client_secret = "env:TEAM_SECRET"\nrate = {self.rate}\n'
            for number in range(self.lanes)
        )
        url = self.practice.url
        self.place.settings(f'platform_url = "{url}"\nims_url = "{url}"\n{of_orgs}')

    def start(
        self, *options: str, python: Sequence[str] = ("-m", "batchconnect"), command: str = "run"
    ) -> Running:
        """One more worker, with reports of its own; whoever is first opens the run."""
        self._started += 1
        sheet: tuple[str | Path, ...] = (self.sheet,) if command == "run" else ()
        running = self.place.start(
            command,
            *sheet,
            *("--settle", f"{SETTLE_S:g}") if command == "run" else (),
            # No fault is a silence: a busy machine's late answer is none, and uses no row up.
            *("--lease", f"{LEASE_S:g}", "--timeout", "60", "--patience", "60"),
            *("--reports", f"reports-{self._started}"),
            *options,
            python=python,
        )
        self.workers.append(running)
        return running

    # What the ledger says -------------------------------------------------------------------------

    def ledger(self) -> PostgresLedger:
        """For looking."""
        return PostgresLedger(self.address, read_only=True)

    def runs(self) -> list[RunState]:
        """Every run, newest first."""
        with self.ledger() as ledger:
            return [fold_run(lines) for _number, _opened, lines in ledger.runs()]

    def is_closed(self) -> bool:
        """Whether there is a run, and it is through."""
        runs = self.runs()
        return bool(runs) and runs[0].is_closed

    def states(self) -> list[RowState]:
        """Every row of the run that the workers shared: the first, for one that comes after its end has its own."""
        return self._rows_of(self.runs()[-1])

    def _rows_of(self, run: RunState) -> list[RowState]:
        with self.ledger() as ledger:
            return list(run.rows(ledger.row_lines(run.number)))

    def results(self, number: int) -> dict[str, Mapping[str, object]]:
        """The report of a worker, by the rows' names."""
        folder = (self.place.folder / f"reports-{number}" / "latest").resolve()
        lines = (folder / "results.jsonl").read_bytes().splitlines()
        rows = [orjson.loads(line) for line in lines]
        return {row["name"]: row for row in rows}

    # What must hold -------------------------------------------------------------------------------

    def broken_promises(self) -> list[str]:
        """What of "no row twice, no row lost" does not hold; [] is well."""
        names = Counter(one.name for one in self.practice.connections())
        broken = [f"twice: {name}" for name, count in names.items() if count > 1]
        states = self.states()
        if len(states) != self.rows:
            broken.append(f"{len(states)} rows in the report, {self.rows} in the sheet")
        made = {one.id.lower(): one.name for one in self.practice.connections()}
        for state in states:
            if not isinstance(state.shown, Created | Existing):
                broken.append(f"row {state.number}: {state.shown}, {state.steps}")
                continue
            connection_id = state.shown.connection_id.lower()
            if state.planned is not None and made.get(connection_id) != state.planned.name:
                broken.append(f"row {state.number}: {connection_id} is not its connection")
        with self.ledger() as ledger:
            if open_markers := ledger.open_markers():
                broken.append(f"in doubt still: {open_markers}")
        return [*broken, *self._of_later_runs(), *self._without_intent()]

    def _of_later_runs(self) -> list[str]:
        """What does not hold of whoever came when all was done: they have runs of their own, with nothing to do."""
        *later, first = self.runs()
        broken = [
            f"row {state.number}: {state.shown} in {run.opened.run_id}, a run that came later"
            for run in later
            for state in self._rows_of(run)
            if state.sends or not isinstance(state.shown, Existing)
        ]
        with self.ledger() as ledger:
            lines = [*ledger.run_lines(first.number)]
        ends = [one.at_ms for one in lines if isinstance(one.entry, RunEnded) and one.entry.closed]
        broken += [
            f"{run.opened.run_id} was opened beside {first.opened.run_id}"
            for run in later
            for line in self._opening_of(run)
            if line.at_ms < min(ends, default=0)
        ]
        return broken

    def _opening_of(self, run: RunState) -> list[Line]:
        with self.ledger() as ledger:
            return [one for one in ledger.run_lines(run.number) if isinstance(one.entry, RunOpened)]

    def _without_intent(self) -> list[str]:
        """Connections of which the ledger had not heard when they were asked for."""
        with psycopg.connect(self.address.url.reveal()) as session:
            found = session.execute(
                "SELECT p.body::json ->> 'name', min(s.at_ms) FROM batchconnect.entry AS s "
                "JOIN batchconnect.entry AS p ON p.run = s.run AND p.row = s.row AND p.kind = 'row' "
                "WHERE s.kind = 'sending' GROUP BY 1"
            ).fetchall()
        heard = {name: at_ms / 1000 for name, at_ms in found}
        return [
            f"no intent: {one.name}"
            for one in self.practice.connections()
            if heard.get(one.name, float("inf")) > one.applied_at + 0.05
        ]


# What may happen ------------------------------------------------------------------------------------


class Faults:
    """Loses, delays or swallows 12 % of the creates, by the seed; none of a row more than once."""

    SHARE: Final = 0.12

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._met: set[str] = set()
        self.arrived = 0
        """Creates that came."""
        self.count = 0
        """Of these, those that met a fault."""

    def __call__(self, request: Request) -> Decision | None:
        """The fate of one request."""
        if not request.is_create:
            return None
        self.arrived += 1
        name = request.json["name"]
        lag_s = self._rng.random() * _L_S
        if name in self._met or self._rng.random() >= self.SHARE:
            return Decision(lag_s=lag_s)
        self._met.add(name)
        self.count += 1
        return self._rng.choice(
            (
                Decision(reply=Reset(), lag_s=lag_s),
                Decision(reply=Closed(), lag_s=lag_s, delay_s=0.2),
                Decision(reply=Reset(), apply_after_s=self._rng.random() * _D_S, lag_s=lag_s),
                Decision(reply=Closed(), apply_after_s=None),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What a kill loop did."""

    acts: Counter[str]
    seconds: float


def kill_loop(
    team: Team, faults: Faults, *, seed: int, acts: int, workers: int = 3, longest_s: float
) -> Happened:
    """
    Keep so many workers at work, and let something happen to one of them, over and over; then let them finish.

    `kill -9`, a freeze beyond lease and settle window, SIGTERM, a crash of the database. Whoever ends before
    the run does is started again with the same command. What happens next waits for some more rows, so that
    a slow machine meets as much as a quick one.

    Args:
        team: The run.
        faults: What its creates meet.
        seed: Of what happens, to whom.
        acts: How often.
        workers: How many there are at any time.
        longest_s: Seconds after which it counts as hanging.
    """
    rng = random.Random(seed)
    happened: Counter[str] = Counter()
    began = time.monotonic()
    at_work = [team.start() for _ in range(workers)]
    frozen: dict[int, float] = {}
    is_closed, every = False, max(1, team.rows // (acts + 2))
    while not is_closed:
        assert time.monotonic() - began < longest_s, f"not closed after {longest_s} s: {happened}"
        is_closed = _moves_on(team, faults, at_least=every, at_work=at_work)
        _wake(at_work, frozen)
        for place, running in enumerate(at_work):
            if running.process.poll() is not None and not is_closed:
                happened[f"exit {running.process.returncode}"] += 1
                frozen.pop(running.pid, None)
                at_work[place] = team.start()
        # One that has not come to open its run has nothing to lose.
        awake = [one for one in at_work if one.pid not in frozen and "; ledger: " in one.told]
        if acts and awake and not is_closed:
            acts -= 1
            act = rng.choices(("kill", "freeze", "term", "database"), (4, 3, 3, 1))[0]
            if act == "freeze" and len(awake) == 1:
                act = "kill"
            happened[act] += 1
            _act(act, rng.choice(awake), team, frozen)
    for running in at_work:
        if running.process.poll() is None:
            running.send(signal.SIGCONT)
    for running in at_work:
        happened[f"exit {running.done().code}"] += 1
    return Happened(acts=happened, seconds=time.monotonic() - began)


def _act(act: str, on: Running, team: Team, frozen: dict[int, float]) -> None:
    match act:
        case "kill":
            on.send(signal.SIGKILL)
            on.process.wait()
        case "freeze":
            on.send(signal.SIGSTOP)
            frozen[on.pid] = time.monotonic() + TAKEN_OVER_S + SETTLE_S + 1
        case "term":
            on.send(signal.SIGTERM)
        case _:
            team.cluster.stop("immediate")
            team.cluster.start()


def _moves_on(team: Team, faults: Faults, *, at_least: int, at_work: Sequence[Running]) -> bool:
    """Wait for some more creates, or until a worker has ended, or for some seconds; whether the run is closed."""
    before, end = faults.arrived, time.monotonic() + 10
    while time.monotonic() < end and faults.arrived - before < at_least:
        if any(running.process.poll() is not None for running in at_work):
            break
        time.sleep(0.2)
    return team.is_closed()


def _wake(at_work: Sequence[Running], frozen: dict[int, float]) -> None:
    for running in at_work:
        if frozen.get(running.pid, float("inf")) <= time.monotonic():
            del frozen[running.pid]
            running.send(signal.SIGCONT)
