"""The child for real: its own process, its own limits."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.secret import Secret
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook import child

NAMES = [str(column) for column in Column]
ROW = ["Acme", "", "https://a", "db", "t", "i", "FAKE~k", "acme", "prod"]
Workbook = Callable[..., Path]
TYPED = [
    "00123",
    "1e5",
    "NA",
    "null",
    "9" * 20,
    " x ",
    'a "b" c',
    "a,b;c",
    "Süd 😀",
    "True",
    "2026-01-02",
]


def test_text_cells_arrive_as_typed(workbook: Workbook) -> None:
    """Through the child and back; a second reading gives the same."""
    rows = [["n" + text, *[text] * 8] for text in TYPED]
    sheet = open_sheet(workbook({"T": [NAMES, *rows]}))
    found = list(sheet.rows())

    for typed, row in zip(TYPED, found, strict=True):
        assert row.cells[Column.SERVICE_PRINCIPAL_KEY] == Secret(typed)
        assert row.cells[Column.DATABASE] == typed
    assert [sheet.at(row.offset) for row in found] == found
    assert [row.number for row in found] == list(range(2, 13))
    sheet.close()


def test_reading_a_workbook_imports_no_pandas_here(workbook: Workbook) -> None:
    """Nor calamine: that is for the child alone; the parent stays small."""
    code = (
        "import sys; from batchconnect.sheet import open_sheet; "
        f"assert list(open_sheet({str(workbook({'T': [NAMES, ROW]}))!r}).rows()); "
        "assert not {'pandas', 'python_calamine', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_tab_is_asked_for_across_the_processes(workbook: Workbook) -> None:
    """Its name is an argument of the child, whatever stands in it."""
    path = workbook({"-I": [NAMES, ROW], "Süd": [NAMES, ["Söhne", *ROW[1:]]]})

    (row,) = open_sheet(path, worksheet="Süd").rows()
    assert row.cells[Column.NAME] == "Söhne"
    (row,) = open_sheet(path, worksheet="-I").rows()
    assert row.cells[Column.NAME] == "Acme"


@pytest.mark.slow
def test_a_large_workbook_leaves_the_parent_small(workbook: Workbook) -> None:
    """The child needs much; the parent holds lines."""
    path = workbook({"T": [NAMES, *([f"Acme {n}", *ROW[1:]] for n in range(5_000))]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sheet = open_sheet(path)

    assert sum(1 for _ in sheet.rows()) == 5_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_the_childs_limits_are_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the platform refuses one, the others hold."""
    asked: dict[int, int] = {}

    def setrlimit(kind: int, limits: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError
        asked[kind] = limits[0]

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    child.limit_resources()

    assert asked == {
        resource.RLIMIT_CPU: child.MOST_CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }


def test_the_child_answers_on_standard_output(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """One JSON value per line, the end last; in-process, its limits are left alone."""
    path = workbook({"T": [NAMES, ROW]})
    monkeypatch.setattr(child, "limit_resources", lambda: None)
    monkeypatch.setattr(sys, "argv", ["child"])
    with path.open("rb") as file:
        kept = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            child.main()
        finally:
            os.dup2(kept, 0)
            os.close(kept)

    first, *_, last = capfdbinary.readouterr().out.splitlines()
    assert (first, last) == (b'["tab","T",true]', b'["end"]')
