"""
What happens to one request, in its order: counted, limited, judged, its fate chosen, written down.

No waiting and no sockets here: a request and the clock go in, a `Delivery` comes out, and by then
state and journal are written. So whatever kills the process afterwards, the state knows more than
the client.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import assert_never
from urllib.parse import parse_qs, urlencode

from batchconnect.simulator import fates
from batchconnect.simulator.answers import empty
from batchconnect.simulator.connections import Effect, Handled, marker_of
from batchconnect.simulator.decision import (
    Closed,
    Cut,
    Decision,
    Delivery,
    Drip,
    Flood,
    Garbled,
    Hang,
    Instead,
    Normal,
    Reset,
    Reshaped,
)
from batchconnect.simulator.distortion import reshape
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.faults import Profile, dice
from batchconnect.simulator.foreign import as_documented
from batchconnect.simulator.late import catch_up
from batchconnect.simulator.limits import Limits
from batchconnect.simulator.records import History, JournalEntry
from batchconnect.simulator.service import Service
from batchconnect.simulator.store import Store

Script = Callable[[Request], Decision | None]
"""A test's choice for a request; None leaves it to limits and profile."""

NOTHING = empty(0)
"""Where no answer is given."""
REDACTED = "***"
NEVER_WRITTEN = frozenset({"client_secret", "jwt_token", "code"})
"""Parameters of a query that are secrets whatever they hold."""


@dataclass(slots=True, kw_only=True)
class Front:
    """The door of the simulator."""

    service: Service
    store: Store
    limits: Limits
    capacity: Limits
    """What the service can bear; beyond it the profile `overload` breaks."""
    profile: Profile
    seed: int
    clock: Callable[[], float]
    """Unix time: what is pending has to outlive this process."""
    lag_s: float = 0.0
    """Keeps what is created out of listings, at the least so long."""
    latency_s: tuple[float, float] | None = None
    """In place of the profile's."""
    script: Script | None = None
    serves_foreign_clients: bool = False
    """Whether the forms are taken in which others send a request, see `foreign.py`."""
    watched: frozenset[str] = frozenset()
    """Secrets that must stand in bodies only; anywhere else the journal calls it a leak."""

    def receive(self, request: Request) -> Delivery:
        """
        Decide one request and write down what became of it.

        Args:
            request: As it arrived, body and all. Its org is already counted in `limits` as in flight.
        """
        now = self.clock()
        if self.serves_foreign_clients:
            request = as_documented(request)
        with self.store.transaction():
            return self._receive(request, now)

    def _receive(self, request: Request, now: float) -> Delivery:
        catch_up(self.store, now, self.service.habits)
        ordinal = self.store.next_ordinal()
        decision = None if self.script is None else self.script(request)
        if decision is None and not request.is_token_request:
            refusal = self.limits.refusal(request.org_id, now)
            if refusal is not None:
                answer = self._stamped(refusal, ordinal)
                self._write(
                    ordinal,
                    now,
                    request,
                    Handled(answer=answer),
                    status=answer.status,
                    reply="limited",
                )
                return Delivery(delay_s=self._latency(ordinal), reply=Normal(), answer=answer)
        what = identity(request)
        history = self.store.history(what)
        if decision is None:
            decision = self._decide(request, what, history, now)
        attempt = history.attempts + 1
        effect = Effect(identity=what.hex(), now=now, ordinal=ordinal, attempt=attempt)
        handled = self._handle(request, decision, effect)
        self.store.remember(what, _longer(history, request, decision), lasting=request.is_write)
        answer = self._stamped(_final(decision, handled.answer, request), ordinal)
        silent = isinstance(decision.reply, Reset | Closed | Garbled | Hang)
        name = type(decision.reply).__name__.lower()
        status = None if silent else answer.status
        self._write(ordinal, now, request, handled, status=status, reply=name)
        delay_s = decision.delay_s + handled.takes_s
        return Delivery(delay_s=delay_s, reply=decision.reply, answer=answer)

    def _decide(self, request: Request, what: bytes, history: History, now: float) -> Decision:
        rng = dice(self.seed, what.hex(), history.attempts + 1)
        if request.is_token_request:
            decision = fates.decide_sign_in(self.profile, rng, history, now)
        else:
            beyond = self.capacity.excess_s(request.org_id, now) > 0
            decide = fates.of(request)
            decision = decide(self.profile, rng, history, now, beyond_capacity=beyond)
        if self.latency_s is not None:
            decision = replace(decision, delay_s=rng.uniform(*self.latency_s))
        return decision

    def _handle(self, request: Request, decision: Decision, effect: Effect) -> Handled:
        if decision.apply_after_s is None:
            return Handled(answer=NOTHING)
        lag_s = max(decision.lag_s, self.lag_s)
        effect = replace(effect, after_s=decision.apply_after_s, lag_s=lag_s)
        return self.service.handle(request, effect)

    def _latency(self, ordinal: int) -> float:
        between = self.profile.latency_s if self.latency_s is None else self.latency_s
        return dice(self.seed, "limited", ordinal).uniform(*between)

    def _stamped(self, answer: Answer, ordinal: int) -> Answer:
        request_id = sha256(f"{self.seed} request {ordinal}".encode()).hexdigest()[:32]
        body = answer.body.replace(b'"request-id":""', b'"request-id":"%b"' % request_id.encode())
        return replace(answer, headers=(*answer.headers, ("X-Request-Id", request_id)), body=body)

    def _write(
        self,
        ordinal: int,
        now: float,
        request: Request,
        handled: Handled,
        *,
        status: int | None,
        reply: str,
    ) -> None:
        body = request.json if request.is_create else None
        visible = [(k, REDACTED if k in NEVER_WRITTEN else v) for k, v in request.query]
        entry = JournalEntry(
            ordinal=ordinal,
            at=now,
            method=request.method,
            path=self._redacted(request.path)[:300],
            query=urlencode([(k, self._redacted(v)) for k, v in visible])[:500],
            org_id=request.org_id,
            sandbox=request.sandbox,
            status=status,
            reply=reply,
            applied_at=handled.applied_at,
            connection_id=handled.connection_id,
            marker=marker_of(body.get("description")) if isinstance(body, dict) else None,
            leaked=self._leaks(request),
        )
        self.store.write(entry)

    def _redacted(self, text: str) -> str:
        for secret in self.watched:
            text = text.replace(secret, REDACTED)
        return text

    def _leaks(self, request: Request) -> bool:
        places = [request.path, *request.headers.values(), *(v for _, v in request.query)]
        return any(secret in place for secret in self.watched for place in places)


def identity(request: Request) -> bytes:
    """
    What a request is, whatever the time: a further try of it has the same.

    Pages of one listing count as one request, and so do all token requests of one client.
    """
    if request.is_token_request:
        form = parse_qs(request.body.decode("utf-8", "replace"))
        parts = [request.path, *form.get("client_id", [])]
    else:
        query = sorted((k, v) for k, v in request.query if k != "continuationToken")
        parts = [request.path, request.org_id, request.sandbox, repr(query)]
    digest = sha256("\x1f".join([request.method, *parts]).encode("utf-8", "surrogatepass"))
    if not request.is_token_request:
        digest.update(request.body)
    return digest.digest()[:16]


def _longer(history: History, request: Request, decision: Decision) -> History:
    # A gateway's refusal is no loss, for the client knows that nothing took effect.
    refused = isinstance(decision.reply, Instead) and b'"error_code"' in decision.reply.answer.body
    gone = request.is_write and decision.apply_after_s is None and not refused
    return History(
        attempts=history.attempts + 1,
        lost=history.lost + int(gone),
        streak=history.streak + 1 if decision.is_fault else 0,
    )


def _final(decision: Decision, answer: Answer, request: Request) -> Answer:
    """The answer that goes out, or begins to."""
    match decision.reply:
        case Instead(answer=other):
            return other
        case Reshaped(shape=shape):
            return reshape(shape, answer, request)
        case Normal() | Cut() | Drip() | Flood():
            return answer
        case Reset() | Closed() | Garbled() | Hang():
            return NOTHING
        case _:
            assert_never(decision.reply)
