"""What the ledger's lines say of one row, folded into one value: plan, resume and report read it alike."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from batchconnect.entry import Doubted, Line, ProvenAbsent, RowPlanned, Sending, Settled
from batchconnect.outcome import InDoubt, NotAttempted, Outcome

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
    is_sent: bool = False
    """True: an intent stands without an answer, a doubt or a proof of absence."""
    doubt: Doubted | None = None
    """The open doubt, if there is one."""
    doubts: int = 0
    """How many doubts were opened, settled ones too."""
    outcome: Outcome | None = None
    """What was settled last; None: nothing yet."""
    warnings: tuple[str, ...] = ()
    attempts: int = 0
    """Tries over all sends."""
    throttled: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    inherited: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the row may have been applied, and nobody knows: it must be settled first."""
        return self.is_sent or self.doubt is not None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for the row in this run."""
        return (
            not self.is_open
            and self.outcome is not None
            and not isinstance(self.outcome, NotAttempted)
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


def fold(lines: Iterable[Line], state: RowState) -> RowState:
    """
    Add lines of one row, oldest first, to what is known of it.

    Lines of other kinds than the row's own pass unnoticed.
    """
    for line in lines:
        match line.entry:
            case RowPlanned() as planned:
                state = replace(state, planned=planned)
            case Sending():
                state = replace(
                    state,
                    sends=state.sends + 1,
                    is_sent=True,
                    doubt=None,
                    outcome=None,
                    started_at_ms=state.started_at_ms or line.at_ms,
                )
            case Doubted() as doubt:
                again = state.doubt is not None
                state = replace(
                    state,
                    is_sent=False,
                    doubt=doubt,
                    doubts=state.doubts + (not again),
                    # A doubt may be written again with a better reason; its tries count once.
                    attempts=state.attempts + (0 if again else doubt.attempts),
                    throttled=state.throttled + (0 if again else doubt.throttled),
                    finished_at_ms=line.at_ms,
                )
            case ProvenAbsent():
                state = replace(state, is_sent=False, doubt=None, outcome=None)
            case Settled() as settled:
                state = replace(
                    state,
                    is_sent=False,
                    doubt=None,
                    outcome=settled.outcome,
                    warnings=settled.warnings,
                    attempts=state.attempts + settled.attempts,
                    throttled=state.throttled + settled.throttled,
                    started_at_ms=state.started_at_ms or settled.started_at_ms,
                    finished_at_ms=settled.finished_at_ms or line.at_ms,
                    inherited=settled.inherited,
                )
            case _:
                pass
    return state


def fold_rows(lines: Iterable[Line]) -> Iterator[RowState]:
    """
    Fold many rows, one after the other.

    Args:
        lines: Lines of rows, those of one row together and oldest first, as `Ledger.row_lines` gives them.
    """
    for number, group in groupby(lines, key=lambda line: line.row or 0):
        of_row = list(group)
        marker = next((line.marker for line in of_row if line.marker is not None), None)
        yield fold(of_row, RowState(number=number, marker=marker))
