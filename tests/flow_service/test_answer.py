"""Every line of the contract's section 5, each with its sentence, and then whatever may come."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    StopScope,
    Throttled,
    Unknown,
    is_congestion,
    is_stale_token,
    is_throttled,
    judge_create,
    judge_create_error,
)
from batchconnect.flow_service.breaker import Breaker
from batchconnect.flow_service.problem import read_problem
from batchconnect.flow_service.reading import Unreadable, unreadable
from batchconnect.flow_service.source import Refusal, read_columns, read_tables
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.outcome import Status
from batchconnect.model.remedies import hint_for, title_for
from batchconnect.model.secret import Secret
from batchconnect.transport.interface import Response, StoppedError, TransportError

ID = "f088e4f2-2464-480c-88e4-f22464b80c90"
OTHER_ID = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
ETAG = '"43011faa-0000-0200-0000-5ea740cd0000"'
KEY = Secret('obviously-fake~"key"+/=.value')


def answer(status: int, body: Any = None, *, fault: str | None = None, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=names, body=raw, body_fault=fault)


def flow(number: str, text: str = "a value") -> dict[str, Any]:
    return {
        "type": f"https://ns.adobe.com/aep/errors/FLOW-{number}",
        "title": "Title",
        "status": int(number[-3:]),
        "report": {"detailed-message": text, "request-id": "r-1"},
        "errorMessage": "shadowed",
    }


def gateway(code: str | int) -> dict[str, Any]:
    return {"error_code": code, "message": "a value"}


HTML = b"<html><head><meta http-equiv='Content-Type'></head><body>version is required</body></html>"
BARE = {"message": "a value"}


@pytest.mark.parametrize("status", [201])
@pytest.mark.parametrize(
    ("sentence", "response"),
    [
        ("a GUID id", answer(201, {"id": ID})),
        ("a GUID id, Location agrees", answer(201, {"id": ID}, location=f"/connections/{ID}")),
        ("Location in upper case", answer(201, {"id": ID}, location=f"https://h/c/{ID.upper()}")),
        ("a Location that names no id", answer(201, {"id": ID}, location="/connections/")),
        ("a Location that is no URL", answer(201, {"id": ID}, location="http://[::1")),
        ("a byte-order mark", answer(201, b"\xef\xbb\xbf" + json.dumps({"id": ID}).encode())),
        ("only Location, no body", answer(201, location=f"https://h/connections/{ID}")),
        ("Location with slash and query", answer(201, location=f"/connections/{ID}/?x=y")),
        ("Location, the body is HTML", answer(201, HTML, location=f"connections/{ID}")),
        ("Location, the body has no id", answer(201, {"etag": "x"}, location=f"/c/{ID}")),
        ("Location, the body was cut", answer(201, b'{"id', fault="cut", location=f"/c/{ID}")),
        ("Location, endless body", answer(201, b"", fault="timeout", location=f"/c/{ID}")),
    ],
)
def test_created(status: int, sentence: str, response: Response) -> None:
    judged = judge_create(response)

    assert isinstance(judged, ObjectCreated), sentence
    assert judged.connection_id.lower() == ID


def test_the_etag_is_kept_with_its_quotes_and_may_be_missing() -> None:
    with_etag = judge_create(answer(201, {"id": ID, "etag": ETAG}, x_request_id="r-9"))

    assert (
        ObjectCreated(connection_id=ID, etag=ETAG, http_status=201, request_id="r-9") == with_etag
    )
    assert ObjectCreated(
        connection_id=ID, etag=None, http_status=201, request_id=None
    ) == judge_create(answer(201, {"id": ID, "etag": 7}))


@pytest.mark.parametrize(
    "response",
    [
        answer(201),
        answer(201, HTML),
        answer(201, {}),
        answer(201, [{"id": ID}]),
        answer(201, {"id": "4711"}),
        answer(201, {"id": 4711}),
        answer(201, {"id": ""}),
        answer(201, {"id": f"{ID}-"}),
        answer(201, {"id": "4711"}, location=f"/c/{ID}"),
        answer(201, {"id": ID}, location=f"/c/{OTHER_ID}"),
        answer(201, location="/connections/4711"),
        answer(201, location="http://[::1"),
    ],
)
def test_an_odd_201_is_a_protocol_surprise(response: Response) -> None:
    judged = judge_create(response)

    assert isinstance(judged, Unknown)
    assert judged.code == "protocol_surprise"
    assert judged.claimed_id is None


@pytest.mark.parametrize("fault", ["cut", "too_large", "timeout", "encoding"])
@pytest.mark.parametrize("status", [201, 400, 401, 403, 404, 422, 418])
def test_a_body_that_did_not_come_whole_is_a_doubt(status: int, fault: str) -> None:
    whole = json.dumps({"id": ID}).encode()

    judged = judge_create(answer(status, whole, fault=fault))

    assert isinstance(judged, Unknown)
    assert f"body_{fault}" == judged.code
    assert str(status) in judged.detail


@pytest.mark.parametrize("status", [200, 202, 204, 206, 299])
def test_another_success_is_a_doubt_and_its_id_may_be_confirmed(status: int) -> None:
    claimed = judge_create(answer(status, {"id": ID}))
    portal = judge_create(answer(status, HTML))

    assert isinstance(claimed, Unknown)
    assert isinstance(portal, Unknown)
    assert (claimed.claimed_id, portal.claimed_id) == (ID, None)
    assert not claimed.stops_lane
    assert not claimed.congestion
    assert f"HTTP {status} where 201 belongs" == portal.detail


@pytest.mark.parametrize("status", [300, 302, 307, 308, 399])
def test_a_redirect_is_a_doubt_that_stops_the_lane(status: int) -> None:
    judged = judge_create(answer(status, {"id": ID}, location="https://evil.example/?key=1"))

    assert isinstance(judged, Unknown)
    assert judged.stops_lane
    assert judged.detail == "a redirect to evil.example, not followed"
    assert isinstance(judge_create(answer(status, location="http://[")), Unknown)


SAME_CONSTANTS = ["1007", "1301", "1302", "1339", "1413", "1415", "2105", "2110"]
SAME_CONSTANTS += ["2112", "2113", "2114", "2115"]


@pytest.mark.parametrize(
    "response",
    [
        *(answer(400, flow(f"{number}-400")) for number in SAME_CONSTANTS),
        answer(400, gateway("400003")),
        answer(400, gateway(400003)),
        answer(400, gateway("1413")),
        answer(400, {"message": "Please provide a valid spec id"}),
        answer(
            400,
            {
                "type": "/placeholder/type/uri",
                "title": "BadRequestError",
                "detail": "A valid content-type must be specified",
            },
        ),
        *(answer(401, flow(f"{number}-401")) for number in ("2000", "2001", "2002", "1008")),
        answer(401),
        answer(401, BARE),
        answer(401, gateway("401013")),
        answer(403, gateway(401013)),
        *(
            answer(403, gateway(code))
            for code in ("403000", "403003", "403010", "403011", "403012", "403013", "403020")
        ),
        *(answer(403, gateway(code)) for code in (403023, 403024, 403025, 403027, 403999)),
        *(
            answer(403, flow(f"{number}-403"))
            for number in ("1009", "2111", "2118", "2120", "2121")
        ),
        answer(403),
        answer(404, flow("2106-404")),
        answer(404),
        answer(404, {"errorMessage": "a value"}),
        answer(422, {"message": "connectionSpec: version of the spec is required"}),
    ],
)
def test_what_every_row_would_meet_is_org_level(response: Response) -> None:
    judged = judge_create(response)

    assert isinstance(judged, OrgLevel)
    assert judged.scope is StopScope.LANE
    assert judged.title


@pytest.mark.parametrize("number", ["2100", "2101", "2103"])
def test_an_unknown_sandbox_stops_that_sandbox_alone(number: str) -> None:
    judged = judge_create(answer(404, flow(f"{number}-404")))

    assert isinstance(judged, OrgLevel)
    assert judged.scope is StopScope.SANDBOX
    assert judged.title == "The sandbox does not exist"


@pytest.mark.parametrize(
    "response",
    [
        *(answer(400, flow(f"{n}-400")) for n in ("1000", "1014", "1100", "1304", "1308", "1405")),
        answer(400, flow("1600-400")),
        answer(400, flow("9999-400")),
        answer(400, flow("1308-400", "content-type, valid spec id")),
        answer(400, flow("2100-404")),
        answer(400, flow("1413-404")),
        answer(400),
        answer(400, BARE),
        answer(404, flow("1101-404")),
        answer(404, flow("1439-400")),
        answer(404, flow("2100-400")),
        *(answer(status) for status in (405, 406, 411, 413, 414, 415, 422, 431)),
        answer(422, BARE),
        answer(418, BARE),
        answer(451, flow("1000-451")),
        answer(499, {"error": "some_word"}),
    ],
)
def test_what_is_wrong_with_one_row_is_refused(response: Response) -> None:
    judged = judge_create(response)

    assert isinstance(judged, Refused)
    assert not judged.may_be_org_level


@pytest.mark.parametrize(
    "response",
    [
        *(answer(401, flow(f"{number}-401")) for number in ("1001", "1105", "1605")),
        *(answer(403, flow(f"{number}-403")) for number in ("1002", "1106", "1606")),
        answer(401, flow("2000-403")),
        answer(401, {"error": "Unauthorized"}),
        answer(403, gateway("503000")),
        answer(400, flow("1100-400", "x" * 300 + "Not entitled to this operation")),
    ],
)
def test_a_refusal_without_an_origin_may_be_the_orgs(response: Response) -> None:
    judged = judge_create(response)

    assert isinstance(judged, Refused)
    assert judged.may_be_org_level


@pytest.mark.parametrize("body", [None, HTML, BARE, flow("1006-408"), b"\xff\x00"])
def test_statuses_that_leave_a_doubt_whatever_the_body_says(body: Any) -> None:
    def judged(status: int) -> Unknown:
        found = judge_create(answer(status, body))
        assert isinstance(found, Unknown)
        return found

    assert all(judged(status).congestion for status in (500, 502, 503, 504, 507, 599))
    is_adobes = body in (None, BARE, flow("1006-408"))
    assert all(judged(status).refused_if_absent is is_adobes for status in (409, 412))
    assert not judged(408).refused_if_absent
    assert not judged(425).congestion
    assert judged(407).stops_lane
    assert not judged(502).stops_lane
    assert judged(0) == judged(0)
    assert not judged(600).congestion


@pytest.mark.parametrize(
    "body", [HTML, {"teapot": True}, b"Forbidden by policy 7", b"\xff\x00", []]
)
@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 405, 406, 409, 411, 412, 413, 414, 415, 418, 422, 431, 451, 499]
)
def test_a_refusal_without_a_form_of_adobes_is_no_refusal_of_adobes(status: int, body: Any) -> None:
    """Who answers in Adobe's place may have let the request through: a doubt, and the lane stops."""
    judged = judge_create(answer(status, body))
    read = unreadable(answer(status, body))

    assert isinstance(judged, Unknown)
    assert (judged.code, judged.stops_lane, judged.refused_if_absent) == (
        "foreign_answer",
        True,
        False,
    )
    assert read.refusal is not None
    assert (read.refusal.code, read.refusal.title) == ("foreign_answer", "Not an answer of Adobe's")


def test_another_4xx_without_a_body_is_a_doubt() -> None:
    assert isinstance(judge_create(answer(418)), Unknown)


@pytest.mark.parametrize(
    "response",
    [
        answer(429),
        answer(429, HTML),
        answer(429, gateway("429050")),
        answer(429, b"{", fault="cut"),
        answer(503, gateway("503000")),
        answer(503, gateway(503010)),
        answer(403, gateway("503020")),
    ],
)
def test_throttled(response: Response) -> None:
    assert isinstance(judge_create(response), Throttled)
    assert is_throttled(response)
    assert not is_congestion(response)


@pytest.mark.parametrize(
    "body", [None, HTML, flow("1103-503"), gateway("503071"), gateway("503020")]
)
def test_any_other_503_is_a_doubt_and_congestion(body: Any) -> None:
    response = answer(503, body)
    judged = judge_create(response)

    assert isinstance(judged, Unknown)
    assert judged.congestion
    assert is_congestion(response)
    assert not is_throttled(response)
    assert not is_throttled(answer(503, gateway("503000"), fault="cut"))


def test_only_401013_says_that_the_token_is_stale() -> None:
    assert is_stale_token(answer(401, gateway("401013")))
    assert is_stale_token(answer(401, gateway(401013)))
    assert not is_stale_token(answer(401, flow("2000-401")))
    assert not is_stale_token(answer(500, gateway("401013")))
    assert not is_congestion(answer(404))


def test_no_byte_left() -> None:
    for code in ("no_token", "dns", "refused", "unreachable", "connect_timeout", "tls", "proxy"):
        error = TransportError(code, sent=False, detail="why")
        assert NotSent(code=code, detail="why") == judge_create_error(error)


def test_our_own_stop_says_nothing_about_the_org() -> None:
    error = StoppedError("interrupted")

    assert NotSent(code="interrupted", detail="stopped before it was sent") == judge_create_error(
        error
    )


def test_a_permanent_fault_before_the_wire_is_org_level() -> None:
    error = TransportError(
        "invalid_client", sent=False, detail=f"no {KEY.reveal()}", permanent=True
    )
    judged = judge_create_error(error, ForeignText([KEY]))

    assert isinstance(judged, OrgLevel)
    assert judged.detail == "no ***"
    assert judged.http_status is None
    assert judged.title == "The client id or client secret is refused"


@pytest.mark.parametrize("code", ["connection_lost", "bad_answer", "timeout", "dns", "cancelled"])
def test_a_byte_may_have_left(code: str) -> None:
    judged = judge_create_error(TransportError(code, sent=True, permanent=True))

    assert Unknown(code=code, detail="") == judged


def refused(code: str, detail: str, status: int = 400, **more: Any) -> Refused:
    return Refused(
        code=code, detail=detail, http_status=status, request_id="r-1",
        **{"may_be_org_level": False, **more},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (answer(400, flow("1308-400")), refused("FLOW-1308-400", "a value")),
        (
            answer(400, flow("1308-400", "AADSTS7000215: Invalid client secret")),
            refused("AADSTS7000215", "FLOW-1308-400: AADSTS7000215: Invalid client secret"),
        ),
        (answer(401, flow("1001-401")), refused("FLOW-1001-401", "a value", 401, may_be_org_level=True)),
        (answer(400, x_request_id="r-1"), refused("http-400", "HTTP 400")),
        (
            answer(403, flow("1009-403")),
            OrgLevel(
                code="FLOW-1009-403", title="The organization id is missing", detail="a value",
                scope=StopScope.LANE, http_status=403, request_id="r-1",
            ),
        ),
        (
            answer(404, x_request_id="r-9"),
            OrgLevel(
                code="http-404", title="The service is not there", detail="HTTP 404",
                scope=StopScope.LANE, http_status=404, request_id="r-9",
            ),
        ),
        (
            answer(429, gateway("429050"), x_request_id="r-9"),
            Throttled(code="429050", detail="a value", http_status=429, request_id="r-9"),
        ),
        (
            answer(409, flow("1006-409")),
            Unknown(
                code="FLOW-1006-409", detail="a value", http_status=409, request_id="r-1",
                refused_if_absent=True,
            ),
        ),
        (
            answer(502, x_request_id="r-9"),
            Unknown(
                code="http-502", detail="HTTP 502", http_status=502, request_id="r-9",
                congestion=True,
            ),
        ),
        (
            answer(302, location="/elsewhere", x_request_id="r-9"),
            Unknown(
                code="http-302", detail="a redirect, not followed", http_status=302,
                request_id="r-9", stops_lane=True,
            ),
        ),
        (
            answer(202, {"id": ID}, x_request_id="r-9"),
            Unknown(
                code="http-202", detail="HTTP 202 where 201 belongs", http_status=202,
                request_id="r-9", claimed_id=ID,
            ),
        ),
        *(
            (
                response,
                Unknown(
                    code="protocol_surprise", detail=detail, http_status=201, request_id="r-9"
                ),
            )
            for response, detail in (
                (answer(201, {"id": "4711"}, x_request_id="r-9"), "201 with an id that is no GUID"),
                (
                    answer(201, {"id": ID}, x_request_id="r-9", location=f"/c/{OTHER_ID}"),
                    "201 whose id and Location differ",
                ),
                (answer(201, x_request_id="r-9"), "201 without an id"),
            )
        ),
        (
            answer(400, b"{", fault="too_large", x_request_id="r-9"),
            Unknown(
                code="body_too_large", http_status=400, request_id="r-9",
                detail="HTTP 400, its body could not be read: too large",
            ),
        ),
        (
            answer(403, HTML, x_request_id="r-9"),
            Unknown(
                code="foreign_answer", http_status=403, request_id="r-9", stops_lane=True,
                detail="HTTP 403 with a body that has no form of Adobe's",
            ),
        ),
    ],
)  # fmt: skip
def test_what_was_answered_is_told_whole(response: Response, told: Answer) -> None:
    """Code, words, status and request: what a person finds it by, and what Adobe's support asks for."""
    assert judge_create(response) == told


def test_a_permanent_fault_before_the_wire_is_told_whole() -> None:
    """It has no status, for nothing was answered."""
    error = TransportError("invalid_client", sent=False, detail="why", permanent=True)

    assert judge_create_error(error) == OrgLevel(
        code="invalid_client",
        title="The client id or client secret is refused",
        detail="why",
        scope=StopScope.LANE,
        http_status=None,
        request_id=None,
    )
    sent = TransportError("timeout", sent=True, detail=f"after {KEY.reveal()}")
    assert judge_create_error(sent, ForeignText([KEY])) == Unknown(
        code="timeout", detail="after ***"
    )


# The breaker ------------------------------------------------------------------------------------

DENIED = judge_create(answer(401, flow("1001-401")))
ALSO_DENIED = judge_create(answer(403, flow("1002-403")))
WRONG_ROW = judge_create(answer(400, flow("1308-400")))
MADE = judge_create(answer(201, {"id": ID}))
DOUBT = judge_create(answer(502))


@pytest.mark.parametrize(
    ("sentence", "answers", "is_org_level"),
    [
        ("three in a row", [DENIED] * 3, True),
        ("two in a row", [DENIED] * 2, False),
        ("a success between", [DENIED, DENIED, MADE, DENIED], False),
        ("another code between", [DENIED, DENIED, ALSO_DENIED, DENIED], False),
        ("a row's own refusal between", [DENIED, DENIED, WRONG_ROW, DENIED], False),
        ("a doubt between says nothing", [DENIED, DOUBT, DENIED, DOUBT, DENIED], True),
        ("rows that are wrong", [WRONG_ROW] * 5, False),
        ("after the third", [DENIED] * 4, True),
    ],
)
def test_the_third_in_a_row_is_the_lanes(
    sentence: str, answers: list[Answer], *, is_org_level: bool
) -> None:
    breaker = Breaker()

    judged = [breaker.judge(each) for each in answers]

    assert is_org_level == isinstance(judged[-1], OrgLevel), sentence
    assert not any(isinstance(each, OrgLevel) for each in judged[:2])


RAW_ODD = '{"error_code": true, "message": 4}'

# The contract, section 4: shapes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "code", "message", "request_id"),
    [
        (
            answer(403, flow("2120-403", "Forbidden to you")),
            "FLOW-2120-403",
            "Forbidden to you",
            "r-1",
        ),
        (answer(401, gateway("401013"), x_request_id="r-2"), "401013", "a value", "r-2"),
        (answer(401, gateway(401013)), "401013", "a value", None),
        (answer(404, {"errorMessage": "one", "errorDetails": "b"}), "http-404", "one", None),
        (answer(400, {"message": "Please"}), "http-400", "Please", None),
        (
            answer(400, {"type": "/placeholder", "title": "One", "detail": "Two"}),
            "http-400",
            "Two",
            None,
        ),
        (answer(400, {"title": "One"}), "http-400", "One", None),
        (
            answer(400, {"error": "invalid_client", "error_description": "none"}),
            "invalid_client",
            '{"error": "invalid_client", "error_description": "none"}',
            None,
        ),
        (answer(502, b"<h1>Bad\n Gateway</h1>"), "http-502", "Bad Gateway", None),
        (answer(502), "http-502", "", None),
        (answer(502, b"half a secr", fault="cut"), "http-502", "", None),
        (answer(400, {"error_code": True, "message": 4}), "http-400", RAW_ODD, None),
        (
            answer(400, {"error_code": "a b=c\n", "report": [], "title": "One"}),
            "http-400",
            "One",
            None,
        ),
        (answer(400, [1]), "http-400", "[1]", None),
    ],
)
def test_parse_order(response: Response, code: str, message: str, request_id: str | None) -> None:
    problem = read_problem(response)

    assert (code, message) == (problem.code, problem.message)
    assert request_id == problem.request_id


def test_a_message_is_one_line_of_200_visible_characters() -> None:
    hostile = "\x1b[31mred\u202e\u200b\r\n\tnext " + "again " * 100

    problem = read_problem(answer(400, {"message": hostile}))

    assert problem.message.startswith("… next again again")
    assert len(problem.message) in range(195, 201)
    assert problem.message.endswith("…")


@pytest.mark.parametrize(
    "echo",
    [
        KEY.reveal(),
        json.dumps(KEY.reveal()),
        "x" * 190 + KEY.reveal(),
        KEY.reveal()[:12],
        KEY.reveal()[:9] + "\u200b" + KEY.reveal()[9:],
        KEY.reveal()[:3] + "\x00" + KEY.reveal()[3:],
        KEY.reveal().replace('"', '\\"')[:25],
    ],
)
@pytest.mark.parametrize("status", [200, 201, 302, 400, 403, 404, 409, 418, 429, 502])
def test_an_echoed_secret_is_gone_before_anything_is_cut(status: int, echo: str) -> None:
    bodies: list[Any] = [
        {"message": echo, "error_code": echo},
        {**flow("1308-400", echo), "report": {"detailed-message": echo, "request-id": echo}},
        echo.encode(),
    ]
    for body in bodies:
        kept = repr(
            asdict(judge_create(answer(status, body, x_request_id=echo), ForeignText([KEY])))
        )
        assert KEY.reveal()[:8] not in kept


def test_beside_a_secret_that_may_be_a_common_word_no_text_is_shown() -> None:
    problem = read_problem(answer(400, gateway("403025")), ForeignText([Secret("value")]))

    assert (problem.code, problem.message) == ("403025", "")


def test_what_a_text_says_is_judged_even_where_it_is_not_shown() -> None:
    """A short key hides every text, and yet the lane stops for what every row would meet."""
    refused = answer(400, {"message": "Please provide a valid spec id"})

    judged = judge_create(refused, ForeignText([Secret("short")]))

    assert isinstance(judged, OrgLevel)
    assert judged.detail == "HTTP 400"


@pytest.mark.parametrize(
    ("etag", "kept"),
    [(ETAG, ETAG), ('W/"17"', 'W/"17"'), (f'"{KEY.reveal()}"', None), ("a b", None)],
)
def test_an_etag_is_kept_unless_it_may_hold_a_secret(etag: str, kept: str | None) -> None:
    """Opaque, byte for byte; one that the service made of the key is worth nothing."""
    judged = judge_create(answer(201, {"id": ID, "etag": etag}), ForeignText([KEY]))

    assert isinstance(judged, ObjectCreated)
    assert judged.etag == kept


# Whatever may come ------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(ID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "etag", "type", "report", "error_code", "error", "message", "title", "items"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode())
locations = st.text(max_size=40) | st.sampled_from([f"/c/{ID}", f"/c/{OTHER_ID}", "http://[", "//"])


@given(
    status=st.integers(-1, 1000) | st.sampled_from([200, 201, 400, 401, 403, 404, 429, 503]),
    body=bodies,
    location=locations,
    fault=st.sampled_from([None, "cut"]),
)
@example(status=201, body=b"[" * 5000, location="", fault=None)
def test_no_answer_breaks_the_judge(
    status: int, body: bytes, location: str, fault: str | None
) -> None:
    response = Response(
        status=status,
        headers={"location": location, "x-request-id": location},
        body=body,
        body_fault=fault,
    )

    judged = judge_create(response, ForeignText([KEY]))

    if isinstance(judged, ObjectCreated):
        assert status == 201
        assert judged.connection_id.lower() in {ID, OTHER_ID}
    if isinstance(judged, Refused | OrgLevel):
        assert status in range(400, 500)
    if status in range(500, 600):
        assert isinstance(judged, Unknown | Throttled)
    is_stale_token(response)


# Reasons of the source ----------------------------------------------------------------------------------


FAR = "try again " * 10_000


@pytest.mark.parametrize("number", ["1308-400", "1100-400"])
@pytest.mark.parametrize("before", ["", FAR[:210], FAR])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AADSTS7000215: Invalid client secret provided.", "AADSTS7000215"),
        ("Database 'x' was not found.", "kusto_no_database"),
        ("Principal 'x' is not authorized to read database 'y'.", "kusto_not_authorized"),
        ("IP address 'x' is not allowed.", "kusto_firewall"),
    ],
)
def test_a_refusal_that_passes_on_a_reason_has_the_reasons_code(
    number: str, before: str, text: str, reason: str
) -> None:
    """However far behind; the service's own code begins the detail, and the lane goes on."""
    response = answer(400, flow(number, before + text))

    judged = judge_create(response, ForeignText([KEY]))

    assert read_problem(response).reason == reason
    assert isinstance(judged, Refused)
    assert (judged.code, judged.may_be_org_level) == (reason, False)
    assert judged.detail.startswith(f"FLOW-{number}: ")


def test_a_refusal_without_a_reason_keeps_the_services_code() -> None:
    judged = judge_create(answer(400, flow("1308-400", "a value is wrong")))

    assert isinstance(judged, Refused)
    assert (judged.code, judged.detail) == ("FLOW-1308-400", "a value is wrong")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, flow("1304-400", "The database name was not found"), ""),
        (504, {"message": "connection timed out"}, ""),
        (403, {"error_code": "403025", "message": "403 Forbidden"}, ""),
        (400, {"message": "AADSTS90002: x"}, "AADSTS90002"),
        (500, flow("1308-500", "connection timed out"), "kusto_not_reachable"),
    ],
)
def test_only_the_sources_own_words_are_a_reason(status: int, body: Any, reason: str) -> None:
    """What others say of themselves is none; Entra's numbers are nobody else's."""
    assert read_problem(answer(status, body)).reason == reason


def test_a_refusal_that_may_be_the_orgs_is_counted_by_the_services_code() -> None:
    """Three with one code stop the lane, whatever each of them says."""
    breaker = Breaker()
    numbers = ("AADSTS90002: x", "AADSTS700016: x", "AADSTS7000215: x")

    judged = [breaker.judge(judge_create(answer(401, flow("1001-401", one)))) for one in numbers]

    assert [type(one) for one in judged] == [Refused, Refused, OrgLevel]
    assert {one.code for one in judged if isinstance(one, Refused)} == {"FLOW-1001-401"}


def test_a_doubt_stays_a_doubt_whatever_it_says() -> None:
    judged = judge_create(answer(504, flow("1104-504", "AADSTS7000215: x")))

    assert isinstance(judged, Unknown)
    assert judged.code == "FLOW-1104-504"


@pytest.mark.parametrize("read", [read_tables, read_columns])
def test_an_exploration_that_the_source_refuses_tells_its_reason(read: Any) -> None:
    """However far behind; the service's own code where the text names none."""
    far = answer(400, flow("1308-400", f"{FAR}AADSTS7000222: x"))

    assert read(far) == Refusal(code="AADSTS7000222")
    assert read(answer(400, flow("1358-400", "Database 'x' was not found"))) == Refusal(
        code="kusto_no_database"
    )
    assert read(answer(400, flow("1308-400", "odd"))) == Refusal(code="FLOW-1308-400")
    assert isinstance(read(answer(504, {"message": "connection timed out"})), Unreadable)


def test_a_byte_order_mark_before_a_list_of_tables_is_no_part_of_it() -> None:
    response = answer(200, [{"type": "table", "name": "t", "path": "t"}])
    marked = Response(status=200, headers={}, body=b"\xef\xbb\xbf" + response.body)

    assert read_tables(marked) == read_tables(response)
    assert isinstance(read_tables(marked), tuple)


# Hints ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize(
    "code",
    [
        "",
        "FLOW-1308-400",
        "FLOW-2100-404",
        "FLOW-9999-400",
        "403025",
        "403999",
        "401013",
        "429050",
        "invalid_client",
        "never_applied",
        "timeout",
        "name_taken",
        "target_differs",
        "duplicated",
        "deleted_since",
        "possible_match",
        "no_progress",
        "interrupted",
        "http-502",
        "proven_absent",
        "internal_fault",
        "odd",
    ],
)
def test_every_code_has_advice_in_every_status(code: str, status: Status) -> None:
    advice = hint_for(code, status)

    assert advice.endswith(".")
    assert title_for(code)


def test_the_advice_fits_the_code() -> None:
    assert "sandbox" in hint_for("FLOW-2100-404", Status.FAILED)
    assert "product profile" in hint_for("403027", Status.FAILED)
    assert "product profile" in hint_for("403999", Status.FAILED)
    assert "firewall" in hint_for("FLOW-1308-400", Status.FAILED)
    assert "reconcile" in hint_for("http-502", Status.IN_DOUBT)
    assert "--recreate" in hint_for("deleted_since", Status.CONFLICT)
    assert title_for("FLOW-9999-400") == "The service refused it"
