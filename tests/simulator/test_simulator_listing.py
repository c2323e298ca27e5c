"""Listings: filters with their traps, pages, lag."""

from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from batchconnect.simulator.catalogue import OTHER_SPEC
from batchconnect.simulator.control import Simulator
from batchconnect.simulator.decision import Cut, Decision, Instead, Reshaped, Shape
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.planting import Planted
from batchconnect.simulator.testing import (
    ADX_ONLY,
    ORG,
    OTHER_ORG,
    Caller,
    Clock,
    adx,
    code,
    parsed,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    return Simulator(clock=clock)


@pytest.fixture
def caller(sim: Simulator) -> Caller:
    return Caller(sim)


def planted(number: int, **changed: object) -> Planted:
    values: dict[str, object] = {"org_id": ORG, "sandbox": "prod", "name": f"name {number:05}"}
    return Planted(**{**values, "age_s": 100_000.0 - number, **changed})  # type: ignore[arg-type]  # a test's shorthand


def query(**params: object) -> str:
    return f"/connections?{urlencode(params, doseq=True)}"


def names(caller: Caller, **params: object) -> list[str]:
    return [item["name"] for item in parsed(caller.send("GET", query(**params)))["items"]]


def test_an_empty_sandbox_is_an_empty_page_without_next(caller: Caller) -> None:
    """`_links` is there and says nothing."""
    assert parsed(caller.send("GET", "/connections")) == {"items": [], "_links": {}}


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_pages_hold_a_hundred_at_most_newest_first(
    sim: Simulator, caller: Caller, count: int
) -> None:
    """Every object once, in order, and no empty page at the end."""
    sim.plant(*(planted(n) for n in range(count)))

    pages = list(caller.pages(limit=500))

    assert [len(page) for page in pages] == [
        min(100, count - start) for start in range(0, count, 100)
    ]
    listed = [item["name"] for page in pages for item in page]
    assert listed == [f"name {n:05}" for n in reversed(range(count))]


def test_the_next_link_is_relative_to_the_base_path(sim: Simulator, caller: Caller) -> None:
    """And its token is percent-encoded."""
    sim.plant(*(planted(n) for n in range(3)))

    href = parsed(caller.send("GET", query(limit=2)))["_links"]["next"]["href"]

    assert urlsplit(href).path == "/connections"
    assert set(parse_qs(urlsplit(href).query)) == {"continuationToken"}
    assert "+" not in href
    assert "/" not in urlsplit(href).query


def test_a_client_that_forgets_the_limit_meets_pages_too(sim: Simulator, caller: Caller) -> None:
    """The default is unknown, so it is small here."""
    sim.plant(*(planted(n) for n in range(30)))

    assert len(names(caller)) == 20


def test_a_page_repeats_items_where_new_ones_appeared(
    sim: Simulator, caller: Caller, clock: Clock
) -> None:
    """As with an offset: doubles come, and nothing is missed."""
    sim.plant(*(planted(n) for n in range(250)))
    pages = []
    for page in caller.pages(limit=100):
        pages.append({item["id"] for item in page})
        clock.advance(1)
        for n in range(3):
            caller.create(adx(f"new {len(pages)} {n}"))
            clock.advance(0.1)

    seen = set().union(*pages)
    assert len(pages[0] & pages[1]) == 3
    assert len(pages[1] & pages[2]) == 3
    assert {one.id for one in sim.connections() if one.name.startswith("name")} <= seen


def test_a_listing_ends_while_more_are_created_than_a_page_holds(
    sim: Simulator, caller: Caller, clock: Clock
) -> None:
    """A page repeats half of itself at the most."""
    sim.plant(*(planted(n) for n in range(30)))
    pages = []
    for page in caller.pages(limit=4):
        pages.append(page)
        clock.advance(1)
        sim.plant(*(planted(100_000 + n, age_s=0.0) for n in range(10)))

    assert len(pages) < 20


def test_a_token_is_good_for_its_own_listing_only(sim: Simulator, caller: Caller) -> None:
    """Sent with another filter, or made up, it is refused; a lost filter would hide objects."""
    sim.plant(*(planted(n) for n in range(3)))
    href = parsed(caller.send("GET", query(limit=2, property=ADX_ONLY)))["_links"]["next"]["href"]

    assert caller.send("GET", f"{href}&{urlencode({'property': ADX_ONLY})}").status == 200
    assert code(caller.send("GET", href)) == "FLOW-1451-400"
    for token in ("nonsense", "W10=", "WzEsMiwzLDRd", "%C3%A4"):
        answer = caller.send("GET", f"/connections?continuationToken={token}")
        assert code(answer) == "FLOW-1451-400"


def test_filters_are_and_by_repetition(sim: Simulator, caller: Caller) -> None:
    """Both have to hold."""
    sim.plant(planted(1, name="a"), planted(2, name="b"), planted(3, name="a", spec_id=OTHER_SPEC))

    assert names(caller, property=["name==a"]) == ["a", "a"]
    assert names(caller, property=["name==a", ADX_ONLY]) == ["a"]


def test_a_comma_in_a_value_means_or(sim: Simulator, caller: Caller) -> None:
    """So a filter on `Acme, Inc.` misses it, and hits what it should not."""
    sim.plant(planted(1, name="Acme, Inc."), planted(2, name="Acme"), planted(3, name=" Inc."))

    assert names(caller, property="name==Acme, Inc.") == [" Inc.", "Acme"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name~Acme", "1440"),
        ("createdAt>1,2", "1443"),
        ("name>=Acme", "1448"),
        ("whatever==1", "1449"),
        ("auth.params.servicePrincipalKey==x", "1449"),
        ("name!>Acme", "1450"),
        ("name==a<b", "1450"),
        ("name==a=b", "1450"),
        ("createdAt!=1", "1450"),
        ("createdAt>yesterday", "1452"),
        ("createdAt==", "1453"),
        ("name", "1453"),
    ],
)
def test_operators_are_refused_with_their_codes(caller: Caller, text: str, expected: str) -> None:
    """Also those that stand inside a value."""
    assert code(caller.send("GET", query(property=text))) == f"FLOW-{expected}-400"


def test_times_and_credentials_are_compared(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """Milliseconds, and shown parameters."""
    sim.plant(planted(1, age_s=10.0), planted(2, age_s=0.0, params={"database": "sales"}))
    edge = int((clock.now - 5) * 1000)

    assert names(caller, property=f"createdAt>={edge}") == ["name 00002"]
    assert names(caller, property=f"createdAt<{edge}") == ["name 00001"]
    assert names(caller, property=f"updatedAt=={'9' * 30}") == []
    assert names(caller, property="auth.params.database==sales") == ["name 00002"]


def test_the_count_comes_alone(sim: Simulator, caller: Caller) -> None:
    """Without items, of the same filter, and never with `limit`."""
    sim.plant(planted(1), planted(2), planted(3, spec_id="x"))

    assert parsed(caller.send("GET", query(count="true", property=ADX_ONLY))) == {"count": 2}
    assert code(caller.send("GET", query(count="true", limit=100))) == "FLOW-1401-400"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("name", "abc"),
        ("+name", "abc"),
        ("-name", "cba"),
        ("createdAt", "bca"),
        ("-createdAt", "acb"),
    ],
)
def test_pages_follow_the_order(sim: Simulator, caller: Caller, order: str, expected: str) -> None:
    """Over the border of a page."""
    sim.plant(planted(3, name="a"), planted(1, name="b"), planted(2, name="c"))
    path = f"/connections?limit=2&orderby={quote(order)}"
    page = parsed(caller.send("GET", path))
    rest = parsed(
        caller.send("GET", f"{page['_links']['next']['href']}&limit=2&orderby={quote(order)}")
    )

    assert "".join(item["name"] for item in [*page["items"], *rest["items"]]) == expected


@pytest.mark.parametrize(
    ("order", "expected"), [("+name", "1432"), ("#id", "1432"), ("id", "1433")]
)
def test_a_wrong_order_is_refused(caller: Caller, order: str, expected: str) -> None:
    """A bare `+` is a space to every server."""
    path = f"/connections?orderby={order.replace('#', '%23')}"

    assert code(caller.send("GET", path)) == f"FLOW-{expected}-400"


@pytest.mark.parametrize("wrong", ["limit=0", "limit=x", "limit=-1", "mode=draft", "offset=5"])
def test_a_wrong_parameter_is_refused(caller: Caller, wrong: str) -> None:
    """None is silently passed over."""
    assert code(caller.send("GET", f"/connections?{wrong}")) == "FLOW-1451-400"


def test_what_was_changed_comes_first(sim: Simulator, caller: Caller, clock: Clock) -> None:
    """Most recently created or updated."""
    made = parsed(caller.create(adx("old")))
    clock.advance(1)
    caller.create(adx("new"))
    clock.advance(1)
    patch = [{"op": "replace", "path": "/description", "value": "x"}]
    caller.send(
        "PATCH", f"/connections/{made['id']}", body=patch, headers={"if-match": made["etag"]}
    )

    assert names(caller) == ["old", "new"]


def test_a_listing_lags_behind_and_a_get_does_not(
    sim: Simulator, caller: Caller, clock: Clock
) -> None:
    """The lag is a knob that works from now on."""
    sim.lag_s = 30
    made = parsed(caller.create())["id"]

    assert caller.listed() == []
    assert parsed(caller.send("GET", query(count="true"))) == {"count": 0}
    assert caller.send("GET", f"/connections/{made}").status == 200
    clock.advance(30)
    assert [item["id"] for item in caller.listed()] == [made]


def test_orgs_and_sandboxes_have_listings_of_their_own(sim: Simulator) -> None:
    """Same name, other place."""
    sim.plant(planted(1, org_id=OTHER_ORG), planted(2, sandbox="dev"))

    assert Caller(sim).listed() == []
    assert len(Caller(sim, org_id=OTHER_ORG).listed()) == 1
    assert len(Caller(sim, sandbox="dev").listed()) == 1


def test_deep_pages_are_found_by_an_index(sim: Simulator) -> None:
    """A large sandbox is read as fast at its end as at its start."""
    plan = sim._store.db.execute(
        "explain query plan select * from connections where org_id = ? and sandbox = ? "
        "and spec_id in (?) and visible_at <= ? and (updated_at, seq) < (?, ?) "
        "order by updated_at desc, seq desc limit 101",
        ("o", "s", "x", 1, 1, 1),
    ).fetchall()

    [step] = [row["detail"] for row in plan]
    assert "connections_by_spec (org_id=? AND sandbox=? AND spec_id=? AND updated_at" in step


@pytest.mark.parametrize("shape", ["repeat_token", "no_items", "foreign_item"])
def test_a_listing_can_be_bent(sim: Simulator, caller: Caller, shape: Shape) -> None:
    """A test chooses; only listings are touched."""

    def bend(request: Request) -> Decision | None:
        bent = request.is_listing and request.first("continuationToken") is not None
        return Decision(reply=Reshaped(shape=shape)) if bent else None

    sim.plant(*(planted(n) for n in range(3)))
    sim.script(bend)
    params = urlencode({"limit": 2, "property": ADX_ONLY})
    first = parsed(caller.send("GET", f"/connections?{params}"))
    href = first["_links"]["next"]["href"]
    second = parsed(caller.send("GET", f"{href}&{params}"))

    match shape:
        case "repeat_token":
            assert second["_links"]["next"]["href"] == href
        case "no_items":
            assert "items" not in second
        case _:
            assert second["items"][0]["imsOrgId"] != ORG


def test_a_page_can_fail_or_be_cut(sim: Simulator, caller: Caller) -> None:
    """What the wire makes of it is the server's matter."""
    failed = Decision(apply_after_s=None, reply=Instead(answer=caller.send("GET", "/nothing")))
    fates = iter([failed, Decision(reply=Cut(after_bytes=5))])
    sim.script(lambda _: next(fates))

    assert caller.send("GET", "/connections").status == 404
    assert caller.deliver("GET", "/connections").reply == Cut(after_bytes=5)
