"""What the ledger's lines say of one row, folded into one value: plan, resume and report read it alike."""

from collections.abc import Iterable, Iterator, Sequence, Set as AbstractSet
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from batchconnect.ledger.entry import (
    ChangeDoubted,
    Deleted,
    Deleting,
    Doubted,
    KeyLooked,
    Left,
    Line,
    ProvenAbsent,
    RowPlanned,
    Sending,
    Settled,
    Tested,
    Updated,
    Updating,
)
from batchconnect.model import outcome as o
from batchconnect.model.fault import INTERNAL_FAULT
from batchconnect.model.outcome import (
    Created,
    Existing,
    InDoubt,
    NotAttempted,
    Outcome,
    Rejected,
)
from batchconnect.model.reference import KeyOrigin
from batchconnect.model.value import Value, by_name

UNANSWERED = InDoubt(
    code="interrupted", detail="The process ended between the intent and the answer."
)


_ROW: Final = attrgetter("row")


class Step(NamedTuple):
    """One thing that happened to a row between its first send and its end, where not all went straight."""

    at_ms: int
    what: str
    """For people: `the answer was lost`."""
    code: str = ""
    """Why, where that has a code."""


class RowState(Value):
    """One row of one run, as far as the ledger knows it."""

    number: int
    marker: str | None
    planned: RowPlanned | None = None
    """None: the line is not of this run (a doubt of an earlier one, found by its marker)."""
    sends: int = 0
    """How many intents were written for it."""
    cut_short: int = 0
    """After how many of them a process ended before there was an answer."""
    unsent: int = 0
    """After how many of them nothing had surely left, or been applied: stopped while it waited for its pace, say."""
    is_sent: bool = False
    """True: an intent stands without an answer, a doubt or a proof of absence."""
    doubt: Doubted | None = None
    """The open doubt, if there is one."""
    doubts: int = 0
    """How many doubts were opened, settled ones too."""
    outcome: Outcome | None = None
    """What was settled last; None: nothing yet."""
    made: str | None = None
    """Id of the connection that it last had, whatever was found out since; None: it never had one, or it is
    deleted."""
    etag: str | None = None
    """Of that connection, as it was left by whatever we did to it last; None where no answer told it."""
    change: Updating | Deleting | None = None
    """The change of that connection that was begun last, until it is known what became of it."""
    change_doubt: ChangeDoubted | None = None
    """Its open doubt, if there is one."""
    changes: int = 0
    """How many intents to change it were written."""
    change_outcome: Outcome | None = None
    """How its last change ended, or why there was none; None: none was wanted."""
    gone: tuple[str, ...] = ()
    """Ids of its connections that were deleted by our hand: a listing may show them for a while."""
    tested: Tested | None = None
    """What its connection's last test said, since its key was sent last."""
    tested_at_ms: int | None = None
    works: bool | None = None
    """What its last test that was answered said, since its key was sent last; None: none was."""
    key: KeyOrigin | None = None
    """Where the key was looked up that its connection has, as far as we sent it; None: it stood in the sheet."""
    key_sent: KeyOrigin | None = None
    """Where the key was looked up that was sent last, whatever became of it."""
    key_looked: KeyLooked | None = None
    """What its store said of the key when it was asked, and nothing was sent."""
    warnings: tuple[str, ...] = ()
    attempts: int = 0
    """Tries over all sends."""
    throttled: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    inherited: bool = False
    fault: str = ""
    """The error of our own that it met last, by its label, whatever became of the row since."""
    steps: tuple[Step, ...] = ()
    """What happened to it besides being sent once and answered; of most rows there is nothing to tell."""

    @property
    def key_told(self) -> KeyOrigin | None:
        """Where its key stands by the last word of its store, which was asked for it or gave what was sent."""
        return self.key_sent if self.key_looked is None else self.key_looked.key

    @property
    def key_refusal(self) -> Rejected | NotAttempted | None:
        """Why its store did not give its key when it was only asked; None: it did, or was not asked."""
        return None if self.key_looked is None else self.key_looked.refusal

    @property
    def is_open(self) -> bool:
        """Whether it, or a change of it, may have been applied, and nobody knows: it must be settled first."""
        return self.is_create_open or self.change is not None or self.change_doubt is not None

    @property
    def is_create_open(self) -> bool:
        """Whether it may have been created, and nobody knows."""
        return self.is_sent or self.doubt is not None

    def is_one_of(self, ids: AbstractSet[str]) -> bool:
        """Whether its connection is one of these, which are in lower case."""
        return self.made is not None and self.made.lower() in ids

    @property
    def is_unanswered(self) -> bool:
        """Whether an intent was written, and nothing since says what came of it, not even a doubt."""
        return self.is_sent or (self.change is not None and self.change_doubt is None)

    @property
    def spent(self) -> int:
        """
        Sends that count towards the most there may be.

        What surely did not leave is none. A process that ended in between says nothing about the service: most
        of its intents had not even left. So it can die as often as it likes, and counts as one send at most.
        """
        may_have_left = self.sends - self.unsent
        return max(min(1, may_have_left), may_have_left - self.cut_short - self.is_sent)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for the row in this run; one that is rejected is judged again."""
        outcome = self.change_outcome or self.outcome
        return (
            not self.is_open
            and outcome is not None
            and not isinstance(outcome, NotAttempted | Rejected)
        )

    @property
    def shown(self) -> Outcome:
        """The outcome that a report shows now; every row has exactly one at any instant."""
        doubt = self.change_doubt or self.doubt
        if doubt is not None:
            return doubt.outcome
        if self.is_sent or self.change is not None:
            return UNANSWERED
        return (
            self.change_outcome
            or self.outcome
            or NotAttempted(code="interrupted", detail="The run ended before its turn.")
        )


class _Story:
    """A row's state while its lines are told: a frozen copy for each line costs half of the fold."""

    planned: RowPlanned | None = None
    sends = 0
    cut_short = 0
    unsent = 0
    is_sent = False
    doubt: Doubted | None = None
    doubts = 0
    outcome: Outcome | None = None
    made: str | None = None
    etag: str | None = None
    change: Updating | Deleting | None = None
    change_doubt: ChangeDoubted | None = None
    changes = 0
    change_outcome: Outcome | None = None
    gone: tuple[str, ...] = ()
    tested: Tested | None = None
    tested_at_ms: int | None = None
    works: bool | None = None
    key: KeyOrigin | None = None
    key_sent: KeyOrigin | None = None
    key_looked: KeyLooked | None = None
    warnings: tuple[str, ...] = ()
    attempts = 0
    throttled = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    inherited = False
    fault = ""
    steps: tuple[Step, ...] = ()

    def __init__(self, number: int, marker: str | None) -> None:
        self.number = number
        self.marker = marker

    def tell(self, line: Line) -> None:
        """Add the next line; one of another kind than the row's own passes unnoticed."""
        match line.entry:
            case RowPlanned() as planned:
                # Accounted for anew, as a row that `--only` left out of the process before.
                self.planned = planned
                self.outcome = self.change_outcome = None
            case Sending(key=key):
                self._answer(None)
                self.key_sent = key
                if self.sends > self.unsent:
                    self._step(line.at_ms, "sent again")
                self.sends += 1
                self.is_sent = True
                self.started_at_ms = self.started_at_ms or line.at_ms
            case Doubted() as doubt:
                # A doubt may be written again with a better reason; its tries count once.
                if self.doubt is None:
                    self._step(line.at_ms, "the answer was lost", doubt.outcome.code)
                    self.doubts += 1
                    self.cut_short += doubt.outcome.code == UNANSWERED.code
                    self._count(doubt)
                self.is_sent = False
                self.doubt = doubt
                self._meet(doubt.outcome)
                self.finished_at_ms = line.at_ms
            case ProvenAbsent():
                self._step(line.at_ms, "surely not applied: two complete listings do not have it")
                self._answer(None)
            case Settled() as settled:
                self._settle(settled, line.at_ms)
            case Tested() | KeyLooked() as asked:
                self._ask(asked, line.at_ms)
            case (
                Updating() | Deleting() | ChangeDoubted() | Updated() | Deleted() | Left()
            ) as step:
                self._tell_change(step, line.at_ms)
            case _:
                pass

    def _settle(self, settled: Settled, at_ms: int) -> None:
        # Directly behind its intent, and no doubt between them: it was not sent, or throttled to the last.
        self.unsent += self.is_sent and isinstance(settled.outcome, NotAttempted)
        self._answer(settled.outcome)
        self.change_outcome = None
        self._meet(settled.outcome)
        self._count(settled)
        match settled.outcome:
            case Created() | o.Updated() as made:
                if not settled.inherited:
                    self.key = self.key_sent
                # A copy tells of before: since then our own hand may have changed it.
                if not settled.inherited or made.connection_id != self.made:
                    self._have(made.connection_id, made.etag)
            case Existing(connection_id=stands) | o.Unchanged(connection_id=stands):
                # Others may have changed what stood there: its etag is not as we left it.
                self._have(stands, self.etag if stands == self.made else None)
            case _:
                pass
        self.warnings = settled.warnings
        self.started_at_ms = self.started_at_ms or settled.started_at_ms
        self.finished_at_ms = settled.finished_at_ms or at_ms
        self.inherited = settled.inherited
        if settled.inherited:
            self.key = self.key_sent = settled.key
        if settled.tested is not None:
            self._test(settled.tested, settled.tested.at_ms or at_ms)

    def _ask(self, asked: Tested | KeyLooked, at_ms: int) -> None:
        if isinstance(asked, KeyLooked):
            self.key_looked = asked
        else:
            self._test(asked, asked.at_ms or at_ms)

    def _test(self, tested: Tested | None, at_ms: int | None = None) -> None:
        self.tested, self.tested_at_ms = tested, at_ms
        if tested is None:
            self.works = None
        elif tested.works is not o.Works.NOT_TESTED:  # that says nothing against the test before it
            self.works = tested.works is o.Works.YES

    def _tell_change(
        self,
        step: Updating | Deleting | ChangeDoubted | Updated | Deleted | Left,
        at_ms: int,
    ) -> None:
        match step:
            case Updating() | Deleting():
                if isinstance(step, Updating):
                    self.key_sent = step.key
                self.change, self.change_doubt, self.change_outcome = step, None, None
                if self.changes:
                    self._step(at_ms, "sent again")
                self.changes += 1
                self.started_at_ms = self.started_at_ms or at_ms
            case ChangeDoubted():
                if self.change_doubt is None:
                    self._step(at_ms, "the answer was lost", step.outcome.code)
                    self.doubts += 1
                    self._count(step)
                self.change_doubt = step
                self._meet(step.outcome)
                self.finished_at_ms = at_ms
            case Updated(outcome=outcome):
                self.key = self.key_sent
                self._have(outcome.connection_id, outcome.etag)
                self._end_change(step, at_ms)
                self._test(None)  # it was the key before that was tested
            case Deleted(outcome=outcome):
                self.gone = (*self.gone, outcome.connection_id)
                # Another one may have been made since: then that is the row's, and stays.
                if self._is_gone(self.made):
                    self.made = self.etag = self.outcome = self.key = None
                    self._test(None)
                self._end_change(step, at_ms)
            case Left():  # the last case
                self._end_change(step, at_ms)

    def _end_change(self, step: Updated | Deleted | Left, at_ms: int) -> None:
        self.change = self.change_doubt = None
        self.change_outcome = step.outcome
        self._count(step)
        self._meet(step.outcome)
        self.finished_at_ms = at_ms

    def _have(self, connection_id: str, etag: str | None) -> None:
        # A line that copies an outcome from before the delete brings nothing back.
        if self._is_gone(connection_id):
            return
        if connection_id != self.made:
            self._test(None)
        self.made, self.etag = connection_id, etag

    def _is_gone(self, connection_id: str | None) -> bool:
        return connection_id is None or connection_id.lower() in map(str.lower, self.gone)

    def state(self) -> RowState:
        """What is known of the row now."""
        return RowState(**vars(self))

    def _step(self, at_ms: int, what: str, code: str = "") -> None:
        self.steps = (*self.steps, Step(at_ms, what, code))

    def _answer(self, outcome: Outcome | None) -> None:
        self.is_sent = False
        self.doubt = None
        self.outcome = outcome

    def _meet(self, outcome: Outcome) -> None:
        if isinstance(outcome, InDoubt | NotAttempted) and outcome.code == INTERNAL_FAULT:
            self.fault = outcome.detail

    def _count(self, told: Doubted | Settled | ChangeDoubted | Updated | Deleted | Left) -> None:
        self.attempts += told.attempts
        self.throttled += told.throttled


def fold(lines: Iterable[Line], state: RowState) -> RowState:
    """
    Add lines of one row, oldest first, to what is known of it.

    Lines of other kinds than the row's own pass unnoticed.
    """
    story = _Story(state.number, state.marker)
    vars(story).update(by_name(state))
    for line in lines:
        story.tell(line)
    return story.state()


def fold_identity(marker: str, lines: Sequence[Line]) -> RowState:
    """
    Fold what all runs together wrote of one identity.

    Args:
        marker: The identity.
        lines: Its own, whichever the run, oldest first; at least one.
    """
    number = lines[-1].row or 0
    return _usual(number, marker, lines) or _told(number, marker, lines)


def fold_rows(lines: Iterable[Line]) -> Iterator[RowState]:
    """
    Fold many rows, one after the other.

    Args:
        lines: Lines of rows, those of one row together and oldest first, as `Ledger.row_lines` gives them.
    """
    for row, told in groupby(lines, _ROW):
        number, of_row = row or 0, list(told)
        marker = of_row[0].marker
        if marker is None:
            marker = _first_marker(of_row)
        yield _usual(number, marker, of_row) or _told(number, marker, of_row)


def _told(number: int, marker: str | None, lines: Sequence[Line]) -> RowState:
    story = _Story(number, marker)
    for line in lines:
        story.tell(line)
    return story.state()


def _usual(number: int, marker: str | None, lines: Sequence[Line]) -> RowState | None:
    """
    A row that was planned, sent at most once, has its connection, and was tested, or not: most are, and are
    told in one go.

    Returns:
        What the story of these lines would be; None: it has to be told.
    """
    # By the types themselves: that the lines are of no other of a dozen kinds is what makes a story dear.
    planned, sends, key, sent_at_ms, at = None, 0, None, None, 0
    entry = lines[0].entry
    if type(entry) is RowPlanned:
        planned, at = entry, 1
    last = len(lines) - 1
    if at < last and type(intent := lines[at].entry) is Sending:
        sends, key, sent_at_ms, at = 1, intent.key, lines[at].at_ms, at + 1
    settled, settled_at_ms = lines[min(at, last)].entry, lines[min(at, last)].at_ms
    if type(settled) is not Settled or settled.tested:
        return None
    outcome, is_inherited = settled.outcome, settled.inherited
    if not isinstance(outcome, (Created, Existing)):
        return None
    tested: Tested | None = None
    tested_at_ms, works = None, None
    for line in lines[at + 1 :]:
        if type(asked := line.entry) is not Tested:
            return None
        tested, tested_at_ms = asked, asked.at_ms or line.at_ms
        if asked.works is not o.Works.NOT_TESTED:
            works = asked.works is o.Works.YES
    is_made = isinstance(outcome, Created)
    if is_inherited:
        key = settled.key
    return RowState(
        number=number,
        marker=marker,
        planned=planned,
        sends=sends,
        outcome=outcome,
        made=outcome.connection_id,
        etag=outcome.etag if is_made else None,
        key=key if is_made or is_inherited else None,
        key_sent=key,
        warnings=settled.warnings,
        attempts=settled.attempts,
        throttled=settled.throttled,
        started_at_ms=sent_at_ms or settled.started_at_ms,
        finished_at_ms=settled.finished_at_ms or settled_at_ms,
        inherited=is_inherited,
        tested=tested,
        tested_at_ms=tested_at_ms,
        works=works,
    )


def _first_marker(lines: Iterable[Line]) -> str | None:
    return next((line.marker for line in lines if line.marker is not None), None)
