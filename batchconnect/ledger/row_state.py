"""What the ledger's lines say of one row, folded into one value: plan, resume and report read it alike."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from batchconnect.ledger.entry import Doubted, Line, ProvenAbsent, RowPlanned, Sending, Settled
from batchconnect.model.fault import INTERNAL_FAULT
from batchconnect.model.outcome import (
    Created,
    Existing,
    InDoubt,
    NotAttempted,
    Outcome,
    Rejected,
)

_WITH_CONNECTION = (Created, Existing)
UNANSWERED = InDoubt(
    code="interrupted", detail="The process ended between the intent and the answer."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowState:
    """One row of one run, as far as the ledger knows it."""

    number: int
    marker: str | None
    planned: RowPlanned | None = None
    """None: the line is not of this run (a doubt of an earlier one, found by its marker)."""
    sends: int = 0
    """How many intents were written for it."""
    cut_short: int = 0
    """After how many of them a process ended before there was an answer."""
    is_sent: bool = False
    """True: an intent stands without an answer, a doubt or a proof of absence."""
    doubt: Doubted | None = None
    """The open doubt, if there is one."""
    doubts: int = 0
    """How many doubts were opened, settled ones too."""
    outcome: Outcome | None = None
    """What was settled last; None: nothing yet."""
    made: str | None = None
    """Id of the connection that it last had, whatever was found out since."""
    warnings: tuple[str, ...] = ()
    attempts: int = 0
    """Tries over all sends."""
    throttled: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    inherited: bool = False
    fault: str = ""
    """The error of our own that it met last, by its label, whatever became of the row since."""

    @property
    def is_open(self) -> bool:
        """Whether the row may have been applied, and nobody knows: it must be settled first."""
        return self.is_sent or self.doubt is not None

    @property
    def spent(self) -> int:
        """
        Sends that count towards the most there may be, at least the one.

        A process that ended in between says nothing about the service: most of its intents had not
        even left. So it can die as often as it likes without using a row up.
        """
        return max(1, self.sends - self.cut_short - self.is_sent)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for the row in this run; one that is rejected is judged again."""
        return (
            not self.is_open
            and self.outcome is not None
            and not isinstance(self.outcome, NotAttempted | Rejected)
        )

    @property
    def shown(self) -> Outcome:
        """The outcome that a report shows now; every row has exactly one at any instant."""
        if self.doubt is not None:
            return self.doubt.outcome
        if self.is_sent:
            return UNANSWERED
        return self.outcome or NotAttempted(
            code="interrupted", detail="The run ended before its turn."
        )


class _Story:
    """A row's state while its lines are told: a frozen copy for each line costs half of the fold."""

    planned: RowPlanned | None = None
    sends = 0
    cut_short = 0
    is_sent = False
    doubt: Doubted | None = None
    doubts = 0
    outcome: Outcome | None = None
    made: str | None = None
    warnings: tuple[str, ...] = ()
    attempts = 0
    throttled = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    inherited = False
    fault = ""

    def __init__(self, number: int, marker: str | None) -> None:
        self.number = number
        self.marker = marker

    def tell(self, line: Line) -> None:
        """Add the next line; one of another kind than the row's own passes unnoticed."""
        match line.entry:
            case RowPlanned() as planned:
                # Accounted for anew, as a row that `--only` left out of the process before.
                self.planned = planned
                self.outcome = None
            case Sending():
                self._answer(None)
                self.sends += 1
                self.is_sent = True
                self.started_at_ms = self.started_at_ms or line.at_ms
            case Doubted() as doubt:
                # A doubt may be written again with a better reason; its tries count once.
                if self.doubt is None:
                    self.doubts += 1
                    self.cut_short += doubt.outcome.code == UNANSWERED.code
                    self._count(doubt)
                self.is_sent = False
                self.doubt = doubt
                self._meet(doubt.outcome)
                self.finished_at_ms = line.at_ms
            case ProvenAbsent():
                self._answer(None)
            case Settled() as settled:
                self._answer(settled.outcome)
                self._meet(settled.outcome)
                self._count(settled)
                if isinstance(settled.outcome, _WITH_CONNECTION):
                    self.made = settled.outcome.connection_id
                self.warnings = settled.warnings
                self.started_at_ms = self.started_at_ms or settled.started_at_ms
                self.finished_at_ms = settled.finished_at_ms or line.at_ms
                self.inherited = settled.inherited
            case _:
                pass

    def state(self) -> RowState:
        """What is known of the row now."""
        return RowState(**vars(self))

    def _answer(self, outcome: Outcome | None) -> None:
        self.is_sent = False
        self.doubt = None
        self.outcome = outcome

    def _meet(self, outcome: Outcome) -> None:
        if isinstance(outcome, InDoubt | NotAttempted) and outcome.code == INTERNAL_FAULT:
            self.fault = outcome.detail

    def _count(self, told: Doubted | Settled) -> None:
        self.attempts += told.attempts
        self.throttled += told.throttled


def fold(lines: Iterable[Line], state: RowState) -> RowState:
    """
    Add lines of one row, oldest first, to what is known of it.

    Lines of other kinds than the row's own pass unnoticed.
    """
    story = _Story(state.number, state.marker)
    vars(story).update({one.name: getattr(state, one.name) for one in fields(state)})
    for line in lines:
        story.tell(line)
    return story.state()


def fold_rows(lines: Iterable[Line]) -> Iterator[RowState]:
    """
    Fold many rows, one after the other.

    Args:
        lines: Lines of rows, those of one row together and oldest first, as `Ledger.row_lines` gives them.
    """
    story: _Story | None = None
    for line in lines:
        number = line.row or 0
        if story is None or story.number != number:
            if story is not None:
                yield story.state()
            story = _Story(number, line.marker)
        elif story.marker is None:
            story.marker = line.marker
        story.tell(line)
    if story is not None:
        yield story.state()
