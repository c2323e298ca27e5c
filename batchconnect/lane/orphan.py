"""
Rows that the ledger knows and the sheet no longer has: what of them is accounted for, and settled.

A row in doubt may have been applied, so it is looked for although nobody can send it again.
"""

from batchconnect.lane.matching import Wanted
from batchconnect.ledger.entry import Line, RowPlanned, Settled
from batchconnect.ledger.row_state import RowState
from batchconnect.ledger.run_writer import RunWriter
from batchconnect.model.errors import SettingsError
from batchconnect.model.org import Org
from batchconnect.model.value import Value


def sent_elsewhere(told: str, planned: RowPlanned, org: Org | None) -> SettingsError | None:
    """
    Why a row's doubt cannot be settled: its org key means nothing now, or another org id; None where it can.

    There its marker would be proven absent, while the org that it was sent to may have it.

    Args:
        told: The row, as `Places.told` says it.
        planned: What was sent.
        org: What its key means now; None: nothing.
    """
    return elsewhere(
        told, planned, org, joined="was sent for", where="A doubt is settled where it was sent"
    )


def stands_elsewhere(told: str, planned: RowPlanned, org: Org | None) -> SettingsError | None:
    """
    Why a row's connection cannot be asked about; None where it can. As of `sent_elsewhere`.

    Another org knows nothing of it, and would call it deleted.
    """
    return elsewhere(
        told,
        planned,
        org,
        joined="has its connection in",
        where="A connection is asked about where it stands",
    )


def elsewhere(
    told: str, planned: RowPlanned, org: Org | None, *, joined: str, where: str
) -> SettingsError | None:
    """
    That a row's org key means nothing now, or another org id; None where it means the same.

    Args:
        told: As of `sent_elsewhere`, as are the next two.
        planned: What was sent.
        org: What its key means now.
        joined: What the row has to do with the org.
        where: Why no other org will do.
    """
    if org is None:
        return SettingsError(
            f"{told} {joined} the org {planned.org}, which is not in the settings",
            hint="Put it back into the settings, then give the same command again.",
        )
    if org.org_id.casefold() == planned.org_id.casefold():
        return None
    return SettingsError(
        f"{told} {joined} the org id {planned.org_id}; in the settings, {org.key} is another one now",
        hint=f"{where}: give the org its old id again, or a key of its own.",
    )


class Orphan(Value):
    """A row in doubt that the sheet no longer has: it can be settled, and not be sent."""

    row: int
    sandbox: str
    wanted: Wanted
    state: RowState


class MissingRow(Value):
    """A row of the parent run that the sheet no longer has."""

    org: str
    """The org's settings key."""
    number: int
    marker: str | None
    planned: RowPlanned
    settled: Settled | None
    """What it ended with; None: it is in doubt, and *orphan* is settled in this run."""
    orphan: Orphan | None = None

    def lines(self, ledger: RunWriter) -> list[Line]:
        """What accounts for it in this run."""
        lines = [ledger.line(self.planned, row=self.number, marker=self.marker)]
        if self.settled is not None:
            # Without the marker: what is copied is no news of the identity.
            lines.append(ledger.line(self.settled, row=self.number))
        return lines
