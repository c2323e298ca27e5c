"""The table "What stands in the sandbox already", line by line."""

from dataclasses import replace
from typing import Any

import pytest

from batchconnect.flow_service.listing import Found, Listing, ListingFault, Shown
from batchconnect.lane.matching import (
    Create,
    NotReady,
    Wanted,
    differences,
    match,
    match_absent,
    match_made,
    match_marker,
    unfit_for_change,
    wanted,
)
from batchconnect.model.org import Org
from batchconnect.model.outcome import Conflict, Created, Existing, InDoubt, MatchedBy
from batchconnect.model.secret import Secret
from batchconnect.model.target import Target
from batchconnect.validation.connection import BaseConnection

OURS = "bc1-aaaaaaaaaaaaaaaaaaaaaaaaaa"
FOREIGN = "bc1-bbbbbbbbbbbbbbbbbbbbbbbbbb"
TARGET = Target(
    endpoint="https://acme.westeurope.kusto.windows.net",
    database="telemetry",
    tenant="72f988bf-86f1-41af-91ab-2d7cd011db47",
    service_principal_id="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
)
WANTED = Wanted(marker=OURS, name="Acme", target=TARGET)
EQUAL = Shown(*TARGET)
NO_TENANT = EQUAL._replace(tenant=None)
HIDDEN = Shown(endpoint=None, database=None, tenant=None, service_principal_id=None)
DIFFERENT = EQUAL._replace(database="sales")
PARTLY_DIFFERENT = HIDDEN._replace(database="sales")


def found(
    number: int = 1,
    *,
    name: str = "Acme",
    marker: str | None = None,
    shown: Shown = EQUAL,
    is_our_kind: bool = True,
) -> Found:
    return Found(
        id=f"id-{number}",
        etag='"e"',
        name=name,
        marker=marker,
        shown=shown,
        is_our_kind=is_our_kind,
        created_at_ms=number,
    )


def listing(*items: Found) -> Listing:
    return Listing(sandbox="prod", items=items)


def conflict(code: str, *ids: str) -> tuple[str, tuple[str, ...]]:
    return code, ids


def told(outcome: object) -> object:
    return (outcome.code, outcome.connection_ids) if isinstance(outcome, Conflict) else outcome


BY_MARKER = Existing(connection_id="id-1", matched_by=MatchedBy.MARKER, etag='"e"')
BY_NAME_AND_TARGET = Existing(
    connection_id="id-1", matched_by=MatchedBy.NAME_AND_TARGET, etag='"e"'
)


@pytest.mark.parametrize(
    ("sentence", "stands", "becomes"),
    [
        ("nothing", [], Create()),
        ("our marker, equal", [found(marker=OURS)], BY_MARKER),
        ("our marker, any name", [found(marker=OURS, name="Other")], BY_MARKER),
        ("our marker, hidden", [found(marker=OURS, shown=HIDDEN)], BY_MARKER),
        ("our marker, partly hidden", [found(marker=OURS, shown=NO_TENANT)], BY_MARKER),
        (
            "our marker, different",
            [found(marker=OURS, shown=DIFFERENT)],
            conflict("target_differs", "id-1"),
        ),
        (
            "our marker, the shown part differs",
            [found(marker=OURS, shown=PARTLY_DIFFERENT)],
            conflict("target_differs", "id-1"),
        ),
        (
            "our marker on another kind of connection",
            [found(marker=OURS, is_our_kind=False)],
            conflict("target_differs", "id-1"),
        ),
        (
            "our marker twice",
            [found(1, marker=OURS), found(2, marker=OURS, shown=DIFFERENT)],
            conflict("duplicated", "id-1", "id-2"),
        ),
        ("our marker beside a namesake", [found(2), found(1, marker=OURS)], BY_MARKER),
        ("name and target", [found()], BY_NAME_AND_TARGET),
        ("name and target, foreign marker", [found(marker=FOREIGN)], BY_NAME_AND_TARGET),
        ("name and target twice: the oldest", [found(2), found(1)], BY_NAME_AND_TARGET),
        ("an equal among namesakes", [found(2, shown=DIFFERENT), found(1)], BY_NAME_AND_TARGET),
        ("name, different", [found(shown=DIFFERENT)], conflict("name_taken", "id-1")),
        (
            "name, the shown part differs",
            [found(shown=PARTLY_DIFFERENT, marker=FOREIGN)],
            conflict("name_taken", "id-1"),
        ),
        ("name, hidden", [found(shown=HIDDEN)], conflict("target_hidden", "id-1")),
        ("name, partly hidden", [found(shown=NO_TENANT)], conflict("target_hidden", "id-1")),
        (
            "names, one different, one hidden",
            [found(1, shown=HIDDEN), found(2, shown=DIFFERENT)],
            conflict("name_taken", "id-1", "id-2"),
        ),
        ("a namesake of another kind", [found(is_our_kind=False)], Create()),
        ("other name, different", [found(name="Other", shown=DIFFERENT)], Create()),
        ("other name, hidden", [found(name="Other", shown=HIDDEN)], Create()),
        ("other name, tenant hidden", [found(name="Other", shown=NO_TENANT)], Create()),
        ("no name at all", [found(name="", shown=HIDDEN)], Create()),
        (
            "other name, equal target",
            [found(name="Other", marker=FOREIGN)],
            Create(warnings=("another connection has the same target under another name: id-1",)),
        ),
    ],
)
def test_the_plan(sentence: str, stands: list[Found], becomes: object) -> None:
    assert becomes == told(match(WANTED, listing(*stands))), sentence


@pytest.mark.parametrize(
    ("ages", "first"),
    [([5, 5], "id-1"), ([5, 4], "id-2"), ([None, 4], "id-1"), ([4, None], "id-2")],
)
def test_of_several_equals_every_run_names_the_same_one(ages: list[int | None], first: str) -> None:
    """The oldest, where no age counts as the oldest of all; of one age the first by its id."""
    items = [replace(found(n), created_at_ms=age) for n, age in enumerate(ages, start=1)]

    for stands in (items, items[::-1]):
        judged = match(WANTED, listing(*stands))
        assert isinstance(judged, Existing)
        assert judged.connection_id == first


@pytest.mark.parametrize(
    ("stands", "words"),
    [
        (
            [found(marker=OURS, shown=DIFFERENT._replace(tenant="contoso.com"), is_our_kind=False)],
            "has another connection spec, database, tenant",
        ),
        ([found(n, marker=OURS) for n in (1, 2, 3)], "3 connections bear the row's marker"),
        ([found(shown=DIFFERENT)], "a connection with this name points elsewhere"),
        ([found(shown=HIDDEN)], "does not show its whole target"),
    ],
)
def test_a_conflict_says_what_is_in_the_way(stands: list[Found], words: str) -> None:
    judged = match(WANTED, listing(*stands))

    assert isinstance(judged, Conflict)
    assert words in judged.detail


def test_what_is_wanted_is_canonical() -> None:
    connection = BaseConnection(
        row=2,
        org=Org(key="acme", org_id="A@AdobeOrg", client_id="c"),
        sandbox="prod",
        name=" Acme ",
        target=TARGET._replace(database="Telemetry"),
        service_principal_key=Secret("fake-key"),
        marker=OURS,
    )

    assert wanted(connection) == WANTED


def test_one_hidden_namesake_is_adopted_if_that_is_asked() -> None:
    adopted = Existing(connection_id="id-1", matched_by=MatchedBy.NAME, etag='"e"')
    hidden = found(shown=HIDDEN)

    def judged(*items: Found) -> object:
        return told(match(WANTED, listing(*items), adopt_by_name=True))

    assert adopted == judged(hidden)
    assert conflict("target_hidden", "id-1", "id-2") == judged(hidden, found(2, shown=HIDDEN))
    assert conflict("name_taken", "id-1") == judged(found(shown=DIFFERENT))


def test_within_the_window_the_marker_alone_decides() -> None:
    created = Created(connection_id="id-1", etag='"e"', reconciled=True)

    assert match_marker(WANTED, listing()) is None
    assert match_marker(WANTED, listing(found())) is None
    assert created == match_marker(WANTED, listing(found(marker=OURS, name="Other")))
    assert created == match_marker(WANTED, listing(found(marker=OURS, shown=HIDDEN)))
    assert conflict("target_differs", "id-1") == told(
        match_marker(WANTED, listing(found(marker=OURS, shown=DIFFERENT)))
    )
    assert conflict("duplicated", "id-1", "id-2") == told(
        match_marker(WANTED, listing(found(marker=OURS), found(2, marker=OURS)))
    )


@pytest.mark.parametrize(
    ("sentence", "stands", "becomes"),
    [
        ("nothing", [], None),
        ("name and target", [found(marker=FOREIGN)], BY_NAME_AND_TARGET),
        ("name, different", [found(shown=DIFFERENT)], conflict("name_taken", "id-1")),
        ("name, hidden", [found(shown=HIDDEN)], conflict("target_hidden", "id-1")),
        ("other name, different", [found(name="Other", shown=DIFFERENT)], None),
        ("other name, hidden", [found(name="Other", shown=HIDDEN)], None),
        (
            "other name, another tenant",
            [found(name="Other", shown=EQUAL._replace(tenant="contoso.com"))],
            None,
        ),
    ],
)
def test_a_marker_that_is_proven_absent(
    sentence: str, stands: list[Found], becomes: object
) -> None:
    assert becomes == told(match_absent(WANTED, listing(*stands))), sentence


@pytest.mark.parametrize("shown", [EQUAL, NO_TENANT])
@pytest.mark.parametrize("marker", [None, FOREIGN])
def test_the_same_target_under_another_name_is_a_possible_match(
    shown: Shown, marker: str | None
) -> None:
    judged = match_absent(WANTED, listing(found(name="Other", shown=shown, marker=marker)))

    assert isinstance(judged, InDoubt)
    assert judged.code == "possible_match"
    assert "id-1" in judged.detail


def test_an_incomplete_listing_proves_a_hit_and_nothing_else() -> None:
    fault = ListingFault(code="http-502", detail="")
    cut = Listing(sandbox="prod", items=(found(marker=OURS),), fault=fault)
    blind = Listing(sandbox="prod", fault=fault)

    assert match(WANTED, cut) == BY_MARKER
    assert isinstance(match_marker(WANTED, cut), Created)
    with pytest.raises(ValueError, match="complete"):
        match(WANTED, blind)
    with pytest.raises(ValueError, match="complete"):
        match_absent(WANTED, blind)


def test_conflicts_never_show_what_another_connection_holds() -> None:
    judged = match(WANTED, listing(found(marker=OURS, shown=DIFFERENT)))

    assert isinstance(judged, Conflict)
    assert "database" in judged.detail
    assert "sales" not in judged.detail


@pytest.mark.parametrize("marker", [OURS, None])
@pytest.mark.parametrize("shown", [EQUAL, HIDDEN])
def test_a_connection_with_an_odd_id_is_never_existing(marker: str | None, shown: Shown) -> None:
    """Whatever it is told by; the id itself is repeated nowhere."""
    odd = replace(found(marker=marker, shown=shown), id="", odd_id="odd '<script>'")

    became = match(WANTED, listing(odd), adopt_by_name=True)

    assert isinstance(became, Conflict)
    assert became.code == "odd_id"
    assert became.connection_ids == ()
    assert "script" not in repr(became)


def test_an_odd_id_blocks_no_other_row() -> None:
    odd = replace(found(name="Other", shown=DIFFERENT), id="", odd_id="odd 7")

    assert match(WANTED, listing(odd)) == Create()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "lost its marker"),
        ({"name": "Other"}, "lost its marker, and its name changed"),
        ({"shown": DIFFERENT}, "lost its marker, and its database changed"),
        ({"name": "Other", "shown": DIFFERENT}, "lost its marker, and its name, database changed"),
    ],
)
def test_what_was_made_and_lost_its_marker_is_told_with_what_changed(
    changes: dict[str, Any], words: str
) -> None:
    judged = match_made(WANTED, found(**changes), "id-made")

    assert isinstance(judged, Conflict)
    assert (judged.code, judged.connection_ids) == ("changed_since", ("id-made",))
    assert judged.detail.endswith(words)


@pytest.mark.parametrize(("marker", "words"), [(OURS, "the row's marker"), (None, "this name")])
def test_a_connection_with_an_odd_id_is_told_by_what_it_bears(
    marker: str | None, words: str
) -> None:
    odd = replace(found(marker=marker), id="", odd_id="odd 7")

    judged = match(WANTED, listing(odd))

    assert isinstance(judged, Conflict)
    assert judged.detail.startswith(f"a connection bears {words}, ")
    assert "7" not in judged.detail


def test_what_is_not_ready_yet_is_named_by_its_id() -> None:
    """A person may look at it meanwhile."""
    words = "the connection c-9 stands there, and is not ready yet"

    assert NotReady(connection_id="c-9").in_doubt == InDoubt(code="initializing", detail=words)


def test_what_is_not_ready_under_the_rows_name_and_target_keeps_its_doubt() -> None:
    """The marker is absent, and yet it is not free to be sent: it becomes the row's, or a conflict."""
    unready = replace(found(), state="initializing")

    assert match_absent(WANTED, listing(unready)) == NotReady(connection_id="id-1").in_doubt


@pytest.mark.parametrize(
    ("changes", "is_adopted", "conflict"),
    [
        (
            {"marker": FOREIGN}, False,
            Conflict(
                code="changed_since", connection_ids=("id-1",),
                detail="the connection has not the row's marker any more",
            ),
        ),
        (
            {"name": "Other"}, True,
            Conflict(
                code="changed_since", connection_ids=("id-1",),
                detail="the connection has not the row's name any more",
            ),
        ),
        (
            {"marker": OURS, "shown": DIFFERENT}, False,
            Conflict(
                code="target_differs", connection_ids=("id-1",),
                detail="the row's connection has another database",
            ),
        ),
        (
            {"marker": OURS, "etag": None}, False,
            Conflict(
                code="no_etag", connection_ids=("id-1",),
                detail="the service names no etag for it, so that it cannot be changed safely",
            ),
        ),
        (
            {"marker": OURS, "state": "initializing"}, False,
            Conflict(
                code="initializing", connection_ids=("id-1",), state="initializing",
                detail="the connection id-1 stands there, and is not ready yet",
            ),
        ),
        (
            {"marker": OURS, "state": "disabled"}, False,
            Conflict(
                code="disabled", connection_ids=("id-1",), state="disabled",
                detail="the row's connection stands there, and is not enabled",
            ),
        ),
        ({"marker": OURS}, False, None),
        ({"marker": FOREIGN}, True, None),
    ],
)  # fmt: skip
def test_a_connection_that_must_not_be_changed_is_told_with_why(
    changes: dict[str, Any], conflict: Conflict | None, *, is_adopted: bool
) -> None:
    """It is read directly before: what was the row's then may be another's now."""
    there = replace(found(), **changes)

    assert unfit_for_change(WANTED, there, is_adopted=is_adopted) == conflict


def test_what_differs_is_told_by_its_names() -> None:
    """Never by values."""
    other = found(name="Other", marker=FOREIGN, shown=DIFFERENT)

    assert differences(WANTED, other) == ["name", "marker", "database"]
    assert differences(WANTED, found(marker=OURS)) == []


def test_near_matches_are_named_one_by_one() -> None:
    """In the plan's warning and in a doubt's reason; a person looks each of them up."""
    near = listing(found(1, name="Other"), found(2, name="Another"))
    planned, absent = match(WANTED, near), match_absent(WANTED, near)

    assert isinstance(planned, Create)
    assert planned.warnings[0].endswith(": id-1, id-2")
    assert isinstance(absent, InDoubt)
    assert absent.detail.endswith(": id-1, id-2")


@pytest.mark.parametrize("state", ["disabled", "draft", "delete-finalizing", "odd_state"])
@pytest.mark.parametrize("marker", [OURS, None])
def test_a_connection_that_is_not_enabled_is_in_the_way_with_its_state(
    state: str, marker: str | None
) -> None:
    """Whether it is the row's by its marker, or by name and target; the doubt about it ends so as well."""
    stands = replace(found(marker=marker), state=state)

    becomes = match(WANTED, listing(stands))

    assert isinstance(becomes, Conflict)
    assert (becomes.code, becomes.state, becomes.connection_ids) == (state, state, ("id-1",))
    if marker:
        assert match_marker(WANTED, listing(stands)) == becomes


def test_a_connection_that_is_enabled_or_shows_no_state_is_the_rows() -> None:
    enabled = replace(found(marker=OURS), state="enabled")

    assert match(WANTED, listing(enabled)) == replace(BY_MARKER, state="enabled")
    assert match(WANTED, listing(found(marker=OURS))) == BY_MARKER


def test_a_connection_that_is_not_ready_is_neither_created_nor_in_the_way() -> None:
    stands = replace(found(marker=OURS), state="initializing")

    assert match(WANTED, listing(stands)) == NotReady(connection_id="id-1", etag='"e"')
    assert isinstance(match_marker(WANTED, listing(stands)), NotReady)


def test_of_two_with_the_rows_name_and_target_the_one_that_may_be_used_is_taken() -> None:
    older = replace(found(1), state="disabled")
    newer = replace(found(2), state="enabled")

    becomes = match(WANTED, listing(older, newer))

    assert isinstance(becomes, Existing)
    assert becomes.connection_id == "id-2"


@pytest.mark.parametrize(
    ("sentence", "standing", "is_adopted", "code"),
    [
        ("ours, enabled, with an etag", {"marker": OURS}, False, None),
        ("adopted by its name", {}, True, None),
        ("without our marker any more", {}, False, "changed_since"),
        ("adopted, and named otherwise since", {"name": "Other"}, True, "changed_since"),
        ("another target", {"marker": OURS, "shown": DIFFERENT}, False, "target_differs"),
        ("without an etag", {"marker": OURS, "etag": None}, False, "no_etag"),
        ("switched off", {"marker": OURS, "state": "disabled"}, False, "disabled"),
        ("not ready yet", {"marker": OURS, "state": "initializing"}, False, "initializing"),
    ],
)
def test_a_connection_is_changed_only_as_it_is_known(
    sentence: str, standing: dict[str, Any], is_adopted: bool, code: str | None
) -> None:
    """It was read directly before: whatever is odd about it is a person's matter, and its id is named."""
    plain = {name: standing.pop(name) for name in ("etag", "state") if name in standing}
    why = unfit_for_change(WANTED, replace(found(**standing), **plain), is_adopted=is_adopted)

    assert getattr(why, "code", None) == code
    assert why is None or why.connection_ids == ("id-1",)
