"""Entries to JSON and back: nothing is lost, nothing is guessed, no secret gets through."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from batchconnect.ledger.codec import UnknownKindError, decode, encode
from batchconnect.ledger.entry import (
    Entry,
    LaneTold,
    Left,
    RowPlanned,
    RunEnded,
    RunOpened,
    Sending,
    Settled,
    Tested,
)
from batchconnect.ledger.kind import KINDS, Kind, word_of
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import LaneStopped
from batchconnect.model.outcome import Created, Failed, Kept, NotAttempted, Works
from batchconnect.model.secret import Secret
from batchconnect.model.value import by_name

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(-1e15, 1e15),
    bool: st.booleans(),
    NoneType: st.none(),
}


def anything(of: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that entries are made of; every field of it, those to come too."""
    if of in PLAIN:
        return PLAIN[of]
    if isinstance(of, type) and is_dataclass(of):
        return st.builds(of, **{name: anything(hint) for name, hint in get_type_hints(of).items()})
    if isinstance(of, type) and issubclass(of, Enum):
        return st.sampled_from(of)
    inner = [anything(hint) for hint in get_args(of) if hint is not Ellipsis]
    if get_origin(of) is tuple:
        return st.lists(inner[0], max_size=3).map(tuple)
    if get_origin(of) is Mapping:
        return st.dictionaries(*inner, max_size=3)
    return st.one_of(inner)


def test_every_kind_of_entry_has_its_word() -> None:
    """None is forgotten."""
    assert {kind.entry for kind in KINDS} == set(get_args(Entry))
    assert len({kind.word for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", get_args(Entry))
@settings(deadline=None)  # the first example builds the readers
@given(data=st.data())
def test_an_entry_is_read_as_it_was_written(kind: type[Entry], data: st.DataObject) -> None:
    """With any text in any field, and of the same types: a tuple is no list."""
    entry: Entry = data.draw(anything(kind))
    again = decode(word_of(entry), encode(entry))

    assert again == entry
    assert repr(again) == repr(entry)


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        (kind, member)
        for kind in KINDS
        if kind.member_in
        for member in get_args(get_type_hints(kind.entry)[kind.member_in])
    ],
    ids=lambda one: getattr(one, "word", getattr(one, "__name__", "")),
)
@settings(deadline=None)  # the first example builds the readers
@given(data=st.data())
def test_every_member_of_a_union_is_told_apart(
    kind: Kind, member: Any, data: st.DataObject
) -> None:
    """However alike their fields are."""
    entry: Entry = data.draw(st.builds(kind.entry, **{kind.member_in: anything(member)}))

    assert repr(decode(kind.word, encode(entry))) == repr(entry)


@pytest.mark.parametrize("kind", get_args(Entry))
@settings(deadline=None, max_examples=min(25, settings().max_examples))
@given(data=st.data())
def test_a_line_is_written_as_it_always_was(kind: type[Entry], data: st.DataObject) -> None:
    """To the byte: by orjson, which wrote it while entries were dataclasses."""
    entry: Entry = data.draw(anything(kind))

    assert encode(entry).startswith(orjson.dumps(entry, default=by_name)[:-1])


def test_two_outcomes_with_the_same_fields_are_told_apart() -> None:
    """`is` names the member of the union; its fields would not."""
    failed = Settled(outcome=Failed(code="c", detail="d"))
    not_attempted = Settled(outcome=NotAttempted(code="c", detail="d"))

    assert decode("settled", encode(failed)) == failed
    assert decode("settled", encode(not_attempted)) == not_attempted


def test_a_run_of_a_ledger_from_before_there_were_other_commands_is_a_run() -> None:
    """What a line without it meant when it was written."""
    body = b'{"run_id": "r", "sheets": ["s"], "sheet_sha256": "ab"}'

    assert decode("run_opened", body) == RunOpened(
        run_id="r", sheets=("s",), sheet_sha256="ab", command="run"
    )


def test_an_exit_code_is_kept_as_its_number() -> None:
    """So that the ledger can be read without us."""
    body = encode(RunEnded(exit_code=ExitCode.IN_DOUBT))

    assert orjson.loads(body)["exit_code"] == 6


def test_what_a_later_version_added_is_passed_over() -> None:
    """A field more is no damage."""
    body = b'{"number": 2, "tested": true}'

    assert decode("sending", body) == Sending(number=2)


@pytest.mark.parametrize(
    "entry",
    [
        lambda secret: RowPlanned(name="Acme", description=secret),
        lambda secret: Settled(outcome=Failed(code="x", detail=secret)),
        lambda secret: Settled(outcome=Created(connection_id="x"), warnings=(secret,)),
        lambda secret: Tested(connection_id="x", works=Works.NO, code="c", detail=secret),
        lambda secret: Left(outcome=Kept(code="c", detail=secret)),
        lambda secret: LaneTold(
            event=LaneStopped(org="a", sandbox=None, code="c", title="t", detail=secret)
        ),
    ],
)
def test_a_secret_in_an_entry_is_an_error(entry: Callable[[Any], Entry]) -> None:
    """Neither its text nor its mask is ever written."""
    with pytest.raises(TypeError) as caught:
        encode(entry(Secret("planted~secret")))

    assert "planted" not in str(caught.value)


def test_a_name_that_is_no_text_costs_its_odd_characters_only() -> None:
    """Linux allows any bytes in a file's name, and Python hands them on as lone surrogates."""
    opened = RunOpened(run_id="r", sheets=("caf\udce9 für.csv",), sheet_sha256="ab", columns={})
    failed = Settled(outcome=Failed(code="c", detail="\ud800"), warnings=("é",))

    assert decode("run_opened", encode(opened)) == RunOpened(
        run_id="r", sheets=("caf? für.csv",), sheet_sha256="ab", columns={}
    )
    assert decode("settled", encode(failed)) == Settled(
        outcome=Failed(code="c", detail="?"), warnings=("é",)
    )


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("sending", b"{"),
        ("sending", b"[1]"),
        ("sending", b"null"),
        ("sending", b"{}"),
        ("sending", b'{"number": null}'),
        ("settled", b'{"is": "Created"}'),
        ("settled", b'{"is": "Secret", "outcome": {}}'),
        ("settled", b'{"is": ["Created"], "outcome": {}}'),
        ("settled", b'{"is": "Sending", "outcome": {"number": 1}}'),
        ("settled", b'{"is": "Created", "outcome": {"connection_id": 5}}'),
        ("lane", b'{"is": "Created", "event": {"connection_id": "c"}}'),
    ],
)
def test_what_does_not_fit_is_an_error(word: str, body: bytes) -> None:
    """One kind of error for every damage, and never a value that somebody guessed."""
    with pytest.raises(ValueError, match=r"entry|kind|JSON|unexpected|EOF|expected"):
        decode(word, body)


def test_a_kind_to_come_is_told_from_damage() -> None:
    """A newer batchconnect wrote it: the remedy is an update, not a backup."""
    with pytest.raises(UnknownKindError, match="'a_kind_to_come'"):
        decode("a_kind_to_come", b"{}")
