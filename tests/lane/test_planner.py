"""What a run would do for each row: held against the sandbox, and against what the ledger knows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import OrgLevel, StopScope
from batchconnect.flow_service.listing import Found, Listing, ListingFault, Shown
from batchconnect.lane.decision import Decided, Decision, Send, SendKey, Settle, SettleFirst
from batchconnect.lane.matching import wanted
from batchconnect.lane.planner import KeyChoice, Known, Rules, StatesOf, decide
from batchconnect.lane.whole_listing import is_proven, read_sandbox, unproven_warning
from batchconnect.ledger.entry import Deleting, Doubted, Moment, Updating
from batchconnect.ledger.row_state import RowState
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    InDoubt,
    MatchedBy,
    NotAttempted,
    Unchanged,
)
from batchconnect.model.reference import KeyOrigin, Reference
from batchconnect.validation.connection import BaseConnection
from tests.fake_service import cells, judged

pytestmark = pytest.mark.anyio

FAILED = Listing(sandbox="prod", fault=ListingFault(code="http-502", detail=""))
REFUSED = Listing(
    sandbox="prod",
    refusal=OrgLevel(
        code="403025",
        title="No",
        detail="no",
        scope=StopScope.LANE,
        http_status=403,
        request_id=None,
    ),
)
EMPTY = Listing(sandbox="prod")
UNREADABLE = Unreadable(fault=ListingFault(code="http-502", detail=""))
ROWS = [judged(cells(number)) for number in range(1, 5)]


def found(connection: BaseConnection, *, age_s: float | None = None, **changes: object) -> Found:
    item = Found(
        id=f"id-{connection.row}",
        etag=None,
        name=canonical_name(connection.name),
        marker=connection.marker,
        shown=Shown(*wanted(connection).target),
        is_our_kind=True,
        created_at_ms=None if age_s is None else round(-age_s * 1000),
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def listing(*items: Found) -> Listing:
    return Listing(sandbox="prod", items=items, served_at_ms=0)


class Reads:
    """Answers listings and GETs as scripted; the last listing stays."""

    def __init__(self, *listings: Listing, get: Found | NotFound | Unreadable = UNREADABLE) -> None:
        self.listings = list(listings)
        self.answer = get
        self.listed: list[float] = []
        self.asked: list[str] = []
        self.sandboxes: set[str] = set()

    async def list(self, sandbox: str) -> Listing:
        self.listed.append(anyio.current_time())
        self.sandboxes.add(sandbox)
        return self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        self.asked.append(connection_id)
        self.sandboxes.add(sandbox)
        return self.answer


async def decided(
    stands: Listing,
    *,
    reads: Reads | None = None,
    known: Known | None = None,
    rules: Rules | None = None,
    rows: Sequence[BaseConnection | None] = ROWS[:1],
) -> list[Decided]:
    decisions = decide(
        range(len(rows)),
        stands,
        load=lambda offset: rows[offset],
        reads=reads or Reads(EMPTY),
        known=known or Known(),
        rules=rules or Rules(),
    )
    return [each async for each in decisions]


async def decision(stands: Listing, **more: object) -> Decision:
    (one,) = await decided(stands, **more)  # type: ignore[arg-type]
    return one.decision


def knowing(states: Mapping[str, RowState]) -> StatesOf:
    """A ledger that knows these identities, and no other."""

    async def states_of(markers: Sequence[str]) -> Mapping[str, RowState]:
        return {marker: states[marker] for marker in markers if marker in states}

    return states_of


def made(connection: BaseConnection, connection_id: str = "id-made") -> Known:
    """The ledger says that an earlier run created the row."""
    state = RowState(
        number=1,
        marker=connection.marker,
        outcome=Created(connection_id=connection_id),
        made=connection_id,
    )
    return Known(states_of=knowing({connection.marker: state}))


# Reading the sandbox --------------------------------------------------------------------------------


async def test_a_listing_that_fails_is_read_three_times() -> None:
    reads = Reads(FAILED, FAILED, EMPTY)
    assert (await read_sandbox(reads, "prod")).complete

    reads = Reads(FAILED)
    assert await read_sandbox(reads, "prod") == FAILED
    assert len(reads.listed) == 3
    assert reads.sandboxes == {"prod"}


async def test_a_listing_that_is_refused_is_read_once() -> None:
    reads = Reads(REFUSED)

    assert await read_sandbox(reads, "prod") == REFUSED
    assert len(reads.listed) == 1


UNPROVEN = Listing(
    sandbox="prod",
    fault=ListingFault(code="unproven_listing", detail="no count"),
    warnings=("odd",),
)


async def test_a_listing_that_nothing_proves_is_read_once_and_believed_only_by_a_persons_word() -> (
    None
):
    """The reading tried three times already; what is created by it says so, and what else was odd stays said."""
    reads = Reads(UNPROVEN)
    doubted = await read_sandbox(reads, "prod")
    believed = await read_sandbox(reads, "prod", accept_unproven=True)

    assert (doubted, len(reads.listed)) == (UNPROVEN, 2)
    assert believed.complete
    assert (believed.warnings[0], len(believed.warnings)) == ("odd", 2)
    assert (is_proven(believed), is_proven(EMPTY), unproven_warning(EMPTY)) == (False, True, ())
    assert unproven_warning(believed) == believed.warnings[1:]
    assert Send(warnings=believed.warnings[1:]) == await decision(believed)


@pytest.mark.parametrize("bad", [FAILED, REFUSED])
async def test_no_persons_word_makes_a_failed_listing_whole(bad: Listing) -> None:
    """It stands for the proof alone."""
    assert await read_sandbox(Reads(bad), "prod", accept_unproven=True) == bad


# Deciding -------------------------------------------------------------------------------------------


async def test_what_is_not_there_is_sent() -> None:
    assert Send() == await decision(EMPTY)


async def test_the_same_target_under_another_name_is_sent_with_a_warning() -> None:
    twin = found(ROWS[0], marker=None, name="By hand")

    decided_on = await decision(listing(twin))

    assert isinstance(decided_on, Send)
    assert "id-1" in decided_on.warnings[0]


async def test_what_stands_there_is_settled_without_a_request() -> None:
    existing = Existing(connection_id="id-1", matched_by=MatchedBy.MARKER)

    assert Settle(outcome=existing) == await decision(listing(found(ROWS[0])))


async def test_by_name_alone_only_if_that_is_asked() -> None:
    hidden = Shown(endpoint=None, database=None, tenant=None, service_principal_id=None)
    namesake = found(ROWS[0], marker=None, shown=hidden)
    strict = await decision(listing(namesake))
    lenient = await decision(listing(namesake), rules=Rules(adopt_by_name=True))

    assert isinstance(strict, Settle)
    assert isinstance(strict.outcome, Conflict)
    assert isinstance(lenient, Settle)
    assert Existing(connection_id="id-1", matched_by=MatchedBy.NAME) == lenient.outcome


async def test_what_was_sent_and_never_answered_is_settled_first() -> None:
    """Even where its marker stands there: the ledger hears how it ended from the look-up."""
    state = RowState(number=1, marker=ROWS[0].marker, sends=1, is_sent=True)
    known = Known(open={ROWS[0].marker: state})

    assert SettleFirst(state=state) == await decision(EMPTY, known=known)


async def test_what_may_be_gone_by_an_undo_is_neither_found_nor_made() -> None:
    """Whether the listing shows it or not: the undo has to come to its end first."""
    known = Known(undoing={ROWS[0].marker: "run-1"})
    for stands in (EMPTY, listing(found(ROWS[0]))):
        settled = await decision(stands, known=known)
        assert isinstance(settled, Settle)
        assert isinstance(settled.outcome, NotAttempted)
        assert (settled.outcome.code, "run-1" in settled.outcome.detail) == ("undo_open", True)


async def test_a_row_that_is_not_to_be_looked_at_is_passed_over() -> None:
    decisions = await decided(EMPTY, rows=[None, ROWS[1]])

    assert [ROWS[1]] == [each.connection for each in decisions]
    assert [each.offset for each in decisions] == [1]


# What the ledger says was made, and the listing does not show -----------------------------------------


async def test_what_get_still_knows_exists() -> None:
    """A listing lags: what was created a second ago is not gone."""
    reads = Reads(EMPTY, get=found(ROWS[0], id="id-made", etag='"e"'))

    decided_on = await decision(EMPTY, reads=reads, known=made(ROWS[0]))

    existing = Existing(connection_id="id-made", matched_by=MatchedBy.MARKER, etag='"e"')
    assert Settle(outcome=existing) == decided_on
    assert reads.asked == ["id-made"]


async def test_what_the_second_listing_shows_exists() -> None:
    reads = Reads(listing(found(ROWS[0])))

    decided_on = await decision(EMPTY, reads=reads, known=made(ROWS[0]))

    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, Existing)
    assert reads.asked == []


async def test_what_was_renamed_and_lost_its_marker_is_said_and_not_called_existing() -> None:
    """What the ledger remembers is compared with what stands there now."""
    there = found(
        ROWS[0],
        id="id-made",
        marker=None,
        name="other",
        shown=Shown(*wanted(ROWS[1]).target)._replace(database="other"),
    )

    decided_on = await decision(EMPTY, reads=Reads(EMPTY, get=there), known=made(ROWS[0]))

    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, Conflict)
    assert decided_on.outcome.code == "changed_since"
    assert decided_on.outcome.connection_ids == ("id-made",)
    assert "name" in decided_on.outcome.detail
    assert "database" in decided_on.outcome.detail


async def test_what_bears_the_marker_and_another_target_is_a_conflict_by_id_as_well() -> None:
    other = Shown(*wanted(ROWS[0]).target)._replace(database="other")
    there = found(ROWS[0], id="id-made", shown=other)

    decided_on = await decision(EMPTY, reads=Reads(EMPTY, get=there), known=made(ROWS[0]))

    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, Conflict)
    assert decided_on.outcome.code == "target_differs"


async def test_an_id_that_is_another_rows_is_not_reported_and_the_row_is_settled_first() -> None:
    """The answer had named the wrong row's connection: this row is sent only once it is proven absent."""
    theirs = found(ROWS[1], id="id-made")

    decided_on = await decision(EMPTY, reads=Reads(EMPTY, get=theirs), known=made(ROWS[0]))

    assert isinstance(decided_on, SettleFirst)
    assert decided_on.state.marker == ROWS[0].marker


GONE = NotFound(connection_id="id-made")


async def test_gone_takes_get_and_two_complete_listings() -> None:
    reads = Reads(EMPTY, get=GONE)
    decided_on = await decision(EMPTY, reads=reads, known=made(ROWS[0]))

    assert reads.sandboxes == {"prod"}
    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, Conflict)
    assert (
        decided_on.outcome.code,
        decided_on.outcome.connection_ids,
    ) == ("deleted_since", ("id-made",))


@pytest.mark.parametrize("recreate", [True, False])
@pytest.mark.parametrize(
    ("again", "get"), [(FAILED, GONE), (EMPTY, UNREADABLE), (FAILED, UNREADABLE)]
)
async def test_what_cannot_be_found_out_is_not_sent(
    again: Listing, get: NotFound | Unreadable, *, recreate: bool
) -> None:
    decided_on = await decision(
        EMPTY, reads=Reads(again, get=get), known=made(ROWS[0]), rules=Rules(recreate=recreate)
    )

    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, NotAttempted)
    assert decided_on.outcome.code == "listing_failed"


async def test_what_is_gone_is_made_again_if_that_is_asked() -> None:
    decided_on = await decision(
        EMPTY,
        reads=Reads(EMPTY, get=GONE),
        known=made(ROWS[0]),
        rules=Rules(recreate=True),
    )

    assert Send() == decided_on


async def test_recreate_asks_before_it_makes_again() -> None:
    reads = Reads(EMPTY, get=found(ROWS[0], id="id-made"))

    decided_on = await decision(EMPTY, reads=reads, known=made(ROWS[0]), rules=Rules(recreate=True))

    assert isinstance(decided_on, Settle)


async def test_many_that_are_gone_share_one_listing_and_come_last() -> None:
    state = RowState(number=1, marker="m", outcome=Created(connection_id="a"), made="a")
    reads = Reads(EMPTY, get=GONE)
    known = Known(
        states_of=knowing({row.marker: state for row in ROWS if row is not ROWS[3]}),
    )

    decisions = await decided(EMPTY, reads=reads, known=known, rows=ROWS)

    assert [each.offset for each in decisions] == [3, 0, 1, 2]
    assert len(reads.listed) == 1


async def test_the_ledger_is_asked_for_many_rows_at_once() -> None:
    """It may be a round trip away; and of what stands there, or is in doubt, nothing is asked."""
    rows = [judged(cells(number)) for number in range(1, 1204)]
    asked: list[list[str]] = []

    async def states_of(markers: Sequence[str]) -> Mapping[str, RowState]:
        asked.append(list(markers))
        return {}

    in_doubt = RowState(number=2, marker=rows[1].marker, is_sent=True)
    known = Known(open={rows[1].marker: in_doubt}, states_of=states_of)

    decisions = await decided(listing(found(rows[0])), known=known, rows=rows)

    assert [len(markers) for markers in asked] == [498, 500, 203]
    assert [marker for markers in asked for marker in markers] == [row.marker for row in rows[2:]]
    assert [each.offset for each in decisions] == list(range(1203))


async def test_the_ledger_is_not_asked_about_nothing() -> None:
    """A round trip for each page of rows that stand there would be in vain."""

    async def states_of(markers: Sequence[str]) -> Mapping[str, RowState]:
        raise AssertionError(markers)

    decided_on = await decision(listing(found(ROWS[0])), known=Known(states_of=states_of))

    assert isinstance(decided_on, Settle)


@pytest.mark.anyio
async def test_what_is_not_approved_is_not_created() -> None:
    """Neither where nothing of it stands, nor where it is in doubt; what stands there is as it is."""
    approved = Rules(approved=frozenset({ROWS[1].marker}))
    doubt = RowState(number=1, marker=ROWS[0].marker, sends=1, is_sent=True)

    free = await decided(EMPTY, rows=ROWS[:2], rules=approved)
    doubtful = await decision(EMPTY, known=Known(open={ROWS[0].marker: doubt}), rules=approved)
    standing = await decision(listing(found(ROWS[0])), rules=approved)

    assert [type(one.decision) for one in free] == [Settle, Send]
    for one in (free[0].decision, doubtful):
        assert isinstance(one, Settle)
        assert isinstance(one.outcome, NotAttempted)
        assert one.outcome.code == "not_planned"
    assert isinstance(standing, Settle)
    assert isinstance(standing.outcome, Existing)


# Keys for connections that exist ----------------------------------------------------------------------

STANDS = listing(found(ROWS[0], etag='"e"'))
BY_NAME = listing(found(ROWS[0], marker=None))
KEY = KeyOrigin(reference="vault:acme", version="3")
UPDATING = Updating(connection_id="id-1", etag='"e"')


def rotation(**choice: Any) -> Rules:
    return Rules(creates=False, keys=KeyChoice(**choice))


def remembered(**facts: Any) -> Known:
    """What the ledger knows of the first row."""
    state = RowState(number=1, marker=ROWS[0].marker, **facts)
    return Known(states_of=knowing({ROWS[0].marker: state}))


@pytest.mark.parametrize(("stands", "is_adopted"), [(STANDS, False), (BY_NAME, True)])
async def test_a_key_is_sent_to_what_stands_there_and_to_nothing_else(
    stands: Listing, *, is_adopted: bool
) -> None:
    """By its id, with what the ledger knows of the key that it has; a row without a connection gets none."""
    known = remembered(made="id-1", key=KEY)

    sent = SendKey(connection_id="id-1", is_adopted=is_adopted, key_before=KEY)
    assert await decision(stands, known=known, rules=rotation()) == sent
    assert await decision(stands, rules=rotation()) == replace(sent, key_before=None)
    nothing = await decision(EMPTY, rules=rotation())
    assert isinstance(nothing, Settle)
    assert isinstance(nothing.outcome, NotAttempted)
    assert nothing.outcome.code == "no_connection"


async def test_what_a_listing_shows_late_gets_its_key_by_what_the_ledger_knows() -> None:
    """Found by a second listing or by its id: judged as what the first one shows."""
    known = remembered(made="id-1", key=KEY, works=False)
    for reads in (Reads(STANDS), Reads(EMPTY, get=found(ROWS[0]))):
        decided_on = await decision(EMPTY, reads=reads, known=known, rules=rotation(is_all=False))

        assert SendKey(connection_id="id-1", is_adopted=False, key_before=KEY) == decided_on


async def test_a_key_is_sent_to_chosen_rows_alone_and_only_where_the_marker_is_the_rows() -> None:
    """What was chosen by an earlier run's report is what that run knows: a name is not enough."""
    ours, others = (
        rotation(markers=frozenset({row.marker}), is_all=True) for row in (ROWS[0], ROWS[1])
    )

    assert isinstance(await decision(STANDS, rules=ours), SendKey)
    for stands, rules in ((STANDS, others), (BY_NAME, ours)):
        kept = await decision(stands, rules=rules)
        assert isinstance(kept, Settle)
        assert isinstance(kept.outcome, Existing)


@pytest.mark.parametrize(("works", "is_sent"), [(False, True), (True, False), (None, False)])
async def test_of_those_that_fail_only_what_a_test_called_failing_gets_a_key(
    works: bool | None, *, is_sent: bool
) -> None:
    """What was never tested, or works, is left as it is and named with what stands there."""
    decided_on = await decision(
        STANDS, known=remembered(made="id-1", works=works), rules=rotation(is_all=False)
    )

    if is_sent:
        assert isinstance(decided_on, SendKey)
        return
    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, Unchanged)
    assert decided_on.outcome.code == "not_failing"
    assert (decided_on.outcome.connection_id, decided_on.outcome.etag) == ("id-1", '"e"')


async def test_of_what_nothing_is_known_is_not_failing_either() -> None:
    decided_on = await decision(STANDS, rules=rotation(is_all=False))

    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, Unchanged)


@pytest.mark.parametrize("choice", [{"markers": frozenset()}, {"is_all": False}, {}])
async def test_a_key_whose_send_was_never_answered_is_sent_again_whatever_was_chosen(
    choice: dict[str, Any],
) -> None:
    """By the run that began it; which key it left there nobody knows, so its version excuses nothing."""
    known = replace(remembered(made="id-1", key=KEY), rotating={ROWS[0].marker: UPDATING})
    decided_on = await decision(STANDS, known=known, rules=rotation(only_changed=True, **choice))

    assert isinstance(decided_on, SendKey)
    assert (decided_on.begun, decided_on.first, decided_on.only_changed) == (UPDATING, None, False)


async def test_another_runs_unanswered_key_is_settled_first() -> None:
    """It may still arrive, and be another one; an unanswered delete is no key."""
    for change, first in ((UPDATING, True), (Deleting(connection_id="id-1"), False)):
        known = remembered(made="id-1", change=change)
        decided_on = await decision(STANDS, known=known, rules=rotation())

        assert isinstance(decided_on, SendKey)
        assert decided_on.begun is None
        assert (decided_on.first is not None) is first
        assert decided_on.first is None or decided_on.first.change == change


async def test_a_key_in_the_sheet_has_no_version_and_is_not_sent_where_only_changed_ones_are() -> (
    None
):
    """That is known at once; one of a store is known when it was looked up."""
    stored = replace(ROWS[0], service_principal_key=Reference("vault:acme"))
    rules = rotation(only_changed=True)
    typed = await decision(STANDS, rules=rules)
    referred = await decision(STANDS, rules=rules, rows=[stored])

    assert isinstance(typed, Settle)
    assert isinstance(typed.outcome, Unchanged)
    assert typed.outcome.code == "no_version"
    assert isinstance(referred, SendKey)
    assert referred.only_changed


@pytest.mark.parametrize(
    ("doubt", "code"), [("timeout", "create_in_doubt"), ("initializing", "initializing")]
)
async def test_no_key_is_sent_where_the_create_is_in_doubt(doubt: str, code: str) -> None:
    """Nor where its connection is not ready yet; each by its own name."""
    open_doubt = Doubted(
        outcome=InDoubt(code=doubt), moment=Moment(boot_id="", clock_s=0.0), attempts=1
    )
    for state in (
        RowState(number=1, marker=ROWS[0].marker, doubt=open_doubt),
        RowState(number=1, marker=ROWS[0].marker, is_sent=True),
    ):
        known = Known(open={ROWS[0].marker: state})
        decided_on = await decision(EMPTY, known=known, rules=rotation())

        assert isinstance(decided_on, Settle)
        assert isinstance(decided_on.outcome, NotAttempted)
        assert decided_on.outcome.code == (code if state.doubt else "create_in_doubt")


async def test_what_is_not_ready_yet_is_waited_for_as_a_doubt_without_a_try() -> None:
    """In the first listing, in the second, or by its id: it is the row's, and never sent again."""
    unready = found(ROWS[0], state="initializing")
    by_id = replace(unready, id="id-made")
    for first, reads in (
        (listing(unready), Reads(EMPTY)),
        (EMPTY, Reads(listing(unready))),
        (EMPTY, Reads(EMPTY, get=by_id)),
    ):
        decided_on = await decision(first, reads=reads, known=made(ROWS[0]))

        assert isinstance(decided_on, SettleFirst)
        state = decided_on.state
        assert (state.number, state.marker, state.sends) == (ROWS[0].row, ROWS[0].marker, 0)
        assert state.doubt is not None
        assert (state.doubt.outcome.code, state.doubt.attempts) == ("initializing", 0)
        assert state.doubt.moment == Moment(boot_id="", clock_s=0.0)


async def test_what_another_rows_answer_named_counts_as_sent_once() -> None:
    """So that its window is waited out: the create behind that answer may be its own."""
    reads = Reads(EMPTY, get=found(ROWS[1], id="id-made"))
    decided_on = await decision(EMPTY, reads=reads, known=made(ROWS[0]))

    assert isinstance(decided_on, SettleFirst)
    state = RowState(number=ROWS[0].row, marker=ROWS[0].marker, sends=1)
    assert decided_on.state == state


async def test_no_key_is_sent_to_what_is_gone() -> None:
    """The row is not made again either, whatever is asked: that is another command's."""
    rules = replace(rotation(), recreate=True)
    decided_on = await decision(
        EMPTY, reads=Reads(EMPTY, get=GONE), known=made(ROWS[0]), rules=rules
    )

    assert isinstance(decided_on, Settle)
    assert isinstance(decided_on.outcome, NotAttempted)
    assert decided_on.outcome.code == "no_connection"


UNANSWERED = Known(open={ROWS[0].marker: RowState(number=1, marker=ROWS[0].marker, is_sent=True)})


@pytest.mark.parametrize(
    ("code", "case"),
    [
        ("not_failing", {"stands": STANDS, "rules": rotation(is_all=False)}),
        ("no_connection", {"stands": EMPTY, "rules": rotation()}),
        ("create_in_doubt", {"stands": EMPTY, "rules": rotation(), "known": UNANSWERED}),
        ("not_planned", {"stands": EMPTY, "rules": Rules(approved=frozenset())}),
        ("undo_open", {"stands": EMPTY, "known": Known(undoing={ROWS[0].marker: "run-1"})}),
        ("listing_failed", {"stands": EMPTY, "known": made(ROWS[0]), "reads": Reads(FAILED)}),
        (
            "deleted_since",
            {"stands": EMPTY, "known": made(ROWS[0]), "reads": Reads(EMPTY, get=GONE)},
        ),
    ],
)
async def test_what_is_settled_without_a_request_says_why(code: str, case: dict[str, Any]) -> None:
    """In a sentence: the code alone helps nobody."""
    settled = await decision(**case)

    assert isinstance(settled, Settle)
    assert isinstance(settled.outcome, Unchanged | NotAttempted | Conflict)
    assert settled.outcome.code == code
    assert settled.outcome.detail.endswith(".")


def test_a_ledger_that_knows_nothing_is_not_asked() -> None:
    """Whichever of the three it knows something by, it is."""
    state = RowState(number=1, marker="m")

    assert Known().is_blank
    assert not Known(open={"m": state}).is_blank
    assert not Known(sends={"m": 1}).is_blank
    assert not Known(states_of=knowing({})).is_blank


def test_all_are_created_unless_some_are_not() -> None:
    assert Rules().creates_all
    assert not Rules(creates=False).creates_all
    assert not Rules(approved=frozenset()).creates_all
