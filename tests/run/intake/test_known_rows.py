"""What a run that goes on knows of its own rows: whatever came after a row's outcome, what is done is done."""

import pytest

from batchconnect.ledger.entry import (
    ROTATE,
    ChangeDoubted,
    Entry,
    Left,
    Line,
    Moment,
    RowPlanned,
    RunOpened,
    Sending,
    Settled,
    Tested,
    Updated,
    Updating,
)
from batchconnect.ledger.sqlite.store import MEMORY, SqliteLedger
from batchconnect.model import outcome as o
from batchconnect.run.intake.known_rows import KnownRun, known_of

MARKER = "bc1-" + "a" * 26
PLANNED = RowPlanned(name="Acme")
CREATED = Settled(outcome=o.Created(connection_id="c-1"))
WORKS = Tested(connection_id="c-1", works=o.Works.YES)
UPDATING = Updating(connection_id="c-1", etag='"1"')
LOST = ChangeDoubted(outcome=o.InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=1.0))


def known(*entries: Entry, command: str) -> KnownRun:
    """What is known when the run of this one row goes on."""
    opened = RunOpened(run_id="r", sheets=("s",), sheet_sha256="ab", command=command)
    with SqliteLedger(MEMORY) as ledger:
        run = ledger.append([Line(entry=opened)])
        ledger.append([Line(entry=one, run=run, row=2, marker=MARKER) for one in entries])
        return known_of(ledger, run)


@pytest.mark.parametrize(
    "entries",
    [
        (PLANNED, Sending(number=1), CREATED, WORKS),
        (
            PLANNED,
            Sending(number=1),
            CREATED,
            UPDATING,
            Left(outcome=o.Failed(code="x", detail="")),
        ),
        (PLANNED, CREATED, WORKS, UPDATING, Updated(outcome=o.Updated(connection_id="c-1")), WORKS),
        (PLANNED, UPDATING, LOST, Updated(outcome=o.Updated(connection_id="c-1"))),
    ],
    ids=["created and tested", "its key refused", "rotated and tested", "a doubt that was settled"],
)
def test_what_is_done_is_left_when_the_run_goes_on(entries: tuple[Entry, ...]) -> None:
    """A created row that was tested would be `existing` else, and a key that arrived would be sent again."""
    found = known(*entries, command=ROTATE)

    assert found.rows == {2: True}
    assert found.plan.open == {}


@pytest.mark.parametrize(
    "entries",
    [
        (PLANNED, UPDATING),
        (PLANNED, UPDATING, LOST),
        (PLANNED, CREATED, WORKS, UPDATING),
        (PLANNED, Left(outcome=o.NotAttempted(code="interrupted", detail=""))),
    ],
    ids=["cut off", "answer lost", "cut off after a test", "no turn"],
)
def test_what_is_not_done_has_its_turn(entries: tuple[Entry, ...]) -> None:
    """Also where an outcome of the create stands before it."""
    assert known(*entries, command=ROTATE).rows == {2: False}
