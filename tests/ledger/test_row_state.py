"""
The state machine of one row, as its lines tell it:
planned -> sending -> created | failed | in_doubt -> created (reconciled) | planned again | in_doubt,
and of its connection, from one change to the next:
updating | deleting -> updated | deleted | left | in_doubt -> updated | deleted | left | sent again.
"""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from batchconnect.ledger.codec import encode, settles
from batchconnect.ledger.entry import (
    ChangeDoubted,
    Deleted,
    Deleting,
    Doubted,
    Entry,
    KeyLooked,
    Left,
    Line,
    Moment,
    ProvenAbsent,
    RowPlanned,
    RunResumed,
    Sending,
    Settled,
    Tested,
    Updated,
    Updating,
)
from batchconnect.ledger.kind import word_of
from batchconnect.ledger.row_state import UNANSWERED, RowState, fold, fold_identity, fold_rows
from batchconnect.model import outcome as o
from batchconnect.model.fault import INTERNAL_FAULT
from batchconnect.model.outcome import (
    Conflict,
    Created,
    Existing,
    Failed,
    InDoubt,
    Kept,
    MatchedBy,
    NotAttempted,
    Rejected,
    Unchanged,
    Works,
)
from batchconnect.model.reference import KeyOrigin

MARKER = "bc1-" + "a" * 26
PLANNED = RowPlanned(name="Acme")
SENDING = Sending(number=1)
MOMENT = Moment(boot_id="b", clock_s=1.0)
DOUBTED = Doubted(outcome=InDoubt(code="timeout"), moment=MOMENT, attempts=2, throttled=1)
BETTER = Doubted(outcome=InDoubt(code="possible_match"), moment=MOMENT, attempts=5)
ABSENT = ProvenAbsent()
CREATED = Created(connection_id="c-1", etag='"1"')
STOPPED = NotAttempted(code="no_progress")
MADE = Settled(outcome=CREATED)
UPDATING = Updating(connection_id="c-1", etag='"1"')
AGAIN = Updating(connection_id="c-1", etag='"1"', number=2)
UPDATED = Updated(outcome=o.Updated(connection_id="c-1", etag='"2"', etag_before='"1"'), attempts=1)
DELETING = Deleting(connection_id="c-1")
DELETED = Deleted(outcome=o.Deleted(connection_id="c-1"), attempts=1)
CHANGE_DOUBTED = ChangeDoubted(
    outcome=InDoubt(code="timeout"), moment=MOMENT, attempts=2, throttled=1
)
UNSENT = Left(outcome=Failed(code="http-400", detail=""), attempts=1)
WORKS = Tested(connection_id="c-1", works=Works.YES)
FAILS = Tested(connection_id="c-1", works=Works.NO, code="AADSTS7000222")


def told(*entries: Entry, first_at_ms: int = 1000) -> RowState:
    """What is known after these entries, one second between two of them."""
    lines = [
        Line(entry=entry, run=1, row=2, marker=MARKER, at_ms=first_at_ms + 1000 * count)
        for count, entry in enumerate(entries)
    ]
    return fold(lines, RowState(number=2, marker=MARKER))


STORIES = st.lists(
    st.sampled_from(
        [
            PLANNED,
            SENDING,
            DOUBTED,
            ABSENT,
            Settled(outcome=CREATED),
            Settled(outcome=STOPPED),
            Settled(outcome=Rejected(problems=())),
        ]
    ),
    min_size=1,
    max_size=6,
)


@given(STORIES)
def test_the_last_line_tells_whether_a_row_is_settled(story: list[Entry]) -> None:
    """Whatever came before it: so a resume of a million rows need not read all of them."""
    if settles(word_of(story[-1]), encode(story[-1])):
        assert told(*story).is_settled
    elif isinstance(story[-1], RowPlanned | Settled):
        assert not told(*story).is_settled


KEY_STORIES: list[tuple[list[Entry], bool]] = [
    ([PLANNED, UPDATING], False),
    ([PLANNED, UPDATING, CHANGE_DOUBTED], False),
    ([PLANNED, UPDATING, UPDATED], True),
    ([PLANNED, UPDATING, UPDATED, WORKS], True),
    ([PLANNED, MADE, FAILS], True),
    ([PLANNED, UPDATING, Left(outcome=Conflict(code="changed_meanwhile", detail=""))], True),
    ([PLANNED, UPDATING, UNSENT], True),
    ([PLANNED, UPDATING, Left(outcome=STOPPED)], False),
    ([PLANNED, Left(outcome=Rejected(problems=()))], False),
    ([PLANNED, UPDATING, UPDATED, AGAIN], False),
]


@pytest.mark.parametrize(("story", "is_settled"), KEY_STORIES)
def test_the_last_line_tells_whether_a_rows_key_is_settled(
    story: list[Entry], is_settled: bool
) -> None:
    """A resume sends no key again, and takes up no conflict; a row that was created and tested is done."""
    assert settles(word_of(story[-1]), encode(story[-1])) is is_settled
    assert told(*story).is_settled is is_settled


def test_an_inherited_outcome_brings_no_older_etag_back() -> None:
    """A rerun copies how its parent left the row; its key was sent since."""
    copied = Settled(outcome=CREATED, inherited=True)

    assert told(PLANNED, MADE, UPDATING, UPDATED, copied).etag == '"2"'
    assert told(PLANNED, copied).etag == '"1"'


def test_a_row_taken_over_after_its_key_was_sent_has_its_connection() -> None:
    """So a verification of the rerun that sent it asks about it."""
    taken_over = Settled(outcome=UPDATED.outcome, inherited=True)

    assert told(PLANNED, taken_over).made == "c-1"


def facts(state: RowState) -> tuple[bool, bool, int, int]:
    return state.is_open, state.is_settled, state.sends, state.doubts


def test_a_planned_row_waits_for_its_turn() -> None:
    """Nothing is settled; a report that is made now says that it was interrupted."""
    state = told(PLANNED)

    assert facts(state) == (False, False, 0, 0)
    assert state.planned == PLANNED
    assert state.shown == NotAttempted(code="interrupted", detail="The run ended before its turn.")


def test_an_intent_without_an_answer_is_open() -> None:
    """A crash between the two leaves it so: it may have been applied."""
    state = told(PLANNED, SENDING)

    assert facts(state) == (True, False, 1, 0)
    assert state.shown == UNANSWERED
    assert state.started_at_ms == 2000


def test_an_answer_settles_the_row() -> None:
    """With its attempts, and the times of the intent and of the answer."""
    state = told(
        PLANNED, SENDING, Settled(outcome=CREATED, attempts=2, throttled=1, warnings=("w",))
    )

    assert facts(state) == (False, True, 1, 0)
    assert state.shown == CREATED
    assert (state.started_at_ms, state.finished_at_ms) == (2000, 3000)
    assert (state.attempts, state.throttled, state.warnings) == (2, 1, ("w",))


@pytest.mark.parametrize(
    "outcome",
    [
        Existing(connection_id="c", matched_by=MatchedBy.MARKER),
        Failed(code="x", detail=""),
        Rejected(problems=()),
    ],
)
def test_a_row_can_be_settled_without_being_sent(
    outcome: Existing | Failed | Rejected,
) -> None:
    """Then nothing was started; what was rejected is judged again."""
    state = told(PLANNED, Settled(outcome=outcome))

    assert facts(state) == (False, not isinstance(outcome, Rejected), 0, 0)
    assert (state.shown, state.started_at_ms) == (outcome, None)


def test_a_lost_answer_is_a_doubt() -> None:
    """Open, and shown with its reason."""
    state = told(PLANNED, SENDING, DOUBTED)

    assert facts(state) == (True, False, 1, 1)
    assert state.doubt == DOUBTED
    assert state.shown == InDoubt(code="timeout")
    assert (state.attempts, state.throttled, state.finished_at_ms) == (2, 1, 3000)


@pytest.mark.parametrize("sends", [1, 2, 3])
def test_a_send_that_ended_in_doubt_is_spent(sends: int) -> None:
    """
    Its answer is in doubt, no longer missing: so it counts towards the most that there may be.

    Otherwise a run that is interrupted while it settles the last doubt would send once more.
    """
    story: list[Entry] = [PLANNED]
    for number in range(1, sends + 1):
        story += [Sending(number=number), DOUBTED, ABSENT]
    sent, doubted = told(*story[:-2]), told(*story[:-1])

    assert (sent.is_sent, sent.doubt, sent.spent) == (True, None, max(1, sends - 1))
    assert (doubted.is_sent, doubted.doubt, doubted.spent) == (False, DOUBTED, sends)


def test_a_doubt_about_what_was_settled_before_opens_it_again() -> None:
    """One run failed to create it, another one's lost answer is taken over: nobody knows any more."""
    state = told(PLANNED, Settled(outcome=Failed(code="x", detail="")), DOUBTED)

    assert facts(state) == (True, False, 0, 1)
    assert state.shown == DOUBTED.outcome


@pytest.mark.parametrize(
    "last",
    [CREATED, Existing(connection_id="c-1", matched_by=MatchedBy.MARKER)],
)
def test_the_connection_that_a_row_last_had_is_remembered(last: Created | Existing) -> None:
    """Whatever was found out since: so one that is gone is asked about by its id, and not made again."""
    earlier = Settled(outcome=Created(connection_id="c-0"))
    state = told(earlier, Settled(outcome=last), Settled(outcome=STOPPED), SENDING)

    assert state.made == "c-1"
    assert told(PLANNED, SENDING).made is None


def test_a_send_that_a_crash_cut_short_is_not_spent() -> None:
    """A process that ended says nothing about the service; it can end as often as it likes."""
    crashed = Doubted(outcome=UNANSWERED, moment=MOMENT)
    state = told(PLANNED, SENDING, DOUBTED, ABSENT, Sending(number=2), crashed)

    assert (state.cut_short, state.spent) == (1, 1)
    assert told(PLANNED, SENDING, crashed, ABSENT).spent == 1
    twice = told(PLANNED, SENDING, crashed, ABSENT, SENDING, crashed)
    assert (twice.cut_short, twice.spent) == (2, 1)


@pytest.mark.parametrize("times", [1, 3])
def test_a_send_that_surely_did_not_leave_is_not_spent(times: int) -> None:
    """Stopped while it waited for its pace, or handed to another worker: the three sends are still to come."""
    unsent: list[Entry] = [SENDING, Settled(outcome=STOPPED)] * times
    state = told(PLANNED, *unsent)

    assert (state.sends, state.unsent, state.spent) == (times, times, 0)
    assert told(PLANNED, *unsent, SENDING).spent == 1
    assert told(PLANNED, *unsent, SENDING, DOUBTED, ABSENT).spent == 1
    assert told(PLANNED, *unsent, SENDING).steps == ()
    proven_absent = told(PLANNED, SENDING, DOUBTED, Settled(outcome=STOPPED))
    assert (proven_absent.unsent, proven_absent.spent) == (0, 1)


def test_a_doubt_may_be_written_again_with_a_better_reason() -> None:
    """It is still one doubt, and its tries count once."""
    state = told(PLANNED, SENDING, DOUBTED, BETTER)

    assert facts(state) == (True, False, 1, 1)
    assert (state.shown, state.attempts) == (BETTER.outcome, 2)


def test_a_doubt_is_settled_when_the_marker_is_found() -> None:
    """No longer open; the look-up adds no attempt of its own."""
    found = Created(connection_id="c-1", reconciled=True)
    state = told(PLANNED, SENDING, DOUBTED, Settled(outcome=found))

    assert facts(state) == (False, True, 1, 1)
    assert (state.shown, state.attempts, state.finished_at_ms) == (found, 2, 4000)


def test_a_row_that_is_proven_absent_is_planned_again() -> None:
    """Nothing of it is applied, so nothing is open."""
    state = told(PLANNED, SENDING, DOUBTED, ABSENT)

    assert facts(state) == (False, False, 1, 1)
    assert isinstance(state.shown, NotAttempted)


def test_a_row_is_sent_again_and_answered() -> None:
    """Two intents, tries of both; the time of the first intent stays."""
    state = told(
        PLANNED, SENDING, DOUBTED, ABSENT, Sending(number=2), Settled(outcome=CREATED, attempts=1)
    )

    assert facts(state) == (False, True, 2, 1)
    assert (state.attempts, state.throttled, state.started_at_ms) == (3, 1, 2000)


def test_the_second_send_may_be_doubted_too() -> None:
    """That is a second doubt."""
    state = told(PLANNED, SENDING, DOUBTED, ABSENT, Sending(number=2), DOUBTED)

    assert facts(state) == (True, False, 2, 2)
    assert state.attempts == 4


def test_what_did_not_go_straight_is_told_step_by_step() -> None:
    """With its time and its reason, of a create as of a change; a row that was sent and answered has no steps."""
    create = told(
        PLANNED, SENDING, DOUBTED, BETTER, ABSENT, SENDING, DOUBTED, Settled(outcome=CREATED)
    )
    change = told(PLANNED, MADE, UPDATING, CHANGE_DOUBTED, AGAIN, UPDATED)

    assert create.steps == (
        (3000, "the answer was lost", "timeout"),
        (5000, "surely not applied: two complete listings do not have it", ""),
        (6000, "sent again", ""),
        (7000, "the answer was lost", "timeout"),
    )
    assert change.steps == ((4000, "the answer was lost", "timeout"), (5000, "sent again", ""))
    assert told(PLANNED, SENDING, MADE, UPDATING, UPDATED).steps == ()


def test_a_fault_of_our_own_is_remembered_whatever_became_of_the_row() -> None:
    """So that it is reported; what a service did is none of ours."""
    ours = InDoubt(code=INTERNAL_FAULT, detail="F-1")
    unsent = NotAttempted(code=INTERNAL_FAULT, detail="F-2")

    assert told(SENDING, Doubted(outcome=ours, moment=MOMENT), MADE).fault == "F-1"
    assert told(Settled(outcome=unsent), SENDING, MADE).fault == "F-2"
    assert told(MADE, UPDATING, ChangeDoubted(outcome=ours, moment=MOMENT), UPDATED).fault == "F-1"
    assert told(MADE, Left(outcome=unsent), UPDATING).fault == "F-2"
    assert told(SENDING, DOUBTED, Settled(outcome=STOPPED)).fault == ""
    assert told(Settled(outcome=Failed(code=INTERNAL_FAULT, detail="of the service"))).fault == ""


@pytest.mark.parametrize(
    ("story", "is_unanswered"),
    [
        ([PLANNED], False),
        ([PLANNED, SENDING], True),
        ([PLANNED, SENDING, DOUBTED], False),
        ([PLANNED, SENDING, DOUBTED, ABSENT], False),
        ([PLANNED, SENDING, MADE], False),
        ([MADE, UPDATING], True),
        ([MADE, UPDATING, CHANGE_DOUBTED], False),
        ([MADE, UPDATING, CHANGE_DOUBTED, AGAIN], True),
        ([MADE, DELETING, DELETED], False),
        ([SENDING, DOUBTED, UPDATING], True),
    ],
)
def test_an_intent_is_unanswered_until_anything_is_said_of_it(
    story: list[Entry], is_unanswered: bool
) -> None:
    """A doubt says something: only what a process left behind without a word is taken up as a new doubt."""
    assert told(*story).is_unanswered is is_unanswered


def test_not_attempted_is_provisional() -> None:
    """A resume takes the row up again, and its intent clears it."""
    stopped = told(PLANNED, Settled(outcome=STOPPED))
    resumed = told(PLANNED, Settled(outcome=STOPPED), SENDING)

    assert facts(stopped) == (False, False, 0, 0)
    assert stopped.shown == STOPPED
    assert (facts(resumed), resumed.outcome) == ((True, False, 1, 0), None)


def test_a_row_that_is_accounted_for_anew_forgets_why_it_was_left_out() -> None:
    """`--only` chose others before the interruption, and this row after it."""
    state = told(RowPlanned(name=""), Settled(outcome=STOPPED), PLANNED)

    assert (state.planned, state.outcome) == (PLANNED, None)


def test_an_inherited_outcome_keeps_its_own_times() -> None:
    """Those of the parent run, not of the line that copies it."""
    state = told(
        PLANNED,
        Settled(outcome=CREATED, inherited=True, started_at_ms=10, finished_at_ms=20, attempts=3),
    )

    assert state.inherited
    assert (state.started_at_ms, state.finished_at_ms, state.attempts) == (10, 20, 3)


def test_lines_about_the_run_pass_unnoticed() -> None:
    """And folding goes on where it stopped, whatever the pieces."""
    entries: Sequence[Entry] = (PLANNED, SENDING, RunResumed(), DOUBTED)
    lines = [Line(entry=entry, at_ms=1) for entry in entries]
    start = RowState(number=2, marker=MARKER)

    assert fold(lines[2:], fold(lines[:2], start)) == fold(lines, start)
    assert fold([], start) == start


def test_many_rows_are_folded_one_after_the_other() -> None:
    """The marker is the first that a line of the row bears; a rejected row has none."""
    lines = [
        Line(entry=PLANNED, row=2),
        Line(entry=SENDING, row=2, marker=MARKER),
        Line(entry=PLANNED, row=5),
    ]
    states = list(fold_rows(lines))

    assert [(state.number, state.marker, state.sends) for state in states] == [
        (2, MARKER, 1),
        (5, None, 0),
    ]


KEY = KeyOrigin(reference="vault:acme", version="3")
SHORT_STORIES = st.lists(
    st.sampled_from(
        [
            PLANNED,
            SENDING,
            Sending(number=1, key=KEY),
            DOUBTED,
            MADE,
            Settled(outcome=CREATED, attempts=2, throttled=1, warnings=("odd",)),
            Settled(outcome=CREATED, started_at_ms=500, finished_at_ms=900, inherited=True),
            Settled(outcome=Existing(connection_id="c-1", matched_by=MatchedBy.NAME, etag='"7"')),
            Settled(outcome=CREATED, tested=WORKS, started_at_ms=500),
            Settled(outcome=STOPPED, started_at_ms=500),
            Settled(
                outcome=Existing(connection_id="c-1", matched_by=MatchedBy.MARKER),
                inherited=True,
                key=KEY,
            ),
            WORKS,
            FAILS,
            Tested(connection_id="c-1", works=Works.NOT_TESTED, code="timeout", at_ms=700),
        ]
    ),
    min_size=1,
    max_size=5,
)


@given(SHORT_STORIES, st.sampled_from([0, 1]))
def test_a_row_is_folded_alike_in_one_go_and_line_by_line(story: list[Entry], marked: int) -> None:
    """Most rows are read at a glance; what is known of them is what their story tells."""
    lines = [
        Line(entry=entry, row=2, marker=MARKER if place >= marked else None, at_ms=1000 * place)
        for place, entry in enumerate(story)
    ]
    marker = MARKER if len(story) > marked else None

    assert list(fold_rows(lines)) == [fold(lines, RowState(number=2, marker=marker))]
    assert fold_identity(MARKER, lines) == fold(lines, RowState(number=2, marker=MARKER))


KEYED = Sending(number=1, key=KEY)
ASKED = Tested(connection_id="c-1", works=Works.NOT_TESTED, code="timeout", at_ms=700)
COUNTED = Settled(
    outcome=CREATED,
    attempts=2,
    throttled=1,
    warnings=("odd",),
    started_at_ms=500,
    finished_at_ms=900,
)
FOUND = Existing(connection_id="c-1", matched_by=MatchedBy.NAME, etag='"7"')


@pytest.mark.parametrize("before", [[], [PLANNED]])
@pytest.mark.parametrize("intent", [[], [SENDING], [KEYED]])
@pytest.mark.parametrize(
    "settled",
    [
        MADE,
        COUNTED,
        Settled(outcome=FOUND),
        Settled(outcome=CREATED, inherited=True, key=KEY),
        Settled(outcome=FOUND, inherited=True, key=KEY),
        Settled(outcome=CREATED, tested=WORKS),
        Settled(outcome=STOPPED),
        DOUBTED,
    ],
)
@pytest.mark.parametrize(
    "after", [[], [WORKS], [FAILS, ASKED], [WORKS, FAILS], [DELETING], [MADE], [WORKS, UPDATING]]
)
def test_what_is_read_at_a_glance_is_what_the_story_tells(
    before: list[Entry], intent: list[Entry], settled: Entry, after: list[Entry]
) -> None:
    """Each line that most rows have, in its place or left out, and what is no usual row."""
    lines = [
        Line(entry=entry, row=2, marker=MARKER, at_ms=1000 * place)
        for place, entry in enumerate([*before, *intent, settled, *after], start=1)
    ]

    assert fold_identity(MARKER, lines) == fold(lines, RowState(number=2, marker=MARKER))


# The connection's life after the create ------------------------------------------------------------


@pytest.mark.parametrize("intent", [UPDATING, DELETING])
def test_an_intent_to_change_without_an_answer_is_open(intent: Updating | Deleting) -> None:
    """As a create's: it may have been applied. It is no send of a create, and the connection is the row's."""
    state = told(PLANNED, MADE, intent)

    assert facts(state) == (True, False, 0, 0)
    assert (state.change, state.changes, state.shown) == (intent, 1, UNANSWERED)
    assert (state.made, state.etag, state.outcome) == ("c-1", '"1"', CREATED)
    assert state.started_at_ms == 3000


@pytest.mark.parametrize("intent", [UPDATING, DELETING])
def test_a_lost_answer_to_a_change_is_a_doubt_about_that_change(
    intent: Updating | Deleting,
) -> None:
    """Open, and shown with its reason; that the connection was created is not in doubt."""
    state = told(PLANNED, MADE, intent, CHANGE_DOUBTED)

    assert facts(state) == (True, False, 0, 1)
    assert (state.change, state.change_doubt, state.doubt) == (intent, CHANGE_DOUBTED, None)
    assert (state.shown, state.outcome) == (CHANGE_DOUBTED.outcome, CREATED)
    assert (state.attempts, state.throttled, state.finished_at_ms) == (2, 1, 4000)


def test_a_doubt_about_a_change_may_be_written_again_with_a_better_reason() -> None:
    """It is still one doubt, and its tries count once; another intent may bring another doubt."""
    better = ChangeDoubted(outcome=InDoubt(code="not_read"), moment=MOMENT, attempts=5)
    once = told(MADE, UPDATING, CHANGE_DOUBTED, better)
    twice = told(MADE, UPDATING, CHANGE_DOUBTED, AGAIN, CHANGE_DOUBTED)

    assert (once.doubts, once.attempts, once.shown) == (1, 2, better.outcome)
    assert (twice.doubts, twice.attempts, twice.changes) == (2, 4, 2)


def test_an_updated_connection_has_its_new_etag_and_nobody_knows_whether_it_works() -> None:
    """It was the key before that was tested."""
    state = told(PLANNED, MADE, FAILS, UPDATING, UPDATED)

    assert facts(state) == (False, True, 0, 0)
    assert (state.made, state.etag, state.tested) == ("c-1", '"2"', None)
    assert (state.shown, state.outcome) == (UPDATED.outcome, CREATED)
    assert (state.started_at_ms, state.finished_at_ms) == (4000, 5000)
    assert told(PLANNED, MADE, UPDATING, UPDATED, WORKS).tested == WORKS


def test_an_answer_that_names_no_etag_leaves_it_unknown() -> None:
    """The old one would be wrong: the next change has to read it."""
    nameless = Updated(outcome=o.Updated(connection_id="c-1"))

    assert told(MADE, UPDATING, nameless).etag is None


def test_a_doubt_about_a_change_is_settled_by_asking() -> None:
    """No longer open; the look-up adds no attempt of its own."""
    found = Updated(outcome=o.Updated(connection_id="c-1", etag='"2"', reconciled=True))
    state = told(MADE, UPDATING, CHANGE_DOUBTED, found)

    assert facts(state) == (False, True, 0, 1)
    assert (state.change, state.change_doubt, state.attempts) == (None, None, 2)


def test_a_deleted_connection_is_the_rows_no_more() -> None:
    """Its id is kept among those that are gone, for a listing may show it for a while."""
    state = told(PLANNED, MADE, WORKS, DELETING, DELETED)

    assert facts(state) == (False, True, 0, 0)
    assert (state.made, state.etag, state.outcome, state.tested) == (None, None, None, None)
    assert (state.gone, state.shown) == (("c-1",), DELETED.outcome)
    assert state.finished_at_ms == 5000


def test_a_row_whose_connection_is_deleted_can_have_another() -> None:
    """The story of a create begins anew; what is gone stays known."""
    again = Settled(outcome=Created(connection_id="c-2", etag='"7"'))
    sent = told(MADE, DELETING, DELETED, Sending(number=1))
    state = told(MADE, DELETING, DELETED, Sending(number=1), again)

    assert (sent.is_open, sent.shown, sent.made) == (True, UNANSWERED, None)
    assert facts(state) == (False, True, 1, 0)
    assert (state.made, state.etag, state.gone) == ("c-2", '"7"', ("c-1",))
    assert (state.shown, state.outcome) == (again.outcome, again.outcome)


def test_what_is_deleted_is_not_brought_back_by_a_line_that_copies_its_create() -> None:
    """A rerun's report has the rows of the run before it; ids differ in letter case at times."""
    copied = Settled(outcome=Created(connection_id="C-1"), inherited=True)

    assert told(MADE, DELETING, DELETED, copied).made is None


def test_a_copy_of_what_an_earlier_run_did_takes_nothing_back() -> None:
    """A rerun's lines come after our own change of the connection: its etag and its test are those of today."""
    copied = Settled(outcome=CREATED, inherited=True)
    state = told(MADE, UPDATING, UPDATED, WORKS, copied)

    assert (state.made, state.etag, state.tested) == ("c-1", '"2"', WORKS)


@pytest.mark.parametrize(
    "outcome",
    [
        UPDATED.outcome,
        Unchanged(code="not_failing", detail="", connection_id="c-1", etag='"2"'),
    ],
)
def test_a_copy_of_a_changed_row_names_its_connection(outcome: o.Updated | Unchanged) -> None:
    """So that a verification of a rerun asks for those that the rerun sent a key to."""
    state = told(PLANNED, Settled(outcome=outcome, inherited=True))

    assert (state.made, state.shown, state.is_settled) == ("c-1", outcome, True)


def test_the_delete_of_an_earlier_connection_leaves_the_one_of_today() -> None:
    """A run made one, another run made the second; what is undone is the first."""
    today = Settled(outcome=Created(connection_id="c-2"))
    state = told(MADE, today, WORKS, DELETING, DELETED)

    assert (state.made, state.outcome, state.gone) == ("c-2", today.outcome, ("c-1",))


@pytest.mark.parametrize(
    "outcome",
    [
        Failed(code="http-400", detail=""),
        Conflict(code="changed_meanwhile", detail=""),
        Unchanged(code="not_failing", detail="", connection_id="c-1"),
        Kept(code="in_use", detail=""),
    ],
)
def test_a_change_that_was_not_made_leaves_the_connection_as_it_was(
    outcome: Failed | Conflict | Unchanged | Kept,
) -> None:
    """Nothing is open, the row shows why, and what is known of its create and its last test stays."""
    state = told(MADE, FAILS, UPDATING, CHANGE_DOUBTED, Left(outcome=outcome, attempts=1))

    assert facts(state) == (False, True, 0, 1)
    assert (state.change, state.change_doubt, state.attempts) == (None, None, 3)
    assert state.finished_at_ms == 5000
    assert (state.shown, state.outcome) == (outcome, CREATED)
    assert (state.made, state.etag, state.tested) == ("c-1", '"1"', FAILS)


def test_a_change_that_was_not_attempted_is_provisional() -> None:
    """A resume takes it up, and the intent clears it; so does one who accounts for the row anew."""
    stopped = Left(outcome=STOPPED)

    assert not told(PLANNED, stopped).is_settled
    assert told(PLANNED, stopped, UPDATING).change_outcome is None
    assert told(PLANNED, stopped, PLANNED).change_outcome is None


def test_what_a_change_came_to_is_shown_before_what_the_create_came_to() -> None:
    """Until the row is created again, or its outcome is told anew."""
    assert told(MADE, UNSENT).shown == UNSENT.outcome
    assert told(MADE, UNSENT, MADE).shown == CREATED


@pytest.mark.parametrize("asked_at_ms", [None, 500])
def test_a_test_says_whether_the_connection_works_and_nothing_else(
    asked_at_ms: int | None,
) -> None:
    """The last one counts; one that is taken over from another run was asked when that says."""
    last = Tested(connection_id="c-1", works=Works.NO, code="x", at_ms=asked_at_ms)
    state = told(PLANNED, MADE, WORKS, last)

    assert facts(state) == facts(told(PLANNED, MADE))
    assert (state.shown, state.finished_at_ms) == (CREATED, 2000)
    assert (state.tested, state.tested_at_ms) == (last, asked_at_ms or 4000)


def test_a_test_is_of_the_connection_that_it_was_made_of() -> None:
    """One that takes its place was not tested; the same one, told again, was."""
    other = Settled(outcome=Created(connection_id="c-2"))
    same = Settled(outcome=Existing(connection_id="c-1", matched_by=MatchedBy.MARKER))

    assert told(MADE, FAILS, other).tested is None
    assert told(MADE, FAILS, same).tested == FAILS


def test_whether_it_works_is_the_last_word_of_its_source() -> None:
    """A test without an answer takes nothing back; a key that was sent since does."""
    silent = Tested(connection_id="c-1", works=Works.NOT_TESTED)

    assert told(MADE, silent).works is None
    assert (told(MADE, WORKS, silent).works, told(MADE, FAILS, silent).works) == (True, False)
    assert told(MADE, WORKS, FAILS).works is False
    assert told(MADE, WORKS, UPDATING, UPDATED).works is None


@pytest.mark.parametrize("asked_at_ms", [None, 500])
def test_a_row_that_is_taken_over_brings_its_test_along(asked_at_ms: int | None) -> None:
    """A rerun's report tells of it, and when it was asked."""
    tested = Tested(connection_id="c-1", works=Works.NO, at_ms=asked_at_ms)
    state = told(PLANNED, Settled(outcome=CREATED, inherited=True, tested=tested))

    assert (state.tested, state.works, state.tested_at_ms) == (tested, False, asked_at_ms or 2000)


@pytest.mark.parametrize("stands", ["c-1", "c-2"])
def test_what_is_found_to_stand_there_has_the_etag_that_we_left_it_with(stands: str) -> None:
    """One of another connection is not known, nor is one that others left: the next change reads it."""
    existing = Existing(connection_id=stands, matched_by=MatchedBy.NAME, etag='"9"')
    unchanged = Unchanged(code="x", detail="", connection_id=stands, etag='"9"')
    for outcome in (existing, unchanged):
        state = told(MADE, UNSENT, Settled(outcome=outcome))
        assert (state.made, state.etag) == (stands, '"1"' if stands == "c-1" else None)


OLD, NEW = (KeyOrigin(reference="vault:acme", version=version) for version in "12")


def test_a_connection_has_the_key_that_was_sent_when_it_was_answered() -> None:
    """Whatever was sent since without effect: so a rotation knows which one is there."""
    created: list[Entry] = [Sending(number=1, key=OLD), MADE]
    sent = Updating(connection_id="c-1", etag='"1"', key=NEW)

    def keys(*entries: Entry) -> tuple[KeyOrigin | None, KeyOrigin | None]:
        state = told(PLANNED, *entries)
        return state.key, state.key_sent

    assert keys(created[0]) == (None, OLD)
    assert keys(*created) == (OLD, OLD)
    assert keys(*created, sent) == (OLD, NEW)
    assert keys(*created, sent, UNSENT) == (OLD, NEW)
    assert keys(*created, sent, UPDATED) == (NEW, NEW)
    assert keys(*created, DELETING, DELETED) == (None, OLD)
    assert keys(Settled(outcome=CREATED, inherited=True, key=OLD)) == (OLD, OLD)


def test_where_a_key_stands_is_told_by_the_store_that_was_asked_last() -> None:
    """It was asked for a key that is not sent, and may refuse it; where none was asked, it is what was sent."""
    missing = NotAttempted(code="vault_unreachable")
    sent = told(Sending(number=1, key=OLD))
    looked = told(Sending(number=1, key=OLD), KeyLooked(key=NEW))
    refused = told(Sending(number=1, key=OLD), KeyLooked(unanswered=missing))

    assert (sent.key_told, sent.key_refusal) == (OLD, None)
    assert (looked.key_told, looked.key_refusal, looked.key_sent) == (NEW, None, OLD)
    assert (refused.key_told, refused.key_refusal) == (None, missing)


def test_a_row_is_known_by_its_connection_in_any_letter_case() -> None:
    """What was deleted, or is to be, is listed in lower case; a row without a connection is none of them."""
    made = told(Settled(outcome=Created(connection_id="C-1")))

    assert (made.is_one_of({"c-1"}), made.is_one_of({"c-2"})) == (True, False)
    assert not told(PLANNED).is_one_of({"c-1", "none", "None"})


def test_an_identity_is_the_row_that_wrote_of_it_last() -> None:
    """Whichever run: its number is that of the sheet of today. The lines may be told at a glance or one by one."""
    lines = [
        Line(entry=entry, run=run, row=row, marker=MARKER, at_ms=1000)
        for run, row, entry in ((1, 2, SENDING), (1, 2, DOUBTED), (3, 9, MADE))
    ]
    bare = Line(entry=MADE, marker=MARKER)

    assert (fold_identity(MARKER, lines).number, fold_identity(MARKER, lines).marker) == (9, MARKER)
    at_a_glance = fold_identity(MARKER, lines[2:])
    assert (at_a_glance.number, at_a_glance.marker) == (9, MARKER)
    assert [fold_identity(MARKER, told).number for told in ([bare], [bare, bare])] == [0, 0]


CHANGES = st.lists(
    st.sampled_from(
        [MADE, SENDING, UPDATING, UPDATED, DELETING, DELETED, CHANGE_DOUBTED, UNSENT, WORKS, FAILS]
    ),
    max_size=8,
)


@given(CHANGES)
def test_no_story_shows_a_connection_that_is_gone_as_the_rows_own(story: list[Entry]) -> None:
    """Nor what was found out about it; and what is open is shown as a doubt, whatever came before."""
    state = told(PLANNED, *story)

    assert state.made not in state.gone
    assert state.made is not None or state.etag is None
    assert isinstance(state.shown, InDoubt) == state.is_open
    assert not (state.is_open and state.is_settled)
