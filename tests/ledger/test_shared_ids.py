"""Two rows with one id: the ledger does not take the second, whichever run the first is of."""

import pytest

from batchconnect.ledger import Ledger
from batchconnect.ledger.entry import Doubted, Line, Moment, RunOpened, Settled
from batchconnect.ledger.interface import SharedIdError
from batchconnect.model.outcome import Created, Existing, InDoubt, MatchedBy, Outcome

GUID = "7f1fbb2e-6d0a-4a52-8f6e-3b1a54ec4d1{}"
SHARED = GUID.format("a")
DOUBT = Doubted(outcome=InDoubt(code="timeout"), moment=Moment(boot_id="b", clock_s=1.5))


@pytest.fixture(autouse=True)
def runs(ledger: Ledger) -> None:
    """The runs 1 to 7 are there."""
    for number in range(1, 8):
        opened = RunOpened(run_id=f"run {number}", sheets=("clients.csv",), sheet_sha256="ab")
        ledger.append([Line(entry=opened)])


def settled(
    marker: str,
    outcome: Outcome | None = None,
    *,
    run: int = 1,
    inherited: bool = False,
    warnings: tuple[str, ...] = (),
) -> Line:
    entry = Settled(
        outcome=outcome or Created(connection_id=SHARED), inherited=inherited, warnings=warnings
    )
    return Line(entry=entry, run=run, row=2, marker=marker, at_ms=1)


LOOKED_AT = Created(connection_id=SHARED, reconciled=True)


@pytest.mark.parametrize("run", [1, 7], ids=["the same run", "a later run"])
@pytest.mark.parametrize("connection_id", [SHARED, SHARED.upper()])
def test_the_second_row_with_an_id_is_not_written(
    ledger: Ledger, run: int, connection_id: str
) -> None:
    """Who was told is told which row has it."""
    first = settled("a")
    ledger.append([first])
    with pytest.raises(SharedIdError) as shared:
        ledger.append([settled("b", Created(connection_id=connection_id), run=run)])

    assert list(shared.value.others) == [first]
    assert [line.marker for line in ledger.row_lines(run)] == ["a"][: run == 1]


def test_a_line_with_a_character_that_is_no_text_is_found_too(ledger: Ledger) -> None:
    """Another writer makes its JSON, in the same form."""
    ledger.append([settled("a", warnings=("\udc80",))])
    with pytest.raises(SharedIdError):
        ledger.append([settled("b")])


def test_two_at_once_are_told_apart_one_by_one(ledger: Ledger) -> None:
    """A commit of many rows is refused as a whole, and nobody is named."""
    with pytest.raises(SharedIdError) as shared:
        ledger.append([settled("a"), settled("b")])

    assert not shared.value.others
    assert not list(ledger.row_lines(1))


def test_the_same_row_may_be_created_with_its_id_again(ledger: Ledger) -> None:
    """In a run that goes on, in a later run, in a rerun."""
    for run in (1, 1, 2):
        ledger.append([settled("a", run=run)])


def test_what_a_rerun_copies_from_its_parent_is_not_judged_again(ledger: Ledger) -> None:
    """Ledgers of earlier versions may hold such pairs."""
    ledger.append([settled("a"), settled("b", inherited=True)])


@pytest.mark.parametrize(
    "since",
    [
        DOUBT,
        Settled(outcome=Existing(connection_id=GUID.format("b"), matched_by=MatchedBy.MARKER)),
    ],
)
def test_an_id_that_its_row_has_no_longer_is_refused_and_puts_nobody_in_doubt(
    ledger: Ledger, since: Doubted | Settled
) -> None:
    """A third row with one id is a doubt as well; what became of the first is known better by now."""
    ledger.append([settled("a"), Line(entry=since, run=1, row=2, marker="a")])
    with pytest.raises(SharedIdError) as shared:
        ledger.append([settled("b")])

    assert not shared.value.others


def test_a_connection_that_was_found_by_its_marker_is_the_rows(ledger: Ledger) -> None:
    """Whoever has its id by an answer alone is named, and is in the way only as long as it has it."""
    ledger.append([settled("a")])
    with pytest.raises(SharedIdError) as shared:
        ledger.append([settled("b", LOOKED_AT)])
    ledger.append([Line(entry=DOUBT, run=1, row=2, marker="a")])
    ledger.append([settled("b", LOOKED_AT)])

    assert [other.marker for other in shared.value.others] == ["a"]
