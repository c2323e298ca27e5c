"""A key that stands elsewhere: looked up when its row's turn has come, and judged as if it were typed."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.outcome import Rejected
from batchconnect.model.reference import LookedUp, Reference, StoredSecret
from batchconnect.model.row import Header
from batchconnect.model.secret import Secret
from batchconnect.validation.connection import BaseConnection
from batchconnect.validation.key import Keys
from batchconnect.validation.local_resolver import LocalResolver
from batchconnect.validation.reference import References
from tests.fake_service import judged

pytestmark = pytest.mark.anyio

HEADER = Header(row_number=1, columns={Column.SERVICE_PRINCIPAL_KEY: 6})


def wanting(text: str) -> BaseConnection:
    return replace(judged(), service_principal_key=Reference(text))


def keys(folder: Path | None = None, *, strict: bool = False, A: str | None = None) -> Keys:  # noqa: N803 - a variable
    environ = {} if A is None else {"A": A}
    references = References(allow=True, refs_dir=folder, environ=environ)
    return Keys(LocalResolver(references), header=HEADER, strict=strict)


async def test_a_key_that_stands_in_the_sheet_asks_nobody() -> None:
    class Nobody:
        async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
            raise AssertionError(references)

    connection = judged()

    assert await Keys(Nobody(), header=HEADER).ready(connection) is connection


async def test_a_variable_and_a_file_become_the_key(tmp_path: Path) -> None:
    """Byte for byte, as `validate` saw them."""
    (tmp_path / "key.txt").write_text("file~value\n")

    for text, value in (("env:A", "env~value"), ("file:key.txt", "file~value")):
        ready = await keys(tmp_path, A="env~value").ready(wanting(text))
        assert isinstance(ready, BaseConnection)
        assert ready.secret == Secret(value)


async def test_a_file_is_read_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a slow share holds up one row, not all."""
    readers: list[threading.Thread] = []

    def resolve(_references: References, _reference: Reference) -> StoredSecret:
        readers.append(threading.current_thread())
        return StoredSecret(value=Secret("value~of~it"))

    monkeypatch.setattr(References, "resolve", resolve)
    await keys(tmp_path).ready(wanting("file:key.txt"))

    assert readers
    assert threading.main_thread() not in readers


@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "reference_unset"), ("a\nb", "key_line_break"), (" ", "reference_empty")],
)
async def test_what_is_wrong_by_then_is_told_with_its_cell(value: str | None, code: str) -> None:
    """Somebody unset the variable, or put nonsense into it, since the sheet was judged."""
    rejected = await keys(A=value).ready(wanting("env:A"))

    assert isinstance(rejected, Rejected)
    assert [(problem.code, problem.cell) for problem in rejected.problems] == [
        (code, f"G{judged().row}")
    ]


async def test_a_warning_about_the_value_stops_the_row_only_with_strict() -> None:
    assert isinstance(await keys(A=" value").ready(wanting("env:A")), BaseConnection)
    assert isinstance(await keys(strict=True, A=" value").ready(wanting("env:A")), Rejected)


def test_a_reference_does_not_show_its_text() -> None:
    """Until it resolved, it may be a key that begins like a reference."""
    assert "canary" not in repr(Reference("env:canary"))
