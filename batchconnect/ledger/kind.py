"""
Which kinds of lines there are: the one list, which the codec and every store read.

A kind is added here, and in the fold that it means something to; how the kinds of the second edition
go in is told in `docs/decisions/0007`.
"""

from typing import Any, Final

from batchconnect.ledger import entry as e
from batchconnect.model.value import Value


class Kind(Value):
    """One kind of line."""

    word: str
    """What stands for it in a ledger; never changed, never used again for something else."""
    entry: type[Any]
    """What is read from it."""
    member_in: str = ""
    """The field that holds a member of a union, which `is` names; "": it has none."""
    is_alike: bool = False
    """Whether it says the same of nearly every row: then each text is read once."""
    of_marker: bool = False
    """Whether it says what became of an identity, and so counts for every run, not only for its own."""
    of_create: bool = False
    """Whether it is a step of a create, which opens or closes the doubt whether the identity stands there."""
    is_open: bool = False
    """Whether, as the last step of an identity's create, it leaves open what became of it."""
    is_intent: bool = False
    """Whether something is about to be sent by it."""


KINDS: Final = (
    Kind(word="run_opened", entry=e.RunOpened),
    Kind(word="run_resumed", entry=e.RunResumed),
    Kind(word="run_identified", entry=e.RunIdentified),
    Kind(word="row", entry=e.RowPlanned),
    Kind(
        word="sending",
        entry=e.Sending,
        is_alike=True,
        of_marker=True,
        of_create=True,
        is_open=True,
        is_intent=True,
    ),
    Kind(word="in_doubt", entry=e.Doubted, of_marker=True, of_create=True, is_open=True),
    Kind(word="absent", entry=e.ProvenAbsent, is_alike=True, of_marker=True, of_create=True),
    Kind(word="settled", entry=e.Settled, member_in="outcome", of_marker=True, of_create=True),
    Kind(word="updating", entry=e.Updating, of_marker=True, is_intent=True),
    Kind(word="deleting", entry=e.Deleting, of_marker=True, is_intent=True),
    Kind(word="change_in_doubt", entry=e.ChangeDoubted, of_marker=True),
    Kind(word="updated", entry=e.Updated, of_marker=True),
    Kind(word="deleted", entry=e.Deleted, of_marker=True),
    Kind(word="left", entry=e.Left, member_in="outcome", of_marker=True),
    Kind(word="tested", entry=e.Tested, of_marker=True),
    Kind(word="key_looked", entry=e.KeyLooked),
    Kind(word="lane", entry=e.LaneTold, member_in="event"),
    Kind(word="lanes_opened", entry=e.LanesOpened),
    Kind(word="lane_taken", entry=e.LaneTaken),
    Kind(word="lane_closed", entry=e.LaneClosed),
    Kind(word="sweep", entry=e.SweepDone),
    Kind(word="fault", entry=e.FaultFound),
    Kind(word="run_ended", entry=e.RunEnded),
)
BY_WORD: Final = {kind.word: kind for kind in KINDS}
BY_ENTRY: Final = {kind.entry: kind for kind in KINDS}


def word_of(entry: e.Entry) -> str:
    """The ledger's word for an entry's kind."""
    return BY_ENTRY[type(entry)].word
