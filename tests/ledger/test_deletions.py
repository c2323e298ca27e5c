"""What a run asks before it trusts a listing: which connections are gone by our hand, or may be."""

from dataclasses import replace

import pytest

from batchconnect.ledger import Ledger
from batchconnect.ledger.deletions import Deletions, deletions_in
from batchconnect.ledger.entry import (
    UNDO,
    ChangeDoubted,
    Deleted,
    Deleting,
    Entry,
    Left,
    Line,
    Moment,
    RunOpened,
    Sending,
    Settled,
    Updating,
)
from batchconnect.model import outcome as o

OPENED = RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab")
MARKER = "bc1-" + "a" * 26
DELETING = Deleting(connection_id="C-1")
DELETED = Deleted(outcome=o.Deleted(connection_id="C-1"))
LOST = ChangeDoubted(outcome=o.InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=1.0))
KEPT = Left(outcome=o.Kept(code="in_use", detail=""))


@pytest.fixture(autouse=True)
def run(ledger: Ledger) -> None:
    ledger.append([Line(entry=OPENED)])


def known(ledger: Ledger, *entries: Entry, run: int = 1) -> Deletions:
    """What is known after these lines of one row."""
    ledger.append([Line(entry=entry, run=run, row=2, marker=MARKER) for entry in entries])
    return deletions_in(ledger)


def test_a_ledger_without_deletes_knows_of_none(ledger: Ledger) -> None:
    """A change of another kind is none."""
    assert known(ledger, Sending(number=1), Updating(connection_id="C-1", etag="1")) == Deletions()


def test_what_is_gone_is_known_by_its_id(ledger: Ledger) -> None:
    """In lower case, as ids are compared; a new connection of the row takes nothing from it."""
    again = Settled(outcome=o.Created(connection_id="c-2"))

    assert known(ledger, DELETING, DELETED, again) == Deletions(ids=frozenset({"c-1"}))


@pytest.mark.parametrize("lost", [(), (LOST,)], ids=["cut off", "answer lost"])
def test_what_may_be_gone_is_open(ledger: Ledger, lost: tuple[Entry, ...]) -> None:
    """Until it is known what came of it, in whichever run that is found out."""
    assert known(ledger, DELETING, *lost) == Deletions(open={MARKER: ""})
    later = ledger.append([Line(entry=replace(OPENED, run_id="later"))])
    assert known(ledger, DELETED, run=later) == Deletions(ids=frozenset({"c-1"}))


def test_what_is_open_names_the_run_that_is_being_undone(ledger: Ledger) -> None:
    """Of several undos the newest: that is the one that goes on."""
    for parent in ("run-1", "run-2"):
        undo = replace(OPENED, run_id=f"of {parent}", command=UNDO, parent_run_id=parent)
        known(ledger, DELETING, run=ledger.append([Line(entry=undo)]))

    assert deletions_in(ledger) == Deletions(open={MARKER: "run-2"})


def test_what_was_kept_is_neither(ledger: Ledger) -> None:
    """Nor is an update of it that nobody knows of a delete."""
    assert known(ledger, DELETING, LOST, KEPT) == Deletions()
    assert known(ledger, Updating(connection_id="C-1", etag="1")) == Deletions()


def test_none_is_forgotten_where_there_are_many(ledger: Ledger) -> None:
    """They are read part by part: the last one counts as the first."""
    for number in range(1100):
        one, marker = f"c-{number}", f"bc1-{number:026}"
        deleted = Deleted(outcome=o.Deleted(connection_id=one))
        entries = (Deleting(connection_id=one), *((deleted,) if number % 2 else ()))
        ledger.append([Line(entry=entry, run=1, row=number, marker=marker) for entry in entries])

    found = deletions_in(ledger)

    assert found.ids == {f"c-{number}" for number in range(1, 1100, 2)}
    assert found.open.keys() == {f"bc1-{number:026}" for number in range(0, 1100, 2)}
