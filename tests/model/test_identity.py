"""The key survives sorting and retyping; the marker survives the service."""

from base64 import b32encode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from batchconnect.model.identity import (
    DESCRIPTION_LIMIT,
    MARKER_LENGTH,
    canonical,
    canonical_id,
    canonical_name,
    describe,
    find_marker,
    fits,
    key,
    marker,
    marker_of,
    split_marker,
)
from batchconnect.model.target import Target

MARKER = "bc1-o2cyiczkeuyf5wanj624uvdrpp"
OTHER = "bc1-abcdefghijklmnopqrstuvwxyz"
PARTS = {
    "org_id": "5C1328435BF324E90A49402A@AdobeOrg",
    "sandbox": "prod",
    "name": "Acme, Inc. Telemetrie Süd",
    "endpoint": "https://acme.westeurope.kusto.windows.net",
    "database": "telemetry",
    "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "service_principal_id": "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11",
}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
markers = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26).map("bc1-".__add__)


def asked(org_id: str, sandbox: str, name: str, **target: str) -> dict[str, Any]:
    return {"org_id": org_id, "sandbox": sandbox, "name": name, "target": Target(**target)}


def marker_with(**parts: str) -> str:
    return marker(**asked(**parts))


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_the_test_vector_of_the_design_holds() -> None:
    """It stays at Adobe for good, so it never changes."""
    assert marker_with(**PARTS) == MARKER


@pytest.mark.parametrize(
    ("part", "spelling"),
    [
        ("name", "  Acme, Inc. Telemetrie Su\u0308d\u00a0"),
        ("endpoint", "https://ACME.westeurope.kusto.windows.net"),
        ("database", "Telemetry"),
        ("tenant", "{72F988BF-86F1-41AF-91AB-2D7CD011DB47}"),
        ("service_principal_id", "0D1FF3C1-7C0A-4B0E-9D7E-2F1F6B8F3A11"),
    ],
)
def test_another_spelling_is_the_same_row(part: str, spelling: str) -> None:
    """What the service takes for equal, the key does too."""
    assert marker_with(**PARTS | {part: spelling}) == MARKER


@pytest.mark.parametrize("part", PARTS)
def test_every_part_counts(part: str) -> None:
    """A row that differs in one part is another row."""
    assert marker_with(**PARTS | {part: PARTS[part] + "x"}) != MARKER


@pytest.mark.parametrize("part", ["org_id", "sandbox"])
def test_org_and_sandbox_are_taken_as_they_are(part: str) -> None:
    """Their letter case is not ours to change."""
    assert marker_with(**PARTS | {part: PARTS[part].swapcase()}) != MARKER


@given(texts, texts)
def test_lengths_keep_parts_apart(first: str, second: str) -> None:
    """No two different rows run into the same bytes."""
    if (first, second) != (first + second, ""):
        assert key((first, second)) != key((first + second, ""))


@given(st.lists(texts, max_size=8).map(tuple))
@example(("a" * 127, "b" * 128, "ü"))
def test_the_key_is_the_hash_of_every_part_with_its_length(parts: tuple[str, ...]) -> None:
    """The quick way for short ASCII texts hashes the same bytes."""
    encoded = [part.encode() for part in parts]
    spelled = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)

    assert key(parts) == sha256(spelled).digest()


@given(st.lists(texts, min_size=8, max_size=8).map(tuple))
def test_the_marker_is_the_beginning_of_the_key_in_base32(parts: tuple[str, ...]) -> None:
    """The quick way of writing it equals the standard library's."""
    assert marker_of(parts) == "bc1-" + b32encode(key(parts)).decode().lower()[:26]


@given(st.fixed_dictionaries(dict.fromkeys(PARTS, texts)))
def test_what_is_canonical_stays_so(parts: dict[str, str]) -> None:
    """A second look changes nothing."""
    org_id, sandbox, _, name, endpoint, database, tenant, principal = canonical(**asked(**parts))

    assert canonical_name(name) == name
    assert (org_id, sandbox) == (parts["org_id"], parts["sandbox"])
    assert endpoint == parts["endpoint"].lower()
    assert database == parts["database"].lower()
    assert (canonical_id(parts["tenant"]), canonical_id(parts["service_principal_id"])) == (
        tenant,
        principal,
    )


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (MARKER, MARKER),
        (f"Acme {MARKER}", MARKER),
        (f"Acme {MARKER} \n", MARKER),
        (f"Acme ({MARKER}", MARKER),
        (f"{OTHER} {MARKER}", MARKER),
        (f"Acme {MARKER}.", None),
        (f"Acme {MARKER} and more", None),
        (f"Acmebc1-{MARKER[4:]}", None),
        (f"Acme-{MARKER}", None),
        (f"Acme {MARKER.upper()}", None),
        (f"Acme {MARKER}a", None),
        (f"Acme {MARKER[:-1]}", None),
        (f"Acme {MARKER[:-1]}1", None),
        ("", None),
    ],
)
def test_a_marker_counts_at_the_end_only(description: str, expected: str | None) -> None:
    """The contract's pattern, section 9."""
    assert find_marker(description) == expected


def test_a_typed_marker_is_taken_off_with_its_space() -> None:
    """So that a description copied from elsewhere bears one marker only."""
    assert split_marker(f"Acme telemetry {MARKER}") == ("Acme telemetry", MARKER)
    assert split_marker(MARKER) == ("", MARKER)
    assert split_marker("Acme telemetry") == ("Acme telemetry", None)


@given(texts, markers)
def test_what_is_described_is_found_again(text: str, marker: str) -> None:
    """Whatever a user typed before it, the marker comes back, and the text where it was not cut."""
    description, was_cut = describe(text, marker)

    assert find_marker(description) == marker
    assert units(description) <= DESCRIPTION_LIMIT
    if text.strip() and not was_cut:
        assert split_marker(description) == (text, marker)
        assert fits(text)
    if was_cut:
        assert not fits(text)
        assert text.startswith(split_marker(description)[0])


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_without_a_text_the_marker_stands_alone(text: str) -> None:
    """No space before it."""
    assert describe(text, MARKER) == (MARKER, False)


@pytest.mark.parametrize("limit", [0, 29, 30, 31])
def test_the_marker_is_never_cut(limit: int) -> None:
    """Even where nothing else fits."""
    assert describe("Acme", MARKER, limit) == (MARKER, True)


def test_the_longest_text_that_fits_is_sent_whole() -> None:
    """255 characters with its marker are no problem."""
    room = DESCRIPTION_LIMIT - MARKER_LENGTH - 1

    assert describe("a" * room, MARKER) == ("a" * room + " " + MARKER, False)
    assert describe("a" * room + "b", MARKER) == ("a" * room + " " + MARKER, True)
    assert describe("a" * (room - 1) + " b", MARKER) == ("a" * (room - 1) + " " + MARKER, True)


@pytest.mark.parametrize(
    "cluster",
    ["u\u0308", "\U0001f469\u200d\U0001f4bb", "\U0001f44d\U0001f3fd", "\U0001f600", "\u2764\ufe0f"],
)
def test_a_cut_leaves_no_half_of_a_character(cluster: str) -> None:
    """A letter and its accent, a joined emoji, a pair of UTF-16 units: all of it or nothing."""
    for padding in range(20):
        description, was_cut = describe("a" * padding + cluster * 120, MARKER)
        text, _ = split_marker(description)

        assert was_cut
        assert text.removeprefix("a" * padding).replace(cluster, "") == ""


def test_an_endless_accent_is_cut_through() -> None:
    """A whole text of accents has no good place to cut."""
    description, was_cut = describe("a" + "\u0308" * 400, MARKER)

    assert was_cut
    assert units(description) == DESCRIPTION_LIMIT
