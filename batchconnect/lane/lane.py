"""
One lane: everything that shares one limit and one token, as one stack of rings and one breaker.

The order of the rings is behaviour. From the outside in: retry (waits without holding a slot),
authorize (a second try after a 401 pays too), pace (every attempt pays the toll), sign (a token is as
fresh as its request), wire.
"""

from collections.abc import Callable, Set as AbstractSet
from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from typing import Final, TypeVar
from urllib.parse import urlsplit

import anyio

from batchconnect.flow_service import FlowService, NotFound, Sent, Spec, Unreadable
from batchconnect.flow_service.answer import (
    ObjectCreated,
    OrgLevel,
    Refused,
    StopScope,
    Unknown,
    is_congestion,
    is_stale_token,
    is_throttled,
)
from batchconnect.flow_service.breaker import Breaker
from batchconnect.flow_service.change import DeleteAnswer, SentChange, UpdateAnswer
from batchconnect.flow_service.completeness import UNPROVEN
from batchconnect.flow_service.listing import (
    Found,
    Listing,
    ListingFault,
    ReadItem,
    read_item,
)
from batchconnect.flow_service.source import Column, Refusal, Table
from batchconnect.lane.client_secret import looked_up
from batchconnect.ledger.interface import LaneKey
from batchconnect.model.contact import is_of_contact, may_pass
from batchconnect.model.defaults import CONCURRENCY, PATIENCE_S
from batchconnect.model.event import (
    BANNED_UNTIL,
    Event,
    LaneCounted,
    LanePaused,
    LaneStopped,
    NotReached,
    PageRead,
)
from batchconnect.model.fault import INTERNAL_FAULT
from batchconnect.model.org import Org
from batchconnect.model.reference import Resolver
from batchconnect.model.remedies import NOT_ADOBES, title_for
from batchconnect.model.value import Value, field, replace
from batchconnect.transport.ims import NO_TOKEN, Authorized, Signed, Token
from batchconnect.transport.interface import (
    WRITES,
    Permit,
    Purpose,
    Response,
    Transport,
    TransportError,
    always,
)
from batchconnect.transport.load import Signal
from batchconnect.transport.pace import RateLimiter
from batchconnect.transport.rate_limit import RateLimited
from batchconnect.transport.retry import (
    NO_PROGRESS,
    Patience,
    Retrying,
    RetryPolicy,
    not_applied,
    passing,
)
from batchconnect.transport.stop import StopSignal
from batchconnect.validation.connection import BaseConnection

_ChangeAnswer = TypeVar("_ChangeAnswer")

DOUBTS_IN_A_ROW: Final = 10
"""Answers in doubt, one after the other, that make a lane pause and then try one row at a time."""
_OUTAGE_PAUSE_S: Final = 5.0
"""Seconds of that pause; it doubles with each row that is tried in vain, up to the longest."""
_LONGEST_OUTAGE_PAUSE_S: Final = 120.0
_AHEAD_S: Final = 0.25
"""Seconds of the pace for which rows begin ahead: the time of a few durable commits."""
_LEAST_AHEAD: Final = 2
"""Rows that begin ahead, however slow the pace: the next one waits behind the one that is out."""
_ERRORS: Final = 400
"""Statuses below it say nothing against the load."""
LEDGER_FAILED: Final = "ledger"
"""Code of a stop because what the lane did could not be written down."""
LEDGER_GONE: Final = "ledger_gone"
"""Likewise, because the ledger or its lock is no longer where it was: somebody else may hold another one."""
LEASE_LOST: Final = "lease_lost"
"""Likewise, because another worker of the team holds the lane, or may; there the lane goes on."""
SOMEBODY_ELSE: Final = "somebody_else"
"""Code of a stop because others create the same rows."""
NO_REFUSAL: Final = frozenset(
    {
        NO_PROGRESS,
        LEDGER_FAILED,
        LEDGER_GONE,
        LEASE_LOST,
        SOMEBODY_ELSE,
        "listing_failed",
        UNPROVEN,
        "sheet_changed",
        INTERNAL_FAULT,
    }
)
"""Codes of a stop that was not the service's word: trying again may well help."""


def is_refusal(code: str) -> bool:
    """Whether a stop was the service's word, or that of who answers in its place: a person has to act first."""
    return code not in NO_REFUSAL and not may_pass(code)


class Limits(Value):
    """What bounds every lane of a run."""

    concurrency: int = CONCURRENCY
    """Requests in flight over all lanes."""
    patience_s: float = PATIENCE_S
    """How long a lane may go without a normal answer."""
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Lane:
    """
    One org's way to the service.

    Args:
        org: Whose credential, hosts and rate.
        wire: The innermost ring.
        limits: Bounds of every lane.
        slots: Requests in flight, shared by all lanes.
        rng: Draws the jitter.
        on_event: Told of pauses, changes of pace, and the stop.
        now: The time of day, to say until when the service is to be left alone.
        secrets: Looks up a client secret that a store holds.
        permit: Whether what changes anything may leave now; on a team ledger, as long as the lease runs.
        time_s: The running loop's clock. anyio's looks for the loop each time, which is as much as a row costs
            elsewhere in ten places.
    """

    def __init__(
        self,
        org: Org,
        wire: Transport,
        *,
        limits: Limits,
        slots: anyio.CapacityLimiter,
        rng: Random,
        on_event: Callable[[Event], None] = lambda event: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        secrets: Resolver | None = None,
        permit: Permit = always,
        time_s: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._now = now
        self.time_s = time_s
        """The clock that all of the lane goes by, seconds."""
        self.org = org
        self.host = urlsplit(org.platform_url).hostname or ""
        self.key = LaneKey(self.host, org.org_id, org.client_id)
        """Its name in the ledger."""
        self.on_change: Callable[[], None] = lambda: None
        """Told when the lane stops or halts."""
        self.on_admitted: Callable[[], None] = lambda: None
        """Told when a request leaves, so that another row may begin."""
        self.is_halted = False
        """Whether nothing at all is sent any more, look-ups included."""
        self.on_event = on_event
        """Told of pauses, changes of pace, and the stop; whoever carries out the lane's part listens."""
        self.deleted: AbstractSet[str] = frozenset()
        """Ids, in lower case, that were deleted by our hand: no listing shows them, however long it lags."""
        self._limits = limits
        self._signal = StopSignal()
        self._stopped: LaneStopped | None = None
        self._stopped_sandboxes: dict[str, LaneStopped] = {}
        self._breaker = Breaker()
        self._doubts_in_a_row = 0
        self._outage_pause_s = 0.0
        self._outage_until = -inf
        self._created = 0
        self._pace = RateLimiter(
            org=org.key, host=self.host, rng=rng, rate=org.rate, on_event=self._tell
        )
        patience = self._patience = Patience(limits.patience_s)

        def retrying(inner: Transport, *, is_token: bool) -> Retrying:
            # A token request has its own bounds: IMS is not the lane.
            return Retrying(
                inner,
                limits.retries,
                on=passing if is_token else not_applied(judge_load),
                rng=rng,
                patience=Patience(limits.patience_s) if is_token else patience,
                stop=self._signal,
                banned=self._banned,
                asked=self._wait_for_ims if is_token else lambda _seconds: None,
                missed=self._missed_ims if is_token else self._missed,
            )

        token = Token(
            org, retrying(wire, is_token=True), look_up=looked_up(org, secrets), time_s=time_s
        )
        self._limited = RateLimited(
            Signed(wire, token, stop=self._signal, permit=permit),
            self._pace,
            slots=slots,
            judge=judge_load,
            stop=self._signal,
            admitted=lambda: self.on_admitted(),  # noqa: PLW0108 - who listens is known later
            time_s=time_s,
        )
        authorized = Authorized(self._limited, token, is_stale=is_stale_token, stop=self._signal)
        self._retrying = retrying(authorized, is_token=False)
        self._service = FlowService(
            self._retrying, org, tokens=lambda: token.fetched, on_page=self._tell_page
        )
        self._token = token

    # What is asked of the service ---------------------------------------------------------------

    async def create(self, connection: BaseConnection) -> Sent:
        """Send one create; an org-level refusal stops the lane, or the sandbox, at once."""
        sent = await self._service.create(connection)
        answer = self._breaker.judge(sent.answer)
        self._look_at_patience()
        match answer:
            case ObjectCreated():
                self._created += 1
                self._answered()
            case OrgLevel():
                self.refuse(answer, connection.sandbox)
            case Unknown():
                self._doubt(answer)
            case _:
                self._answered()
        if answer is sent.answer:
            return sent
        return replace(sent, answer=answer)

    async def send_key(
        self, connection: BaseConnection, connection_id: str, etag: str, *, whole: bool = False
    ) -> SentChange[UpdateAnswer]:
        """Give a connection the row's key; as of `FlowService.send_key`. A refusal stops as a create's does."""
        sent = await self._service.send_key(connection, connection_id, etag, whole=whole)
        return replace(sent, answer=self._judge_change(sent.answer, connection.sandbox))

    async def delete(self, sandbox: str, connection_id: str) -> SentChange[DeleteAnswer]:
        """Delete a connection; as of `FlowService.delete`. A refusal stops as a create's does."""
        sent = await self._service.delete(sandbox, connection_id)
        return replace(sent, answer=self._judge_change(sent.answer, sandbox))

    def _judge_change(self, answer: _ChangeAnswer, sandbox: str) -> _ChangeAnswer | OrgLevel:
        self._look_at_patience()
        if isinstance(answer, Unknown):
            self._doubt(answer)
            return answer
        self._answered()
        judged = self._breaker.judge(answer) if isinstance(answer, Refused | OrgLevel) else answer
        if isinstance(judged, OrgLevel):
            self.refuse(judged, sandbox)
            return judged
        return answer

    async def list(self, sandbox: str, *, read: ReadItem = read_item) -> Listing:
        """Read all of a sandbox, of each item what *read* makes of it."""
        listing = await self._service.list(sandbox, read=read)
        self._look_at_patience()
        return self._without_deleted(listing)

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        """Read what was created in a sandbox in the last so many seconds."""
        listing = await self._service.newest(sandbox, age_s=age_s)
        self._look_at_patience()
        return self._without_deleted(listing)

    def _without_deleted(self, listing: Listing) -> Listing:
        if not self.deleted or not any(one.id.lower() in self.deleted for one in listing.items):
            return listing
        items = tuple(one for one in listing.items if one.id.lower() not in self.deleted)
        return replace(listing, items=items)

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """Read one connection."""
        return await self._service.get(sandbox, connection_id)

    async def test(self, sandbox: str, connection_id: str) -> bool | NotFound | Unreadable:
        """Ask whether the source accepts a connection's credentials."""
        return await self._service.test(sandbox, connection_id)

    async def tables(
        self, sandbox: str, connection_id: str
    ) -> tuple[Table, ...] | Refusal | NotFound | Unreadable:
        """Ask which tables a connection sees."""
        return await self._service.tables(sandbox, connection_id)

    async def columns(
        self, sandbox: str, connection_id: str, table: str
    ) -> tuple[Column, ...] | Refusal | NotFound | Unreadable:
        """Ask for the columns of one of its tables."""
        return await self._service.columns(sandbox, connection_id, table)

    async def usage(self, sandbox: str, connection_id: str) -> int | Unreadable:
        """Count the source connections that use a connection."""
        return await self._service.usage(sandbox, connection_id)

    async def sign_in(self) -> ListingFault | None:
        """Get a token; why there is none, or None."""
        try:
            await self._token.current()
        except TransportError as error:
            return ListingFault(code=error.code, detail=error.detail)
        return None

    async def list_one_page(self, sandbox: str) -> Listing:
        """Read the first page only: enough to know whether the sandbox may be read."""
        return await self._service.list(sandbox, most_pages=1)

    async def spec(self, sandbox: str) -> Spec | Unreadable:
        """Read the connection spec of Azure Data Explorer."""
        return await self._service.spec(sandbox)

    # Its state ------------------------------------------------------------------------------------

    def capacity(self) -> int:
        """
        How many rows may be on their way in this lane now.

        A row's intent is written before it waits for the pace, and what a crash finds begun is in
        doubt. So few rows begin ahead of what the pace lets go, and never more than may be in flight;
        yet as many as keep the sockets busy while others wait for their commits.
        """
        most = self._limits.concurrency
        if most <= 1:
            return 1  # one row after the other, as a pace that probes means it, too
        # Even a lane that may have only one out has another row waiting behind it: unless somebody waits
        # for more, the pace never learns that more is wanted.
        return self._pace.wanted(most, ahead_s=_AHEAD_S, least_ahead=_LEAST_AHEAD)

    def capacity_of_looks(self) -> int:
        """
        How many rows may be on their way where each only looks.

        None begins ahead of others that wait for their commits: where the pace is no bound, whoever is more
        than may be in flight would queue for a place.
        """
        return min(self.capacity(), self._limits.concurrency)

    def most_at_once(self) -> int:
        """How many rows may be in flight in this lane now."""
        if self._pace.probing:
            return 1
        return int(min(self._pace.max_in_flight, self._limits.concurrency))

    @property
    def is_stopped(self) -> bool:
        """Whether no further row is taken."""
        return self._stopped is not None or self._signal.code(Purpose.CREATE) is not None

    @property
    def stopped(self) -> LaneStopped | None:
        """The refusal that stopped the whole lane, if one did."""
        return self._stopped

    def is_sandbox_stopped(self, sandbox: str) -> bool:
        """Whether no further row of this sandbox is taken."""
        return sandbox in self._stopped_sandboxes

    @property
    def halted_by(self) -> str:
        """The code of what ended all sending, "" where nothing did."""
        return (self._signal.code(Purpose.READ) or "") if self.is_halted else ""

    def is_refused(self, sandboxes: AbstractSet[str]) -> bool:
        """Whether the service refused the lane as a whole, or each of these sandboxes."""
        if self._stopped is not None:
            return is_refusal(self._stopped.code)
        refused = {
            stopped.sandbox
            for stopped in self._stopped_sandboxes.values()
            if is_refusal(stopped.code)
        }
        return bool(sandboxes) and sandboxes <= refused

    def count_created(self) -> None:
        """A doubt of this lane turned out to be created."""
        self._created += 1

    # Stopping -------------------------------------------------------------------------------------

    def refuse(self, refusal: OrgLevel, sandbox: str) -> None:
        """Shut the breaker for a refusal that every row of its scope would meet."""
        stopped = LaneStopped(
            org=self.org.key,
            sandbox=sandbox if refusal.scope is StopScope.SANDBOX else None,
            code=refusal.code,
            title=refusal.title,
            detail=refusal.detail,
        )
        if refusal.scope is StopScope.SANDBOX:
            self.stop_sandbox(stopped)
        else:
            self.stop(stopped)

    def stop(self, stopped: LaneStopped) -> None:
        """Take no further row: what waits gives up unsent, what is on the wire may be answered."""
        if self._stopped is None:
            self._stopped = stopped
            self._tell(stopped)
            # Look-ups may go on: what is in doubt is still to be settled.
            self._signal.set("lane_stopped", *WRITES)
            self.on_change()

    def stop_sandbox(self, stopped: LaneStopped) -> None:
        """Take no further row of one sandbox."""
        assert stopped.sandbox is not None
        if stopped.sandbox not in self._stopped_sandboxes:
            self._stopped_sandboxes[stopped.sandbox] = stopped
            self._tell(stopped)

    def halt(self, code: str) -> None:
        """Send nothing more; *code* says why, to the rows that give up."""
        self._signal.set(code)
        self.is_halted = True
        self.on_change()

    @property
    def paused_s(self) -> float:
        """Seconds for which it was to send nothing so far."""
        return self._pace.counted.paused_s

    def counted(self) -> LaneCounted:
        """What the lane did so far."""
        return LaneCounted(
            org=self.org.key,
            host=self.host,
            sent=self._pace.counted.sent,
            created=self._created,
            throttled=self._pace.counted.throttled,
            retried=self._retrying.retried,
            paused_s=round(self.paused_s, 3),
            rate_max=round(self._pace.counted.rate_max, 3),
            rate_last=round(self._pace.rate, 3),
        )

    def _tell_page(self, sandbox: str, page: int, connections: int) -> None:
        self._tell(PageRead(org=self.org.key, sandbox=sandbox, page=page, connections=connections))

    def _tell(self, event: Event) -> None:
        # Late bound: a lane may be there before the run that it belongs to.
        self.on_event(event)

    def _wait_for_ims(self, seconds: float) -> None:
        # The lane's own pauses are told by its pace, which token requests do not pass.
        host = urlsplit(self.org.ims_url).hostname or ""
        self._tell(LanePaused(org=self.org.key, host=host, pause_s=seconds, reason="retry_after"))

    def _banned(self, seconds: float) -> None:
        """The service, or IMS, asks to stay away for longer than the lane's patience: it ends at once."""
        until = self._now() + timedelta(seconds=seconds)
        asked = f"{seconds:.0f} s, until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        detail = f"The service asks to be left alone for {asked}."
        self._signal.set(BANNED_UNTIL, detail=detail)
        self.stop(
            LaneStopped(
                org=self.org.key,
                sandbox=None,
                code=BANNED_UNTIL,
                title=title_for(BANNED_UNTIL),
                detail=f"{detail} The patience of this run is {self._limits.patience_s:g} s.",
            )
        )
        self.halt(BANNED_UNTIL)

    @property
    def has_contact(self) -> bool:
        """Whether the service ever gave a normal answer."""
        return not self._patience.is_first

    def unreached(self, code: str, detail: str) -> None:
        """Stop for what kept the first contact from coming about; that it is the lane's is known by then."""
        self.stop(
            LaneStopped(
                org=self.org.key, sandbox=None, code=code, title=title_for(code), detail=detail
            )
        )

    def _missed(self, code: str, detail: str) -> None:
        self._tell_missed(self.org.platform_url, code, detail)

    def _missed_ims(self, code: str, detail: str) -> None:
        # A first contact has one patience, whichever host is in the way.
        self._patience.begin(self.time_s())
        is_answer = code.startswith("http-")
        detail = f"IMS answered {code.removeprefix('http-')}" if is_answer else detail
        self._tell_missed(self.org.ims_url, NO_TOKEN if is_answer else code, detail)

    def _tell_missed(self, url: str, code: str, detail: str) -> None:
        self._tell(
            NotReached(
                org=self.org.key,
                host=urlsplit(url).hostname or "",
                code=code,
                detail=detail,
                patience_s=self._limits.patience_s,
            )
        )

    def _look_at_patience(self) -> None:
        code = self._signal.code(Purpose.READ)
        if code is not None and is_of_contact(code) and not self.is_halted:
            detail = self._signal.detail(Purpose.READ)
            self.halt(code)
            self.unreached(code, detail)
        if code == NO_PROGRESS and not self.is_halted:
            self.halt(NO_PROGRESS)
            self.stop(
                LaneStopped(
                    org=self.org.key,
                    sandbox=None,
                    code=NO_PROGRESS,
                    title="No progress for too long",
                    detail=f"No normal answer within {self._limits.patience_s:g} s.",
                )
            )

    def _doubt(self, answer: Unknown) -> None:
        self._doubts_in_a_row += 1
        if answer.stops_lane:
            self.stop(
                LaneStopped(
                    org=self.org.key,
                    sandbox=None,
                    code=answer.code,
                    title=NOT_ADOBES,
                    detail=answer.detail,
                )
            )
        elif self._doubts_in_a_row >= DOUBTS_IN_A_ROW:
            # A dead gateway costs a handful of doubts, not the sheet.
            now = self.time_s()
            if now >= self._outage_until:  # what was out before the pause tells nothing new
                self._outage_pause_s = min(
                    max(2 * self._outage_pause_s, _OUTAGE_PAUSE_S), _LONGEST_OUTAGE_PAUSE_S
                )
                self._outage_until = now + self._outage_pause_s
                self._pace.pause(now, self._outage_pause_s, "doubts")
            self._pace.probe(now)

    def _answered(self) -> None:
        self._doubts_in_a_row = 0
        self._outage_pause_s = 0.0


def judge_load(response: Response) -> Signal:
    """What an answer of Flow Service says about its load."""
    if response.status < _ERRORS:  # each row's answer is asked three times
        return Signal.OK
    if is_throttled(response):
        return Signal.THROTTLED
    return Signal.CONGESTION if is_congestion(response) else Signal.OK
