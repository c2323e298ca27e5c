"""
Failures grouped by cause, not by row: 400 rows with one expired secret are one incident.

What stopped a lane, a throttled lane, an unlistable sandbox are causes of their org; what is wrong with
a row (its cells, its credentials, its name) is the same cause in whichever org it is met. An error of
our own is known by its type and place, and counts each row that it met, whatever became of it since.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from batchconnect.ledger.entry import Tested
from batchconnect.model.contact import is_of_contact, is_of_the_way
from batchconnect.model.event import BANNED_UNTIL, FaultMet, LaneStopped, Swept
from batchconnect.model.fault import INTERNAL_FAULT, Fault
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Deleted,
    Existing,
    Failed,
    InDoubt,
    NotAttempted,
    Outcome,
    Rejected,
    Status,
    Unchanged,
    Updated,
    Works,
    status_of,
)
from batchconnect.model.remedies import is_titled, look_hint_for, title_for, untested_hint_for
from batchconnect.model.row_place import NOWHERE, Places, own_number
from batchconnect.model.value import Value
from batchconnect.reports.result import WAITING, Advice, errors_of

Title = Callable[[str], str]
"""A code's headline."""

_OF_ORG = frozenset({"lane_stopped", "no_progress", BANNED_UNTIL})
_OF_SANDBOX = frozenset({"sandbox_stopped", "listing_failed"})
_SIGN_IN = frozenset({401, 403})
"""HTTP statuses that speak of the org's credential, not of the row."""
_CONSEQUENCES = frozenset(
    {
        "interrupted",
        "max_rows",
        "max_failures",
        "not_selected",
        "rejected_rows",
        "sheet_unreadable",
    }
)
"""Codes of rows that something else kept from their turn: told last, however many rows they are."""

_DONE = (Created, Existing, Updated, Unchanged, Deleted)
_DUPLICATED = "duplicated"
_MISSING = "missing"


class Incident(Value):
    """One cause, and how many rows it met."""

    code: str
    title: str
    org: str | None
    """None: the cause is in several orgs, or in none."""
    sandbox: str | None
    """Only where the cause is the sandbox's own."""
    rows: int
    """How many; a row with two problems counts in both. 0: an error of our own that met no single row."""
    first_row: int
    """Its number in the sheet; 0 where there is none."""
    hint: str
    status: Status
    """What its rows became; `not_attempted` for what stopped a lane. Of an error of our own `in_doubt`
    where one of its rows is, and nothing else is said by it."""
    works: Works | None = None
    """Of tests of connections: what they said; its rows have their connection. None: it is of no test."""
    fault: Fault | None = None
    """Only of an error of our own: what it was and where."""
    version: str = ""
    """Of batchconnect, when that came up."""
    first: str = ""
    """The first row for a person: `row 12`, or of several sheets `row 12 of b.xlsx#EMEA`."""


class _Cause(Value, kw_only=False):
    """What an incident is known by."""

    status: Status
    code: str
    org: str | None = None
    sandbox: str | None = None
    column: str | None = None
    """Of the sheet: a blank name is another thing to mend than a blank key."""
    title: str = ""
    """The sheet's or the sweep's own headline."""
    service_title: str = ""
    """The service's headline, where the table of hints has none."""
    hint: str = ""
    fault: str = ""
    """The label of an error of our own."""
    works: Works | None = None
    store: str = ""
    """The store of keys that is the cause."""


@dataclass(slots=True)
class _Met:
    cause: _Cause
    first_row: int
    org: str | None
    """The org of all its rows so far; None: there are several."""
    rows: int = 0
    varies: bool = False
    """Whether some of its rows are told in other words: those of the first are an example then."""


def what_to_send(incident: Incident) -> list[str]:
    """The lines that tell us of an error of our own; [] where the incident is none."""
    fault = incident.fault
    if fault is None:
        return []
    return [
        " ".join(filter(None, ["batchconnect", incident.version])),
        fault.label,
        *(f"  {frame}" for frame in fault.trace),
    ]


class Incidents:
    """
    Adds up rows to incidents.

    Args:
        hint: What to do about a code.
        title: A code's headline.
        swept: The last sweep, whose findings are incidents too.
        faults: The errors of our own that came up, each with the version of batchconnect that it came up in.
        places: The run's sheets.
    """

    def __init__(
        self,
        *,
        hint: Advice,
        title: Title,
        swept: Swept | None = None,
        faults: Iterable[tuple[FaultMet, str]] = (),
        places: Places = NOWHERE,
    ) -> None:
        self._places = places
        self._hint = hint
        self._title = title
        self._duplicated = frozenset(swept.duplicated) if swept else frozenset[str]()
        self._missing = frozenset(swept.missing) if swept else frozenset[str]()
        self._found = self._duplicated | self._missing
        self._met: dict[tuple[str | None, ...], _Met] = {}
        self._faults: dict[str, tuple[Fault, str]] = {}
        self._faults_of: dict[int, set[str]] = {}
        """By row: what came up while it was settled."""
        for event, version in faults:
            self._faults.setdefault(event.fault.label, (event.fault, version))
            for row in event.rows:
                self._faults_of.setdefault(row, set()).add(event.fault.label)

    def knows(self, marker: str | None) -> bool:
        """Whether something else than a row's own outcome may be told of it."""
        return marker in self._found or bool(self._faults)

    def add(
        self,
        row: int,
        outcome: Outcome,
        *,
        org: str,
        sandbox: str,
        stop: LaneStopped | None = None,
        marker: str | None = None,
        fault: str = "",
        tested: Tested | None = None,
        key_refusal: Rejected | NotAttempted | None = None,
    ) -> None:
        """Count a row, in the sheet's order, to each of its causes."""
        is_fine = (tested is None or tested.works is Works.YES) and key_refusal is None
        if isinstance(outcome, _DONE) and is_fine and not fault and not self.knows(marker):
            return
        causes = (
            *_causes(outcome, org, sandbox, stop),
            *_of_test(tested),
            *(() if key_refusal is None else _causes(key_refusal, org, sandbox, None)),
            *self._swept(outcome, marker),
            *self._of_ours(row, outcome, stop, fault),
        )
        for cause in causes:
            # What became of a row that a fault of ours met tells nothing of the fault.
            status = None if cause.fault else cause.status
            key = (
                status,
                cause.works,
                cause.code,
                cause.org,
                cause.sandbox,
                cause.column,
                cause.fault,
                cause.store,
            )
            met = self._met.setdefault(key, _Met(cause, first_row=row, org=org))
            met.rows += 1
            met.varies = met.varies or cause.title != met.cause.title
            if cause.fault and cause.status is Status.IN_DOUBT:
                met.cause = cause
            met.org = met.org if met.org == org else None

    def found(self) -> tuple[Incident, ...]:
        """The incidents, those with the most rows first; mere consequences last."""
        told = {met.cause.fault for met in self._met.values()}
        alone = [
            _Met(_of_fault(label, Status.NOT_ATTEMPTED), first_row=0, org=None)
            for label in self._faults
            if label not in told
        ]
        incidents = [self._incident(met) for met in (*self._met.values(), *alone)]
        return tuple(
            sorted(incidents, key=lambda one: (one.code in _CONSEQUENCES, -one.rows, one.first_row))
        )

    def _incident(self, met: _Met) -> Incident:
        cause = met.cause
        fault, version = self._faults.get(cause.fault, (_fault_labelled(cause.fault), ""))
        return Incident(
            code=cause.code,
            title=self._headline(cause, varies=met.varies),
            org=None if cause.fault or _is_of_contact(cause) else met.org or None,
            sandbox=cause.sandbox,
            rows=met.rows,
            first_row=own_number(met.first_row),
            first=self._places.told(met.first_row),
            hint=cause.hint or self._hint(cause.code, cause.status),
            works=cause.works,
            status=cause.status,
            fault=fault,
            version=version,
        )

    def _headline(self, cause: _Cause, *, varies: bool) -> str:
        title = cause.title or self._title(cause.code)
        if varies:
            title = f"for example, {title}"
        if cause.column is not None:
            return f"{cause.column}: {title}"
        # What the service says tells more than that it said something.
        is_own = bool(cause.title) or is_titled(cause.code) or title != title_for(cause.code)
        return title if is_own or not cause.service_title else cause.service_title

    def _swept(self, outcome: Outcome, marker: str | None) -> Iterator[_Cause]:
        if marker in self._duplicated and not isinstance(outcome, Conflict):
            yield _Cause(Status.CONFLICT, _DUPLICATED)
        if marker in self._missing:
            yield _Cause(
                Status.IN_DOUBT,
                _MISSING,
                title="The sweep did not find the connection again",
                hint="The report names a connection that the service no longer lists: look for its id"
                " in Experience Platform, then run the same sheet again.",
            )

    def _of_ours(
        self, row: int, outcome: Outcome, stop: LaneStopped | None, fault: str
    ) -> Iterator[_Cause]:
        labels = {fault, *self._faults_of.get(row, ())}
        if stop is not None and stop.code == INTERNAL_FAULT and not fault:
            labels.add(stop.detail)
        for label in sorted(labels - {""}):
            is_open = isinstance(outcome, InDoubt)
            yield _of_fault(label, Status.IN_DOUBT if is_open else Status.NOT_ATTEMPTED)


def _is_of_contact(cause: _Cause) -> bool:
    return cause.status is Status.NOT_ATTEMPTED and is_of_contact(cause.code)


def _of_test(tested: Tested | None) -> Iterator[_Cause]:
    """Why a connection does not work, or could not be tested; the row has its connection all the same."""
    match tested:
        case Tested(works=Works.NO, code=code):
            yield _Cause(Status.FAILED, code, works=Works.NO)
        case Tested(works=Works.NOT_TESTED, code=code) if is_of_the_way(code):
            hint = look_hint_for(code)
            yield _Cause(Status.NOT_ATTEMPTED, code, hint=hint, works=Works.NOT_TESTED)
        case Tested(works=Works.NOT_TESTED, code=code):
            title, hint = f"Not tested: {title_for(code)}", untested_hint_for(code)
            yield _Cause(Status.IN_DOUBT, code, title=title, hint=hint, works=tested.works)
        case _:
            return


def _of_fault(label: str, status: Status) -> _Cause:
    return _Cause(status, INTERNAL_FAULT, fault=label)


def _fault_labelled(label: str) -> Fault | None:
    """A fault whose own line was lost, by what its rows say of it."""
    kind, _, place = label.partition(" at ")
    return Fault(type=kind, place=place) if label else None


def _causes(outcome: Outcome, org: str, sandbox: str, stop: LaneStopped | None) -> Iterator[_Cause]:
    if stop is not None and stop.code == INTERNAL_FAULT:
        return
    if stop is not None:
        # Not FAILED: advice about a row's cells would be wrong for a whole lane. What lies between this machine
        # and the service is the same cause for all orgs.
        whose = None if is_of_contact(stop.code) else stop.org
        yield _Cause(Status.NOT_ATTEMPTED, stop.code, whose, stop.sandbox, service_title=stop.title)
        return
    status = status_of(outcome)
    match outcome:
        case Created() | Existing() | Updated() | Unchanged() | Deleted():
            return
        case Rejected(problems=problems):
            # One cell with the same trouble twice is one row.
            for error in {
                (problem.code, problem.column): problem for problem in reversed(errors_of(problems))
            }.values():
                yield _Cause(
                    status, error.code, column=error.column, title=error.what, hint=error.remedy
                )
        case Failed(code=code, http_status=http):
            yield _Cause(status, code, org if http in _SIGN_IN else None)
        case NotAttempted() if outcome.store or outcome.code in _OF_ORG | _OF_SANDBOX:
            yield _of_not_attempted(outcome, org, sandbox)
        case _:
            if outcome.code not in WAITING and outcome.code != INTERNAL_FAULT:
                yield _Cause(status, outcome.code)


def _of_not_attempted(outcome: NotAttempted, org: str, sandbox: str) -> _Cause:
    """What kept rows from their turn, and is the same for all of its store, org or sandbox."""
    status, code = Status.NOT_ATTEMPTED, outcome.code
    if outcome.store:
        # Each store once, whatever rows and orgs it met; its own words say what to do.
        return _Cause(status, code, store=outcome.store, title=outcome.detail)
    return _Cause(status, code, org, sandbox if code in _OF_SANDBOX else None)
