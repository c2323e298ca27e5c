"""Whether a connection that we made may be deleted: it stands as we left it, and nobody uses it."""

from typing import Final, Protocol, assert_never

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.listing import Found
from batchconnect.lane.matching import Wanted, differences
from batchconnect.model.contact import is_of_the_way
from batchconnect.model.outcome import Kept
from batchconnect.model.value import Value

NOT_ANSWERED: Final = "not_answered"
"""Code of what is kept because nobody said whether it may go."""
_GOING: Final = "delete-finalizing"


class Looks(Protocol):
    """What is asked before a delete; a lane offers it."""

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        """One connection."""
        ...

    async def usage(self, sandbox: str, connection_id: str) -> int | Unreadable:
        """How many source connections use it."""
        ...


class Made(Value):
    """A connection that a run created, as we left it."""

    row: int
    sandbox: str
    wanted: Wanted
    connection_id: str
    etag: str | None
    """As the last answer to a create or change of ours named it; None: it named none."""
    client_id: str
    """Ours: whoever changed it by another one was not us."""
    is_etag_seen: bool = False
    """Its etag was read after a lost answer: somebody may have changed it in between."""


def is_unseen(code: str) -> bool:
    """Whether a connection is kept since nobody could look at it."""
    return code == NOT_ANSWERED or is_of_the_way(code)


async def why_kept(made: Made, looks: Looks, *, is_begun: bool = False) -> Kept | None:
    """
    Look at a connection, and say why it has to stay.

    Args:
        made: The connection.
        looks: The lane.
        is_begun: Whether a delete of ours may have been applied: then what is gone, or going, is so by us.

    Returns:
        None: it may be deleted, if that follows at once, or it is gone by our hand.
    """
    found = await looks.get(made.sandbox, made.connection_id)
    if is_begun and (isinstance(found, NotFound) or is_going(found)):
        return None
    return await reason_to_keep(made, found, looks)


async def reason_to_keep(
    made: Made, found: Found | NotFound | Unreadable, looks: Looks
) -> Kept | None:
    """Why a connection has to stay that was just looked at; None: it may be deleted, if that follows at once."""
    return _by_look(made, found) or await _by_usage(made, looks)


def _by_look(made: Made, found: Found | NotFound | Unreadable) -> Kept | None:
    match found:
        case NotFound():
            detail = "It is gone already, or may not be seen any more; it was not deleted by this command."
            return kept_as(made, "already_gone", detail)
        case Unreadable(fault=fault):
            if is_of_the_way(fault.code):
                return kept_as(made, fault.code, _unseen(fault.detail))
            return kept_as(made, NOT_ANSWERED, f"It could not be looked at: {fault.code}.")
        case Found():
            return _by_its_own(made, found)
        case _:
            assert_never(found)


def _unseen(why: str) -> str:
    return f"It could not be looked at: {why}." if why else "It could not be looked at."


def _by_its_own(made: Made, found: Found) -> Kept | None:
    """
    Hold a connection against how we left it.

    Cases, in order:
        1. What it shows is not what was sent.
        2. It is in a state in which it may not be deleted, or which a person gave it.
        3. Its etag is not the one that we left.
        4. Ours is not known, or is not from an answer: then the last who changed it was us.
    """
    other = differences(made.wanted, found)
    if other:
        return kept_as(made, "changed_by_others", f"Changed since: its {', '.join(other)}.")
    if not found.is_usable:
        return kept_as(made, "not_enabled", f"Its state is {found.state}.")
    if made.etag is not None and made.etag != found.etag:
        detail = "Changed since: its etag is not the one that we left."
        return kept_as(made, "changed_by_others", detail)
    if (made.etag is None or made.is_etag_seen) and found.updated_by != made.client_id:
        detail = "Whether it was changed since is not known: nothing shows that we changed it last."
        return kept_as(made, "changed_by_others", detail)
    return None


async def _by_usage(made: Made, looks: Looks) -> Kept | None:
    used = await looks.usage(made.sandbox, made.connection_id)
    if isinstance(used, Unreadable):
        detail = f"Whether a dataflow uses it could not be found out: {used.fault.code}."
        return kept_as(made, NOT_ANSWERED, detail)
    if not used:
        return None
    by = "1 source connection" if used == 1 else f"{used} source connections"
    return kept_as(made, "in_use", f"Used by {by}.")


def is_going(found: Found | NotFound | Unreadable) -> bool:
    """Whether the service is deleting it."""
    return isinstance(found, Found) and found.state == _GOING


def kept_as(made: Made, code: str, detail: str) -> Kept:
    """The outcome of a connection that stays."""
    return Kept(code=code, detail=detail, connection_id=made.connection_id)
