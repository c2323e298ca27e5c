"""Rows from a program: the same rules as for a file."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import NotText
from batchconnect.model.secret import Secret
from batchconnect.sheet import MemorySheet

ROW: dict[str, Any] = {
    "name": "Acme",
    "Cluster URI": "https://a",
    "database": "00123",
    "tenant id": "t",
    "client id": "i",
    "client secret": "FAKE~k ",
}


def test_mappings_are_a_sheet() -> None:
    """Keys are matched like headers; rows count from 1; a generator will do."""
    sheet = MemorySheet(dict(ROW, name=name, team="North") for name in ("A", "B"))
    first, second = sheet.rows()

    assert (first.number, second.number) == (1, 2)
    assert (second.cells[Column.NAME], second.carried) == ("B", ("North",))
    assert second.cells[Column.SERVICE_PRINCIPAL_KEY] == Secret("FAKE~k ")
    assert sheet.at(second.offset) == second
    assert (sheet.name, sheet.warnings, sheet.header.carried) == ("rows", (), ("team",))


def test_a_dataframe_is_a_sheet() -> None:
    """With pandas' own ideas of nothing; a number is refused, never guessed."""
    frame = pd.DataFrame([ROW, dict(ROW, database=None), dict(ROW, database=7)], dtype=object)
    frame.loc[3] = [None, math.nan, pd.NA, pd.NaT, "", "  "]
    sheet = MemorySheet(frame)  # type: ignore[arg-type] # a DataFrame is no iterable of mappings

    assert [row.cells[Column.DATABASE] for row in sheet.rows()] == ["00123", "", NotText("number")]
    assert sheet.blank_rows == 1
    with pytest.raises(SheetError, match="row 4 is blank"):
        sheet.at(3)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (7, "number", "7"),
        (np.int64(7), "number", "7"),
        (np.float64(7.5), "number", "7.5"),
        (7.0, "number", "7"),
        (False, "boolean", "FALSE"),
        (pd.Timestamp("2026-01-02"), "date", "2026-01-02"),
        (dt.date(2026, 1, 2), "date", "2026-01-02"),
        (dt.timedelta(hours=1), "date", "1:00:00"),
        (b"bytes", "error", ""),
    ],
)
def test_a_value_that_is_no_text_says_its_kind(value: object, kind: str, text: str) -> None:
    """A carried one shows it as text."""
    (row,) = MemorySheet(
        [dict(ROW, database=value, **{"client secret": value}, since=value)]
    ).rows()

    assert row.cells[Column.DATABASE] == NotText(kind)
    assert row.cells[Column.SERVICE_PRINCIPAL_KEY] == NotText(kind)
    assert row.carried == (text,)


def test_a_secret_stays_one() -> None:
    """In the key's column it is the key; anywhere else it is not shown."""
    cells = dict(
        ROW, **{"client secret": Secret("FAKE~k"), "tenant id": Secret("x"), "n": Secret("y")}
    )
    (row,) = MemorySheet([cells]).rows()

    assert row.cells[Column.SERVICE_PRINCIPAL_KEY] == Secret("FAKE~k")
    assert row.cells[Column.TENANT] == NotText("secret")
    assert row.carried == ("***",)


def test_two_keys_that_mean_the_same_are_an_error() -> None:
    """Even in different rows."""
    other = {"app secret" if key == "client secret" else key: value for key, value in ROW.items()}

    with pytest.raises(SheetError, match="both mean `servicePrincipalKey`"):
        MemorySheet([ROW, other])


def test_what_is_no_mapping_is_refused() -> None:
    """With its row, without its value."""
    with pytest.raises(SheetError, match="row 2 is a str, not a mapping"):
        MemorySheet([ROW, "FAKE~k"])  # type: ignore[list-item] # the point of the test


def test_no_rows_are_an_empty_sheet() -> None:
    """Said like that."""
    with pytest.raises(SheetError, match="the sheet is empty"):
        MemorySheet([])


def test_the_digest_tells_sheets_apart() -> None:
    """By every cell, its column and its sort; the same rows have the same digest."""
    digests = [
        MemorySheet([row]).sha256
        for row in (
            ROW,
            dict(ROW),
            dict(ROW, database="123"),
            dict(ROW, database=7),
            dict(ROW, x=""),
        )
    ]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_a_closed_sheet_holds_nothing() -> None:
    """Its cells are let go."""
    sheet = MemorySheet([ROW])
    sheet.close()

    assert list(sheet.rows()) == []


TEXTS = [
    "00123",
    "1e5",
    "NA",
    "null",
    "None",
    "nan",
    "  x ",
    "Süd\u00a0",
    "12345678901234567890",
    "'=1",
]
"""Each of which a guess of some reader's would change."""


@pytest.mark.parametrize("dtype", ["str", "string", "object", "category"])
@pytest.mark.parametrize("is_indexed", [False, True])
def test_a_frame_of_texts_survives_byte_for_byte(dtype: Any, is_indexed: bool) -> None:
    """In every type that pandas has for texts, with its own ideas of nothing, and what it keeps as the index."""
    rows = [{**ROW, "name": text, "database": text, "client secret": text} for text in TEXTS]
    frame = pd.DataFrame([*rows, {**ROW, "database": None}]).astype(dtype)
    if is_indexed:
        frame = frame.set_index(["database", "name"]).sort_index(ascending=False).iloc[::-1]
    sheet = MemorySheet(frame)  # type: ignore[arg-type] # a DataFrame is no iterable of mappings
    found = [row.cells for row in sheet.rows()]

    assert sorted(str(cells[Column.DATABASE]) for cells in found) == sorted([*TEXTS, ""])
    for cells in found:
        if cells[Column.DATABASE]:
            assert cells[Column.NAME] == cells[Column.DATABASE]
            assert cells[Column.SERVICE_PRINCIPAL_KEY] == Secret(str(cells[Column.DATABASE]))


def test_an_index_that_only_counts_is_no_column() -> None:
    """Rows that were chosen or sorted keep their labels; they are numbered as they stand."""
    frame = pd.DataFrame([dict(ROW, name=name) for name in "ABC"]).iloc[[2, 0]]
    sheet = MemorySheet(frame)  # type: ignore[arg-type] # a DataFrame is no iterable of mappings

    assert [(row.number, row.cells[Column.NAME]) for row in sheet.rows()] == [(1, "C"), (2, "A")]
    assert sheet.header.carried == ()


def test_an_index_that_repeats_a_column_is_left() -> None:
    """Its name is taken: the column counts."""
    frame = pd.DataFrame([dict(ROW, name=name) for name in "AB"])
    frame.index = pd.Index(["x", "y"], name="name")
    sheet = MemorySheet(frame)  # type: ignore[arg-type] # a DataFrame is no iterable of mappings

    assert [row.cells[Column.NAME] for row in sheet.rows()] == ["A", "B"]
