"""The reason of the source, in texts as Microsoft and its clients write them, wherever it stands."""

import json
import re

import pytest
from hypothesis import given, strategies as st

from batchconnect.model import source_reason
from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.secret import Secret
from batchconnect.model.source_reason import is_entra, source_code
from batchconnect.model.source_remedies import TABLE

APP = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
MEBIBYTE = 1 << 20


def kusto(code: str, kind: str, message: str) -> str:
    """An error of Azure Data Explorer, as it is on the wire."""
    return json.dumps(
        {
            "error": {
                "code": code,
                "message": "Request is invalid and cannot be executed.",
                "@type": kind,
                "@message": message,
                "@permanent": True,
            }
        },
        indent=2,
    )


NOT_FOUND = kusto(
    "BadRequest_EntityNotFound",
    "Kusto.Data.Exceptions.EntityNotFoundException",
    "Entity ID 'Sales' of kind 'Database' was not found.",
)
NO_TABLE = NOT_FOUND.replace("'Database'", "'Table'")
FORBIDDEN = kusto(
    "Forbidden",
    "Kusto.DataNode.Exceptions.UnauthorizedDatabaseAccessException",
    f"Principal 'aadapp={APP}' is not authorized to read database 'Sales'.",
)
TOKEN = json.dumps(
    {
        "error": "invalid_client",
        "error_description": "AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: x",
        "error_codes": [7000222],
        "error_uri": "https://login.microsoftonline.com/error?code=7000222",
    }
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AADSTS7000215: Invalid client secret provided.", "AADSTS7000215"),
        ("aadsts7000215 in lower case", "AADSTS7000215"),
        (TOKEN, "AADSTS7000222"),
        (json.dumps({"detail": json.dumps({"cause": "\nAADSTS90002: x"})}), "AADSTS90002"),
        (r"\u0027AADSTS90002: Tenant not found.\u0027", "AADSTS90002"),
        ('"error_codes": [\n    700016\n  ]', "AADSTS700016"),
        ("See https://login.microsoftonline.com/error?code=53003.", "AADSTS53003"),
        ("AADSTS1234567: a number that no list has", "AADSTS1234567"),
        (NOT_FOUND, "kusto_no_database"),
        (json.dumps(NOT_FOUND), "kusto_no_database"),
        ("Database 'sales.eu' could not be found on cluster 'contoso'.", "kusto_no_database"),
        ("Database 'Sales' does not exist.", "kusto_no_database"),
        ("The database 'Sales' doesn't exist", "kusto_no_database"),
        ("BadRequest_DatabaseNotExist", "kusto_no_database"),
        ("BadRequest_EntityNotFound", "kusto_no_database"),
        (NO_TABLE, "kusto_no_table"),
        (FORBIDDEN, "kusto_not_authorized"),
        (
            "Request to 'https://c.kusto.windows.net' failed: (403-Forbidden)",
            "kusto_not_authorized",
        ),
        ("Forbidden (403-Forbidden): {…}", "kusto_not_authorized"),
        ("401 Unauthorized", "kusto_not_authorized"),
        ("Client with IP address '192.0.2.7' is not allowed to access it.", "kusto_firewall"),
        ("403 (Forbidden): the IP address 192.0.2.7 was denied", "kusto_firewall"),
        ("Public network access is disabled on this cluster.", "kusto_firewall"),
        ("The request was blocked by the cluster's firewall", "kusto_firewall"),
        ("The request was denied by a network security policy", "kusto_firewall"),
        ("Access is denied: the request's public address 'x' is not allowed", "kusto_firewall"),
        ("The cluster is currently stopped.", "kusto_suspended"),
        ("Kusto.Data.Exceptions.ClusterSuspendedException: …", "kusto_suspended"),
        ("The remote name could not be resolved: 'c.kusto.windows.net'", "kusto_no_cluster"),
        ("java.net.UnknownHostException: c.kusto.windows.net", "kusto_no_cluster"),
        ("No such host is known", "kusto_no_cluster"),
        ("A connection attempt failed because the party did not respond", "kusto_not_reachable"),
        ("java.net.SocketTimeoutException: connect timed out", "kusto_not_reachable"),
        ("KustoRequestThrottledException: try later", "kusto_throttled"),
        ("429 Too Many Requests", "kusto_throttled"),
        ("KustoClientApplicationAuthenticationException", "entra_refused"),
    ],
)
def test_a_reason_is_known_by_its_number_its_exception_or_its_phrase(text: str, code: str) -> None:
    assert source_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Not entitled to this operation",
        "Please provide a valid spec id",
        "XAADSTS7000215",
        "AADSTS7000215x",
        "AADSTS12345678",
        "AADSTS: 7000215 apples",
        "connections not found with id = [x]",
        "The database is fine",
    ],
)
def test_what_names_no_reason_gets_no_code(text: str) -> None:
    assert source_code(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("connection refused: AADSTS1234567", "AADSTS1234567"),
        (f"{FORBIDDEN} AADSTS700016: x", "AADSTS700016"),
        ("AADSTS9999999: x. AADSTS90002: y", "AADSTS90002"),
        ("AADSTS70002: Error validating credentials. AADSTS7000215: Invalid.", "AADSTS7000215"),
        ("AADSTS90002: x. AADSTS50034: y", "AADSTS90002"),
        ("(403-Forbidden): Database 'x' was not found", "kusto_no_database"),
    ],
)
def test_of_several_the_most_specific_is_told(text: str, code: str) -> None:
    """Entra before Azure Data Explorer, known before unknown, long before short, first before later."""
    assert source_code(text) == code


@pytest.mark.parametrize(
    "text", ["AADSTS7000215: Invalid.", "Database 'x' was not found", FORBIDDEN]
)
@pytest.mark.parametrize("before", [201, 100_000, MEBIBYTE - 1000])
def test_a_reason_is_found_however_far_behind(text: str, before: int) -> None:
    """Behind the 200 characters that a report shows, and at the end of the largest body that is read."""
    filler = ("try again " * (before // 10 + 1))[: before - 1] + " "

    assert source_code(filler + text) == source_code(text) is not None


def test_the_time_grows_with_the_text_and_no_text_makes_it_grow_faster() -> None:
    """No pattern repeats anything without a bound, or repeats what repeats."""
    patterns = [
        *source_reason._NUMBERS,
        *(pattern for _, patterns in source_reason._PHRASES for pattern in patterns),
    ]

    for pattern in patterns:
        bare = re.sub(r"\\.|\[[^\]]*\]", "x", pattern)
        assert not re.search(r"[*+]|\{\d*,\}", bare), pattern
        assert not re.search(r"\)\{", bare), pattern


def test_each_code_that_a_text_can_get_has_a_remedy_and_each_remedy_a_way_to_it() -> None:
    """But for the numbers that no list has, which get the general one."""
    words = {code for code, _ in source_reason._PHRASES}

    assert words == {code for code in TABLE if not is_entra(code)}
    assert all(source_code(f"x {code}: y") == code for code in TABLE if is_entra(code))


@given(st.text())
def test_any_text_gets_a_code_of_ours_or_none(text: str) -> None:
    """So nothing of the text itself is passed on but the digits of a number."""
    code = source_code(text)

    assert code is None or code in TABLE or re.fullmatch(r"AADSTS[0-9]{4,7}", code)


@pytest.mark.parametrize(
    "key", ["AADSTS7000215", "xx-AADSTS1234567-xx", 'a"AADSTS1234567', "database not found"]
)
def test_a_reason_that_a_key_spells_is_none(key: str) -> None:
    """What is known to be secret goes first, in its spellings: the rest of the text names no reason."""
    foreign = ForeignText([Secret(key)])

    for echo in (key, key.upper(), json.dumps(key)[1:-1]):
        assert foreign.reason(f"bad value: {echo}") == ""


def test_beside_a_key_that_hides_every_text_the_reason_is_told() -> None:
    """It is a word of ours, or a number of a public list."""
    foreign = ForeignText([Secret("short")])
    text = f"{'try again ' * 30}AADSTS7000222: expired"

    assert foreign.shown(text) == ""
    assert foreign.reason(text) == "AADSTS7000222"
