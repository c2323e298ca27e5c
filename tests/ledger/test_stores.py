"""What both stores do alike: whatever is asked of a ledger is answered in the same way by each."""

from itertools import count

from batchconnect.ledger.entry import (
    ChangeDoubted,
    Deleted,
    Deleting,
    Doubted,
    Entry,
    LaneTold,
    Left,
    Line,
    Moment,
    ProvenAbsent,
    RowPlanned,
    RunEnded,
    RunOpened,
    Sending,
    Settled,
    SweepDone,
    Tested,
    Updating,
)
from batchconnect.ledger.postgres.store import PostgresLedger
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.model.event import LaneStopped, Swept
from batchconnect.model.outcome import Created, InDoubt, Kept, Works

_numbers = count(1)
Store = SqliteLedger | PostgresLedger

DOUBT = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=1.5))
CREATED = Settled(outcome=Created(connection_id="c-1"), attempts=1)
UPDATING = Updating(connection_id="c-1", etag='"1"')
DELETING = Deleting(connection_id="c-1")
DELETED = Deleted(outcome=o.Deleted(connection_id="c-1"))
KEPT = Left(outcome=Kept(code="in_use", detail=""))
LOST = ChangeDoubted(outcome=DOUBT.outcome, moment=DOUBT.moment)
TESTED = Tested(connection_id="c-1", works=Works.YES)
A, B, C, D = (f"bc1-{letter * 26}" for letter in "abcd")


def opened() -> Line:
    """A run of its own id."""
    run_id = f"20261123-161530123-{next(_numbers):04d}"
    return Line(entry=RunOpened(run_id=run_id, sheets=("clients.csv",), sheet_sha256="ab"), at_ms=1)


def line(entry: Entry, row: int | None = 2, marker: str | None = A, run: int = 1) -> Line:
    return Line(entry=entry, run=run, row=row, marker=marker, at_ms=2)


def test_a_run_is_numbered_by_its_own_line(ledger: Store) -> None:
    """So no counter has to be kept, and no number comes twice."""
    numbers = [ledger.append([opened()]), ledger.append([opened(), line(Sending(number=1))])]
    runs = [number for number, _, _ in ledger.runs()]

    assert numbers == [1, 3]
    assert runs == [2, 1]


def test_runs_are_told_newest_first_each_with_its_own_lines(ledger: Store) -> None:
    """The lines of rows are not among them."""
    stopped = LaneTold(
        event=LaneStopped(org="acme", sandbox=None, code="403", title="denied", detail="")
    )
    swept = SweepDone(event=Swept(expected=1, found=1, duplicated=(), missing=()))
    about_run = [
        line(each, row=None, marker=None) for each in (stopped, swept, RunEnded(exit_code=0))
    ]
    ledger.append([opened(), line(Sending(number=1)), *about_run])
    ledger.append([opened()])
    newest, oldest = ledger.runs()

    assert newest[0] == 6
    assert [type(each.entry) for each in oldest[2]] == [RunOpened, LaneTold, SweepDone, RunEnded]
    assert oldest[2][1:] == about_run


def test_the_lines_of_rows_come_row_by_row_in_the_order_of_the_sheet(ledger: Store) -> None:
    """However they were written; more of them than one page of reading."""
    ledger.append([opened()])
    rows = [3, 2, *range(4, 1200)]
    ledger.append([line(RowPlanned(name="n"), row=row) for row in rows])
    ledger.append([line(Sending(number=1), row=row) for row in rows])
    read = [(each.row, type(each.entry)) for each in ledger.row_lines(1)]

    assert read[:4] == [(2, RowPlanned), (2, Sending), (3, RowPlanned), (3, Sending)]
    assert len(read) == 2 * len(rows)
    assert list(ledger.row_lines(1, behind=1197)) == list(ledger.row_lines(1, [1199, 1198]))


def test_reading_does_not_hinder_writing(ledger: Store) -> None:
    """A report that is being read in pages, and a run that goes on."""
    ledger.append([opened()])
    ledger.append([line(RowPlanned(name="n"), row=row) for row in range(2, 1500)])
    reading = ledger.row_lines(1)
    first = next(reading)
    ledger.append([line(Sending(number=1))])
    count = 1 + sum(1 for _ in reading)

    assert first.row == 2
    assert count >= 1498


# What all runs know of an identity ------------------------------------------------------------------


def test_an_identity_is_open_until_it_is_answered(ledger: Store) -> None:
    """Sent or in doubt last: open. Settled or proven absent last: not."""
    ledger.append([opened()])
    ledger.append(
        [
            line(RowPlanned(name="a")),
            line(Sending(number=1), marker=D, row=5),
            line(DOUBT, marker=D, row=5),
            line(Sending(number=1)),
            line(Sending(number=1), marker=B, row=3),
            line(CREATED, marker=B, row=3),
            line(Sending(number=1), marker=C, row=4),
            line(DOUBT, marker=C, row=4),
            line(ProvenAbsent(), marker=C, row=4),
        ]
    )
    found = ledger.open_markers()

    assert found == [D, A]


def test_what_is_open_of_a_create_is_told_by_the_steps_of_creates_alone(ledger: Store) -> None:
    """Neither a change that nobody knows of, nor a test, opens or closes the doubt whether it stands there."""
    ledger.append([opened(), line(Sending(number=1), marker=A), line(TESTED, marker=A)])
    ledger.append([line(CREATED, marker=B), line(UPDATING, marker=B)])
    ledger.append([line(CREATED, marker=C), line(DELETING, marker=C), line(LOST, marker=C)])
    found, states = ledger.open_markers(), ledger.states_of([A, B, C])

    assert found == [A]
    assert all(state.is_open for state in states.values())


def test_who_has_a_deletion_is_told_once_whatever_came_of_it(ledger: Store) -> None:
    """Also of one that nobody knows of, and of one that was not made: they are few, and are looked at whole."""
    ledger.append([opened(), line(CREATED, marker=D), line(UPDATING, marker=D)])
    ledger.append([line(DELETING, marker=A), line(DELETED, marker=A), line(CREATED, marker=A)])
    ledger.append([line(DELETING, marker=B), line(LOST, marker=B), line(KEPT, marker=C)])
    found = ledger.deleted_markers()

    assert sorted(found) == [A, B]


def test_an_intent_to_change_is_sent_but_is_no_create(ledger: Store) -> None:
    """A ledger that only ever changed what others made is new, or was lost: it knows of no create."""
    ledger.append([opened(), line(UPDATING)])

    assert [intents for _row, intents, _last in ledger.last_lines(1)] == [1]
    assert (ledger.has_markers(), ledger.has_sent()) == (True, False)


def test_a_doubt_of_one_run_is_closed_by_the_answer_of_another(ledger: Store) -> None:
    """The marker is what counts, not the run."""
    ledger.append([opened(), line(Sending(number=1))])
    ledger.append([opened(), line(CREATED, row=7, run=3)])
    state = ledger.states_of([A])[A]
    found = ledger.open_markers()

    assert state is not None
    assert (state.outcome, state.number, state.sends) == (CREATED.outcome, 7, 1)
    assert found == []


def test_of_each_row_the_last_line_is_told_and_how_often_it_was_sent(ledger: Store) -> None:
    """In the order of the sheet; of a row whose outcome stands no more, nor of another run's."""
    planned = RowPlanned(name="a")
    ledger.append([opened(), line(planned, row=3), line(planned, row=2)])
    ledger.append([line(Sending(number=1), row=2), line(Sending(number=2), row=2)])
    ledger.append([opened(), line(CREATED, row=2, run=6)])
    ledger.append([line(planned, row=4), line(CREATED, row=4)])
    found = [(row, intents, last and last.entry) for row, intents, last in ledger.last_lines(1)]
    of_row = [one.entry for one in ledger.lines_of_row(1, 2)]

    assert found == [(2, 2, Sending(number=2)), (3, 0, planned), (4, 0, None)]
    assert of_row == [planned, Sending(number=1), Sending(number=2)]


def test_an_identity_that_was_never_sent_has_no_state(ledger: Store) -> None:
    """A line of the plan is not enough."""
    ledger.append([opened(), line(RowPlanned(name="a"))])

    assert ledger.states_of([A]) == {}


def test_a_ledger_without_any_intent_is_new_or_was_lost(ledger: Store) -> None:
    """Rows that were only planned do not count."""
    ledger.append([opened(), line(RowPlanned(name="a"))])
    before = ledger.has_sent()
    ledger.append([line(Sending(number=1))])
    after = ledger.has_sent()

    assert (before, after) == (False, True)


def test_a_ledger_without_any_identity_need_not_be_asked_for_one(ledger: Store) -> None:
    """What was sent, or settled with a marker, is one; a plan is none."""
    ledger.append([opened(), line(RowPlanned(name="a"))])
    before = ledger.has_markers()
    ledger.append([line(Sending(number=1))])
    after = ledger.has_markers()

    assert (before, after) == (False, True)


def test_of_most_rows_no_more_is_read_than_what_became_of_them(ledger: Store) -> None:
    """In the order of the sheet; the lines of every row of which the last one tells too little."""
    planned, sending = RowPlanned(name="a"), Sending(number=1)
    waits = Settled(outcome=o.NotAttempted(code="interrupted"))
    stands = Settled(outcome=o.Existing(connection_id="c-2", matched_by=o.MatchedBy.MARKER))
    told: dict[int, list[Entry]] = {
        1: [planned, sending, CREATED],
        2: [planned, stands],
        3: [planned, waits, sending, CREATED],
        4: [planned, waits],
        5: [planned],
        6: [planned, sending],
        7: [planned, sending, DOUBT, CREATED],
        8: [sending, CREATED],
    }
    lines = [line(entry, row=row) for row, entries in told.items() for entry in entries]
    ledger.append([opened(), *lines])
    ledger.append([opened()])
    found = [end if isinstance(end, str) else [one.entry for one in end] for end in ledger.ends(1)]

    assert found == ["Created", "Existing", "Created", *[told[row] for row in range(4, 9)]]
