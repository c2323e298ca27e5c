"""
The life of one row, top to bottom, without concurrency.

The intent is durable before the wire; the outcome is durable before anybody hears of it. What is
unknown is written down as a doubt: `reconcile` settles it beside the work.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar, assert_never

import anyio

from batchconnect.flow_service import Sent, unforeseen
from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    Throttled,
    Unknown,
)
from batchconnect.ledger.entry import Settled
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LaneLostError, LedgerError
from batchconnect.model.fault import Fault, fault_of
from batchconnect.model.outcome import Created, Failed, InDoubt, NotAttempted, Outcome
from batchconnect.model.value import Value
from batchconnect.validation.connection import BaseConnection

TOKEN_REFUSED: Final = "token_refused"  # noqa: S105 - a code, not a token
"""Code of a doubt that stands only because a token was refused on the way."""
_AGAIN_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds after which an answer that could not be written down is tried again, each time: a disk that is full
for a moment need not cost a look-up."""


class Turn(Value):
    """A row whose turn has come."""

    connection: BaseConnection
    number: int = 1
    """Which send of the row this is; above 1 after proven absence."""
    warnings: tuple[str, ...] = ()
    """What the plan noticed about it."""


async def onboard(
    turn: Turn,
    *,
    create: Callable[[BaseConnection], Awaitable[Sent]],
    ledger: RunWriter,
    on_fault: Callable[[Fault], None] = lambda fault: None,
) -> Outcome:
    """
    Carry one row from its intent to its outcome.

    Args:
        turn: The row.
        create: Sends the one POST and judges its answer; it repeats only what surely was not applied.
        ledger: Hears of everything first.
        on_fault: Told of an error of our own that is behind the outcome, before the outcome is written.

    Returns:
        The outcome, durable. `InDoubt` is to be settled; `NotAttempted` may be taken up again.

    Raises:
        LedgerError: The ledger cannot be written. Before the wire nothing was sent; after it the
            intent stands, and the next command finds the row by its marker.
    """
    row, marker = turn.connection.row, turn.connection.marker
    await ledger.begin(row, marker, number=turn.number, key=turn.connection.key_origin)
    try:
        sent = await create(turn.connection)
    except Exception as error:  # noqa: BLE001 - whatever it is: the request may have left
        sent = unforeseen(fault_of(error), may_have_left=True)
    if sent.fault is not None:
        on_fault(sent.fault)
    outcome = outcome_of(sent.answer)
    if sent.token_refused:
        outcome = doubted(outcome)
    attempts, throttled = sent.attempts, sent.throttled
    if isinstance(outcome, InDoubt):
        await persistently(
            partial(ledger.doubt, row, marker, outcome, attempts=attempts, throttled=throttled)
        )
        return outcome
    settled = Settled(
        outcome=outcome, attempts=attempts, throttled=throttled, warnings=turn.warnings
    )
    return await persistently(partial(ledger.settle, row, marker, settled))


_T = TypeVar("_T")


async def persistently(write: Callable[[], Awaitable[_T]]) -> _T:
    """
    Write what was answered, more than once if need be.

    Returns:
        What stands in the ledger now.

    Raises:
        LedgerError: It could not be written to the last.
    """
    for pause_s in _AGAIN_S:
        try:
            return await write()
        except LaneLostError:
            raise  # whoever holds the lane settles the row
        except LedgerError:
            await anyio.sleep(pause_s)
    return await write()


def doubted(outcome: Outcome) -> InDoubt:
    """
    What a row is whose token was refused on the way, until its marker was looked for.

    Such a refusal (401013) was seen to come after the create had been applied. So whatever the try after
    it said, there may be one connection, two, or none: found once, the row is created; found twice, it is
    a conflict; proven absent, it ends as the service had said where that was a refusal.

    Source:
        The contract, section 5, the line with 401013.
    """
    match outcome:
        case InDoubt():
            return outcome
        case Failed():
            return InDoubt(
                code=outcome.code,
                detail=outcome.detail,
                http_status=outcome.http_status,
                request_id=outcome.request_id,
                refused_if_absent=True,
            )
        case Created(http_status=http_status, request_id=request_id):
            return InDoubt(
                code=TOKEN_REFUSED,
                detail=f"Created, after a try whose token was refused: {outcome.connection_id}",
                http_status=http_status,
                request_id=request_id,
            )
        case _:
            detail = "Its token was refused, and no other try went out."
            return InDoubt(code=TOKEN_REFUSED, detail=detail)


def outcome_of(answer: Answer) -> Outcome:
    """
    How a row ends by the answer to its create.

    Source:
        The contract, section 5; docs/exactly-once.md, "What is repeated, and what is not".
    """
    match answer:
        case ObjectCreated():
            return Created(
                connection_id=answer.connection_id,
                etag=answer.etag,
                http_status=answer.http_status,
                request_id=answer.request_id,
            )
        case Refused() | OrgLevel():
            return Failed(
                code=answer.code,
                detail=answer.detail,
                http_status=answer.http_status,
                request_id=answer.request_id,
            )
        case Unknown():
            return InDoubt(
                code=answer.code,
                detail=answer.detail,
                http_status=answer.http_status,
                request_id=answer.request_id,
                refused_if_absent=answer.refused_if_absent,
            )
        case NotSent():
            return NotAttempted(code=answer.code, detail=answer.detail)
        case Throttled():
            # The ring gave up repeating: the lane's patience was spent, or the run is being stopped.
            return NotAttempted(code="no_progress", detail=answer.detail)
        case _:
            assert_never(answer)
