"""Rows that a spreadsheet filled in: seen by looking at them one after the other."""

from collections.abc import Iterable

import pytest
from hypothesis import given, strategies as st

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem, Rejected, Severity
from batchconnect.model.row import Header
from batchconnect.validation.series import Seen, Series, Warned

HEADER = Header(row_number=1, columns={column: at for at, column in enumerate(Column)})
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db{}"
PRINCIPAL = "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a{}"
KEY = "FAKE~3mFk5aayMBs.EGdsTxHu2DU{}"
OTHERS = [
    "8ddf8780-39b7-0767-c4a5-bcf4f0c4f65e",
    "fac98944-7cad-2edb-c89f-bcba70003b36",
    "c0828e03-8173-0bef-d1f7-a025057c74fb",
    "7e7cb681-4b74-d659-6098-fc80127569a5",
]


def looked_at(rows: Iterable[Seen], *, strict: bool = False, at_once: int = 1000) -> Series:
    series, rows = Series(HEADER, strict=strict), list(rows)
    for first in range(0, len(rows), at_once):
        series.add_all(*zip(*rows[first : first + at_once], strict=True))
    return series


def warned(rows: Iterable[Seen]) -> list[Problem]:
    found = [found for _, found in looked_at(rows).findings()]
    return [one.problem for one in found if isinstance(one, Warned)]


def test_ids_and_keys_that_count_up_from_row_to_row_are_warned_of_with_their_cells() -> None:
    """Dragged down, so each is a well-formed id of nobody."""
    found = warned(
        (n, TENANT.format(45 + n), PRINCIPAL.format(9 + n), KEY.format(69 + n)) for n in range(2, 8)
    )

    assert [(one.code, one.cell, one.severity) for one in found] == [
        ("filled_down", f"{column}2:{column}7", Severity.WARNING) for column in "EFG"
    ]
    assert "in rows 2 to 7 each value is one higher than the one above" in found[0].what


@pytest.mark.parametrize("numbers", [[97, 98, 99, 100, 101], [20, 30, 40], [12, 11, 10]])
def test_any_even_step_is_a_series(numbers: list[int]) -> None:
    """A spreadsheet goes on with the step of the first two cells, past the last digit too."""
    (problem,) = warned((n, TENANT.format(10), PRINCIPAL.format(n), f"key of {n}") for n in numbers)

    assert problem.column == Column.SERVICE_PRINCIPAL_ID


def test_one_key_for_several_principals_is_warned_of() -> None:
    """An app registration has a key of its own."""
    (problem,) = warned((n, OTHERS[0], other, KEY) for n, other in enumerate(OTHERS, start=5))

    assert (problem.code, problem.cell) == ("key_shared", "G5:G8")
    assert "one key for 4 different principals" in problem.what
    assert KEY not in str(problem)


def test_one_principal_for_all_rows_is_none() -> None:
    """One app reads many databases."""
    assert warned((n, OTHERS[0], OTHERS[1], KEY) for n in range(2, 9)) == []


def test_ids_of_different_apps_are_none() -> None:
    """Nor are two that are neighbours by chance, nor short practice keys."""
    assert warned((n, other, other, f"{other}~") for n, other in enumerate(OTHERS)) == []
    assert warned((n, OTHERS[0], PRINCIPAL.format(10 + n), OTHERS[n]) for n in range(2)) == []
    assert warned((n, OTHERS[0], OTHERS[1], f"FAKE~key-{n}") for n in range(2, 9)) == []


def test_two_series_in_one_sheet_are_two_findings() -> None:
    """A gap, or another beginning, ends the first."""
    rows = [(n, OTHERS[0], PRINCIPAL.format(n), OTHERS[n % 4]) for n in (11, 12, 13, 21, 22, 23)]

    assert [one.cell for one in warned(rows)] == ["F11:F13", "F21:F23"]


def test_strict_refuses_each_of_the_rows() -> None:
    """Each with its own cell."""
    rows = [(n, OTHERS[0], PRINCIPAL.format(n), OTHERS[n % 4]) for n in (11, 12, 13)]
    found = list(looked_at(rows, strict=True).findings())

    assert [row for row, _ in found] == [11, 12, 13]
    for row, judged in found:
        assert isinstance(judged, Rejected)
        assert [(p.cell, p.severity) for p in judged.problems] == [(f"F{row}", Severity.ERROR)]


def test_a_million_rows_cost_no_memory() -> None:
    """One row is kept, and a finding for each series up to a bound."""
    series = looked_at((n, OTHERS[0], PRINCIPAL.format(n % 7 + 10), KEY) for n in range(30_000))

    assert len(list(series.findings())) <= 1001


@given(
    st.lists(st.tuples(st.integers(8, 13), st.integers(8, 13), st.integers(67, 71)), min_size=1),
    st.integers(2, 5),
)
def test_it_does_not_matter_how_many_rows_are_looked_at_together(
    numbers: list[tuple[int, int, int]], at_once: int
) -> None:
    """Series that begin, end or go on where a block does are the same as of rows one by one."""
    rows = [
        (row, TENANT.format(tenant), PRINCIPAL.format(principal), KEY.format(key))
        for row, (tenant, principal, key) in enumerate(numbers, start=2)
    ]
    alone, *together = (
        list(looked_at(rows, at_once=size).findings()) for size in (1, at_once, len(rows))
    )

    assert together == [alone, alone]
