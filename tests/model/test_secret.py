"""A secret is not shown, not by accident and not by a library."""

import copy
import json
import pickle
from dataclasses import dataclass

import pytest

from batchconnect.model.secret import Secret, redact, spellings

CANARY = 'canary "S3cret" ü%&='


@dataclass(frozen=True)
class Holder:
    key: Secret


def test_no_way_of_showing_a_secret_shows_it() -> None:
    """Nor one of showing what holds it."""
    secret = Secret(CANARY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "%s" % secret,  # noqa: UP031  # the old way as well
        repr([secret]),
        repr(Holder(secret)),
        json.dumps({"key": secret}, default=str),
    ]

    assert all("***" in text and "canary" not in text for text in shown)


def test_only_reveal_gives_the_value_byte_for_byte() -> None:
    """A trailing space is part of it."""
    assert Secret(" key ").reveal() == " key "
    assert len(Secret(" key ")) == 5
    assert Secret("half a character \udc80") != Secret("half a character")
    assert Secret("x")
    assert not Secret("")


def test_a_secret_goes_to_no_other_process() -> None:
    """Nor into a copy, which is made the same way."""
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled") as caught:
            attempt(Secret(CANARY))

        assert "canary" not in str(caught.value)


def test_a_secret_has_no_attributes_to_list() -> None:
    """`vars` and a debugger's table of attributes find nothing."""
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_secrets_are_equal_by_their_value_and_to_nothing_else() -> None:
    """A dictionary may have them for keys."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert {Secret("a"): 1}[Secret("a")] == 1
    assert hash(Secret("a")) != hash("a")
    assert Secret("ü") == Secret("ü")


def test_spellings_are_distinct_and_the_longest_comes_first() -> None:
    """So that none is cut out of a longer one."""
    found = spellings(CANARY)

    assert CANARY in found
    assert json.dumps(CANARY)[1:-1] in found
    assert len(found) == len(set(found))
    assert sorted(map(len, found), reverse=True) == [*map(len, found)]


def test_redact_cuts_every_spelling_and_spares_short_words() -> None:
    """A value below eight characters may be a common word."""
    text = "|".join((*spellings(CANARY), "created"))

    assert "|".join(["***"] * len(spellings(CANARY)) + ["created"]) == redact(
        text, [Secret(CANARY), Secret("created")]
    )
