"""A text of others is shown as far as its words are known, and a secret in it in no spelling at all."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from batchconnect.model.foreign_text import ForeignText
from batchconnect.model.secret import Secret
from tests.spellings import SPELLINGS

KEYS = {
    "Entra": "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ.",
    "signs": "p%4/s\\w\"o<rd>&'+=;:~ä-2026",
    "sentence": "correct horse battery staple",
    "words of messages": "Summer-2026-is-invalid",
    "words of messages alone": "the client secret is not valid",
    "digits": "1234567890123",
}
NAME, DATABASE = "Acme, Inc. Süd", "sales data"
ENDPOINT = "https://acme.westeurope.kusto.windows.net"
TENANT, APP = "72f988bf-86f1-41af-91ab-2d7cd011db47", "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11"
VALUES = (NAME, DATABASE, ENDPOINT, TENANT, APP, "prod", "acme-org", "5C13@AdobeOrg")


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_is_shown_in_no_spelling(key: str) -> None:
    """Of a repeated key nothing is left but `…`, in JSON, in HTML, and in the middle of a sentence."""
    foreign = ForeignText([Secret(key)], VALUES)
    for spelling, spell in SPELLINGS.items():
        spelled = spell(key)
        for text in (
            f"Tenant {spelled} not found",
            json.dumps({"servicePrincipalKey": spelled}),
            f"<html><body><p>Refused: {spelled}</p><a href='/?k={spelled}'>x</a></body></html>",
            f"connection={spelled}",
        ):
            frame = set(re.findall(r"\w+", re.sub(re.escape(spelled), " ", text)))
            left = set(re.findall(r"\w+", foreign.shown(text))) - frame
            # What is left may be a word that everyone uses; never one of the key, or a part of it.
            assert not {word for word in left if word.lower() in spelled.lower()} - {
                "and",
                "line",
                "request",
                # As a digit is shown that stands by itself.
                "one",
                "two",
                "three",
            }, (spelling, left)
            assert not any(len(word) > 2 and word.lower() in key.lower() for word in left), spelling


def test_a_key_in_dots_and_dashes_is_not_shown() -> None:
    """Punctuation by itself says something only between two things that do."""
    foreign = ForeignText([Secret(KEYS["Entra"])], VALUES)
    spelled = (
        "--.. -..- ....- ---.. --.- ...- .-. ----. -- -.- ..--- .--. .-.. .-- --... - -. -.-- -.-."
    )

    assert foreign.shown(f"Tenant {spelled} not found") == "Tenant … not found"
    assert foreign.shown("Request failed - sandbox = prod not found .") == (
        "Request failed - sandbox = prod not found ."
    )


def test_numbers_in_words_are_numbers() -> None:
    """A few of them may be meant; a key of digits that is read aloud is not shown."""
    foreign = ForeignText([Secret(KEYS["digits"])], VALUES)

    assert foreign.shown("at least one of two is required") == "at least one of two is required"
    for text in ("one two three one two", "one is two is three is one is two"):
        assert not {"one", "two", "three"} & set(foreign.shown(f"not found {text}").split())


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_an_id_or_a_code_that_is_made_of_a_key_is_none(key: str) -> None:
    """Codes, request ids and etags are opaque, and yet no way out for a secret."""
    foreign = ForeignText([Secret(key)])
    for spelling, spell in SPELLINGS.items():
        spelled = spell(key)

        assert foreign.code(spelled) == "", spelling
        assert len(foreign.opaque(spelled)) < 8, spelling
        assert len(foreign.etag(f'"{spelled}"') or "") < 8, spelling


@pytest.mark.parametrize("code", ["AADSTS{}", "FLOW-{}-400"])
def test_a_key_in_a_row_of_codes_is_not_shown(code: str) -> None:
    """Three of them may say something; one for each character spells it."""
    foreign = ForeignText([Secret(KEYS["Entra"])], VALUES)
    spelled = [code.format(ord(char) + 1000) for char in KEYS["Entra"]]

    assert foreign.shown(" ".join(spelled)) == "…"
    assert foreign.shown(" ".join(spelled[:3])) == " ".join(spelled[:3])


def documented() -> Iterator[str]:
    """The messages that the contract documents, as the simulator and Microsoft word them."""
    yield "Oauth token is not valid"
    yield "Api Key is required"
    yield "Profile is not valid"
    yield "User region is missing"
    yield "Too many requests"
    yield "Not entitled to this operation"
    yield "Please provide a valid spec id"
    yield "A valid content-type must be specified"
    yield f"connections not found with id = [{APP}]"
    yield (
        "You do not have sufficient permissions to perform the operation. Please contact your"
        " administrator to resolve permissions and try again."
    )
    yield (
        "An internal error has occurred. If you are making many simultaneous calls, you may be"
        " reaching the API limit."
    )
    yield "AADSTS7000215: Invalid client secret provided."
    yield f"AADSTS90002: Tenant '{TENANT}' not found."
    yield f"AADSTS700016: Application with identifier '{APP}' was not found in the directory"
    yield f"Principal 'aadapp={APP};{TENANT}' is not authorized to read database '{DATABASE}'."
    yield f"Database '{DATABASE}' could not be found on cluster 'acme'."
    yield f"Request to '{ENDPOINT}' failed: (403-Forbidden)"
    yield f"The connection {NAME} in sandbox prod was not found, line 12, column 5"


@pytest.mark.parametrize("text", list(documented()))
def test_a_documented_message_stays_readable(text: str) -> None:
    """Word by word, with the names of databases and clusters, their ids and codes."""
    foreign = ForeignText([Secret(KEYS["Entra"])], VALUES)

    assert foreign.shown(text) == text


def test_a_value_counts_as_a_whole_only() -> None:
    """In any letter case; a part of it, or a longer word around it, is a word like any other."""
    foreign = ForeignText([Secret(KEYS["Entra"])], VALUES)

    assert foreign.shown("database SALES DATA, acme.westeurope.kusto.windows.net/v9/x") == (
        "database SALES DATA, acme.westeurope.kusto.windows.net…"
    )
    assert foreign.shown("presales data prods Süd") == "… data …"


def test_a_value_that_holds_the_key_is_no_shown_value() -> None:
    """Neither is one that equals it, in whatever letter case."""
    key = "Telemetry-K3y"
    foreign = ForeignText([Secret(key)], [key, f"x {key.lower()} y", "prod"])

    assert foreign.shown(f"Database {key} and x {key.upper()} y in prod") == (
        "Database … and … in prod"
    )


def test_words_of_a_key_are_shown_in_no_text_of_its_row() -> None:
    """However common they are, and however small: a key may be a sentence."""
    foreign = ForeignText([Secret("the client secret is not valid")])

    assert foreign.shown("Invalid client secret: the token is not valid") == "Invalid … token …"
    assert foreign.shown("Access denied, try again") == "Access denied, try again"


def test_a_common_key_hides_no_common_word() -> None:
    """A key of random letters hides next to none; a token of a thousand characters neither."""
    token = "eyJhbGciOiJSUzI1NiJ9." + "aB3dEf6hIjK1mNo9qRsT-uVwXyZ" * 40
    foreign = ForeignText([Secret(KEYS["Entra"]), Secret(token)])
    text = "Invalid client secret provided. Access to the database is denied for this tenant."

    assert foreign.shown(text) == text


def test_beside_a_key_below_eight_characters_no_text_is_shown() -> None:
    """It could be any word; codes are no words."""
    foreign = ForeignText([Secret("short")], VALUES)

    assert foreign.shown("AADSTS7000215: a short text about sales data") == ""
    assert [foreign.code(one) for one in ("FLOW-1308-400", "403025", "invalid_client")] == [
        "FLOW-1308-400",
        "403025",
        "invalid_client",
    ]
    assert foreign.code("access_is_denied") == ""
    assert foreign.opaque("abcdef") == ""
    assert foreign.opaque(APP) == APP


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("error 1 of 2", "error 1 of 2"),
        ("status 1234567", "status 1234567"),
        ("status 12345678", "status …"),
        ("from 10.0.0.1 refused", "from … refused"),
        ("1 2 3 again 4", "1 2 3 again 4"),
        ("1 2 3 try 4", "… try …"),
        ("1 x 2 y 3 z 4", "…"),
        ("on 2026-01-02 12:30:00", "on …"),
        ("x y z", "…"),
        ("a b I", "…"),
        ("I am a user", "I am a user"),
        ("a\u202eb\x1b[2J not found", "… not found"),
        ("not\n\tfound", "not found"),
        ("BadRequest_EntityNotFound", "BadRequest_EntityNotFound"),
        ("KustoAccessDenied", "KustoAccessDenied"),
        ("it isn't the user's", "it isn't the user's"),
        ("!!!!!!!! failed", "… failed"),
        ("<b>not</b> found <unknown", "not found …"),
    ],
)
def test_what_is_a_word_and_what_is_none(text: str, shown: str) -> None:
    """Numbers by their length and their row, letters by their neighbours, punctuation by its length."""
    assert ForeignText([Secret(KEYS["Entra"])]).shown(text) == shown


def test_a_code_is_found_in_the_whole_text() -> None:
    """However far behind the 200 characters that are shown, in a text of any length."""
    for filler in ("try again " * 30, "x" * 100_000 + " "):
        shown = ForeignText().shown(f"Error: {filler}AADSTS7000215: Invalid client secret.")

        assert shown.endswith("(AADSTS7000215)")
        assert len(shown) <= 200


def test_a_code_that_a_key_holds_is_the_key() -> None:
    """The exact values go first."""
    foreign = ForeignText([Secret("xx-AADSTS7000215-xx")])

    assert foreign.shown("bad XX-aadsts7000215-xx") == "bad …"


def test_what_is_echoed_is_told_from_an_id_that_is_not() -> None:
    """A request id is any text; only one that shares six characters with a secret's spelling is none."""
    foreign = ForeignText([Secret(KEYS["Entra"])])

    for known in ("r-1", "uY0tPdQKGh4fiuVzmdDkY9lZRCGLBUbZ", APP):
        assert foreign.opaque(known) == known
    assert foreign.opaque(f"id-{KEYS['Entra'][10:18]}") == ""
    assert foreign.opaque("two words") == ""
    assert foreign.etag('"43011faa-0000-0200-0000-5ea740cd0000"') is not None
    assert foreign.etag(f'"{KEYS["Entra"]}"') is None


def test_a_text_that_is_secret_as_a_whole_shows_codes_alone() -> None:
    """The error of a listing may hold the credentials of others."""
    foreign = ForeignText(mute=True)

    assert foreign.shown("anything at all") == ""
    assert foreign.code("FLOW-2100-404") == "FLOW-2100-404"
    assert foreign.opaque("anything") == ""


@given(text=st.text(max_size=300))
def test_no_text_breaks_it_and_each_word_shown_is_known(text: str) -> None:
    """Whatever comes, what is shown is made of known words, short numbers and `…`."""
    shown = ForeignText().shown(text)

    assert len(shown) <= 200
    assert shown.isprintable() or not shown
    for word in re.findall(r"[^\W\d_]{2,}", shown):
        assert ForeignText().shown(word) == word


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40))
def test_no_key_is_shown_as_it_is(key: str) -> None:
    """In the middle of a text, of words or of signs."""
    shown = ForeignText([Secret(key)]).shown(f"not found {key} not found")

    assert key.strip() == "" or key not in shown


def test_the_list_of_words_is_made_of_its_sources() -> None:
    """`.ci/shown_words.py` wrote it: whoever adds a message runs that again."""
    script = Path(__file__).parents[2] / ".ci" / "shown_words.py"

    done = subprocess.run([sys.executable, str(script), "--check"], check=False, timeout=60)

    assert done.returncode == 0
