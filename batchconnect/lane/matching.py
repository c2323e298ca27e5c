"""
What stands in the sandbox already, held against what a row asks for.

One table for the plan and for settling a doubt. Names are not unique and credentials may be
hidden, so only our own marker, or a name with a target that is shown whole, makes a connection
the row's; whatever else is in the way is a person's matter.
"""

from enum import Enum, auto

from batchconnect.flow_service.listing import INITIALIZING, Found, Listing, target_key
from batchconnect.model.identity import canonical_name
from batchconnect.model.outcome import Conflict, Created, Existing, InDoubt, MatchedBy
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.model.value import Value
from batchconnect.validation.connection import BaseConnection


class Wanted(Value):
    """What a row is recognised by. It outlives the row: a ledger that lost its sheet has it."""

    marker: str
    name: str
    """Canonical, as names are compared."""
    target: Target


class Create(Value):
    """Nothing of the row's stands there: it is to be created."""

    warnings: tuple[str, ...] = ()


class NotReady(Value):
    """The row's connection stands there, and is not ready yet: it is waited for, and never sent again."""

    connection_id: str
    etag: str | None = None

    @property
    def in_doubt(self) -> InDoubt:
        """What the row is until its connection is ready."""
        detail = f"the connection {self.connection_id} stands there, and is not ready yet"
        return InDoubt(code=INITIALIZING, detail=detail)


class Sight(Enum):
    """What the shown part of a target says of the whole."""

    EQUAL = auto()
    """All of it is shown, and equal."""
    HIDDEN = auto()
    """What is shown is equal, but not all of it is."""
    DIFFERENT = auto()


def wanted(connection: BaseConnection) -> Wanted:
    """What a connection to be is recognised by."""
    return Wanted(
        marker=connection.marker,
        name=canonical_name(connection.name),
        target=connection.target.compared(),
    )


def match(
    wanted: Wanted, listing: Listing, *, adopt_by_name: bool = False
) -> Create | Existing | Conflict | NotReady:
    """
    Decide for the plan what becomes of a row.

    Args:
        wanted: What the row asks for.
        listing: A complete one of its sandbox.
        adopt_by_name: Whether a connection of the same name whose target is hidden is the row's.

    Raises:
        ValueError: The listing is not complete, and what it shows does not decide.

    Source:
        docs/exactly-once.md, "What stands in the sandbox already".
    """
    hits = listing.by_marker.get(wanted.marker, ())
    in_the_way = _conflict_of_marker(wanted, hits)
    if in_the_way is not None:
        return in_the_way
    if hits:
        return _standing(hits[0], MatchedBy.MARKER)
    _raise_if_incomplete(listing)
    by_name = _match_name(wanted, listing, adopt_by_name=adopt_by_name)
    if by_name is not None:
        return by_name
    near = _near(wanted, listing)
    twins = [found.id for found in near if found.id and _sight(wanted, found) is Sight.EQUAL]
    if not twins:
        return Create()
    warning = f"another connection has the same target under another name: {', '.join(twins)}"
    return Create(warnings=(warning,))


def match_marker(wanted: Wanted, listing: Listing) -> Created | Conflict | NotReady | None:
    """
    Settle a doubt by the marker alone, as within the settle window.

    Returns:
        None where no connection bears the marker: no proof of anything.

    Source:
        Contract, section 9, verdicts.
    """
    hits = listing.by_marker.get(wanted.marker, ())
    in_the_way = _conflict_of_marker(wanted, hits)
    if in_the_way is not None or not hits:
        return in_the_way
    found = hits[0]
    stands = _standing(found, MatchedBy.MARKER)
    if not isinstance(stands, Existing):
        return stands
    return Created(connection_id=found.id, etag=found.kept_etag, reconciled=True, state=found.state)


def match_absent(wanted: Wanted, listing: Listing) -> Existing | Conflict | InDoubt | None:
    """
    Say what else may be the row's, once its marker is proven absent.

    Args:
        wanted: What the row asks for; no connection of the listing bears its marker.
        listing: A complete one, made after the settle window.

    Returns:
        None: proven absent, nothing is in the way of sending it again.

    Raises:
        ValueError: The listing is not complete.

    Source:
        docs/exactly-once.md, "What stands in the sandbox already"; contract, section 9, "possible match".
    """
    _raise_if_incomplete(listing)
    by_name = _match_name(wanted, listing, adopt_by_name=False)
    if by_name is not None:
        return by_name.in_doubt if isinstance(by_name, NotReady) else by_name
    # The tenant may be hidden here: what may be ours is not sent again.
    near = _near(wanted, listing)
    if not near:
        return None
    named = ", ".join(_ids(tuple(near))) or "of an odd id"
    detail = f"connections with the same target under another name: {named}"
    return InDoubt(code="possible_match", detail=detail)


def match_made(wanted: Wanted, found: Found, made: str) -> Existing | Conflict | NotReady | None:
    """
    Say what became of a connection that an earlier run created, and no listing shows as the row's.

    Cases, in order:
        1. It bears the row's marker: the listing lagged, and it is held against the row as ever.
        2. It bears another row's marker: the id was never this row's.
        3. It bears none any more: somebody changed it, and it is not the row's to use.

    Args:
        wanted: What the row asks for.
        found: What GET says of the id.
        made: The id that the ledger remembers.

    Returns:
        None: the ledger's id is another row's, so that the row has no connection.
    """
    if found.marker == wanted.marker:
        return _conflict_of_marker(wanted, (found,)) or _standing(found, MatchedBy.MARKER)
    if found.marker is not None:
        return None
    changed = [*(["name"] if found.name != wanted.name else []), *_differing(wanted, found)]
    also = f", and its {', '.join(changed)} changed" if changed else ""
    detail = f"the connection that an earlier run created lost its marker{also}"
    return Conflict(code="changed_since", detail=detail, connection_ids=(made,))


def unfit_for_change(wanted: Wanted, found: Found, *, is_adopted: bool) -> Conflict | None:
    """
    Say why a connection that was read must not be changed for a row's sake; None where it may be.

    Args:
        wanted: What the row asks for.
        found: The connection as it was read directly before.
        is_adopted: Whether name and target, and not the marker, made it the row's.

    Source:
        Contract, section 13, "Rotating a key", step 1.
    """
    known_by = "name" if is_adopted else "marker"
    is_known = found.marker == wanted.marker or (is_adopted and found.name == wanted.name)
    if not is_known:
        detail = f"the connection has not the row's {known_by} any more"
        return Conflict(code="changed_since", detail=detail, connection_ids=(found.id,))
    differing = _differing(wanted, found)
    if differing:
        detail = f"the row's connection has another {', '.join(differing)}"
        return Conflict(code="target_differs", detail=detail, connection_ids=(found.id,))
    stands = _standing(found, MatchedBy.MARKER)
    match stands:
        case Existing() if found.etag is None:
            detail = "the service names no etag for it, so that it cannot be changed safely"
            return Conflict(code="no_etag", detail=detail, connection_ids=(found.id,))
        case Existing():
            return None
        case Conflict():
            return stands
        case NotReady(in_doubt=why):  # the last case
            return Conflict(
                code=why.code, detail=why.detail, connection_ids=(found.id,), state=why.code
            )


def _conflict_of_marker(wanted: Wanted, hits: tuple[Found, ...]) -> Conflict | None:
    if any(not found.id for found in hits):
        return _odd_id("the row's marker")
    if len(hits) > 1:
        detail = f"{len(hits)} connections bear the row's marker"
        return Conflict(code="duplicated", detail=detail, connection_ids=_ids(hits))
    differing = [part for found in hits for part in _differing(wanted, found)]
    if differing:
        detail = f"the connection with the row's marker has another {', '.join(differing)}"
        return Conflict(code="target_differs", detail=detail, connection_ids=_ids(hits))
    return None


def _match_name(
    wanted: Wanted, listing: Listing, *, adopt_by_name: bool
) -> Existing | Conflict | NotReady | None:
    """Cases, in order: shown and equal; only hidden ones, adopted if asked; in the way."""
    namesakes = listing.by_name.get(wanted.name, ())
    if not namesakes:
        return None
    if any(not found.id for found in namesakes):
        return _odd_id("this name")
    equal = [found for found in namesakes if _sight(wanted, found) is Sight.EQUAL]
    if equal:
        # The oldest of several that may be used, so that every run names the same one.
        found = min(equal, key=lambda each: (not each.is_usable, each.created_at_ms or 0, each.id))
        return _standing(found, MatchedBy.NAME_AND_TARGET)
    are_hidden = all(_sight(wanted, found) is Sight.HIDDEN for found in namesakes)
    if not are_hidden:
        detail = "a connection with this name points elsewhere"
        return Conflict(code="name_taken", detail=detail, connection_ids=_ids(namesakes))
    if adopt_by_name and len(namesakes) == 1:
        return _standing(namesakes[0], MatchedBy.NAME)
    detail = "a connection has this name, and the service does not show its whole target"
    return Conflict(code="target_hidden", detail=detail, connection_ids=_ids(namesakes))


def _odd_id(bears: str) -> Conflict:
    # What stands there as an id is repeated nowhere: it may be anything, a key or an escape sequence too.
    detail = f"a connection bears {bears}, and its id is none that the service makes"
    return Conflict(code="odd_id", detail=detail)


def _standing(found: Found, matched_by: MatchedBy) -> Existing | Conflict | NotReady:
    """
    What a connection is to its row by its state: only one that is enabled, or shows none, counts as existing.

    Source:
        Contract, section 12, `state`.
    """
    if found.is_usable:
        return Existing(
            connection_id=found.id, matched_by=matched_by, etag=found.kept_etag, state=found.state
        )
    if found.state == INITIALIZING:
        return NotReady(connection_id=found.id, etag=found.kept_etag)
    detail = "the row's connection stands there, and is not enabled"
    return Conflict(
        code=found.state or "", detail=detail, connection_ids=(found.id,), state=found.state
    )


def _near(wanted: Wanted, listing: Listing) -> list[Found]:
    """Same endpoint, database and principal, and no other tenant; whatever the name."""
    key = target_key(wanted.target)
    hits = listing.by_target.get(key, ()) if key is not None else ()
    return [found for found in hits if _sight(wanted, found) is not Sight.DIFFERENT]


def _sight(wanted: Wanted, found: Found) -> Sight:
    if _differing(wanted, found):
        return Sight.DIFFERENT
    return Sight.EQUAL if None not in found.shown else Sight.HIDDEN


def _differing(wanted: Wanted, found: Found) -> list[str]:
    """The parts that are shown and differ, by their columns; never their values."""
    pairs = zip(TARGET_COLUMNS, wanted.target, found.shown, strict=True)
    other = [
        column.value for column, ours, theirs in pairs if theirs is not None and ours != theirs
    ]
    return other if found.is_our_kind else ["connection spec", *other]


def differences(wanted: Wanted, found: Found) -> list[str]:
    """What a connection shows otherwise than the row that made it: its marker, its name, or a part of its target."""
    marker = [] if found.marker == wanted.marker else ["marker"]
    name = [] if found.name == wanted.name else ["name"]
    return [*name, *marker, *_differing(wanted, found)]


def _ids(found: tuple[Found, ...]) -> tuple[str, ...]:
    return tuple(each.id for each in found if each.id)


def _raise_if_incomplete(listing: Listing) -> None:
    if not listing.complete:
        raise ValueError("only a complete listing proves that something is not there")
