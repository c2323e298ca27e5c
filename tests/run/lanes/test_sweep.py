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
from batchconnect.run.lanes.sweep import Expected, SandboxSweep, by_org, expected, sweep

pytestmark = pytest.mark.anyio

HIDDEN = Shown(endpoint=None, database=None, tenant=None, service_principal_id=None)
FAULT = ListingFault(code="http-502", detail="")
LAG_S = 60.0
NOW_MS = 1_700_000_000_000


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
    keeps_order: bool = True
    listed: list[float] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)

    async def newest(self, sandbox: str, *, age_s: float) -> Listing:
        self.ages.append(age_s)
        if not self.keeps_order:
            return listing(fault=ListingFault(code="order_lost", detail=""))
        return await self.list(sandbox)

    async def list(self, sandbox: str) -> Listing:
        self.listed.append(anyio.current_time())
        return self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]

    async def get(self, sandbox: str, connection_id: str) -> Found | NotFound | Unreadable:
        self.asked.append(connection_id)
        return self.known.get(connection_id, NotFound(connection_id=connection_id))


def want(*, had_doubts: bool = False, first_ms: int = NOW_MS, last_ms: int = NOW_MS) -> Expected:
    return Expected(
        ids={"bc1-a": "A", "bc1-b": "b"},
        rows={"bc1-a": 1, "bc1-b": 2},
        markers={"bc1-a", "bc1-b", "bc1-c"},
        first_ms=first_ms,
        last_ms=last_ms,
        had_doubts=had_doubts,
    )


ALL = listing(found("a", "bc1-a"), found("b", "bc1-b"))


async def swept(service: ConnectedService, wanted: Expected | None = None) -> SandboxSweep:
    (result,) = await sweep(
        {"acme": service}, {("acme", "prod"): wanted or want()}, lag_s=LAG_S, now_ms=NOW_MS
    )
    return result


async def test_what_is_shown_at_the_first_look_is_not_waited_for() -> None:
    """In another letter case, too."""
    service = ConnectedService([ALL])

    result = await swept(service)

    assert result.swept == Swept(expected=2, found=2, duplicated=(), missing=(), org="acme")
    assert result.swept.is_clean
    assert service.listed == [0]
    assert service.asked == []


async def test_the_newest_are_read_down_to_ten_minutes_before_the_first_create() -> None:
    service = ConnectedService([ALL])

    await swept(service, want(first_ms=NOW_MS - 30_000))

    assert service.ages == [630]


async def test_where_the_order_does_not_hold_the_whole_sandbox_is_read() -> None:
    service = ConnectedService([ALL], keeps_order=False)

    assert (await swept(service)).swept.is_clean
    assert len(service.ages) == 1
    assert service.listed == [0]


async def test_what_is_not_shown_yet_is_waited_for_as_long_as_it_may_lag() -> None:
    service = ConnectedService([listing(), listing(found("a", "bc1-a")), ALL])

    assert (await swept(service)).swept.is_clean
    assert service.listed == [0, 15, 30]


async def test_of_a_run_that_ended_slowly_nothing_is_left_to_wait_for() -> None:
    service = ConnectedService([listing()], known={"A": found("a", "bc1-a")})

    await swept(service, want(last_ms=NOW_MS - 60_000))

    assert anyio.current_time() == 0


async def test_where_an_answer_was_lost_the_last_look_counts() -> None:
    """What is applied late may double a row that the first look shows once."""
    twice = listing(*ALL.items, found("x", "bc1-a"))
    service = ConnectedService([ALL, ALL, ALL, ALL, twice])

    assert (await swept(service, want(had_doubts=True))).swept.duplicated == ("bc1-a",)
    assert anyio.current_time() == LAG_S


async def test_what_is_never_shown_is_asked_for_by_its_id() -> None:
    service = ConnectedService([listing(found("a", "bc1-a"))], known={"b": found("b", "bc1-b")})

    assert (await swept(service)).swept.is_clean
    assert service.listed == [0, 15, 30, 45, 60]
    assert service.asked == ["b"]


async def test_what_nobody_knows_is_missing() -> None:
    service = ConnectedService([listing(found("a", "bc1-a"))])

    assert (await swept(service)).swept == Swept(
        expected=2, found=1, duplicated=(), missing=("bc1-b",), org="acme"
    )


async def test_the_marker_on_another_connection_than_was_answered_is_a_wrong_id() -> None:
    """The row gets the connection that bears its marker, and the answer is told."""
    service = ConnectedService([listing(found("a", "bc1-a"), found("other", "bc1-b"))])

    result = await swept(service)

    assert result.swept.wrong_id == ("bc1-b",)
    assert not result.swept.is_clean
    assert {marker: one.id for marker, one in result.corrected.items()} == {"bc1-b": "other"}


@pytest.mark.parametrize("bears", ["bc1-a", "bc1-z", None])
@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_answered_id_that_bears_another_marker_is_nobodys_report(
    bears: str | None, *, is_listed: bool
) -> None:
    """Whether the listing shows it or GET does: where the row's own is, nobody knows."""
    there = found("b", bears)
    items = [found("a", "bc1-a"), *([there] if is_listed else [])]
    service = ConnectedService([listing(*items)], known={"b": there})

    result = await swept(service)

    assert result.swept.wrong_id == ("bc1-b",)
    assert result.lost == ("bc1-b",)


async def test_what_cannot_be_asked_for_is_not_known_to_be_missing() -> None:
    service = ConnectedService([listing(found("a", "bc1-a"))], known={"b": Unreadable(fault=FAULT)})

    result = (await swept(service)).swept

    assert (result.found, result.missing, result.complete) == (1, (), False)
    assert not result.is_clean


async def test_a_listing_that_fails_says_nothing_about_what_is_missing() -> None:
    """And it is not made up for by one request for each row."""
    service = ConnectedService([listing(found("a", "bc1-a"), fault=FAULT)])

    result = (await swept(service)).swept

    assert (result.found, result.missing, result.complete) == (1, (), False)
    assert service.asked == []


async def test_a_refusal_is_not_waited_out() -> None:
    refusal = OrgLevel(
        code="403025", title="No", detail="", scope=StopScope.LANE, http_status=403, request_id=None
    )
    service = ConnectedService([Listing(sandbox="prod", refusal=refusal)])

    assert not (await swept(service)).swept.complete
    assert service.listed == [0]


async def test_a_marker_that_is_borne_twice_is_told_whatever_the_row_became() -> None:
    """A gateway that repeats a POST doubles a row whose answer came: the run hears of it."""
    twice = listing(*ALL.items, found("x", "bc1-c"), found("y", "bc1-c"), found("z", "bc1-z"))

    assert (await swept(ConnectedService([twice]))).swept.duplicated == ("bc1-c",)


async def test_sandboxes_are_swept_beside_each_other_and_told_by_org() -> None:
    first, second = ConnectedService([listing()]), ConnectedService([listing(fault=FAULT)])
    wants = {("acme", "prod"): want(), ("beta", "prod"): Expected()}

    results = await sweep({"acme": first, "beta": second}, wants, lag_s=LAG_S, now_ms=NOW_MS)

    assert anyio.current_time() == LAG_S
    assert [(one.org, one.expected, one.missing, one.complete) for one in by_org(results)] == [
        ("acme", 2, ("bc1-a", "bc1-b"), True),
        ("beta", 0, (), False),
    ]


def row(
    number: int,
    outcome: Outcome | None,
    *,
    marker: str | None = "m",
    org: str = "acme",
    sends: int = 1,
) -> RowState:
    planned = RowPlanned(name="n", org=org, sandbox="prod")
    name = None if marker is None else f"bc1-{number}"
    return RowState(
        number=number, marker=name, planned=planned, outcome=outcome, sends=sends,
        started_at_ms=1000 * number, finished_at_ms=1000 * number + 1,
    )  # fmt: skip


def test_what_is_expected_is_what_this_run_sent() -> None:
    """What stood there already was seen by the plan, and is not held in memory."""
    rows = [
        row(1, Created(connection_id="a")),
        row(2, Existing(connection_id="b", matched_by=MatchedBy.MARKER), sends=0),
        row(4, Failed(code="x", detail="")),
        row(5, None, sends=0),
        row(6, None, marker=None),
        RowState(number=7, marker="bc1-7"),
        row(8, Created(connection_id="d"), org="beta"),
    ]

    wants = expected(rows)

    assert {("acme", "prod"), ("beta", "prod")} == set(wants)
    acme = wants["acme", "prod"]
    assert acme.ids == {"bc1-1": "a"}
    assert acme.markers == {"bc1-1", "bc1-4", "bc1-5"}
    assert (acme.first_ms, acme.last_ms, acme.had_doubts) == (1000, 4001, False)
    assert wants["beta", "prod"].ids == {"bc1-8": "d"}


def test_where_nothing_was_made_and_nothing_lost_nothing_is_swept() -> None:
    """A lane that was refused cannot be read, and its rows surely made nothing."""
    assert expected([row(1, Failed(code="x", detail="")), row(2, None, sends=0)]) == {}
