"""What goes out to Flow Service, byte for byte, and how a sandbox is read page by page."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from batchconnect.flow_service import (
    FlowService,
    NotFound,
    Sent,
    Spec,
    Unreadable,
    create_request,
    get_request,
    list_request,
    spec_request,
)
from batchconnect.flow_service.answer import NotSent, ObjectCreated, OrgLevel, StopScope, Unknown
from batchconnect.flow_service.listing import Found, Listing
from batchconnect.model.fault import Fault
from batchconnect.model.identity import CONNECTION_SPEC_ID
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.model.target import Target
from batchconnect.transport.interface import (
    Purpose,
    Request,
    Response,
    StoppedError,
    TransportError,
)
from batchconnect.validation.connection import BaseConnection

ORG = Org(
    key="acme",
    org_id="5C1328435BF324E90A49402A@AdobeOrg",
    client_id="client",
    client_secret=Secret("fake-client-secret"),
)
MARKER = "bc1-o2cyiczkeuyf5wanj624uvdrpp"
CONNECTION = BaseConnection(
    row=2,
    org=ORG,
    sandbox="prod",
    name="Acme, Inc. Telemetrie Süd",
    text="Acme telemetry",
    target=Target(
        endpoint="https://acme.westeurope.kusto.windows.net",
        database="Telemetry",
        tenant="72f988bf-86f1-41af-91ab-2d7cd011db47",
        service_principal_id="0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
    ),
    service_principal_key=Secret('fake~key._- \\"ü '),
    marker=MARKER,
)
ROOT = "https://platform.adobe.io/data/foundation/flowservice"
ID = "f088e4f2-2464-480c-88e4-f22464b80c90"


def answer(status: int, body: Any = None, **headers: str) -> Response:
    return Response(
        status=status, headers=headers, body=b"" if body is None else orjson.dumps(body)
    )


def item(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"00000000-0000-0000-0000-{number:012}", "createdAt": number, **fields}


def page(*items: Any, token: str | None = None) -> Response:
    href = f"/connections?continuationToken={token}"
    return answer(200, {"items": items, "_links": {"next": {"href": href}} if token else {}})


def count(number: object) -> Response:
    return answer(200, {"count": number})


class Script:
    """A transport that answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: Response | TransportError) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        given = self._answers.pop(0)
        if isinstance(given, TransportError):
            raise given
        return given

    def queries(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(urlsplit(request.url).query)) for request in self.asked]


async def listed(*answers: Response | TransportError) -> tuple[Listing, Script]:
    script = Script(*answers)
    return await FlowService(script, ORG).list("prod"), script


# Requests -----------------------------------------------------------------------------------------


def test_a_create_has_the_contracts_fields_and_nothing_else() -> None:
    request = create_request(ORG, CONNECTION)

    assert (Purpose.CREATE, "POST", f"{ROOT}/connections") == (
        request.purpose,
        request.method,
        request.url,
    )
    assert dict(request.headers) == {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "x-sandbox-name": "prod",
    }
    assert request.body is not None
    assert {
        "name": "Acme, Inc. Telemetrie Süd",
        "description": f"Acme telemetry {MARKER}",
        "auth": {
            "specName": "Service Principal Based Authentication",
            "params": {
                "endpoint": "https://acme.westeurope.kusto.windows.net",
                "database": "Telemetry",
                "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
                "servicePrincipalId": "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
                "servicePrincipalKey": 'fake~key._- \\"ü ',
            },
        },
        "connectionSpec": {"id": CONNECTION_SPEC_ID, "version": "1.0"},
    } == json.loads(request.body)
    assert "fake~key" not in repr(request)


def test_reads_name_their_sandbox_and_filter_by_the_connection_spec_alone() -> None:
    first, second = list_request(ORG, "dev"), list_request(ORG, "dev", "a%2Bb+/=")
    query = f"property=connectionSpec.id=={CONNECTION_SPEC_ID}&limit=100"

    assert f"{ROOT}/connections?{query}" == first.url
    assert f"{ROOT}/connections?{query}&continuationToken=a%2Bb+/=" == second.url
    assert dict(first.headers) == {"Accept": "application/json", "x-sandbox-name": "dev"}
    assert (first.purpose, first.body) == (Purpose.READ, None)
    assert f"{ROOT}/connections/a%2F..%3F" == get_request(ORG, "dev", "a/..?").url
    assert f"{ROOT}/connectionSpecs/{CONNECTION_SPEC_ID}" == spec_request(ORG, "dev").url


# Create -------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_create_tells_answer_attempts_and_throttles() -> None:
    made = Response(status=201, body=orjson.dumps({"id": ID}), attempts=3, throttled=2)

    sent = await FlowService(Script(made), ORG).create(CONNECTION)

    expected = ObjectCreated(connection_id=ID, etag=None, http_status=201, request_id=None)
    assert Sent(answer=expected, attempts=3, throttled=2) == sent


@pytest.mark.anyio
async def test_a_create_without_an_answer_is_judged_too() -> None:
    lost = TransportError("timeout", sent=True, attempts=4, throttled=3)
    unsent = TransportError("dns", sent=False)

    doubt = await FlowService(Script(lost), ORG).create(CONNECTION)
    not_sent = await FlowService(Script(unsent), ORG).create(CONNECTION)

    assert Sent(answer=Unknown(code="timeout", detail=""), attempts=4, throttled=3) == doubt
    assert NotSent(code="dns", detail="") == not_sent.answer


@pytest.mark.anyio
@pytest.mark.parametrize(("sent", "kind"), [(False, NotSent), (True, Unknown)])
async def test_an_error_without_a_name_on_the_wire_is_a_fault_of_ours(
    *, sent: bool, kind: type[NotSent | Unknown]
) -> None:
    """The wire's trace says whether it is a doubt; no lane is stopped for it."""
    fault = Fault(type="AttributeError", place="aiohttp.client:1 _request")
    error = TransportError("unexpected", sent=sent, permanent=not sent, fault=fault)

    told = await FlowService(Script(error), ORG).create(CONNECTION)

    assert told.fault == fault
    assert told.answer == kind(code="internal_fault", detail=fault.label)


@pytest.mark.anyio
async def test_the_rows_key_and_the_orgs_secrets_are_redacted() -> None:
    echo = "got fake-client-secret and " + CONNECTION.secret.reveal()

    sent = await FlowService(Script(answer(400, {"message": echo})), ORG).create(CONNECTION)

    assert "'… and …'" in repr(sent)


# Listing ------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_an_empty_sandbox_is_a_complete_listing() -> None:
    listing, script = await listed(count(0), page())

    assert listing.complete
    assert listing.items == ()
    assert [query.get("count") for query in script.queries()] == ["true", None]
    assert "limit" not in script.queries()[0]


@pytest.mark.anyio
async def test_pages_are_followed_with_the_same_filter_and_doubles_dropped() -> None:
    listing, script = await listed(
        count(3), page(item(3), item(2), token="a%2Bb"), page(item(2), item(1), token="c+d"), page()
    )

    assert listing.complete
    assert [found.created_at_ms for found in listing.items] == [3, 2, 1]
    assert [query.get("continuationToken") for query in script.queries()[1:3]] == [None, "a+b"]
    assert script.asked[3].url.endswith("&continuationToken=c+d")
    assert len({(query["property"], query["limit"]) for query in script.queries()[1:]}) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "end",
    [
        {},
        {"_links": None},
        {"_links": {}},
        {"_links": {"next": None}},
        {"_links": {"next": {}}},
        {"_links": {"next": {"href": ""}}},
        {"_links": {"next": {"href": None}}},
    ],
)
async def test_a_missing_or_empty_next_is_the_end(end: dict[str, Any]) -> None:
    listing, _ = await listed(count(1), answer(200, {"items": [item(1)], **end}))

    assert listing.complete


@pytest.mark.anyio
@pytest.mark.parametrize(
    "href",
    [
        f"{ROOT}/connections?limit=100&continuationToken=t",
        "https://platform.adobe.io:443/x?continuationToken=t",
        "//PLATFORM.adobe.io/x?continuationToken=t",
        "?continuationToken=t",
        "connections?continuationToken=t&limit=1#x",
    ],
)
async def test_a_next_link_may_be_relative_or_of_our_own_host(href: str) -> None:
    first = answer(200, {"items": [], "_links": {"next": {"href": href}}})
    listing, script = await listed(count(1), first, page(item(1)))

    assert listing.complete
    assert script.queries()[2]["continuationToken"] == "t"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "answers"),
    [
        (
            "no_next_token",
            [answer(200, {"items": [], "_links": {"next": {"href": "/connections?page=2"}}})],
        ),
        ("no_next_token", [answer(200, {"items": [], "_links": {"next": {"href": 7}}})]),
        (
            "no_next_token",
            [answer(200, {"items": [], "_links": {"next": {"href": "/c?continuationToken="}}})],
        ),
        ("token_repeated", [page(item(2), token="t"), page(item(1), token="t")]),
        ("http-502", [page(item(2), token="t"), answer(502)]),
        ("http-204", [answer(204)]),
        ("http-429", [answer(429)]),
        ("http-201", [answer(201, {"id": ID})]),
        ("FLOW-1440-400", [answer(400, {"type": "x/FLOW-1440-400", "title": "t"})]),
        ("timeout", [page(item(2), token="t"), TransportError("timeout", sent=True)]),
        ("interrupted", [StoppedError("interrupted")]),
        ("not_json", [Response(status=200, body=b'{"items": [')]),
        ("not_json", [Response(status=200)]),
        ("body_cut", [Response(status=200, body=b'{"items": []}', body_fault="cut")]),
        ("no_items", [answer(200, {"connections": []})]),
        ("no_items", [answer(200, {"items": {}})]),
        ("bad_item", [page(7)]),
        ("foreign_item", [page(item(1, imsOrgId="X@AdobeOrg"))]),
        ("foreign_item", [page(item(1, imsOrgId=["X"]))]),
        ("foreign_item", [page(item(1, sandboxName="dev"))]),
    ],
)
async def test_anything_odd_makes_the_listing_failed_and_never_empty(
    code: str, answers: list[Response | TransportError]
) -> None:
    listing, _ = await listed(count(0), *answers)

    assert not listing.complete
    assert listing.fault is not None
    assert code == listing.fault.code
    assert listing.refusal is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    "page_",
    [
        Response(status=200, body=b"<html>portal</html>"),
        Response(status=200, body=b"\xef\xbb\xbf \n <!DOCTYPE html>"),
        Response(status=403, body=b"<html>blocked</html>"),
        Response(status=302, headers={"location": "https://portal.test/"}),
    ],
)
async def test_a_page_in_place_of_a_listing_is_told_as_such(page_: Response) -> None:
    """Whatever its status: not an answer of Adobe's, so nothing else is asked of who gave it."""
    listing, _ = await listed(page_, page_)

    assert listing.refusal is not None
    assert (listing.refusal.code, listing.refusal.title, listing.refusal.scope) == (
        "foreign_answer",
        "Not an answer of Adobe's",
        StopScope.LANE,
    )
    assert listing.refusal.detail == f"HTTP {page_.status} in no form of Adobe's"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("refused", "scope"),
    [
        (answer(401), StopScope.LANE),
        (answer(401, {"type": "x/FLOW-1001-401"}), StopScope.LANE),
        (answer(403, {"error_code": "403025"}), StopScope.LANE),
        (answer(404), StopScope.LANE),
        (answer(404, {"type": "x/FLOW-9999-404"}), StopScope.LANE),
        (answer(404, {"type": "x/FLOW-2100-404"}), StopScope.SANDBOX),
        (answer(400, {"error_code": "400003"}), StopScope.LANE),
        (TransportError("invalid_client", sent=False, permanent=True), StopScope.LANE),
    ],
)
async def test_a_refused_listing_is_the_lanes_or_the_sandboxs_refusal(
    refused: Response | TransportError, scope: StopScope
) -> None:
    listing, _ = await listed(count(0), refused)

    assert not listing.complete
    assert isinstance(listing.refusal, OrgLevel)
    assert scope is listing.refusal.scope


@pytest.mark.anyio
@pytest.mark.parametrize(
    "href",
    [
        "https://inner.example/c?continuationToken=t",
        "//inner.example?continuationToken=t",
        "http://platform.adobe.io/?continuationToken=t",
        "https://platform.adobe.io:444/?continuationToken=t",
        "http://[?continuationToken=t",
    ],
)
async def test_of_a_next_link_to_another_address_only_the_token_is_used(href: str) -> None:
    """Behind some gateways it names an inner host; the sandbox can be read all the same, and it is said."""
    first = answer(200, {"items": [item(2)], "_links": {"next": {"href": href}}})
    listing, script = await listed(count(2), first, page(item(1)))

    assert listing.complete
    assert {f"{ROOT}/connections"} == {request.url.partition("?")[0] for request in script.asked}
    assert script.queries()[-1]["continuationToken"] == "t"
    assert ["another address" in text for text in listing.warnings] == [True]


@pytest.mark.anyio
async def test_an_org_or_sandbox_in_other_letters_is_the_same_place() -> None:
    mine = item(1, imsOrgId=ORG.org_id.lower(), sandboxName="PROD")
    listing, _ = await listed(count(1), page(mine))

    assert listing.complete
    assert len(listing.items) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("odd", ["<script>", "\x1b[31m", "../../etc", "", None, 7, ["x"]])
async def test_an_id_that_is_no_guid_is_kept_nowhere(odd: object) -> None:
    """It may be anything, a key too. Its item is still known to be there, and hides no other."""
    listing, _ = await listed(count(2), page({**item(1), "id": odd}, item(2)))

    assert listing.complete
    assert sorted(found.id for found in listing.items) == ["", item(2)["id"]]
    assert str(odd) not in repr(listing) or odd in ("", None, 7)


@pytest.mark.anyio
async def test_fewer_than_counted_is_read_again_once() -> None:
    healed, _ = await listed(count(2), page(item(1)), count(1), page(item(1)))

    assert healed.complete


@pytest.mark.anyio
async def test_a_count_that_stays_too_large_is_outvoted_by_two_orders_that_agree() -> None:
    """Or a sandbox whose count is wrong would be blocked for ever."""
    twice = (count(3), page(item(2), item(1)), count(3), page(item(2), item(1)))
    listing, script = await listed(*twice, page(item(2), item(1)), page(item(1), item(2)))

    assert listing.complete
    assert [query.get("orderby") for query in script.queries()][-2:] == ["-createdAt", "createdAt"]
    assert listing.warnings == ("3 connections are counted, and 2 listed, in either order",)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "second",
    [
        page(item(1), item(2)),
        page(item(3), item(2)),
        page(item(2)),
        page({**item(1), "createdAt": None}, item(3)),
        answer(400, {"type": "x/FLOW-1433-400"}),
        TransportError("timeout", sent=True),
    ],
)
async def test_a_listing_that_nothing_proves_is_not_complete(
    second: Response | TransportError,
) -> None:
    """Cut without a next link, it shows 3 and 2 of more; the other order shows others, or none at all."""
    listing, script = await listed(answer(400), *[page(item(3), item(2)), second] * 3)

    assert listing.fault is not None
    assert listing.fault.code == "unproven_listing"
    assert len(listing.items) == 2, "what was found counts all the same"
    assert len(script.asked) == 7, "it is tried three times"


@pytest.mark.anyio
async def test_what_was_created_after_the_first_look_is_no_disagreement() -> None:
    """By the service's own clock: the `Date` of the first answer."""
    then = {"date": "Thu, 01 Jan 1970 00:00:10 GMT"}
    first = Response(status=200, headers=then, body=page(item(2), item(1)).body)
    listing, _ = await listed(answer(400), first, page(item(1), item(2), item(20_000)))

    assert listing.complete


@pytest.mark.anyio
async def test_a_count_below_what_was_there_before_it_proves_nothing() -> None:
    """It counts something else; two orders are asked instead."""
    counted = Response(
        status=200,
        headers={"date": "Thu, 01 Jan 1970 00:00:10 GMT"},
        body=count(1).body,
    )
    listing, script = await listed(
        counted, page(item(2), item(1)), page(item(2), item(1)), page(item(1), item(2))
    )

    assert listing.complete
    assert len(script.asked) == 4


@pytest.mark.anyio
async def test_the_newest_are_read_down_to_a_moment_and_no_further() -> None:
    """By the service's own clock: ten seconds before its first answer."""
    now = {"date": "Thu, 01 Jan 1970 00:01:00 GMT"}
    first = page(item(59_000), item(58_000), token="a")
    script = Script(replace(first, headers=now), page(item(57_000), item(49_000), token="b"))
    listing = await FlowService(script, ORG).newest("prod", age_s=10)

    assert listing.complete
    assert [found.created_at_ms for found in listing.items] == [59_000, 58_000, 57_000, 49_000]
    assert [query["orderby"] for query in script.queries()] == ["-createdAt", "-createdAt"]


@pytest.mark.anyio
@pytest.mark.parametrize("lost", [page(item(8), item(9)), page({"id": ID}, item(1))])
@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:01:00 GMT", ""])
async def test_newest_first_is_not_believed_where_the_order_does_not_hold(
    lost: Response, date: str
) -> None:
    """Nor where no clock tells how far to read."""
    dated = replace(lost, headers={"date": date})
    listing = await FlowService(Script(dated), ORG).newest("prod", age_s=5)

    assert listing.fault is not None
    assert listing.fault.code == "order_lost"


@pytest.mark.anyio
async def test_what_is_created_while_we_read_makes_no_listing_incomplete() -> None:
    listing, _ = await listed(count(1), page(item(3), item(2), item(1)))

    assert listing.complete


@pytest.mark.anyio
@pytest.mark.parametrize(
    "uncounted",
    [answer(400), answer(404), answer(200, {"items": []}), count(True), count("9"), answer(200)],
)
async def test_without_a_count_two_orders_that_agree_are_the_proof(uncounted: Response) -> None:
    both = (page(item(2), item(1)), page(item(1), item(2)))
    listing, _ = await listed(uncounted, *both, *both)

    assert listing.complete


@pytest.mark.anyio
@pytest.mark.parametrize(
    "failed",
    [
        answer(500),
        answer(403),
        answer(307),
        TransportError("timeout", sent=True),
        Response(status=200, body=b"{", body_fault="cut"),
    ],
)
async def test_a_count_that_fails_fails_the_listing(failed: Response | TransportError) -> None:
    listing, script = await listed(failed)

    assert not listing.complete
    assert len(script.asked) == 1


@pytest.mark.anyio
async def test_one_page_is_enough_to_know_that_a_sandbox_may_be_read() -> None:
    script = Script(page(item(1), token="t"))
    some = await FlowService(script, ORG).list("prod", most_pages=1)
    whole = await FlowService(Script(page(item(1))), ORG).list("prod", most_pages=1)

    assert some.fault is not None
    assert some.fault.code == "not_read_on"
    assert whole.complete


@pytest.mark.anyio
async def test_a_listing_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchconnect.flow_service.paging.MOST_PAGES", 3)
    listing, _ = await listed(count(0), *(page(token=f"t{number}") for number in range(9)))

    assert listing.fault is not None
    assert listing.fault.code == "endless"


@pytest.mark.anyio
async def test_the_markers_age_is_told_by_the_services_clock() -> None:
    async def young(*items: Any, date: str = "Thu, 01 Jan 1970 00:00:09 GMT") -> list[str]:
        answers = (count(0), answer(200, {"items": items}, date=date))
        return (await listed(*answers))[0].markers_younger_than(4000)

    marked = {"description": f"text {MARKER}"}

    assert await young(item(5001, **marked), item(5000, **marked), item(8000)) == [MARKER]
    assert await young(item(5001, **marked), date="Thu, 01 Jan 1970 00:00:09 -0000") == [MARKER]
    assert await young(item(99999, **marked)) == [MARKER]
    assert await young(item(1, **marked), date="some day") == [MARKER]
    assert await young({**item(1, **marked), "createdAt": None}) == [MARKER]
    assert await young(item(8000), item(1, **marked)) == []


# One connection, and the spec ---------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "is_expected"),
    [
        (page({"id": ID.upper()}), lambda found: isinstance(found, Found)),
        (
            answer(404, {"errorMessage": f"connections not found with id = [{ID}]"}),
            lambda found: found == NotFound(connection_id=ID),
        ),
        (answer(404, {"type": "x/FLOW-1439-404"}), lambda found: isinstance(found, NotFound)),
        (answer(404, {"type": "x/FLOW-1101-404"}), lambda found: isinstance(found, NotFound)),
        (answer(400, {"type": "x/FLOW-1439-400"}), lambda found: isinstance(found, NotFound)),
        (answer(404), lambda found: found.refusal is not None),
        (
            answer(404, {"type": "x/FLOW-2100-404"}),
            lambda found: found.refusal.scope is StopScope.SANDBOX,
        ),
        (answer(404, {"type": "x/FLOW-9999-404"}), lambda found: found.refusal is None),
        (answer(403), lambda found: found.refusal is not None),
        (answer(502), lambda found: found.fault.code == "http-502"),
        (page(), lambda found: found.fault.code == "no_items"),
        (page({"id": ID}, {"id": ID}), lambda found: found.fault.code == "no_items"),
        (page({"id": "other"}), lambda found: found.fault.code == "foreign_item"),
        (page({"id": ID, "sandboxName": "dev"}), lambda found: found.fault.code == "foreign_item"),
        (answer(200, {"id": ID}), lambda found: found.fault.code == "no_items"),
        (Response(status=200, body_fault="cut"), lambda found: isinstance(found, Unreadable)),
        (TransportError("timeout", sent=True), lambda found: found.fault.code == "timeout"),
    ],
)
async def test_one_connection_is_found_gone_or_unreadable(
    given: Response | TransportError, is_expected: Callable[[Any], bool]
) -> None:
    assert is_expected(await FlowService(Script(given), ORG).get("prod", ID))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "is_expected"),
    [
        (
            page(
                {
                    "name": "ADX",
                    "version": "1.0",
                    "authSpec": [{"name": "Service Principal Based Authentication"}, 7],
                }
            ),
            lambda spec: (
                spec
                == Spec(
                    name="ADX",
                    version="1.0",
                    auth_specs=("Service Principal Based Authentication",),
                )
                and spec.is_as_expected
            ),
        ),
        (page({"authSpec": [{"name": "Key"}]}), lambda spec: not spec.is_as_expected),
        (page({"name": 7}), lambda spec: spec.is_as_expected),
        (page(), lambda spec: spec.fault.code == "no_items"),
        (page(7), lambda spec: spec.fault.code == "no_items"),
        (answer(403), lambda spec: spec.refusal is not None),
        (TransportError("dns", sent=False), lambda spec: spec.fault.code == "dns"),
    ],
)
async def test_the_connection_spec_is_read(
    given: Response | TransportError, is_expected: Callable[[Any], bool]
) -> None:
    assert is_expected(await FlowService(Script(given), ORG).spec("prod"))
