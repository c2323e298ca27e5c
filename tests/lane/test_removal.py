"""One connection's way out: a look directly before each delete, an intent before the wire, a look after a doubt."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from batchconnect.flow_service.change import DeleteAnswer, SentChange
from batchconnect.lane.lane import Lane
from batchconnect.lane.matching import wanted
from batchconnect.lane.removal import Begun, Ended, Removal
from batchconnect.lane.why_kept import Made, why_kept
from batchconnect.ledger.entry import Deleted as DeletedLine
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import LedgerError
from batchconnect.model.fault import Fault
from batchconnect.model.outcome import Deleted, Failed, InDoubt, Kept, NotAttempted
from batchconnect.transport.interface import Purpose, TransportError
from tests.fake_service import (
    DENIED,
    OK,
    Bench,
    FakeService,
    Fate,
    Seen,
    Stored,
    flow_error,
    judged,
    lost,
    refused,
)
from tests.lane.test_onboarding import Pen

pytestmark = pytest.mark.anyio

ROW = judged()
S = 180.0
THROTTLED = refused(429, {"error_code": "429050", "message": "Too many requests"})
NOT_SENT = Fate(applied_s=None, answer=TransportError("refused", sent=False))
UNREADABLE = refused(500)
BEGUN = Begun(outcome=InDoubt(code="interrupted"), ago_s=0)


@dataclass(slots=True, kw_only=True)
class Desk:
    """One connection that a run created, the service that has it, and what is written of its delete."""

    service: FakeService = field(default_factory=FakeService)
    pen: Pen = field(default_factory=Pen)
    stops: bool = False
    doubts: list[str] = field(default_factory=list)
    stored: Stored = field(init=False)
    lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self.lane = Bench(service=self.service).lane()
        self.stored = self.service.plant(ROW)

    @property
    def made(self) -> Made:
        return Made(
            row=ROW.row,
            sandbox=ROW.sandbox,
            wanted=wanted(ROW),
            connection_id=self.stored.id,
            etag='"e"',
            client_id="client-acme",
        )

    async def remove(
        self, *, begun: Begun | None = None, most_sends: int = 3, **changes: Any
    ) -> Ended:
        async def pause(seconds: float) -> bool:
            await anyio.sleep(seconds)
            return not self.stops

        removal = Removal(
            replace(self.made, **changes),
            service=self.lane,
            ledger=RunWriter(self.pen, run=1, clock=Bench().clock),
            settle_s=S,
            pause=pause,
            is_stopped=lambda: self.stops,
            begun=begun,
            most_sends=most_sends,
            on_doubt=lambda doubt: self.doubts.append(doubt.code),
        )
        return await removal.run()

    @property
    def asked(self) -> list[str]:
        """What the service was asked, in its order."""
        words = {"sourceConnections": "usage", self.stored.id: "look"}
        return [
            "delete" if seen.purpose is Purpose.DELETE else words[seen.path.rpartition("/")[2]]
            for seen in self.service.seen
        ]


def fated(**fates: Fate | list[Fate]) -> FakeService:
    """A service by what it is asked: `delete=`, `usage=`, `look=`; a list is used up one by one."""

    def choose(seen: Seen) -> Fate | None:
        word = "usage" if seen.path.endswith("sourceConnections") else "look"
        fate = fates.get("delete" if seen.purpose is Purpose.DELETE else word)
        return (fate.pop(0) if fate else OK) if isinstance(fate, list) else fate

    return FakeService(choose)


async def test_it_leaves_directly_after_a_look_and_is_gone_when_a_look_says_so() -> None:
    desk = Desk()

    ended = await desk.remove()

    assert Deleted(connection_id=desk.stored.id, http_status=204) == ended
    assert desk.asked == ["look", "usage", "delete", "look"]
    assert desk.pen.kinds() == ["Deleting", "Deleted"]
    assert desk.pen.of == [(ROW.row, ROW.marker)] * 2
    (line,) = [one for one in desk.pen.entries if isinstance(one, DeletedLine)]
    assert (line.attempts, line.throttled) == (1, 0)


async def test_a_delete_that_was_taken_on_is_looked_at_until_it_is_gone() -> None:
    desk = Desk()
    desk.service.finalizing_s = 40

    ended = await desk.remove()

    assert Deleted(connection_id=desk.stored.id, http_status=202) == ended
    assert desk.asked.count("delete") == 1
    assert 40 <= anyio.current_time() < 60


async def test_one_that_never_goes_stays_in_doubt_when_the_window_is_over() -> None:
    """The next command looks again; nobody says that it is deleted, or kept."""
    desk = Desk()
    desk.service.finalizing_s = 10_000

    ended = await desk.remove()

    assert isinstance(ended, InDoubt)
    assert (ended.code, ended.http_status) == ("delete_unfinished", 202)
    assert desk.pen.kinds() == ["Deleting", "ChangeDoubted"]
    assert S <= anyio.current_time() < S + 30


CHANGES: list[tuple[str, Callable[[Stored], None], str]] = [
    ("a name", lambda one: setattr(one, "name", "Renamed by hand"), "name"),
    ("no marker", lambda one: setattr(one, "description", "without it"), "marker"),
    (
        "another database",
        lambda one: one.params.update(database="other"),
        "database",
    ),
    ("an etag", lambda one: setattr(one, "etag", '"another"'), "etag"),
]


@pytest.mark.parametrize("what", [what for what, _, _ in CHANGES])
async def test_what_was_changed_since_is_kept(what: str) -> None:
    desk = Desk()
    _, change, word = next(one for one in CHANGES if one[0] == what)
    change(desk.stored)

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert (ended.code, ended.connection_id) == ("changed_by_others", desk.stored.id)
    assert word in ended.detail
    assert "delete" not in desk.asked
    assert desk.pen.kinds() == ["Left"]


@pytest.mark.parametrize("state", ["disabled", "draft", "initializing", "update-finalizing"])
async def test_only_an_enabled_one_is_deleted(state: str) -> None:
    desk = Desk()
    desk.stored.state = state

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert ended.code == "not_enabled"
    assert state in ended.detail
    assert "delete" not in desk.asked


@pytest.mark.parametrize("client_id", ["somebody-else", ""])
@pytest.mark.parametrize("changes", [{"etag": None}, {"is_etag_seen": True}])
async def test_without_an_etag_of_our_own_the_last_who_changed_it_has_to_be_us(
    changes: dict[str, Any], client_id: str
) -> None:
    """A create may bring no etag, or one may have been read after a lost answer only."""
    mine, other = Desk(), Desk()
    other.stored.client_id = client_id

    assert isinstance(await mine.remove(**changes), Deleted)
    kept = await other.remove(**changes)
    assert isinstance(kept, Kept)
    assert kept.code == "changed_by_others"


async def test_what_is_used_is_kept() -> None:
    desk = Desk()
    desk.stored.users = 2

    ended = await desk.remove()

    assert Kept(code="in_use", detail="Used by 2 source connections.", connection_id=desk.stored.id) == ended  # fmt: skip
    assert "delete" not in desk.asked


async def test_a_dataflow_that_came_between_the_look_and_the_delete_keeps_it() -> None:
    desk = Desk(service=fated(delete=flow_error("1418-400")))

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert ended.code == "in_use"
    assert desk.pen.kinds() == ["Deleting", "Left"]


@pytest.mark.parametrize("question", ["look", "usage"])
async def test_what_nobody_answers_for_is_kept(question: str) -> None:
    desk = Desk(service=fated(**{question: UNREADABLE}))

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert ended.code == "not_answered"
    assert "http-500" in ended.detail
    assert "delete" not in desk.asked


async def test_a_permission_that_lacks_for_source_connections_keeps_it() -> None:
    desk = Desk(service=fated(usage=DENIED))

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert (ended.code, "403025" in ended.detail) == ("not_answered", True)


async def test_one_that_was_gone_before_was_not_deleted_by_us() -> None:
    desk = Desk()
    desk.stored.gone_at = 0

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert ended.code == "already_gone"


async def test_one_that_is_gone_after_our_intent_was_deleted_by_us() -> None:
    """A process ended between its delete and the answer."""
    desk = Desk()
    desk.stored.gone_at = 0

    ended = await desk.remove(begun=BEGUN)

    assert Deleted(connection_id=desk.stored.id, reconciled=True) == ended
    assert desk.asked == ["look"]


# Doubts ---------------------------------------------------------------------------------------------------


async def test_a_lost_answer_is_settled_by_looking() -> None:
    desk = Desk(service=fated(delete=lost()))

    ended = await desk.remove()

    assert Deleted(connection_id=desk.stored.id, reconciled=True) == ended
    assert desk.asked.count("delete") == 1
    assert desk.pen.kinds() == ["Deleting", "ChangeDoubted", "Deleted"]
    assert desk.doubts == ["connection_lost"]


async def test_one_that_is_applied_late_is_not_kept_meanwhile() -> None:
    """Neither a second look nor a second delete says more than that it is gone in the end."""
    desk = Desk(service=fated(delete=lost(applied_s=60)))

    ended = await desk.remove()

    assert isinstance(ended, Deleted)
    assert desk.stored.gone_at <= 60.1


async def test_one_that_was_lost_on_the_way_is_sent_again_after_another_look() -> None:
    desk = Desk(service=fated(delete=[lost(applied_s=None), OK]))

    ended = await desk.remove()

    assert isinstance(ended, Deleted)
    assert desk.asked[-4:] == ["look", "usage", "delete", "look"]
    assert desk.asked.count("delete") == 2
    assert desk.pen.kinds() == ["Deleting", "ChangeDoubted", "Deleting", "Deleted"]


async def test_what_a_colleague_changes_while_it_is_in_doubt_is_not_sent_again() -> None:
    """And it is called kept only when nothing that was sent can be applied any more."""
    desk = Desk(service=fated(delete=lost(applied_s=None)))

    async def rename() -> None:
        await anyio.sleep(2)
        desk.stored.name = "Renamed"

    ended: list[Ended] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rename)
        ended.append(await desk.remove())

    assert isinstance(ended[0], Kept)
    assert ended[0].code == "changed_by_others"
    assert desk.asked.count("delete") == 1
    assert anyio.current_time() >= S


async def test_after_three_lost_deletes_it_is_kept_when_the_window_is_over() -> None:
    desk = Desk(service=fated(delete=lost(applied_s=None)))

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert ended.code == "not_deleted"
    assert desk.asked.count("delete") == 3
    last = max(seen.at for seen in desk.service.deletes)
    assert anyio.current_time() >= last + S


@pytest.mark.parametrize("begun", [None, BEGUN])
async def test_with_hold_it_is_never_sent_again(begun: Begun | None) -> None:
    """A person decides, when the window is over: `--on-doubt hold`."""
    desk = Desk(service=fated(delete=lost(applied_s=None)))

    ended = await desk.remove(begun=begun, most_sends=1)

    assert isinstance(ended, Kept)
    assert (ended.code, "sent once" in ended.detail) == ("not_deleted", True)
    assert desk.asked.count("delete") == (1 if begun is None else 0)


async def test_a_doubt_that_nobody_answers_for_stays_one() -> None:
    desk = Desk(service=fated(delete=lost(applied_s=None), look=[OK, *[UNREADABLE] * 200]))

    ended = await desk.remove()

    assert isinstance(ended, InDoubt)
    assert ended.code == "connection_lost"
    assert desk.asked.count("delete") == 1


async def test_a_404_to_the_delete_is_believed_when_a_look_says_so_too() -> None:
    """A 404 may hide a missing permission."""
    gone = flow_error("1101-404")
    desk = Desk(service=fated(delete=gone))

    ended = await desk.remove()

    assert isinstance(ended, Kept)
    assert ended.code == "not_deleted"
    assert anyio.current_time() >= S


@pytest.mark.parametrize("fate", [THROTTLED, NOT_SENT])
async def test_what_was_surely_not_applied_is_looked_at_and_sent_again(fate: Fate) -> None:
    """Its intent is closed at once: were it gone then, somebody else would have deleted it."""
    desk = Desk(service=fated(delete=[fate, OK]))

    ended = await desk.remove()

    assert isinstance(ended, Deleted)
    assert desk.asked == ["look", "usage", "delete", "look", "usage", "delete", "look"]
    assert desk.pen.kinds() == ["Deleting", "Left", "Deleting", "Deleted"]


async def test_a_service_that_throttles_for_ever_is_left_alone_at_last() -> None:
    desk = Desk(service=fated(delete=NOT_SENT))

    ended = await desk.remove()

    assert isinstance(ended, NotAttempted)
    assert desk.asked.count("delete") == 20


async def test_a_refusal_is_told_as_the_service_told_it() -> None:
    desk = Desk(service=fated(delete=flow_error("1416-400")))

    ended = await desk.remove()

    assert isinstance(ended, Failed)
    assert ended.code == "FLOW-1416-400"
    assert desk.pen.kinds() == ["Deleting", "Left"]


async def test_a_refusal_after_a_lost_answer_leaves_the_doubt_to_the_look() -> None:
    """The first one was applied after the look: the second meets a connection that is going already."""
    desk = Desk(service=fated(delete=[lost(applied_s=16), flow_error("1458-400")]))
    desk.service.finalizing_s = 30

    ended = await desk.remove()

    assert isinstance(ended, Deleted)
    assert "Failed" not in str(desk.pen.entries)


# Stops ----------------------------------------------------------------------------------------------------


async def test_a_stop_before_the_send_leaves_it_as_it_is() -> None:
    desk = Desk(stops=True)

    assert await desk.remove() is None
    assert desk.pen.kinds() == []
    assert "delete" not in desk.asked


async def test_a_stop_leaves_what_is_in_doubt_to_the_next_command() -> None:
    desk = Desk(service=fated(delete=lost(applied_s=None)))
    desk.stops = False

    async def stop() -> None:
        await anyio.sleep(1)
        desk.stops = True

    ended: list[Ended] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        ended.append(await desk.remove())

    assert isinstance(ended[0], InDoubt)
    assert anyio.current_time() < 5
    assert desk.pen.kinds() == ["Deleting", "ChangeDoubted"]


async def test_without_a_durable_intent_nothing_is_sent() -> None:
    class Full(Pen):
        async def append(self, lines: Any) -> None:
            raise LedgerError("the disk is full")

    desk = Desk(pen=Full())

    with pytest.raises(LedgerError):
        await desk.remove()
    assert "delete" not in desk.asked


async def test_an_error_of_our_own_is_a_doubt_like_any_other() -> None:
    """Whatever it is, the request may have left."""

    class Broken:
        def __init__(self, lane: Lane) -> None:
            self.get = lane.get
            self.usage = lane.usage

        async def delete(self, sandbox: str, connection_id: str) -> SentChange[DeleteAnswer]:
            raise RuntimeError("ours")

    desk = Desk()
    faults: list[Fault] = []

    async def pause(_seconds: float) -> bool:
        return False

    removal = Removal(
        desk.made,
        service=Broken(desk.lane),
        ledger=RunWriter(desk.pen, run=1, clock=Bench().clock),
        settle_s=S,
        pause=pause,
        is_stopped=lambda: False,
        on_fault=faults.append,
    )
    ended = await removal.run()

    assert isinstance(ended, InDoubt)
    assert ended.code == "internal_fault"
    assert [fault.type for fault in faults] == ["RuntimeError"]


# The preview ----------------------------------------------------------------------------------------------


async def test_the_preview_says_what_the_removal_does() -> None:
    """Gone, or going, after an intent of ours is gone by our hand; before it, it is not."""
    desk = Desk()
    assert await why_kept(desk.made, desk.lane) is None

    desk.stored.going_at = 0
    going = await why_kept(desk.made, desk.lane)
    assert going is not None
    assert going.code == "not_enabled"
    assert await why_kept(desk.made, desk.lane, is_begun=True) is None

    desk.stored.gone_at = 0
    gone = await why_kept(desk.made, desk.lane)
    assert gone is not None
    assert gone.code == "already_gone"
    assert await why_kept(desk.made, desk.lane, is_begun=True) is None
    assert not desk.service.deletes
