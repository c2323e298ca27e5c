"""
A small Flow Service in memory, as the innermost ring of a lane, and the bench that runs jobs on it.

Under virtual time it behaves as the contract says: the same body twice makes two objects, what was sent
may be applied at once, late or never, a listing lags, and whether an answer comes back is another matter
than whether the request was applied. Every request is held to the description of the service. A `Bomb`
ends a process hard at any of its side effects.
"""

import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import partial
from math import inf
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

import anyio
import orjson
from hypothesis import settings

from batchconnect.lane.lane import Lane, Limits
from batchconnect.lane.planner import KeyChoice, Rules
from batchconnect.lane.reconciler import Policy
from batchconnect.ledger.entry import UNDO, Doubted, Line, RunOpened
from batchconnect.ledger.group_commit import InPlace
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_state import RunState, fold_run
from batchconnect.ledger.run_writer import Clock, RunWriter
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model.event import Event
from batchconnect.model.identity import CONNECTION_SPEC_ID, find_marker
from batchconnect.model.org import Org
from batchconnect.model.outcome import Created, Existing, Status, status_of
from batchconnect.model.secret import Secret
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.model.value import names_of
from batchconnect.run.batch import Batch
from batchconnect.run.job import Bounds, Job, Tests
from batchconnect.run.rerun.past import look_back
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task
from batchconnect.run.undo.choice import run_to_undo
from batchconnect.run.undo.undo import check_agreed
from batchconnect.run.undo.undo_plan import UndoPlan, look, plan_undo
from batchconnect.run.undo.undo_run import UndoJob, UndoRun
from batchconnect.sheet.memory import MemorySheet
from batchconnect.transport.interface import (
    LEASE_OVER,
    Permit,
    Purpose,
    Request,
    Response,
    StoppedError,
    TransportError,
    always,
)
from batchconnect.validation.connection import BaseConnection, parse
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import References
from tests.contract.messages import hold

EPOCH_S = 1_800_000_000
"""Unix time at which every virtual clock begins."""
HOST = "platform.test"
CANARY = "canary~secret-"
"""Every key of every row begins so: it must be found nowhere."""


def org(key: str, **changes: Any) -> Org:
    """An org with a ready token and a known pace, so that a test sees no request but its own."""
    return replace(
        Org(
            key=key,
            org_id=f"{key.upper():0<24}@AdobeOrg",
            client_id=f"client-{key}",
            access_token=Secret(f"fake-token-{key}"),
            platform_url=f"https://{HOST}",
            rate=50.0,
        ),
        **changes,
    )


ACME, BETA = org("acme"), org("beta")


def cells(number: int, org: str = "acme", sandbox: str = "prod", **changes: str) -> dict[str, str]:
    """One row of a sheet as a program hands it in."""
    return {
        "name": f"Connection {number}",
        "description": "",
        "endpoint": f"https://cluster{number}.westeurope.kusto.windows.net",
        "database": "telemetry",
        "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "servicePrincipalId": f"0d1ff3c1-7c0a-4b0e-9d7e-{number:012d}",
        "servicePrincipalKey": f"{CANARY}{number:04d}",
        "org": org,
        "sandbox": sandbox,
        **changes,
    }


def judged(
    row: Mapping[str, str] | None = None, orgs: Iterable[Org] = (ACME, BETA)
) -> BaseConnection:
    """A valid row, parsed as a run would."""
    sheet = MemorySheet([row or cells(1)])
    connection = parser(sheet, orgs)(next(sheet.rows()))
    assert isinstance(connection, BaseConnection), connection
    return connection


def parser(sheet: MemorySheet, orgs: Iterable[Org]) -> Any:
    """`connection.parse` with everything but the row handed in."""
    return partial(
        parse,
        header=sheet.header,
        orgs=OrgRegistry(orgs),
        org=None,
        sandbox=None,
        references=References(allow=False, refs_dir=None, environ={}),
    )


async def nothing_to_look_up(connection: BaseConnection) -> BaseConnection:
    """Every key stands in its cell."""
    return connection


# The service ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request: applied or not, shown when, answered how. All chosen apart."""

    applied_s: float | None = 0.0
    """Seconds from its arrival until it is applied; None: never."""
    shown_s: float = 0.0
    """Seconds from its being applied until listings show it."""
    answered_s: float = 0.01
    """Seconds from its arrival until it is answered."""
    answer: Response | TransportError | None = None
    """None: the right answer."""


OK = Fate()


def lost(*, applied_s: float | None = 0.0, shown_s: float = 0.0, answered_s: float = 0.5) -> Fate:
    """The answer never arrives: the connection breaks instead."""
    return Fate(
        applied_s=applied_s,
        shown_s=shown_s,
        answered_s=answered_s,
        answer=TransportError("connection_lost", sent=True),
    )


def refused(status: int, body: Mapping[str, object] | None = None, **headers: str) -> Fate:
    """An answer of this status, and nothing is applied."""
    answer = Response(
        status=status, headers=headers, body=b"" if body is None else orjson.dumps(body)
    )
    return Fate(applied_s=None, answer=answer)


def flow_error(code: str) -> Fate:
    """Flow Service's own error, as `1308-400`."""
    status = int(code[-3:])
    body = {"type": f"https://ns.adobe.com/aep/errors/FLOW-{code}", "title": "No", "status": status}
    return refused(status, body)


DENIED = refused(403, {"error_code": "403025", "message": "Profile is not valid"})


@dataclass(slots=True, kw_only=True)
class Stored:
    """One connection of the service; it exists from *applied_at* on, listings show it from *shown_at*."""

    id: str
    marker: str | None
    org_id: str
    sandbox: str
    name: str
    description: str
    params: dict[str, str]
    applied_at: float
    shown_at: float
    etag: str = '"e"'
    client_id: str = ""
    """Of who changed it last."""
    state: str | None = None
    users: int = 0
    """Source connections that use it."""
    updated_at: float = 0.0
    late: list[tuple[float, str, dict[str, str]]] = field(default_factory=list)
    """Updates that are on their way: when they are applied, for which etag, and to what."""
    going_at: float = inf
    """From when on a delete is under way."""

    def change(self, client_id: str, **params: str) -> None:
        """Somebody changes it now."""
        self.params |= params
        self.etag = f'"{self.etag[1:-1]}+"'
        self.client_id, self.updated_at = client_id, anyio.current_time()

    gone_at: float = inf

    def is_there(self, at: float) -> bool:
        """Whether it is not gone by then; what nobody deletes is there for ever."""
        return at < self.gone_at or self.gone_at == inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that arrived."""

    at: float
    purpose: Purpose
    org_id: str
    sandbox: str
    marker: str | None
    path: str


Chooser = Callable[[Seen], Fate | None]


class FakeService:
    """
    Flow Service in memory.

    Args:
        choose: Decides the fate of each request; None, or no chooser: it is served well.
        hidden: Names of `auth.params` that listings do not show, beside the key.
    """

    def __init__(self, choose: Chooser | None = None, *, hidden: Iterable[str] = ()) -> None:
        self.choose: Chooser = choose or (lambda _seen: None)
        self.hidden = {"servicePrincipalKey", *hidden}
        self.seen: list[Seen] = []
        self.stored: list[Stored] = []
        self.denied: dict[str, Fate] = {}
        """By org id, or (org id + "/" + sandbox): every request meets this fate."""
        self.on_effect: Callable[[str], None] = lambda _point: None
        """Told of each side effect, before and after; a bomb raises here."""
        self.ledger: SqliteLedger | None = None
        """Of the process that sends: it must have heard of every create before."""
        self.unheard: list[str | None] = []
        """Markers of creates and deletes that arrived without an open intent in that ledger."""
        self.finalizing_s = 0.0
        """How long a deleted connection is `delete-finalizing`."""
        self.bad_keys: set[str] = set()
        """Keys that their sources do not accept."""
        self.takes_one_key = True
        """False: it knows no path to a single parameter, so that all of them have to be sent."""
        self.keeps_order = True
        """False: it lists the newest first, whatever it is asked for."""

    # What a test asks

    @property
    def posts(self) -> list[Seen]:
        """Every create that arrived."""
        return [seen for seen in self.seen if seen.purpose is Purpose.CREATE]

    @property
    def deletes(self) -> list[Seen]:
        """Every delete that arrived."""
        return [seen for seen in self.seen if seen.purpose is Purpose.DELETE]

    @property
    def updates(self) -> list[Seen]:
        """Every update that arrived."""
        return [seen for seen in self.seen if seen.purpose is Purpose.UPDATE]

    def reads(self, org: Org) -> list[Seen]:
        """Every read of an org that arrived."""
        return [s for s in self.seen if s.purpose is Purpose.READ and s.org_id == org.org_id]

    def existing(self, now: float | None = None) -> list[Stored]:
        """What exists by now, or at a moment."""
        for stored in self.stored:
            self._apply_what_is_due(stored)
        at = anyio.current_time() if now is None else now
        return [one for one in self.stored if one.applied_at <= at and one.is_there(at)]

    def twice(self) -> list[str | None]:
        """Markers that more than one connection bears, or will."""
        # Not through `existing`: it is asked between two lives of a story, without a clock.
        borne = Counter(stored.marker for stored in self.stored if stored.is_there(inf))
        return [marker for marker, times in borne.items() if marker is not None and times > 1]

    def plant(self, row: BaseConnection, **changes: Any) -> Stored:
        """A connection that stands there already, as somebody else, or an earlier run, made it."""
        body = {
            "name": row.name,
            "description": row.description,
            "auth": {"params": {c.value: part for c, part in zip(TARGET_COLUMNS, row.target, strict=True)}},
        }  # fmt: skip
        stored = self._store(row.org.org_id, row.sandbox, body, OK)
        for name, value in changes.items():
            setattr(stored, name, value)
        stored.marker = find_marker(stored.description)
        return stored

    # The ring

    async def send(self, request: Request) -> Response:
        """As the wire does."""
        hold(request)
        if not request.permit():
            raise StoppedError(LEASE_OVER)
        seen = _seen(request)
        self.on_effect(f"before {request.purpose}")
        self.seen.append(seen)
        if seen.marker is not None and self.ledger is not None:
            intent = self.ledger.states_of([seen.marker]).get(seen.marker)
            if intent is None or not intent.is_sent:
                self.unheard.append(seen.marker)
        fate = (
            self.denied.get(seen.org_id)
            or self.denied.get(f"{seen.org_id}/{seen.sandbox}")
            or self.choose(seen)
            or OK
        )
        made = None
        if request.purpose is Purpose.DELETE:
            fate = self._delete(seen, fate)
        if request.purpose is Purpose.UPDATE:
            fate = self._update(seen, request, fate)
        if request.purpose is Purpose.CREATE and fate.applied_s is not None:
            made = self._store(seen.org_id, seen.sandbox, orjson.loads(request.body or b""), fate)
        self.on_effect(f"after {request.purpose}")
        await anyio.sleep(fate.answered_s)
        self.on_effect(f"answer {request.purpose}")
        if isinstance(fate.answer, TransportError):
            answer = fate.answer
            raise TransportError(answer.code, sent=answer.sent, permanent=answer.permanent)
        if fate.answer is not None:
            return fate.answer
        if made is not None:
            body = orjson.dumps({"id": made.id, "etag": made.etag})
            return Response(status=201, headers={"x-request-id": "req"}, body=body)
        if request.purpose is Purpose.DELETE:
            return Response(status=202 if self.finalizing_s else 204, headers={}, body=b"")
        return self._read(seen, urlsplit(request.url).query)

    def _update(self, seen: Seen, request: Request, fate: Fate) -> Fate:
        """Change a connection, now or later, if it is still as the etag says; and what is answered."""
        name = seen.path.rpartition("/")[2]
        (operation,) = orjson.loads(request.body or b"")
        found = [one for one in self.existing() if one.id == name]
        if not found:
            return replace(fate, answer=fate.answer or _not_found(name))
        (stored,) = found
        if self.ledger is not None and not (
            (state := self.ledger.states_of([stored.marker or ""]).get(stored.marker or ""))
            and state.change
        ):
            self.unheard.append(stored.marker)
        path, value = operation["path"], operation["value"]
        if path != "/auth/params" and not self.takes_one_key:
            return replace(flow_error("1455-400"), answered_s=fate.answered_s)
        params = value if path == "/auth/params" else {path.rpartition("/")[2]: value}
        whole = path == "/auth/params"
        if_match = request.headers["If-Match"]
        if fate.applied_s is None:
            return fate
        if if_match != stored.etag:
            return replace(fate, answer=fate.answer or flow_error("1404-412").answer)
        if fate.applied_s > 0:
            stored.late.append((anyio.current_time() + fate.applied_s, if_match, params))
            return fate
        self._apply(stored, params, whole=whole)
        body = orjson.dumps({"id": stored.id, "etag": stored.etag})
        return replace(fate, answer=fate.answer or Response(status=200, headers={}, body=body))

    def _apply(self, stored: Stored, params: dict[str, str], *, whole: bool = False) -> None:
        if whole:
            stored.params.clear()  # what is left out is dropped
        stored.change(_client_of(stored.org_id), **params)

    def _apply_what_is_due(self, stored: Stored) -> None:
        at = anyio.current_time()
        for due, etag, params in [one for one in stored.late if one[0] <= at]:
            stored.late.remove((due, etag, params))
            if etag == stored.etag:
                self._apply(stored, params)

    def _delete(self, seen: Seen, fate: Fate) -> Fate:
        """Take a connection away, now or later; what is answered where it cannot be."""
        now = anyio.current_time()
        found = [one for one in self.existing(now) if one.id == seen.path.rpartition("/")[2]]
        for one in found:
            intent = self.ledger.states_of([one.marker or ""]) if self.ledger is not None else {}
            if self.ledger is not None and not (intent and intent[one.marker or ""].change):
                self.unheard.append(one.marker)
            if one.users:
                return flow_error("1418-400")
            if fate.applied_s is not None:
                one.going_at = min(one.going_at, now + fate.applied_s)
                one.gone_at = min(one.gone_at, one.going_at + self.finalizing_s)
        if not found and fate.answer is None:
            return replace(fate, answer=_not_found(seen.path.rpartition("/")[2]))
        return fate

    def _store(self, org_id: str, sandbox: str, body: Mapping[str, Any], fate: Fate) -> Stored:
        at = anyio.current_time() + (fate.applied_s or 0.0)
        stored = Stored(
            id=str(uuid5(UUID(int=0), str(len(self.stored)))),
            marker=find_marker(body["description"]),
            org_id=org_id,
            sandbox=sandbox,
            name=body["name"],
            description=body["description"],
            params=dict(body["auth"]["params"]),
            applied_at=at,
            shown_at=at + fate.shown_s,
            client_id=_client_of(org_id),
        )
        self.stored.append(stored)
        return stored

    def _read(self, seen: Seen, query: str) -> Response:
        now = anyio.current_time()
        name = seen.path.rpartition("/")[2]
        mine = [s for s in self.existing() if (s.org_id, s.sandbox) == (seen.org_id, seen.sandbox)]
        if name == "sourceConnections":
            asked_for = parse_qs(query)["property"][0].removeprefix("baseConnectionId==")
            users = sum(stored.users for stored in mine if stored.id == asked_for)
            return self._answer({"items": [{"id": str(n)} for n in range(users)]})
        if name in {"test", "explore"}:
            of = seen.path.split("/")[-2]
            return self._ask_source(name, [stored for stored in mine if stored.id == of])
        if name != "connections":
            one = [self._item(stored) for stored in mine if stored.id == name]
            return self._answer({"items": one}) if one else _not_found(name)
        asked = parse_qs(query)
        shown = [self._item(stored) for stored in reversed(mine) if stored.shown_at <= now]
        if "count" in asked:
            return self._answer({"count": len(shown)})
        if asked.get("orderby") == ["createdAt"] and self.keeps_order:
            shown.reverse()
        start = int(asked.get("continuationToken", ["0"])[0])
        end = start + int(asked["limit"][0])
        links = {}
        if end < len(shown):
            links = {"next": {"href": f"/connections?continuationToken={end}"}}
        return self._answer({"items": shown[start:end], "_links": links})

    def _ask_source(self, what: str, found: list[Stored]) -> Response:
        if not found:
            return _not_found(what)
        is_bad = found[0].params.get("servicePrincipalKey") in self.bad_keys
        if what == "test":
            return self._answer({"result": not is_bad})
        if is_bad:
            text = "AADSTS7000215: Invalid client secret provided."
            body = {
                "type": "https://ns.adobe.com/aep/errors/FLOW-1308-400",
                "title": "Bad Request",
                "status": 400,
                "report": {"detailed-message": text},
            }
            return Response(status=400, headers={}, body=orjson.dumps(body))
        return self._answer({"items": []})

    def _item(self, stored: Stored) -> dict[str, Any]:
        params = {key: text for key, text in stored.params.items() if key not in self.hidden}
        return {
            "id": stored.id,
            "createdAt": round((EPOCH_S + stored.applied_at) * 1000),
            "sandboxName": stored.sandbox,
            "imsOrgId": stored.org_id,
            "name": stored.name,
            "description": stored.description,
            "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": "1.0"},
            "auth": {"params": params},
            "etag": stored.etag,
            "updatedClient": stored.client_id,
            "updatedAt": round((EPOCH_S + max(stored.applied_at, stored.updated_at)) * 1000),
            **self._state(stored),
        }

    def _state(self, stored: Stored) -> dict[str, str]:
        if stored.going_at <= anyio.current_time():
            return {"state": "delete-finalizing"}
        return {"state": stored.state} if stored.state else {}

    def _answer(self, body: Mapping[str, object]) -> Response:
        date = formatdate(EPOCH_S + anyio.current_time(), usegmt=True)
        return Response(status=200, headers={"date": date}, body=orjson.dumps(body))


def _client_of(org_id: str) -> str:
    """Of the bench's orgs."""
    return f"client-{org_id.partition('@')[0].rstrip('0').lower()}"


def _not_found(name: str) -> Response:
    body = {"errorMessage": f"connections not found with id = [{name}]"}
    return Response(status=404, body=orjson.dumps(body))


def _seen(request: Request) -> Seen:
    marker = None
    if request.purpose is Purpose.CREATE:
        marker = find_marker(orjson.loads(request.body or b"")["description"])
    return Seen(
        at=anyio.current_time(),
        purpose=request.purpose,
        org_id=request.headers["x-gw-ims-org-id"],
        sandbox=request.headers["x-sandbox-name"],
        marker=marker,
        path=urlsplit(request.url).path,
    )


# The process ----------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone: no `except Exception` sees it, and nothing may be written after it."""


def deaths(points: Sized, *, first: int = 1, every: int = 1) -> range:
    """
    Numbers of the side effects at which a process ends in turn: all of them, or as many as are asked for.

    The fast lane tries each thirty-third of them, as of the examples of every property.
    """
    return range(first, len(points) + 1, max(every, 100 // settings().max_examples))


class Bomb:
    """
    Ends a process at the N-th of its side effects.

    Args:
        at: Number of the point, from 1; None: never, it only counts.
    """

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.points: list[str] = []
        self.is_dead = False

    def __call__(self, point: str) -> None:
        if self.is_dead:
            raise Crash
        if point.endswith("read"):
            return  # no side effect
        self.points.append(point)
        if len(self.points) == self.at:
            self.is_dead = True
            raise Crash


class MortalLedger(SqliteLedger):
    """A ledger whose process may die before or after any commit; a dead one writes nothing more."""

    def __init__(self, path: str = MEMORY) -> None:
        super().__init__(path, host=HOST)
        # The operating system closes what a dead process held.
        weakref.finalize(self, self._db.close)
        self.on_effect: Callable[[str], None] = lambda _point: None

    def append(self, lines: Sequence[Line]) -> int:
        """As `Ledger.append`, between two points."""
        self.on_effect("before commit")
        last = super().append(lines)
        self.on_effect("after commit")
        return last


@dataclass(slots=True, kw_only=True)
class Bench:
    """Everything that a run needs, small and behaving: one service, one machine, one ledger."""

    service: FakeService = field(default_factory=FakeService)
    ledger: SqliteLedger = field(default_factory=MortalLedger)
    orgs: Sequence[Org] = (ACME, BETA)
    policy: Policy = field(default_factory=Policy)
    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    boot_id: str = "boot"
    events: list[Event] = field(default_factory=list)
    on_event: Callable[[Event], None] = lambda _event: None
    lanes: dict[str, Lane] = field(default_factory=dict)
    """Of the last run."""

    @property
    def clock(self) -> Clock:
        """Both clocks from virtual time."""
        return Clock(
            now_ms=lambda: round((EPOCH_S + anyio.current_time()) * 1000),
            monotonic_s=anyio.current_time,
            boot_id=self.boot_id,
        )

    def writer(self, run: int = 1) -> RunWriter:
        """A writer for a run that is not a batch's."""
        return RunWriter(InPlace(self.ledger), run=run, clock=self.clock)

    def lane(self, org: Org = ACME, *, permit: Permit = always) -> Lane:
        """A lane with the four rings, the service in the place of the wire."""
        return Lane(
            org,
            self.service,
            limits=self.limits,
            slots=anyio.CapacityLimiter(self.limits.concurrency),
            rng=Random(0),
            on_event=self.hear,
            permit=permit,
        )

    def hear(self, event: Event) -> None:
        """Keep the event, and tell it on."""
        self.events.append(event)
        self.on_event(event)

    def job(
        self,
        sheet: MemorySheet,
        *,
        parent: str | None = None,
        task: Task | None = None,
        **changes: Any,
    ) -> Job:
        """The same command again: it goes on with a run that was not closed; or a rerun of *parent*."""
        clock = self.clock
        task = task or Task(tests=Tests.NONE if parent is None else Tests.CHANGED)
        lane_of = self._lane_of()
        parse = parser(sheet, self.orgs)
        job = Job(
            sheet=sheet,
            parse=parse,
            ready=nothing_to_look_up,
            lane_of=lane_of,
            ledger=self.ledger,
            writer=lambda run: RunWriter(InPlace(self.ledger), run=run, clock=clock),
            clock=clock,
            opened=RunOpened(
                run_id=f"run-{sum(1 for _ in self.ledger.runs()) + 1}",
                sheets=(sheet.name,),
                sheet_sha256=sheet.sha256,
                command=task.command,
            ),
            rules=replace(
                self.rules,
                settle_s=self.policy.settle_s,
                creates=task.creates,
                keys=task.keys,
            ),
            policy=self.policy,
            tests=task.tests,
            on_event=self.hear,
            stop=Stop(),
            holding=lambda _secret: _nothing(),
        )
        past = look_back(self.ledger, sheet, parse, opened=job.opened, parent=parent, scanner=None)
        if past.chain is not None:
            rules = replace(job.rules, keys=KeyChoice(markers=past.chain.failing))
            job = replace(job, carry_over=past.chain.carry_over, gone=past.chain.gone, rules=rules)
        found = {
            "opened": replace(job.opened, parent_run_id=past.parent),
            "resumed": past.resumed,
            "identified": past.identified,
        }
        return replace(job, **{**found, **changes})

    def _lane_of(self) -> Callable[[str], Lane]:
        """The lanes of one process."""
        slots = anyio.CapacityLimiter(self.limits.concurrency)
        lanes: dict[str, Lane] = {}
        self.lanes = lanes

        def lane_of(key: str) -> Lane:
            if key not in lanes:
                found = next(org for org in self.orgs if org.key == key)
                lanes[key] = Lane(
                    found, self.service, limits=self.limits, slots=slots, rng=Random(0),
                    on_event=self.hear,
                )  # fmt: skip
            return lanes[key]

        return lane_of

    async def run(
        self, rows: Sequence[Mapping[str, object]] | MemorySheet, **changes: Any
    ) -> RunState:
        """Run a sheet to its end."""
        sheet = rows if isinstance(rows, MemorySheet) else MemorySheet(rows)
        bounds = Bounds(**{name: changes.pop(name) for name in names_of(Bounds) if name in changes})
        job = self.job(sheet, bounds=bounds, **changes)
        self.service.ledger = self.ledger
        return await Batch(job).run()

    async def run_until_crash(
        self,
        rows: Sequence[Mapping[str, object]],
        bomb: Bomb,
        *,
        after_s: float | None = None,
        **changes: Any,
    ) -> bool:
        """
        Run a sheet in a process that the bomb, or the time, may end.

        Returns:
            Whether it came to its end.
        """
        return await self.until_crash(partial(self.run, rows, **changes), bomb, after_s=after_s)

    async def until_crash(
        self,
        work: Callable[[], Awaitable[object]],
        bomb: Bomb,
        *,
        after_s: float | None = None,
    ) -> bool:
        """Do something in a process that the bomb, or the time, may end; whether it came to its end."""
        assert isinstance(self.ledger, MortalLedger)
        self.ledger.on_effect = self.service.on_effect = bomb

        async def kill() -> None:
            await anyio.sleep(after_s or float("inf"))
            bomb.is_dead = True
            raise Crash

        try:
            async with anyio.create_task_group() as process:
                process.start_soon(kill)
                await work()
                process.cancel_scope.cancel()
        except BaseException as error:
            if not bomb.is_dead or not _is_crash(error):
                raise
        finally:
            self.ledger.on_effect = self.service.on_effect = lambda _point: None
        return not bomb.is_dead

    async def plan_undo(self, run_id: str = "run-1") -> UndoPlan:
        """What an undo would do."""
        run = run_to_undo(self.ledger, run_id, host=HOST, simulated=False)
        plan = plan_undo(self.ledger, run, OrgRegistry(self.orgs))
        if plan.agreed is None:
            await look(plan, self._lane_of())
        return plan

    async def undo(
        self, agreed: int, *, run_id: str = "run-1", stop: Stop | None = None
    ) -> RunState | None:
        """The command with `--yes N`; None: there is nothing left to delete."""
        plan = await self.plan_undo(run_id)
        if not plan.has_work:
            return None
        check_agreed(plan, agreed)
        return await self.carry_out(plan, stop=stop)

    async def carry_out(self, plan: UndoPlan, *, stop: Stop | None = None) -> RunState:
        """Undo what was agreed on."""
        clock = self.clock
        self.service.ledger = self.ledger
        job = UndoJob(
            plan=plan,
            ledger=self.ledger,
            writer=lambda run: RunWriter(InPlace(self.ledger), run=run, clock=clock),
            clock=clock,
            opened=replace(
                plan.run.opened,
                run_id=f"run-{sum(1 for _ in self.ledger.runs()) + 1}",
                parent_run_id=plan.run.opened.run_id,
                command=UNDO,
            ),
            lane_of=self._lane_of(),
            settle_s=self.policy.settle_s,
            on_event=self.hear,
            stop=stop or Stop(),
        )
        return await UndoRun(job).run()

    # What a test asks

    def states(self) -> list[RunState]:
        """Every run, newest first."""
        return [fold_run(lines) for _number, _opened, lines in self.ledger.runs()]

    def rows(self, state: RunState) -> list[RowState]:
        """The run's rows as a report shows them."""
        return list(state.rows(self.ledger.row_lines(state.number)))

    def statuses(self, state: RunState) -> list[Status]:
        """One status per row, in the sheet's order."""
        return [status_of(row.shown) for row in self.rows(state)]

    def codes(self, state: RunState) -> list[str]:
        """The code of each row's outcome, "" where it has none."""
        return [getattr(row.shown, "code", "") for row in self.rows(state)]

    def heard(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def lines(self, kind: type[Any]) -> list[Line]:
        """All lines of one kind, of rows of every run."""
        return [
            line
            for number, _, _ in self.ledger.runs()
            for line in self.ledger.row_lines(number)
            if isinstance(line.entry, kind)
        ]

    def doubts(self) -> list[Doubted]:
        """Every doubt that was written."""
        return [line.entry for line in self.lines(Doubted) if isinstance(line.entry, Doubted)]

    def broken_promises(self, state: RunState, rows: int | None) -> list[str]:
        """What of "no row twice, no row lost" does not hold; [] is well."""
        broken = [f"twice: {marker}" for marker in self.service.twice()]
        shown = self.rows(state)
        ids = {stored.id for stored in self.service.existing()}
        bearers = {stored.id: stored.marker for stored in self.service.existing()}
        for row in shown:
            match row.shown:
                case Created(connection_id=made) | Existing(connection_id=made):
                    if made not in ids:
                        broken.append(f"row {row.number}: {made} does not exist")
                    elif row.marker not in {bearers[made], None}:
                        broken.append(f"row {row.number}: {made} is another row's")
                case _:
                    pass
        if rows is not None and len({row.number for row in shown}) != rows:
            broken.append(f"{len(shown)} rows in the report, {rows} in the sheet")
        broken += [f"no intent: {marker}" for marker in self.service.unheard]
        if CANARY in self.dump():
            broken.append("a key stands in the ledger")
        return broken

    def dump(self) -> str:
        """Every byte of the ledger that is a text."""
        return "\n".join(self.ledger._db.iterdump())


def _is_crash(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_crash(inner) for inner in error.exceptions)
    return isinstance(error, Crash)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
