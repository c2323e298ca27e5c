"""CSV as a file: changed, piped, read by others (faults 39, 53)."""

import gc
import hashlib
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.model.row import Row
from batchconnect.sheet import Sheet, open_sheet
from batchconnect.sheet.source import open_source

HEADER = "name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey,org,sandbox"
ROW = (
    "Acme,https://acme.westeurope.kusto.windows.net,telemetry,acme.onmicrosoft.com,"
    "0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11,FAKE~key,acme,prod"
)
Write = Callable[..., Path]


def opened(path: Path, encoding: str | None = None) -> Sheet:
    return open_sheet(path, encoding=encoding)


def read(path: Path, encoding: str | None = None) -> list[Row]:
    sheet = open_sheet(path, encoding=encoding)
    try:
        return list(sheet.rows())
    finally:
        sheet.close()


def refused(path: Path, encoding: str | None = None) -> SheetError:
    with pytest.raises(SheetError) as caught:
        read(path, encoding)
    assert caught.value.hint
    return caught.value


def named(name: str) -> str:
    return ROW.replace("Acme,", f"{name},", 1)


def names(rows: list[Row]) -> list[object]:
    return [row.cells[Column.NAME] for row in rows]


def test_a_changed_file_is_not_read_again(write: Write) -> None:
    """Neither in order nor by place."""
    path = write(f"{HEADER}\n{ROW}\n")
    sheet = opened(path)
    (row,) = sheet.rows()
    path.write_text(f"{HEADER}\n{named('Evil')}\n")

    for ask in (lambda: sheet.at(row.offset), lambda: list(sheet.rows()), lambda: sheet.sha256):
        with pytest.raises(SheetError, match="has changed since it was opened"):
            ask()


def test_a_replaced_or_deleted_file_counts_as_changed(write: Write, tmp_path: Path) -> None:
    """Editors write a new file and move it into place."""
    path = write(f"{HEADER}\n{ROW}\n")
    sheet = opened(path)
    (row,) = sheet.rows()
    write(f"{HEADER}\n{ROW}\n", "new.csv").replace(path)
    with pytest.raises(SheetError, match="has changed"):
        sheet.at(row.offset)
    path.unlink()
    with pytest.raises(SheetError, match="has changed"):
        sheet.at(row.offset)


def test_the_digest_is_that_of_the_files_bytes(write: Write) -> None:
    """`sha256sum` says the same, for UTF-16 too."""
    path = write(f"{HEADER}\n{ROW}\n".encode("utf-16"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == opened(path).sha256


def test_standard_input_is_a_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named `-`, and each row can be had again."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{HEADER}\n{ROW}\n".encode())))
    sheet = open_sheet("-")
    (row,) = sheet.rows()

    assert ("-", row, 64) == (sheet.name, sheet.at(row.offset), len(sheet.sha256))
    sheet.close()


def test_a_pipe_is_read_like_standard_input(tmp_path: Path) -> None:
    """As a shell's `<(…)` gives one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(f"{HEADER}\n{ROW}\n",))
    writer.start()
    rows = read(pipe)
    writer.join()

    assert names(rows) == ["Acme"]


def test_more_rows_than_a_place_can_number_are_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 million; here the limit is lowered."""
    monkeypatch.setattr("batchconnect.sheet.csv_records.MOST_ROWS", 8)

    assert "more than 8 rows" in refused(write(f"{HEADER}\n" + f"{ROW}\n" * 8)).message


def test_a_place_that_is_no_row_is_refused(write: Write) -> None:
    """Only what `rows` gave is a place."""
    sheet = opened(write(f"{HEADER}\n\n{ROW}\n"))
    blank = len(HEADER) + 1 << 24 | 2

    with pytest.raises(SheetError, match="row 2 is blank"):
        sheet.at(blank)


def test_a_file_that_others_may_read_is_a_warning(write: Write) -> None:
    """It holds keys."""
    path = write(f"{HEADER}\n{ROW}\n")
    assert opened(path).warnings == ()
    path.chmod(0o644)

    (warning,) = opened(path).warnings
    assert "`chmod 600`" in warning


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists them")
def test_a_sheet_that_nobody_closed_gives_its_file_back(write: Callable[..., Path]) -> None:
    """As from a program that opens one sheet after the other."""
    descriptors = Path("/proc/self/fd")
    path = write("a\n1\n")
    before = len(list(descriptors.iterdir()))
    gc.freeze()  # only what is made from here on has to be searched
    for _ in range(50):
        assert open_source(path).read(0, 1) == b"a"
    gc.collect()

    assert len(list(descriptors.iterdir())) <= before
