"""How a row ended: one word for each member of the union."""

from typing import get_args

import pytest

from batchconnect.model.outcome import (
    DONE,
    Conflict,
    Created,
    Deleted,
    Existing,
    Failed,
    InDoubt,
    Kept,
    MatchedBy,
    NotAttempted,
    Outcome,
    Rejected,
    Status,
    Unchanged,
    Updated,
    has_connection,
    status_of,
)

ONE_OF_EACH: dict[str, Outcome] = {
    "created": Created(connection_id="c"),
    "existing": Existing(connection_id="c", matched_by=MatchedBy.MARKER),
    "failed": Failed(code="never_applied", detail=""),
    "rejected": Rejected(problems=()),
    "conflict": Conflict(code="name_taken", detail=""),
    "in_doubt": InDoubt(code="timeout"),
    "not_attempted": NotAttempted(code="max_rows"),
    "updated": Updated(connection_id="c"),
    "unchanged": Unchanged(code="not_failing", detail="", connection_id="c"),
    "deleted": Deleted(connection_id="c"),
    "kept": Kept(code="in_use", detail=""),
}


@pytest.mark.parametrize("word", ONE_OF_EACH)
def test_each_outcome_has_its_word(word: str) -> None:
    """The words are those of docs/results.md, and reports show them as they are."""
    assert str(status_of(ONE_OF_EACH[word])) == word


def test_no_outcome_and_no_word_is_left_over() -> None:
    """A new member needs a word."""
    assert {type(outcome) for outcome in ONE_OF_EACH.values()} == set(get_args(Outcome))
    assert set(ONE_OF_EACH) == {status.value for status in Status}


def test_a_row_has_its_connection_whoever_made_it() -> None:
    """And whether its key was sent since; one that is deleted, or that nobody wants any more, is none."""
    having = [word for word, outcome in ONE_OF_EACH.items() if has_connection(outcome)]

    assert having == ["created", "existing", "updated", "unchanged"]


def test_nothing_is_left_to_do_for_a_row_of_which_became_what_was_asked() -> None:
    """Of a run and a rotate, that it has its connection; of an undo, that it has none."""
    done = [word for word, outcome in ONE_OF_EACH.items() if status_of(outcome) in DONE]

    assert done == ["created", "existing", "updated", "unchanged", "deleted"]


def test_an_outcome_does_not_change() -> None:
    """What was settled is settled."""
    with pytest.raises(AttributeError):
        ONE_OF_EACH["created"].connection_id = "other"  # type: ignore[union-attr,misc]  # on purpose
