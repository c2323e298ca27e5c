"""References to stores: which cells are some, which are refused, and that none repeats what was typed."""

import pytest
from hypothesis import given, strategies as st

from batchconnect.model.outcome import Problem
from batchconnect.model.reference import Place, Reference, place_of
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.validation.reference import References

CANARY = "canary~S3cret.value-42"


def store(name: str, *, is_open: bool = True, prefix: str = "") -> StoreProfile:
    return StoreProfile(name=name, kind=StoreKind.VAULT, is_open=is_open, prefix=prefix)


def references(*stores: StoreProfile, allow: bool = False) -> References:
    return References(allow=allow, refs_dir=None, environ={}, stores=stores)


def code(found: Secret | Reference | Problem) -> str:
    assert isinstance(found, Problem)
    return found.code


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("acme", Place("acme")),
        ("clients/acme#servicePrincipalKey", Place("clients/acme", None, "servicePrincipalKey")),
        ("bc-acme@7", Place("bc-acme", "7")),
        ("a/b.c_d-e@4bd5#x.y", Place("a/b.c_d-e", "4bd5", "x.y")),
        ("arn:aws:secretsmanager:eu-central-1:123:secret:acme-AbCdEf", Place("arn:aws:secretsmanager:eu-central-1:123:secret:acme-AbCdEf")),
    ],
)  # fmt: skip
def test_a_place_has_a_name_and_may_have_version_and_field(text: str, place: Place) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", " acme", "a b", "a\nb", "@7", "#field", "acme@", "acme#", "acme@7@8#", "acme#a#b"),
        *("../sys", "a/../../sys", "a//b", "/a", "a/", "./a", "a/.", "a%2fb", "a?x=1", "a\\b", "ä"),
        "x" * 513,
    ],
)
def test_what_could_lead_elsewhere_names_no_place(text: str) -> None:
    """No way up, no query, no empty part, nothing that a URL would read in another way."""
    assert place_of(text) is None


@given(st.text())
def test_a_place_never_leads_out_of_its_folder(text: str) -> None:
    """Whatever is typed."""
    place = place_of(text)

    if place is not None:
        assert not {"", ".", ".."} & {*place.name.split("/")}
        assert not set(place.name) & set(" ?#%\\\r\n")


def test_a_store_that_is_open_needs_no_flag() -> None:
    found = references(store("kv")).form("kv:clients/acme#key")

    assert found == Reference("kv:clients/acme#key")
    assert isinstance(found, Reference)
    assert (found.store, found.place) == ("kv", Place("clients/acme", None, "key"))
    assert "acme" not in repr(found)


def test_a_store_that_is_not_open_is_refused_also_where_none_is() -> None:
    """Its name before a colon is no accident."""
    assert code(references(store("kv", is_open=False)).form("kv:acme")) == "store_not_open"
    others = references(store("kv", is_open=False), store("open"))
    assert code(others.form("kv:acme")) == "store_not_open"


def test_a_name_outside_the_prefix_is_refused() -> None:
    bc = references(store("kv", prefix="clients/"))

    assert bc.form("kv:clients/acme") == Reference("kv:clients/acme")
    assert code(bc.form("kv:admin/root")) == "reference_outside_prefix"
    assert code(bc.form("kv:clients/../admin/root")) == "reference_invalid"


def test_without_an_open_store_a_colon_means_nothing() -> None:
    """Real keys have colons."""
    for found in (references(), references(store("kv", is_open=False))):
        assert found.form(f"abc:{CANARY}") == Secret(f"abc:{CANARY}")


def test_with_one_an_unknown_word_is_a_slip() -> None:
    """The nearest store is told, and `literal:`; never the cell."""
    found = references(store("clients")).form(f"clinets:{CANARY}")

    assert code(found) == "reference_unknown_store"
    assert isinstance(found, Problem)
    assert "`clients:`" in found.remedy
    assert "`literal:`" in found.remedy
    assert references(store("clients")).form(f"literal:a:{CANARY}") == Secret(f"a:{CANARY}")
    assert references(store("clients")).form(CANARY) == Secret(CANARY)


def test_another_host_in_a_cell_is_an_unknown_word() -> None:
    """A cell names no server."""
    for text in ("vault://evil.example.com/secret/x", "akv://evil/x", "https://evil.example.com"):
        assert code(references(store("kv")).form(text)) == "reference_unknown_store"


@pytest.mark.parametrize(
    "text",
    [
        *(f"kv:{CANARY}~", f"kv:admin/{CANARY}", f"other:{CANARY}", f"env:{CANARY}", f"kv:a#{CANARY}#"),
        *(f"file:{CANARY}", f"{CANARY}:kv"),
    ],
)  # fmt: skip
def test_no_refusal_repeats_what_was_typed(text: str) -> None:
    """It may be the secret itself."""
    for found in (
        references(store("kv", prefix="clients/")).form(text),
        references(store("kv", prefix="clients/"), allow=True).form(text),
        references(store("kv", is_open=False), store("open")).form(text),
    ):
        assert isinstance(found, Problem)
        assert "canary" not in found.what + found.remedy


def test_a_variable_that_is_not_set_is_told_by_its_length() -> None:
    """`env:` before a secret must not print it."""
    found = references(allow=True).resolve(Reference("env:canary_in_place_of_a_name"))

    assert isinstance(found, Problem)
    assert "canary" not in found.what + found.remedy
    assert "25 characters" in found.what
