"""What the ledger knew before a run begins: of its own rows, if it goes on, and of all doubts."""

from collections.abc import Collection, Mapping, Sequence, Set as AbstractSet

from batchconnect.lane.planner import Known, states_in, unknown
from batchconnect.ledger import Ledger
from batchconnect.ledger.deletions import deletions_in
from batchconnect.ledger.entry import (
    RowPlanned,
    Settled,
    Updating,
)
from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.model.outcome import NotAttempted, Rejected
from batchconnect.model.value import Value, replace
from batchconnect.run.intake.accounting import NOT_SELECTED


class KnownRun(Value):
    """What was known before."""

    rows: Mapping[int, bool]
    """Of a resumed run: the rows that it accounts for, and whether they are settled."""
    begun: int
    """Of a resumed run: rows of which an intent was written."""
    plan: Known
    """For the plan of each lane."""
    deleted: AbstractSet[str] = frozenset()
    """Ids of connections that were deleted by our hand."""


def known_of(
    ledger: Ledger,
    number: int | None,
    *,
    of_rows: Collection[int] | None = None,
    joins: bool = False,
) -> KnownRun:
    """
    Look back.

    Args:
        ledger: Of all runs.
        number: The run that goes on; None: a new one.
        of_rows: Rows of this run that matter; None: all.
        joins: Whether another process has judged the rows, and none is judged anew.
    """
    own: dict[str, RowState] = {}
    rows: dict[int, bool] = {}
    sends: dict[str, int] = {}
    unclear: list[int] = []
    begun = 0
    lasts = ledger.last_lines(number, of_rows) if number is not None else ()
    for row, intents, last in lasts:
        begun += intents > 0
        # Cases, in order; a million rows are of the first two, and no more is asked of them. (So a line before
        # their last that is damaged is met when the report is made.)
        #   1. An outcome that stands: nothing is left to do.
        #   2. Never sent: its turn is to come. One that was not selected, or rejected, is judged and accounted
        #      for anew: the settings may know its org by now.
        #   3. Sent, by this run or another; or tested, or left as it was. What its lines say together decides.
        if last is None:
            rows[row] = True
        elif intents == 0 and isinstance(last.entry, RowPlanned | Settled):
            if joins:
                rows[row] = isinstance(last.entry, Settled) and _stays(last.entry)
            elif not _is_judged_anew(last.entry):
                rows[row] = False
        else:
            unclear.append(row)
    # Asked for together: a ledger may be a round trip away, and after a verification all rows are among them.
    for state in fold_rows(ledger.row_lines(number or 0, unclear) if unclear else ()):
        rows[state.number] = state.is_settled
        if state.marker is not None and not state.is_settled:
            own[state.marker] = state
            if state.sends:
                sends[state.marker] = state.spent
    identities = ledger.identities()
    deletions = deletions_in(ledger, identities.deleted)
    plan = Known(
        open=_in_doubt(ledger, own, identities.open),
        sends=sends,
        states_of=states_in(ledger) if identities.has_any else unknown,
        states_now=states_in(ledger),
        undoing=deletions.open,
        rotating={
            marker: state.change
            for marker, state in own.items()
            if isinstance(state.change, Updating)
        },
    )
    return KnownRun(rows=rows, begun=begun, plan=plan, deleted=deletions.ids)


def _in_doubt(
    ledger: Ledger, own: Mapping[str, RowState], markers: Sequence[str]
) -> dict[str, RowState]:
    """
    By marker, what any run left in doubt.

    Whether, and since when, an identity is in doubt is told by all runs together: another one may have sent it
    since. Sends are counted per run: a rerun brings home what another run gave up.
    """
    of_all: dict[str, RowState] = {}
    for marker, whole in ledger.states_of(markers).items():
        mine = own.get(marker)
        if mine is not None and mine.doubt == whole.doubt:
            of_all[marker] = mine
        else:
            once = min(whole.sends, 1)
            counted = mine or RowState(number=whole.number, marker=marker, sends=once)
            of_all[marker] = replace(
                whole, sends=counted.sends, cut_short=counted.cut_short, unsent=counted.unsent
            )
    return of_all


def _stays(settled: Settled) -> bool:
    """Whether a line of a row that was never sent is its end, for all who work the run together."""
    return _is_judged_anew(settled) or not isinstance(settled.outcome, NotAttempted)


def _is_judged_anew(entry: RowPlanned | Settled) -> bool:
    """Whether the last line of a row that was never sent says what another setting may change."""
    return isinstance(entry, Settled) and (
        entry.outcome == NOT_SELECTED or isinstance(entry.outcome, Rejected)
    )
