"""CSV in every encoding: honoured, refused, never garbled (fault 40)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.row import Row
from batchconnect.sheet import Sheet, open_sheet

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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_honoured(write: Write, encoding: str) -> None:
    """Without any option, and also where `--encoding` says otherwise."""
    path = write(f"{HEADER}\n{named('Süd')}\n".encode(encoding))

    assert ["Süd"] == names(read(path)) == names(read(path, "cp1252"))


def test_a_wrong_encoding_names_line_option_and_a_likely_value(write: Write) -> None:
    """No garbled name is ever sent."""
    path = write(f"{HEADER}\n{ROW}\n{named('Süd GmbH')}\n".encode("cp1252"))

    error = refused(path)

    assert "line 3: the text is not UTF-8 (byte 0xfc)" in error.message
    assert "--encoding cp1252" in str(error.hint)
    assert names(read(path, "cp1252")) == ["Acme", "Süd GmbH"]


def test_an_old_macs_encoding_is_likely_where_its_letters_are(write: Write) -> None:
    """0x9f is an `ü` there, and a `Ÿ` for Windows."""
    path = write(f"{HEADER}\n{named('Süd Käse Öl')}\n".encode("mac_roman"))

    assert "--encoding mac_roman" in str(refused(path).hint)


def test_an_encoding_that_does_not_fit_names_the_line(write: Write) -> None:
    """The option's own encoding can be wrong too."""
    path = write(f"{HEADER}\n{ROW}\n{named('Süd')}\n".encode("cp1252"))

    assert "line 3: the text is not ascii" in refused(path, "ascii").message


def test_utf8_wins_over_an_option_that_would_garble_it(write: Write) -> None:
    """`--encoding cp1252` on a UTF-8 file would make `SÃ¼d`; the file's own bytes say better."""
    path = write(f"{HEADER}\n{named('Süd')}\n")
    sheet = opened(path, "cp1252")

    assert names(list(sheet.rows())) == ["Süd"]
    assert "`--encoding cp1252` is not used" in sheet.warnings[0]
    assert names(read(path, "utf8")) == ["Süd"]


@pytest.mark.parametrize("encoding", ["latin-9000", "base64"])
def test_an_unknown_encoding_is_a_usage_error(write: Write, encoding: str) -> None:
    """The message repeats the option."""
    with pytest.raises(UsageError, match=f"--encoding {encoding}"):
        opened(write(f"{HEADER}\n"), encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_recognised_by_its_nuls(write: Write, encoding: str) -> None:
    """The option that helps is named, and helps."""
    path = write(f"{HEADER}\n{ROW}\n".encode(encoding))

    error = refused(path)

    assert "line 1: a NUL byte" in error.message
    assert f"--encoding {encoding}" in str(error.hint)
    assert names(read(path, encoding)) == ["Acme"]


def test_a_nul_byte_in_a_late_line_is_refused(write: Write) -> None:
    """A damaged file is not read in part."""
    assert (
        "line 3: a NUL byte" in refused(write(f"{HEADER}\n{ROW}\n{named('A' + chr(0))}\n")).message
    )


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "顧客"), ("gbk", "北京科技有限公司"), ("cp949", "삼성전자")]
)
def test_an_east_asian_sheet_is_never_advised_a_western_encoding(
    write: Write, encoding: str, name: str
) -> None:
    """The option that is named gives the names as they were meant."""
    path = write(f"{HEADER}\n{ROW}\n{named(name)}\n".encode(encoding))

    hint = str(refused(path).hint)

    assert f"--encoding {encoding}" in hint
    assert "cp850" not in hint
    assert names(read(path, encoding)) == ["Acme", name]


def test_the_whole_sheet_is_asked_not_the_first_odd_line_alone(write: Write) -> None:
    """One letter fits many encodings, more letters fewer."""
    path = write(f"{HEADER}\n{named('Kučera')}\n{named('Škoda Plzeň')}\n".encode("cp1250"))

    assert "say `--encoding cp1250` if" in str(refused(path).hint)


def test_an_encoding_that_garbles_is_warned_of(write: Write) -> None:
    """It decodes every byte, so nothing else would say so."""
    path = write(f"{HEADER}\n{named('顧客')}\n".encode("cp932"))
    sheet = opened(path, "cp850")

    assert "in cp850 the names look garbled" in sheet.warnings[0]
    assert "`--encoding cp932` (Japan, Shift-JIS)" in sheet.warnings[0]
    assert opened(path, "cp932").warnings == ()


def test_an_option_that_a_byte_order_mark_overrules_is_said(write: Write) -> None:
    """The file itself says what it is."""
    path = write(f"{HEADER}\n{named('Süd')}\n".encode("utf-16"))

    (warning,) = opened(path, "cp1252").warnings
    assert "begins with the mark of utf-16-le, so `--encoding cp1252` is not used" in warning
    assert opened(path, "utf-16").warnings == ()


@pytest.mark.parametrize(
    ("end", "what"), [("\0\0\0", "holds nothing but"), (f"{ROW}\0\0\0\n", "ends with")]
)
def test_nul_bytes_at_the_end_are_a_file_that_was_not_written_whole(
    write: Write, end: str, what: str
) -> None:
    """And no UTF-16: rows may be missing."""
    error = refused(write(f"{HEADER}\n{ROW}\n{end}"))

    assert f"line 3: the line {what} NUL bytes" in error.message
    assert "rows may be missing" in str(error.hint)
    assert "utf-16" not in str(error.hint)


@pytest.mark.parametrize("end", ["\x1a", f"{ROW}\x1a", "\x1a\r\n"])
def test_the_end_mark_of_dos_is_named(write: Write, end: str) -> None:
    """A Ctrl-Z is no row, and no part of the last cell."""
    error = refused(write(f"{HEADER}\n{ROW}\n{end}"))

    assert "line 3" in error.message
    assert "Ctrl-Z" in error.message
    assert "Delete" in str(error.hint)
