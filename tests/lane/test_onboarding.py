"""The life of one row: the ledger hears first, and whatever is answered becomes one outcome."""

import re
from collections.abc import Awaitable, Callable, Sequence

import pytest

from batchconnect.flow_service import Sent
from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    StopScope,
    Throttled,
    Unknown,
)
from batchconnect.lane.onboarding import Turn, onboard, outcome_of
from batchconnect.ledger.entry import Doubted, Entry, Line, Sending, Settled
from batchconnect.ledger.group_commit import Append
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.fault import Fault
from batchconnect.model.outcome import Created, Failed, InDoubt, NotAttempted, Outcome
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import CANARY, Bench, judged

pytestmark = pytest.mark.anyio

CONNECTION = judged()
MADE = ObjectCreated(connection_id="id-1", etag='"e"', http_status=201, request_id="req")
UNKNOWN = Unknown(code="timeout", detail="no answer")


class Pen(Append):
    """Keeps what is written; refuses the lines of one kind."""

    def __init__(self, refuse: type[object] | None = None) -> None:
        self.entries: list[Entry] = []
        self.of: list[tuple[int | None, str | None]] = []
        """The row and the marker of each line."""
        self.refuse = refuse

    async def append(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if self.refuse is not None and isinstance(line.entry, self.refuse):
                raise LedgerError("the disk is full")
            self.entries.append(line.entry)
            self.of.append((line.row, line.marker))

    def kinds(self) -> list[str]:
        return [type(entry).__name__ for entry in self.entries]


def answered(
    writer: Pen, answer: Answer | Sent | Exception, *, attempts: int = 1
) -> Callable[[BaseConnection], Awaitable[Sent]]:
    """A service that notes in the writer's story when it is called."""

    async def create(connection: BaseConnection) -> Sent:
        writer.entries.append("the wire")  # type: ignore[arg-type]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Sent):
            return answer
        return Sent(answer=answer, attempts=attempts, throttled=attempts - 1)

    return create


async def live(writer: Pen, answer: Answer | Sent | Exception, *, number: int = 1) -> Outcome:
    bench = Bench()
    ledger = RunWriter(writer, run=1, clock=bench.clock)
    turn = Turn(connection=CONNECTION, number=number, warnings=("a twin stands there",))
    return await onboard(turn, create=answered(writer, answer, attempts=2), ledger=ledger)


async def test_the_intent_is_durable_before_the_wire_and_the_outcome_after() -> None:
    writer = Pen()

    outcome = await live(writer, MADE)

    assert Created(connection_id="id-1", etag='"e"', http_status=201, request_id="req") == outcome
    assert writer.kinds() == ["Sending", "str", "Settled"]
    warnings = ("a twin stands there",)
    assert (
        Settled(outcome=outcome, attempts=2, throttled=1, warnings=warnings) == writer.entries[-1]
    )


async def test_an_unknown_answer_is_written_as_a_doubt() -> None:
    writer = Pen()

    outcome = await live(writer, UNKNOWN, number=2)

    assert InDoubt(code="timeout", detail="no answer") == outcome
    doubted = writer.entries[-1]
    assert isinstance(doubted, Doubted)
    assert (outcome, 2, 1) == (doubted.outcome, doubted.attempts, doubted.throttled)
    assert Sending(number=2) == writer.entries[0]


@pytest.mark.parametrize("answer", [MADE, UNKNOWN])
async def test_each_line_is_the_rows_own_and_the_row_itself_is_sent(answer: Answer) -> None:
    """By its number and its marker: a line of no row is a row that is lost."""
    writer, sent = Pen(), []

    async def create(connection: BaseConnection) -> Sent:
        sent.append(connection)
        return Sent(answer=answer)

    ledger = RunWriter(writer, run=1, clock=Bench().clock)
    await onboard(Turn(connection=CONNECTION), create=create, ledger=ledger)

    assert sent == [CONNECTION]
    assert writer.of == [(CONNECTION.row, CONNECTION.marker)] * 2


async def test_without_a_durable_intent_nothing_is_sent() -> None:
    writer = Pen(refuse=Sending)

    with pytest.raises(LedgerError):
        await live(writer, MADE)

    assert writer.entries == []


@pytest.mark.parametrize(("answer", "refuse"), [(MADE, Settled), (UNKNOWN, Doubted)])
async def test_an_outcome_that_cannot_be_written_leaves_the_intent(
    answer: Answer, refuse: type[object]
) -> None:
    writer = Pen(refuse=refuse)

    with pytest.raises(LedgerError):
        await live(writer, answer)

    assert writer.kinds() == ["Sending", "str"]


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        (
            MADE,
            InDoubt(
                code="token_refused", http_status=201, request_id="req",
                detail="Created, after a try whose token was refused: id-1",
            ),
        ),
        (
            Refused(
                code="FLOW-1308-400", detail="bad", http_status=400, request_id="r",
                may_be_org_level=False,
            ),
            InDoubt(
                code="FLOW-1308-400", detail="bad", http_status=400, request_id="r",
                refused_if_absent=True,
            ),
        ),
        (
            NotSent(code="lane_stopped", detail="why"),
            InDoubt(
                code="token_refused", detail="Its token was refused, and no other try went out.",
            ),
        ),
        (UNKNOWN, InDoubt(code="timeout", detail="no answer")),
    ],
)  # fmt: skip
async def test_a_row_whose_token_was_refused_on_the_way_is_in_doubt_whatever_came_then(
    answer: Answer, doubt: InDoubt
) -> None:
    """401013 was seen after creates that were applied: the marker is looked for before the row ends."""
    writer = Pen()
    outcome = await live(writer, Sent(answer=answer, token_refused=True))

    assert outcome == doubt
    assert isinstance(writer.entries[-1], Doubted)


@pytest.mark.parametrize("answer", [MADE, UNKNOWN])
async def test_a_fault_of_our_own_is_told_before_the_outcome_is_written(answer: Answer) -> None:
    """So that a report is never without it; whoever does not listen is not in the way."""
    writer, fault = Pen(), Fault(type="KeyError", place="here:1 f")
    sent = answered(writer, Sent(answer=answer, fault=fault))
    ledger = RunWriter(writer, run=1, clock=Bench().clock)
    told: list[tuple[Fault, int]] = []
    await onboard(
        Turn(connection=CONNECTION),
        create=sent,
        ledger=ledger,
        on_fault=lambda fault: told.append((fault, len(writer.entries))),
    )
    await onboard(Turn(connection=CONNECTION), create=sent, ledger=ledger)

    assert told == [(fault, 2)]
    assert len(writer.entries) == 6


async def test_an_exception_is_a_doubt_and_tells_its_kind_and_place_alone() -> None:
    """Its text may repeat what was sent."""
    writer = Pen()

    outcome = await live(writer, RuntimeError(f"cannot send {CANARY}0001"))

    assert isinstance(outcome, InDoubt)
    assert outcome.code == "internal_fault"
    assert re.fullmatch(r"RuntimeError at tests\.lane\.test_onboarding:\d+ \S+", outcome.detail)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            Refused(
                code="FLOW-1308-400", detail="bad", http_status=400, request_id="r",
                may_be_org_level=False,
            ),
            Failed(code="FLOW-1308-400", detail="bad", http_status=400, request_id="r"),
        ),
        (
            OrgLevel(
                code="403025", title="No", detail="no right", scope=StopScope.LANE, http_status=403,
                request_id=None,
            ),
            Failed(code="403025", detail="no right", http_status=403),
        ),
        (
            Unknown(
                code="http-409", detail="conflict", http_status=409, request_id="r",
                refused_if_absent=True,
            ),
            InDoubt(
                code="http-409", detail="conflict", http_status=409, request_id="r",
                refused_if_absent=True,
            ),
        ),
        (NotSent(code="interrupted", detail="why"), NotAttempted(code="interrupted", detail="why")),
        (
            Throttled(code="429050", detail="slow", http_status=429, request_id=None),
            NotAttempted(code="no_progress", detail="slow"),
        ),
    ],
)  # fmt: skip
def test_each_class_of_answers_has_its_outcome(answer: Answer, outcome: Outcome) -> None:
    assert outcome == outcome_of(answer)
