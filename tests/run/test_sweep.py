"""Every marker of the run against the service: found, borne twice, missing, or not known."""

from dataclasses import dataclass, field

import anyio
import pytest

from batchconnect.flow_service import NotFound, Unreadable
from batchconnect.flow_service.answer import OrgLevel, StopScope
from batchconnect.flow_service.listing import Found, Listing, ListingFault, Shown
from batchconnect.ledger.entry import RowPlanned
from batchconnect.ledger.row_state import RowState
from batchconnect.model.event import Swept
from batchconnect.model.outcome import Created, Existing, Failed, MatchedBy, Outcome
from batchconnect.run.sweep import Expected, expected, sweep

pytestmark = pytest.mark.anyio

HIDDEN = Shown(endpoint=None, database=None, tenant=None, service_principal_id=None)
FAULT = ListingFault(code="http-502", detail="")
LAG_S = 60.0


def found(connection_id: str, marker: str | None = None) -> Found:
    return Found(
        id=connection_id, etag=None, name="", marker=marker, shown=HIDDEN,
        is_our_kind=True, created_at_ms=None,
    )  # fmt: skip


def listing(*items: Found, fault: ListingFault | None = None) -> Listing:
    return Listing(sandbox="prod", items=items, fault=fault)


@dataclass
class ConnectedService:
    """Shows one listing after the other, the last one for good; knows some connections by id."""

    listings: list[Listing]
    known: dict[str, Found | NotFound | Unreadable] = field(default_factory=dict)
    listed: list[float] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def list(self, sandbox: str) -> Listing:
        self.listed.append(anyio.current_time())
        return self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        self.asked.append(connection_id)
        return self.known.get(connection_id, NotFound(connection_id=connection_id))


WANT = Expected(ids={"bc1-a": "A", "bc1-b": "b"}, markers={"bc1-a", "bc1-b", "bc1-c"})
ALL = listing(found("a"), found("other", "bc1-b"))
"""One by its id, in another letter case; one by its marker."""


async def swept(service: ConnectedService) -> Swept:
    return await sweep({"acme": service}, {("acme", "prod"): WANT}, lag_s=LAG_S)


async def test_what_is_shown_is_found_at_once() -> None:
    assert Swept(expected=2, found=2, duplicated=(), missing=()) == await swept(
        ConnectedService([ALL])
    )
    assert anyio.current_time() == 0


async def test_what_is_not_shown_yet_is_waited_for_as_long_as_it_may_lag() -> None:
    service = ConnectedService([listing(), listing(found("a")), ALL])

    assert Swept(expected=2, found=2, duplicated=(), missing=()) == await swept(service)
    assert service.listed == [0, 15, 30]


async def test_what_is_never_shown_is_asked_for_by_its_id() -> None:
    service = ConnectedService([listing(found("a"))], known={"b": found("b")})

    assert Swept(expected=2, found=2, duplicated=(), missing=()) == await swept(service)
    assert service.listed == [0, 15, 30, 45, 60]
    assert service.asked == ["b"]


async def test_what_nobody_knows_is_missing() -> None:
    service = ConnectedService([listing(found("a"))])

    assert Swept(expected=2, found=1, duplicated=(), missing=("bc1-b",)) == await swept(service)


async def test_what_cannot_be_asked_for_is_not_known_to_be_missing() -> None:
    service = ConnectedService([listing(found("a"))], known={"b": Unreadable(fault=FAULT)})

    result = await swept(service)

    assert Swept(expected=2, found=1, duplicated=(), missing=(), complete=False) == result


async def test_a_listing_that_fails_says_nothing_about_what_is_missing() -> None:
    """And it is not made up for by one request for each row."""
    service = ConnectedService([listing(found("a"), fault=FAULT)])

    result = await swept(service)

    assert Swept(expected=2, found=1, duplicated=(), missing=(), complete=False) == result
    assert service.asked == []


async def test_a_refusal_is_not_waited_out() -> None:
    refusal = OrgLevel(
        code="403025", title="No", detail="", scope=StopScope.LANE, http_status=403, request_id=None
    )
    service = ConnectedService([Listing(sandbox="prod", refusal=refusal)])

    assert not (await swept(service)).complete
    assert service.listed == [0]


async def test_a_marker_that_is_borne_twice_is_told_whatever_the_row_became() -> None:
    twice = listing(*ALL.items, found("x", "bc1-c"), found("y", "bc1-c"), found("z", "bc1-z"))

    assert (await swept(ConnectedService([twice]))).duplicated == ("bc1-c",)


async def test_sandboxes_are_swept_beside_each_other() -> None:
    first, second = ConnectedService([listing()]), ConnectedService([listing(fault=FAULT)])
    wants = {("acme", "prod"): WANT, ("beta", "prod"): Expected()}

    result = await sweep({"acme": first, "beta": second}, wants, lag_s=LAG_S)

    assert anyio.current_time() == LAG_S
    assert (
        result.expected,
        result.found,
        result.missing,
        result.complete,
    ) == (2, 0, ("bc1-a", "bc1-b"), False)


def row(
    number: int, outcome: Outcome | None, *, marker: str | None = "m", org: str = "acme"
) -> RowState:
    planned = RowPlanned(name="n", org=org, sandbox="prod")
    name = None if marker is None else f"bc1-{number}"
    return RowState(number=number, marker=name, planned=planned, outcome=outcome)


def test_what_is_expected_is_what_the_ledger_says() -> None:
    rows = [
        row(1, Created(connection_id="a")),
        row(2, Existing(connection_id="b", matched_by=MatchedBy.MARKER)),
        row(3, Existing(connection_id="c", matched_by=MatchedBy.NAME_AND_TARGET)),
        row(4, Failed(code="x", detail="")),
        row(5, None),
        row(6, None, marker=None),
        RowState(number=7, marker="bc1-7"),
        row(8, Created(connection_id="d"), org="beta"),
    ]

    wants = expected(rows)

    assert {("acme", "prod"), ("beta", "prod")} == set(wants)
    assert wants["acme", "prod"].ids == {"bc1-1": "a", "bc1-2": "b"}
    assert {f"bc1-{number}" for number in range(1, 6)} == wants["acme", "prod"].markers
    assert wants["beta", "prod"].ids == {"bc1-8": "d"}
