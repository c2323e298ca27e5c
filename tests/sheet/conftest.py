"""Small sheets, made where they are needed."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from batchconnect.sheet.workbook import process
from batchconnect.sheet.workbook.child import answers, encoded

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file that only its owner may read."""

    def write(content: str | bytes, name: str = "clients.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Writes an XLSX of tabs, each a list of rows, and lets a test change each worksheet."""

    def workbook(
        tabs: Mapping[str, Sequence[Sequence[object]]],
        change: Callable[[Worksheet], None] | None = None,
        name: str = "clients.xlsx",
    ) -> Path:
        book = openpyxl.Workbook()
        book.remove(book.worksheets[0])
        for title, rows in tabs.items():
            tab = book.create_sheet(title)
            for row in rows:
                tab.append(list(row))
            if change is not None:
                change(tab)
        path = tmp_path / name
        book.save(path)
        path.chmod(0o600)
        return path

    return workbook


@pytest.fixture
def rewritten() -> Callable[[Path, Mapping[str, Callable[[bytes], bytes]]], Path]:
    """Changes members of a zip, found by the end of their names; `None` as content adds nothing."""

    def rewritten(path: Path, changes: Mapping[str, Callable[[bytes], bytes]]) -> Path:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        for end, change in changes.items():
            for name in [name for name in members if name.endswith(end)]:
                members[name] = change(members[name])
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return rewritten


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does the child's work here: quick, and seen by the coverage."""

    @contextmanager
    def started(command: list[str], stdin: int) -> Iterator[SimpleNamespace]:
        with open(stdin, "rb", closefd=False) as file:
            told = b"".join(map(encoded, answers(file, *command[6:])))
        yield SimpleNamespace(stdout=io.BytesIO(told), kill=lambda: None)

    monkeypatch.setattr(process, "_started", started)
