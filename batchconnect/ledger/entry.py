"""
The lines of the ledger, as frozen values: what is said before, and after, a request leaves.

A row's way through its entries is the state machine of docs/exactly-once.md:

    RowPlanned -> Sending -> Settled
                     └> Doubted -> Settled | ProvenAbsent -> Sending -> ...

and, of a connection that stands there, from one change to the next:

    RowPlanned -> Updating | Deleting -> Updated | Deleted | Left
                     └> ChangeDoubted -> Updated | Deleted | Left | Updating | Deleting -> ...

An entry holds no secret: a ledger may be copied, mailed and kept.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Final, NamedTuple

from batchconnect.model import outcome as o
from batchconnect.model.event import (
    FaultMet,
    LaneCounted,
    LanePaused,
    LaneStopped,
    PaceChanged,
    Swept,
)
from batchconnect.model.outcome import InDoubt, NotAttempted, Outcome, Problem, Rejected, Works
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.row_place import Places
from batchconnect.model.target import Target
from batchconnect.model.value import Value


class Moment(Value):
    """A point in time that a clock change cannot move, valid for one boot of one machine."""

    boot_id: str
    """Names the boot; "" where the platform has no such name, and then no two moments compare."""
    clock_s: float
    """Seconds of the monotonic clock, which stands still while the machine sleeps."""


ONBOARD: Final = "run"
ROTATE: Final = "rotate"
VERIFY: Final = "verify"
UNDO: Final = "undo"
"""What a run does to its rows: the command that began it."""


class RunOpened(Value):
    """A run begins: one execution over one sheet."""

    run_id: str
    parent_run_id: str | None = None
    sheets: tuple[str, ...]
    """Names of the sheets, as given, with `#tab` behind a workbook's; a row's place is that of its sheet here."""
    sheet_path: str | None = None
    """Absolute path, for `rerun`; None for standard input and rows from Python, and for several sheets."""
    sheet_sha256: str
    carried: tuple[str, ...] = ()
    """Headers of the unknown columns that the reports carry."""
    columns: Mapping[str, int] | None = None
    """Position of each known column in the sheet, for cell addresses in the reports."""
    blank_rows: int = 0
    worksheet: str | None = None
    encoding: str | None = None
    visible_only: bool = False
    """`--visible-only`: rows that nobody sees were left out; a rerun leaves them out too."""
    org: str | None = None
    """`--org`, which filled blank cells; a rerun fills them alike."""
    sandbox: str | None = None
    """`--sandbox`, likewise."""
    note: str = ""
    operator: str = ""
    machine: str = ""
    tool_version: str = ""
    platform_host: str = ""
    simulated: bool = False
    settle_s: float = 180.0
    """What a line without it meant when it was written; no default of today's."""
    command: str = ONBOARD
    """What the run does to the rows: `run` (a rerun too), `rotate`, `verify`, `undo`."""
    choices: Mapping[str, bool | float | str] | None = None
    """On a team ledger: the options, by name, that decide what becomes of a row; whoever joins keeps to them."""
    alone: bool = False
    """On a team ledger: one process works it, for it has a bound that only one can count."""
    sheet_paths: tuple[str | None, ...] = ()
    """Of several sheets the absolute path of each."""
    tabs: tuple[str, ...] = ()
    """Of each sheet the workbook's tab; "" of one without tabs. () in the lines of earlier versions."""
    worksheets: tuple[str, ...] = ()
    """`--worksheet`, where it was given several times."""
    all_worksheets: bool = False
    map: tuple[str, ...] = ()
    """`--map`, with the settings' `[columns]`: what headers mean."""

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of its files, each once, in the order given; () where it was over none."""
        paths = self.sheet_paths or (self.sheet_path,)
        return tuple(dict.fromkeys(path for path in paths if path is not None))

    @property
    def places(self) -> Places:
        """Its sheets, by which a row is told to a person."""
        return Places(self.sheets, self.tabs)


class RunResumed(Value):
    """Another process goes on with an open run; the one before was not closed."""

    operator: str = ""
    machine: str = ""
    tool_version: str = ""
    crashed: bool = True
    """False: the process before said that it was interrupted."""
    alone: bool = False
    """As of `RunOpened`."""


class RunIdentified(Value):
    """Which rows the run is over, written when all of them are accounted for and none is sent."""

    identity: str
    """Hex digest of host, mode, tab, and of each row's number and key in the sheet's order."""
    rows: int
    """How many it is made of."""
    keyless: int = 0
    """Of these, the rejected ones: they have no key, and stand in it with their cells."""
    agreed: int | None = None
    """Of an undo: how many connections a person agreed to have deleted; only the same number goes on with it."""


_target_of = attrgetter(*Target._fields)


class RowPlanned(Value):
    """
    A row of the sheet as the reports show it; no secret is in it.

    It has a field of every column's name (`Column.field`) but the secret one's.
    """

    name: str
    org: str = ""
    org_id: str = ""
    sandbox: str = ""
    endpoint: str = ""
    database: str = ""
    tenant: str = ""
    service_principal_id: str = ""
    carried: tuple[str, ...] = ()
    findings: tuple[Problem, ...] = ()
    """Warnings and notes about its cells."""
    description: str = ""
    """The exact description that is sent, marker included."""

    @property
    def target(self) -> Target:
        """Its parts in one piece; a line of the ledger has them side by side."""
        return Target(*_target_of(self))


class Sending(Value):
    """The intent: from now on the row may have been applied."""

    number: int
    """1 for the first send; above that a resend after proven absence."""
    key: KeyOrigin | None = None
    """Where the key that is sent was looked up; None: it stands in the sheet."""


class Doubted(Value):
    """The answer is unknown since *moment*; the settle window counts from there."""

    outcome: InDoubt
    moment: Moment
    attempts: int = 1
    throttled: int = 0


class ProvenAbsent(Value):
    """Two complete listings after the settle window show no such marker: free to send again."""


class Settled(Value):
    """The row has an outcome. `NotAttempted` is provisional: a resume takes the row up again."""

    outcome: Outcome
    attempts: int = 0
    """Tries of the last send."""
    throttled: int = 0
    warnings: tuple[str, ...] = ()
    """What the plan or the look-up noticed, one sentence each."""
    started_at_ms: int | None = None
    """When the row's first intent was written, UTC; None where nothing was sent."""
    inherited: bool = False
    """Copied from the parent run: a rerun's report covers all rows of the chain."""
    finished_at_ms: int | None = None
    """Only where *inherited*: when the parent settled it. Otherwise the entry's own time."""
    tested: "Tested | None" = None
    """Only where *inherited*: what its last test said."""
    key: KeyOrigin | None = None
    """Only where *inherited*: where the key was looked up that was sent."""


class Updating(Value):
    """The intent to send a row's key to its connection: from now on it may have got it."""

    connection_id: str
    etag: str
    """Of the connection as it stood: the change is applied to that alone."""
    updated_at_ms: int | None = None
    """When it had been changed last, by the service's clock."""
    number: int = 1
    """1 for the first send."""
    key: KeyOrigin | None = None
    """Where the key that is sent was looked up; None: it stands in the sheet."""


class Deleting(Value):
    """The intent to delete a row's connection: from now on it may be gone."""

    connection_id: str


class ChangeDoubted(Value):
    """Whether a change was applied is unknown since *moment*."""

    outcome: InDoubt
    moment: Moment
    attempts: int = 1
    throttled: int = 0


class Updated(Value):
    """The connection has the row's key now."""

    outcome: o.Updated
    attempts: int = 0
    throttled: int = 0


class Deleted(Value):
    """The connection is gone, by our hand; its id is never the row's again."""

    outcome: o.Deleted
    attempts: int = 0
    throttled: int = 0


class Left(Value):
    """A change was not made, or not needed; what is known of the identity stays as it was."""

    outcome: o.Unchanged | o.Kept | o.Failed | o.Conflict | o.NotAttempted | o.Rejected
    attempts: int = 0
    throttled: int = 0


LEFT: Final = (o.Unchanged, o.Kept, o.Failed, o.Conflict, o.NotAttempted, o.Rejected)
"""The outcomes of `Left`."""


class Tested(Value):
    """Whether the source accepted a connection's credentials when it was asked."""

    connection_id: str
    works: Works
    code: str = ""
    """Why not: of the source, as `AADSTS7000215`, or why it could not be asked; "" where it works."""
    detail: str = ""
    at_ms: int | None = None
    """When it was asked; None: when the line was written. A run that takes over a row tells of a test before it."""
    before: Works | None = None
    """What the test before it had said, whichever the run; None: there was none, or another key was sent since."""


class KeyLooked(Value):
    """What a row's store said when it was asked for its key, and nothing was sent; the key itself is dropped."""

    key: KeyOrigin | None = None
    """Where it stands; None: it could not be had."""
    problems: tuple[Problem, ...] = ()
    """Why the store does not give it, or why it can be no key, with the cell; warnings stand beside errors."""
    unanswered: NotAttempted | None = None
    """Why the store gave nothing at all."""

    @property
    def refusal(self) -> Rejected | NotAttempted | None:
        """Why the row would be sent by no run; None: its key is there."""
        if self.unanswered is not None:
            return self.unanswered
        return Rejected(problems=self.problems) if self.key is None and self.problems else None


class LaneTold(Value):
    """What a lane did, for the report's lanes, incidents and charts."""

    event: LanePaused | PaceChanged | LaneStopped | LaneCounted


class RunLane(Value):
    """One lane of a run, as others find it in the ledger."""

    org: str
    """The org's settings key, by which the run's rows name it."""
    host: str
    org_id: str
    client_id: str


class LanesOpened(Value):
    """Which lanes a run on a team ledger has, written when all of its rows are accounted for."""

    lanes: tuple[RunLane, ...]


class LaneTaken(Value):
    """A worker took one of a run's lanes, under a lease."""

    org: str
    worker: str
    machine: str = ""


class LaneClosed(Value):
    """All that a run had to do in a lane is done, by the word of whoever held it then, and of nobody else."""

    org: str
    resumes: int = 0
    """How often the run had been resumed: a resume takes its lanes up again."""
    is_refused: bool = False
    """Whether the service refused it as a whole."""
    had_rows: bool = True
    """Whether there was anything to do."""


class SweepDone(Value):
    """The sweep's result."""

    event: Swept


class FaultFound(Value):
    """An error of our own, once for each kind of it; its rows name it in their outcome."""

    event: FaultMet


class RunEnded(Value):
    """The process ends in good order."""

    exit_code: int
    closed: bool = True
    """False: interrupted, so the same command goes on under the same run id."""
    reason: str = ""
    """Why rows without an outcome have none: `interrupted`, `terminated`, `max_rows`, `max_failures`,
    `rejected_rows`, `ledger`; "" where only lanes were stopped, or nothing was."""


Entry = (
    RunOpened
    | RunResumed
    | RunIdentified
    | RowPlanned
    | Sending
    | Doubted
    | ProvenAbsent
    | Settled
    | Updating
    | Deleting
    | ChangeDoubted
    | Updated
    | Deleted
    | Left
    | Tested
    | KeyLooked
    | LaneTold
    | LanesOpened
    | LaneTaken
    | LaneClosed
    | SweepDone
    | FaultFound
    | RunEnded
)


class Line(NamedTuple):
    """One entry with its place in the ledger. A tuple: a row has three of them, and there are millions."""

    entry: Entry
    run: int = 0
    """Number of the run's own `RunOpened` line; 0 until that is written."""
    row: int | None = None
    """The row's number in the sheet."""
    marker: str | None = None
    """The row's identity; None for a rejected row and for lines about the whole run."""
    at_ms: int = 0
    """Wall clock, UTC, milliseconds since 1970; for people, never for a window."""
