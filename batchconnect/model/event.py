"""What just happened in a run, as frozen values: for progress, the log, and whoever calls from Python."""

from typing import Final

from batchconnect.model.fault import Fault
from batchconnect.model.outcome import Outcome, Status, Works
from batchconnect.model.row_place import NOWHERE, Places, RowPlace
from batchconnect.model.value import Value, replace


class RunStarted(Value):
    """The run is open in the ledger."""

    run_id: str
    resumed: bool
    """True: an earlier process left this run open, and it goes on."""
    simulated: bool = False
    left_open: tuple[str, ...] = ()
    """Other runs over this sheet that were not closed: of each its id, and the command that goes on with it."""
    places: Places = NOWHERE
    """Its sheets: what tells the numbers of rows to a person."""


class SheetWarned(Value):
    """Rows taken together look odd; they are sent all the same."""

    cells: str
    """As a spreadsheet names them: `E2:E7`."""
    code: str
    what: str
    """With its column; never a value."""
    remedy: str


class CellsWarned(Value):
    """One kind of warning about the sheet's cells, told before a row is sent."""

    code: str
    what: str
    """With its column; never a value."""
    where: str
    """The first of the cells, and how many more there are."""
    cells: int


class PageRead(Value):
    """One more page of a sandbox was read; its end is told by `SandboxListed`, where a plan is made of it."""

    org: str
    sandbox: str
    page: int
    """The first is number 1."""
    connections: int
    """On all pages of this reading so far."""


class Looked(Value):
    """One more connection was asked about by its id."""

    org: str
    looked: int
    """Of this org, so far."""
    of: int


class SandboxListed(Value):
    """One sandbox was read, or could not be."""

    org: str
    sandbox: str
    connections: int
    complete: bool
    detail: str = ""
    """Why it could not be; or what was odd about it, and yet no reason to disbelieve it."""
    code: str = ""
    """Of why it could not be."""


class Planned(Value):
    """The plan stands: how many rows will be sent, how many are settled already."""

    to_create: int
    settled: int
    to_settle: int
    """Rows in doubt from an earlier process."""
    left_out: tuple[int, ...] = ()
    """Numbers of new rows that a rerun leaves for `run`."""
    at: tuple[RowPlace, ...] = ()
    """Where these stand, as of `RowStarted`."""


class RowStarted(Value):
    """The row's intent is durable; its request is on the way."""

    row: int
    org: str
    sandbox: str
    at: RowPlace | None = None
    """Where it stands, as a program is told by `placed`; *row* is its own number then."""


class RowSettled(Value):
    """The row has an outcome, durable in the ledger."""

    row: int
    org: str
    sandbox: str
    outcome: Outcome
    duration_ms: int | None = None
    at: RowPlace | None = None
    """As of `RowStarted`."""
    was: Status | None = None
    """What it was told to be before, where the sweep found another: whoever counts, counts it once."""


class RowInDoubt(Value):
    """A row's answer is unknown; it is settled beside the work."""

    row: int
    org: str
    sandbox: str
    code: str
    at: RowPlace | None = None
    """As of `RowStarted`."""
    was: Status | None = None
    """As of `RowSettled`."""


class Verifying(Value):
    """The tests of connections begin."""

    connections: int


class RowTested(Value):
    """It was asked whether a row's connection works; durable in the ledger."""

    row: int
    org: str
    sandbox: str
    works: Works
    code: str = ""
    """Why not, or why it could not be found out."""
    at: RowPlace | None = None
    """As of `RowStarted`."""


class Settling(Value):
    """A look-up of doubts in one sandbox ended."""

    org: str
    sandbox: str
    waiting: int
    """Doubts still open in this sandbox."""
    left_s: float
    """Seconds until the last of them is decided at the latest."""


class RunAwaited(Value):
    """On a team ledger: another process is reading the sheet of a run that may be this one."""

    run_id: str


class LaneAwaited(Value):
    """On a team ledger: what a command over a past run needs is not free yet, or what a worker would take."""

    org: str
    """Settings key of the lane's org; "": it is the run as a whole."""
    holder: str
    """Who has the lane, or another one of its org; "": nobody, it failed and is left alone for a while."""
    at_most_s: float
    """Seconds after which it is known whether the holder is alive, or after which the lane may be taken."""
    lane: int | None = None
    """A worker waits, until the holder has done with it, for the lane of this number: its own, or that of another client
    of its org."""
    is_of_other_client: bool = False
    held_s: float = 0.0
    """Likewise: seconds for which the holder has had it."""


class LanesHeld(Value):
    """On a team ledger: who works the run's lanes now."""

    mine: int
    """Lanes that this process works."""
    open: int
    """Lanes that are not through."""
    total: int
    workers: int
    """Processes at work on the run, this one included."""


class RunCounted(Value):
    """On a team ledger: how far the run is, by all who work it; told every few seconds once others do."""

    done: int
    """Rows that are settled, those of before included."""
    total: int


class LanePaused(Value):
    """A lane sends nothing for a while."""

    org: str
    host: str
    pause_s: float
    reason: str
    """`retry_after`, `throttled`, `not_sent`, `doubts`, `waits_for_settle`."""


class NotReached(Value):
    """A try reached nobody, or at the first contact came to nothing; it is repeated as long as the patience lasts."""

    org: str
    host: str
    """Of the platform, or of IMS where a token was asked for."""
    code: str
    """`dns`, `refused`, `no_token`, `http-503`, ..."""
    detail: str
    patience_s: float


class PaceChanged(Value):
    """A lane's rate was cut, or grew enough to be told."""

    org: str
    host: str
    rate: float
    """Requests per second from now on."""
    reason: str
    """`congestion`, `growth`."""


class StorePaused(Value):
    """A store of secrets is asked nothing for a while; rows whose keys it holds wait."""

    store: str
    pause_s: float
    reason: str
    """`store_throttled`, `store_down`, `store_signed_out`."""


class StoreStopped(Value):
    """A store is asked nothing any more: rows whose keys it holds are not attempted."""

    store: str
    code: str
    detail: str


BANNED_UNTIL: Final = "banned_until"
"""Code of a stop because the service asks to stay away for longer than the lane's patience."""


class LaneStopped(Value):
    """A lane, or one sandbox of it, takes no further row: an org-level refusal."""

    org: str
    sandbox: str | None
    """None: the whole lane."""
    code: str
    title: str
    detail: str


class LaneCounted(Value):
    """What one lane did in this process, told when it ends."""

    org: str
    host: str
    sent: int
    created: int
    throttled: int
    retried: int
    paused_s: float
    rate_max: float
    rate_last: float


class Swept(Value):
    """The sweep compared every marker of the run with the service."""

    expected: int
    found: int
    duplicated: tuple[str, ...]
    """Markers that more than one connection bears."""
    missing: tuple[str, ...]
    """Markers that no connection bears, though the run says so."""
    complete: bool = True
    """False: a listing failed, so *missing* is not known."""
    wrong_id: tuple[str, ...] = ()
    """Markers that another connection bears than the one whose id was answered."""
    org: str = ""
    """Whose rows were compared; empty: those of all orgs."""

    @property
    def is_clean(self) -> bool:
        """Whether each marker is known to be there once, on the connection that is reported."""
        return self.complete and not (self.duplicated or self.missing or self.wrong_id)


class FaultMet(Value):
    """An error of our own came up; what it was about goes on as far as it can."""

    fault: Fault
    where: str
    """What was being done: `row`, `plan`, `settle`, `sweep`, `progress`, `run`, ..."""
    org: str = ""
    sandbox: str = ""
    rows: tuple[int, ...] = ()
    """Numbers of the rows that it met."""
    at: tuple[RowPlace, ...] = ()
    """Where these stand, as of `RowStarted`."""


class Draining(Value):
    """A stop was asked: nothing more is sent, what is in flight may finish."""

    reason: str
    in_flight: int


class RunFinished(Value):
    """The run is closed in the ledger."""

    run_id: str
    exit_code: int
    duration_s: float


Event = (
    RunStarted
    | SheetWarned
    | CellsWarned
    | PageRead
    | Looked
    | SandboxListed
    | Planned
    | RowStarted
    | RowSettled
    | RowInDoubt
    | Verifying
    | RowTested
    | Settling
    | RunAwaited
    | LaneAwaited
    | LanesHeld
    | RunCounted
    | LanePaused
    | NotReached
    | PaceChanged
    | LaneStopped
    | LaneCounted
    | StorePaused
    | StoreStopped
    | Swept
    | FaultMet
    | Draining
    | RunFinished
)


def placed(event: Event, places: Places) -> Event:
    """
    An event as whoever calls from Python hears it: rows by their own numbers, and where they stand.

    Args:
        event: As a run tells it.
        places: The run's sheets.
    """
    match event:
        case RowStarted() | RowSettled() | RowInDoubt() | RowTested():
            at = places.at(event.row)
            return replace(event, row=at.row, at=at)
        case Planned(left_out=numbers) if numbers:
            rows = tuple(map(places.at, numbers))
            return replace(event, left_out=tuple(one.row for one in rows), at=rows)
        case FaultMet(rows=numbers) if numbers:
            rows = tuple(map(places.at, numbers))
            return replace(event, rows=tuple(one.row for one in rows), at=rows)
        case _:
            return event
