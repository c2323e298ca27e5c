"""
What a run would do for each row of one sandbox: plan before apply.

The sandbox is read once; each row is then held against what stands there and against what the ledger
knows. Nothing is changed here, so `plan` shows exactly what `run` does.
"""

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
    Set as AbstractSet,
)
from contextlib import aclosing
from functools import partial
from typing import Final, Protocol

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.listing import INITIALIZING, Found, Listing
from batchconnect.lane.decision import Decided, Decision, Send, SendKey, Settle, SettleFirst
from batchconnect.lane.matching import Create, NotReady, match, match_made, wanted
from batchconnect.lane.whole_listing import Lists, read_sandbox, unproven_warning
from batchconnect.ledger import LedgerReader
from batchconnect.ledger.aside import aside
from batchconnect.ledger.entry import Doubted, Moment, Updating
from batchconnect.ledger.row_state import RowState
from batchconnect.model.defaults import SETTLE_S
from batchconnect.model.outcome import (
    Conflict,
    Existing,
    MatchedBy,
    NotAttempted,
    Outcome,
    Unchanged,
)
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, field, replace
from batchconnect.validation.connection import BaseConnection

_NO_MOMENT: Final = Moment(boot_id="", clock_s=0.0)
"""Of a doubt that begins when it is taken up."""
NOT_PLANNED: Final = "not_planned"
"""Code of a row that would be created, and is not approved."""
_ASKED_AT_ONCE: Final = 500
"""Rows held in memory, keys included, so that the ledger is asked once for all of them."""


class Reads(Lists, Protocol):
    """What a plan asks of the service; a lane offers it."""

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """One connection."""
        ...


StatesOf = Callable[[Sequence[str]], Awaitable[Mapping[str, RowState]]]
"""What all runs know of many markers; one of which nothing is known is left out."""


async def unknown(_markers: Sequence[str]) -> Mapping[str, RowState]:
    """What a ledger without markers knows of any: it need not be asked."""
    return {}


def states_in(ledger: LedgerReader) -> StatesOf:
    """What this ledger knows."""

    async def states_of(markers: Sequence[str]) -> Mapping[str, RowState]:
        return await aside(ledger, partial(ledger.states_of, markers))

    return states_of


class Known(Value):
    """What the ledger knew before this process began."""

    open: Mapping[str, RowState] = field(default_factory=dict)
    """By marker: rows of any run that were sent and never answered."""
    sends: Mapping[str, int] = field(default_factory=dict)
    """By marker of a resumed run's rows that were begun: how often they were sent, and proven absent."""
    states_of: StatesOf = unknown
    """Asked for many markers at once, and awaited: a ledger may be a round trip away."""
    states_now: StatesOf = unknown
    """Likewise, with what this process has sent since."""
    undoing: Mapping[str, str] = field(default_factory=dict)
    """By marker whose connection a delete of ours may have reached: the run that is being undone."""
    rotating: Mapping[str, Updating] = field(default_factory=dict)
    """By marker of a resumed run's rows: the intent to send their key, which was never answered."""

    @property
    def is_blank(self) -> bool:
        """Whether it knows no identity at all."""
        return self.states_of is unknown and not self.open and not self.sends


class KeyChoice(Value):
    """Which rows get their key sent, where their connection exists."""

    markers: AbstractSet[str] | None = None
    """Those with these markers, and on a connection that bears it; None: all rows, adopted ones too."""
    is_all: bool = True
    """False: only those whose connection does not work, by its last test."""
    only_changed: bool = False
    """Only those whose key has another version in its store than the one that was sent last."""

    def takes(self, marker: str, stands: Existing) -> bool:
        """Whether a row's key is to be sent to the connection that stands there."""
        if self.markers is None:
            return True
        return marker in self.markers and stands.matched_by is MatchedBy.MARKER


class Rules(Value):
    """How the plan judges what stands there."""

    settle_s: float = SETTLE_S
    settle_first: bool = False
    """Always wait the settle window before a sandbox's first POST."""
    adopt_by_name: bool = False
    recreate: bool = False
    """Make again what an earlier run made and somebody deleted since."""
    accept_unproven: bool = False
    """Take a listing for whole although nothing proves it; a row that is created says so."""
    creates: bool = True
    """False: rows without a connection are not attempted."""
    keys: KeyChoice | None = None
    """None: no key is sent to a connection that exists."""
    approved: AbstractSet[str] | None = None
    """Markers of the rows that may be created; None: all."""

    @property
    def creates_all(self) -> bool:
        """Whether every row is created of which nothing stands there."""
        return self.creates and self.approved is None


async def decide(
    offsets: Sequence[int],
    listing: Listing,
    *,
    load: Callable[[int], BaseConnection | None],
    reads: Reads,
    known: Known,
    rules: Rules,
) -> AsyncGenerator[Decided, None]:
    """
    Decide for each row of a sandbox.

    Args:
        offsets: Where its rows stand in the sheet.
        listing: A complete reading of the sandbox.
        load: Reads a row again; None: it is not to be looked at.
        reads: The lane, for what has to be asked once more.
        known: What the ledger knows.
        rules: How to judge.

    Yields:
        Every row once; those that seem to be deleted come last, for they are asked about.
    """
    vanished: list[tuple[int, BaseConnection, str]] = []
    left: dict[str, RowState] = {}
    for start in range(0, len(offsets), _ASKED_AT_ONCE):
        part: list[tuple[int, BaseConnection, Decision]] = []
        for offset in offsets[start : start + _ASKED_AT_ONCE]:
            connection = load(offset)
            if connection is not None:
                part.append((offset, connection, first_look(connection, listing, known, rules)))
        to_ask = [one.marker for _, one, decision in part if _must_ask(decision, rules)]
        states = await known.states_of(to_ask) if to_ask else {}
        for offset, connection, decision in part:
            before = states.get(connection.marker)
            if isinstance(decision, Send) and before is not None and before.made is not None:
                vanished.append((offset, connection, before.made))
                left[connection.marker] = before
            else:
                yield Decided(
                    offset=offset,
                    connection=connection,
                    decision=within(rules, decision, connection, before, known),
                )
    async with aclosing(_decide_vanished(vanished, reads, rules)) as asked:
        async for decided in asked:
            before = left.get(decided.connection.marker)
            decision = within(rules, decided.decision, decided.connection, before, known)
            yield replace(decided, decision=decision)


def _must_ask(decision: Decision, rules: Rules) -> bool:
    """Whether the ledger has to say what it knows of the row's identity."""
    if isinstance(decision, Settle):
        return rules.keys is not None
    return isinstance(decision, Send)


def within(
    rules: Rules,
    decision: Decision,
    connection: BaseConnection,
    before: RowState | None,
    known: Known,
) -> Decision:
    """
    What becomes of a decision where keys are sent to connections that exist, or nothing may be created.

    Args:
        rules: What this run does.
        decision: What a run would do that creates, and sends no key to what exists.
        connection: The row.
        before: What the ledger knows of its identity, where that was asked.
        known: What it knows of all rows.
    """
    keys, begun = rules.keys, known.rotating.get(connection.marker)
    match decision:
        case Settle(outcome=Existing() as stands) if keys and (
            begun is not None or keys.takes(connection.marker, stands)
        ):
            if keys.is_all or begun is not None or _is_failing(before):
                is_others = begun is None and before and isinstance(before.change, Updating)
                send = SendKey(
                    connection_id=stands.connection_id,
                    is_adopted=stands.matched_by is not MatchedBy.MARKER,
                    begun=begun,
                    first=before if is_others else None,
                    # What was sent and never answered is sent again: which key it left there, nobody knows.
                    only_changed=keys.only_changed and begun is None and not is_others,
                    key_before=before.key if before is not None else None,
                )
                is_typed = isinstance(connection.service_principal_key, Secret)
                unchanged = send.unless_changed(None) if is_typed else None
                return send if unchanged is None else Settle(outcome=unchanged)
            return Settle(
                outcome=Unchanged(
                    code="not_failing",
                    detail="Its last test did not say that it does not work.",
                    connection_id=stands.connection_id,
                    etag=stands.etag,
                )
            )
        case Send() if not rules.creates:
            detail = "No connection of the row stands there; `batchconnect run` creates it."
            return Settle(outcome=NotAttempted(code="no_connection", detail=detail))
        case SettleFirst(state=state) if not rules.creates:
            waits = state.doubt is not None and state.doubt.outcome.code == INITIALIZING
            detail = "Its connection is not ready, or its create is in doubt."
            code = INITIALIZING if waits else "create_in_doubt"
            return Settle(outcome=NotAttempted(code=code, detail=detail))
        case Send() | SettleFirst() if (
            rules.approved is not None and connection.marker not in rules.approved
        ):
            # What stands there has changed since it was held against the plan.
            detail = "The plan that was approved does not create it."
            return Settle(outcome=NotAttempted(code=NOT_PLANNED, detail=detail))
        case _:
            return decision


def _is_failing(before: RowState | None) -> bool:
    return before is not None and before.works is False


def first_look(
    connection: BaseConnection, listing: Listing, known: Known, rules: Rules
) -> Decision:
    """What is to be done by the listing, and by what is known to be in doubt."""
    undone = known.undoing.get(connection.marker)
    if undone is not None:
        return Settle(outcome=_being_undone(undone))
    state = known.open.get(connection.marker)
    if state is not None:
        return SettleFirst(state=state)
    judged = match(wanted(connection), listing, adopt_by_name=rules.adopt_by_name)
    match judged:
        case Create(warnings=warnings):
            return Send(warnings=(*warnings, *unproven_warning(listing)))
        case NotReady():
            return wait_until_ready(connection, judged)
        case _:
            return Settle(outcome=judged)


def _being_undone(run_id: str) -> NotAttempted:
    detail = f"The undo of run {run_id} was begun, and whether its connection is gone is not known."
    return NotAttempted(code="undo_open", detail=detail)


def wait_until_ready(connection: BaseConnection, stands: NotReady) -> SettleFirst:
    """The row's connection is not ready yet: it is waited for as long as a doubt is, and then stays one."""
    doubt = Doubted(outcome=stands.in_doubt, moment=_NO_MOMENT, attempts=0)
    state = RowState(number=connection.row, marker=connection.marker, doubt=doubt)
    return SettleFirst(state=state)


async def _decide_vanished(
    vanished: list[tuple[int, BaseConnection, str]], reads: Reads, rules: Rules
) -> AsyncGenerator[Decided, None]:
    """The ledger says created, the listing shows nothing: gone only if two listings and GET agree."""
    again: Listing | None = None
    for offset, connection, made in vanished:
        if again is None:
            again = await read_sandbox(reads, connection.sandbox)
        judged = match(wanted(connection), again) if again.complete else None
        decision: Decision
        if isinstance(judged, NotReady):
            decision = wait_until_ready(connection, judged)
        elif judged is not None and not isinstance(judged, Create):
            decision = Settle(outcome=judged)
        else:
            found = await reads.get(connection.sandbox, made)
            decision = _vanished(connection, found, made, judged, recreate=rules.recreate)
        yield Decided(offset=offset, connection=connection, decision=decision)


def _vanished(
    connection: BaseConnection,
    found: Found | NotFound | Unreadable,
    made: str,
    judged: Create | None,
    *,
    recreate: bool,
) -> Decision:
    """
    Args:
        connection: What the row asks for.
        found: What GET says of the id that the earlier run got.
        made: That id.
        judged: What the second listing says; None: it is not complete.
        recreate: Whether what is gone is made again.
    """
    outcome: Outcome
    if isinstance(found, Found):
        stands = match_made(wanted(connection), found, made)
        if stands is None:
            # The answer named another row's connection. This row has none that anybody knows of: it is
            # sent again only when its absence is proven, as if it had never been answered.
            return SettleFirst(
                state=RowState(number=connection.row, marker=connection.marker, sends=1)
            )
        if isinstance(stands, NotReady):
            return wait_until_ready(connection, stands)
        outcome = stands
    elif not isinstance(found, NotFound) or judged is None:
        outcome = NotAttempted(
            code="listing_failed", detail="Whether it still stands could not be found out."
        )
    elif recreate:
        return Send(warnings=judged.warnings)
    else:
        outcome = Conflict(
            code="deleted_since",
            detail="An earlier run created it, and it is gone since.",
            connection_ids=(made,),
        )
    return Settle(outcome=outcome)
