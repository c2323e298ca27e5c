"""Workbooks that are damaged, hostile or something else: a precise message, a small parent (51, 52)."""

import io
import os
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError
from batchconnect.sheet import open_sheet
from batchconnect.sheet.workbook import process
from batchconnect.sheet.workbook.child import answers
from batchconnect.sheet.workbook.form import ProtectedError, form_of
from batchconnect.sheet.workbook.inspected import (
    FARTHEST,
    MOST_BLANK,
    FarCellError,
    InspectedTab,
    check,
)
from batchconnect.sheet.workbook.ole import container_of

NAMES = [str(column) for column in Column]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
Write = Callable[..., Path]
Workbook = Callable[..., Path]
Rewritten = Callable[[Path, Mapping[str, Callable[[bytes], bytes]]], Path]


def refused(path: Path | str) -> SheetError:
    with pytest.raises(SheetError) as caught:
        open_sheet(path)
    assert caught.value.hint
    assert str(path) in caught.value.message
    return caught.value


def zipped(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("cell", ["E1000000", "GR25000"])
def test_a_far_cell_is_named_before_a_reader_holds_what_lies_before_it(
    workbook: Workbook, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rectangle of five million cells, nearly all blank: calamine never gets the tab."""

    def no_tab(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("batchconnect.sheet.workbook.child.cells_of", no_tab)
    error = refused(workbook({"T": [NAMES]}, lambda tab: tab.__setitem__(cell, "x")))

    assert f"the cell {cell} lies too far out" in error.message
    assert "Ctrl+End" in str(error.hint)


@pytest.mark.slow
def test_a_rectangle_may_be_large_where_much_of_it_is_filled() -> None:
    """A real table of half a million rows is read; a few cells around as much of nothing are not."""
    table = InspectedTab(filled=dict.fromkeys(range(500_000), (1 << 9) - 1))
    check(table)
    table.saw(0, 30, None)
    check(table)

    sparse = InspectedTab(filled={0: 1, MOST_BLANK - 1: 1})
    check(sparse)
    sparse.saw(MOST_BLANK + 9, 0, None)
    with pytest.raises(FarCellError, match=f"A{MOST_BLANK + 10}"):
        check(sparse)
    with pytest.raises(FarCellError, match=f"A{FARTHEST + 1}"):
        check(InspectedTab(filled={0: 1, FARTHEST: 1}))


def test_tabs_that_are_held_together_count_together() -> None:
    """An XLS is read as a whole."""
    half = InspectedTab(filled={0: 1, MOST_BLANK // 2 + 10: 1})

    check(half)
    with pytest.raises(FarCellError, match=f"A{MOST_BLANK // 2 + 11}"):
        check(half, half)


@pytest.mark.usefixtures("in_process")
def test_formats_far_out_do_no_harm(workbook: Workbook) -> None:
    """A whole column that is formatted as text, as we advise, has cells without value."""

    def paint(tab: object) -> None:
        tab.cell(1_000_000, 300).number_format = "@"  # type: ignore[attr-defined] # a Worksheet

    assert list(open_sheet(workbook({"T": [NAMES]}, paint)).rows()) == []


@pytest.mark.usefixtures("in_process")
def test_a_wrong_dimension_does_no_harm(workbook: Workbook, rewritten: Rewritten) -> None:
    """What a tab says of its size is not believed."""
    path = workbook({"T": [NAMES]})
    rewritten(path, {"sheet1.xml": lambda raw: raw.replace(b'ref="A1:I1"', b'ref="A1:XFD1048576"')})

    assert b"XFD1048576" in zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")
    assert list(open_sheet(path).rows()) == []


@pytest.mark.usefixtures("in_process")
def test_a_zip_bomb_is_refused_by_what_it_declares(write: Write) -> None:
    """Before a byte is unpacked."""
    bomb = zipped(
        {"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": b"0" * (60 << 20)}
    )

    assert (
        "zip bomb and is not opened: one part unpacks to 60 MiB"
        in refused(write(bomb, "bomb.xlsx")).message
    )


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_a_zip_that_declares_too_much_is_refused(write: Write) -> None:
    """Ten parts of 200 MiB, with a directory that says so."""
    raw = bytearray(zipped({f"xl/{n}.xml": os.urandom(2_000_000) for n in range(10)}))
    at = 0
    while (at := raw.find(b"PK\x01\x02", at + 1)) > 0:
        raw[at + 24 : at + 28] = struct.pack("<I", 200 << 20)

    assert "unpacks to 2,000 MiB" in refused(write(bytes(raw), "bomb.xlsx")).message


@pytest.mark.usefixtures("in_process")
def test_a_zip_of_very_many_parts_is_refused(write: Write) -> None:
    """Its directory alone would be work."""
    many = zipped({f"xl/{n}": b"" for n in range(10_001)})

    assert "it has 10,001 parts" in refused(write(many, "many.xlsx")).message


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("part", ["sheet1.xml", "xl/workbook.xml", "styles.xml"])
def test_a_document_type_is_refused(workbook: Workbook, rewritten: Rewritten, part: str) -> None:
    """No spreadsheet program writes one, so nothing that it may say is looked at."""
    doctype = b"<!DOCTYPE x>"
    path = rewritten(
        workbook({"T": [NAMES]}),
        {part: lambda raw: doctype + raw.partition(b"?>")[2] or doctype + raw},
    )

    assert "declares a document type" in refused(path).message


@pytest.mark.usefixtures("in_process")
def test_a_truncated_workbook_is_damaged(workbook: Workbook) -> None:
    """Half a download."""
    path = workbook({"T": [NAMES]})
    path.write_bytes(path.read_bytes()[:1500])

    assert "the workbook is damaged, or of a kind that we do not know" in refused(path).message


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    "content",
    [
        OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
        zipped({"mimetype": b"x", "META-INF/manifest.xml": b"<manifest:encryption-data/>"}),
    ],
)
def test_a_password_is_named(write: Write, content: bytes) -> None:
    """Excel hides the workbook in another container; LibreOffice says so in its manifest."""
    error = refused(write(content, "locked.xlsx"))

    assert "protected by a password" in error.message
    assert "Encrypt with Password" in str(error.hint)


@pytest.mark.usefixtures("in_process")
def test_a_password_of_an_xls_is_named(write: Write) -> None:
    """Its records are there, and say that what follows them is encrypted."""
    begin = struct.pack("<2H", 0x809, 16) + struct.pack("<2H", 0x600, 5) + b"\0" * 12
    locked = begin + struct.pack("<2H", 0x2F, 6) + b"\0" * 6 + struct.pack("<2H", 0x0A, 0)

    error = refused(write(container_of("Workbook", locked), "locked.xls"))

    assert "protected by a password" in error.message


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", ["DRMEncryptedDataSpace", "\tDRMContent"])
def test_a_sensitivity_label_is_not_called_a_password(write: Write, name: str) -> None:
    """There is none; what helps is to take the label off."""
    content = OLE + b"\0" * 600 + (name + "EncryptedPackage").encode("utf-16-le")

    error = refused(write(content, "labelled.xlsx"))

    assert "encrypted by a sensitivity label or by rights management" in error.message
    assert "no password" in error.message
    assert "Home > Sensitivity" in str(error.hint)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (container_of("WordDocument", b"x"), "another Office program"),
        (zipped({"word/document.xml": b""}), "a Word document"),
        (zipped({"ppt/presentation.xml": b""}), "a presentation"),
        (zipped({"Index/Document.iwa": b""}), "a Numbers document"),
        (zipped({"clients.csv": b""}), "a zip archive without a workbook"),
        (b"<!DOCTYPE html><table><tr><td>name", "this is HTML, not a sheet"),
        (b"\xef\xbb\xbf\r\n <html>", "this is HTML"),
        (b'<?xml version="1.0"?><Workbook/>', "this is XML"),
        (b"MIME-Version: 1.0\r\n", "a web archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08\x00", "a packed file"),
        (b"PAR1xxxx", "no table of text"),
        (b'[{"name": "Acme"}]', "JSON"),
        (b"{\\rtf1", "rich text"),
        (b"ID;PWXL;N;E\r\nP;PGeneral\r\n", "SYLK"),
        (b'TABLE\r\n0,1\r\n"EXCEL"\r\n', "DIF"),
        (b"\x03\x7a\x0b\x1e\x01\0\0\0\x41\0\x10\0\0\0", "a dBase file"),
        (b"\0\0\x02\0\x06\x04\x06\0", "a Lotus 1-2-3 or Quattro Pro workbook"),
        (b"MZ stub" + zipped({"xl/workbook.xml": b""}), "something stands before the workbook"),
        (b"\x09\x08\x10\x00\x00\x06", "an Excel file without its container"),
        (b"", "the file is empty (0 bytes)"),
    ],
)
def test_a_stranger_is_called_by_its_name(write: Write, content: bytes, words: str) -> None:
    """Whatever its ending says."""
    assert words in refused(write(content, "clients.xls")).message


def test_a_text_that_begins_like_a_stranger_is_none(write: Write) -> None:
    """A CSV may have a column `ID`, and a next one with a P."""
    path = write("ID;Person;" + ";".join(NAMES) + "\r\n")

    assert list(open_sheet(path).rows()) == []


def test_the_lock_file_of_excel_names_the_workbook(write: Write) -> None:
    """The shell's completion offers it first."""
    error = refused(write(b"\x05Anna", "~$clients.xlsx"))

    assert "lock file" in error.message
    assert "clients.xlsx`" in str(error.hint)


def test_folders_devices_and_missing_files_have_a_message(write: Write, tmp_path: Path) -> None:
    """Each with what to do."""
    write("", "clients.xlsx")
    (tmp_path / "clients.numbers").mkdir()

    assert "this is a folder" in refused(tmp_path).message
    assert "Export To > CSV" in str(refused(tmp_path / "clients.numbers").hint)
    assert "Sheets beside it: clients.xlsx." in str(refused(tmp_path / "client.xlsx").hint)
    assert "there is no such file" in refused(tmp_path / "no" / "folder.csv").message
    assert "cannot be opened" in refused(write("", "a.csv") / "b.csv").message
    assert "this is a device" in refused("/dev/null").message


def test_a_file_that_may_not_be_read_says_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is played."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    path = write("x")
    monkeypatch.setattr(os, "open", refuse)

    assert "no permission to read it" in refused(path).message


def test_a_workbook_from_a_pipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input carries CSV."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"PK\x03\x04")))

    with pytest.raises(SheetError, match="cannot be read from a pipe"):
        open_sheet("-")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os; os.abort()", "within the limits of memory and time"),
        ("import sys; sys.exit(1)", "within the limits of memory and time"),
        ("print('nonsense')", "within the limits of memory and time"),
        ('print(\'["tab","T",1]\')', "within the limits of memory and time"),
        ('print(\'["error","MemoryError",""]\')', "within the limits of memory and time"),
        ('print(\'["error","a b c",""]\')', "a kind that we do not know"),
        ('print(\'["error","a b c","a record in it is cut"]\')', "know: a record in it is cut"),
        ('print(\'["tab","T",true]\\n["row",0,[]]\\n["end"]\')', "makes no sense"),
        ('print(\'["tab","T",true]\\n["row",1,[7]]\\n["end"]\')', "makes no sense"),
        ('print(\'["tab","T",true]\\n["row",1,\\n["end"]\')', "makes no sense"),
        ("import time; time.sleep(60)", "took more than 0 s"),
        ("while True: print('[\"row\",' * 1000)", "within the limits of memory and time"),
    ],
)
def test_a_childs_answer_is_not_trusted(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    """It aborts, hangs, floods or lies: one message, and the child is gone."""
    monkeypatch.setattr(process, "_START", program)
    monkeypatch.setattr(process, "MOST_ANSWER", 100_000)
    if "sleep" in program:
        monkeypatch.setattr(process, "LONGEST_WAIT_S", 0.3)

    assert words in refused(workbook({"T": [NAMES]})).message


@pytest.mark.parametrize("limit", ["24 << 20", "2 << 30"])
def test_a_child_meets_its_memory_limit(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """The same child reads with room enough, and ends without: an interpreter alone needs more than 24 MiB."""
    start = process._START.partition("runpy.run_module")[0]
    code = "import batchconnect.sheet.workbook.child as child\n"
    run = f"child.MOST_MEMORY = {limit}\nchild.main()\n"
    monkeypatch.setattr(process, "_START", start + code + run)
    path = workbook({"T": [NAMES]})

    if limit == "2 << 30":
        assert list(open_sheet(path).rows()) == []
    else:
        # An import or a thread that fails for want of memory says so in many ways, or breaks off.
        assert re.search("within the limits|we do not know", refused(path).message)


def test_what_the_look_finds_explains_what_calamine_runs_into(
    workbook: Workbook, rewritten: Rewritten
) -> None:
    """Both fail at once: the document type is named."""
    path = rewritten(
        workbook({"T": [NAMES]}),
        {"sheet1.xml": lambda raw: b"<!DOCTYPE x>" + raw.partition(b"?>")[2][:200]},
    )

    with path.open("rb") as file:
        *_, last = answers(file)
    assert last[:2] == ["error", "ForbiddenXmlError"]


def test_a_form_is_known_by_its_parts() -> None:
    """The kinds that calamine reads."""
    assert form_of(io.BytesIO(zipped({"xl/workbook.bin": b""}))) == "xlsb"
    assert form_of(io.BytesIO(zipped({"xl/workbook.xml": b""}))) == "xlsx"
    ods = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}
    assert form_of(io.BytesIO(zipped(ods))) == "ods"
    assert form_of(io.BytesIO(container_of("Workbook", b"x"))) == "xls"
    with pytest.raises(ProtectedError, match="password"):
        form_of(io.BytesIO(OLE + "EncryptedPackage".encode("utf-16-le")))


def test_the_child_answers_with_an_error_for_anything() -> None:
    """In-process: an exception is an answer."""
    ((what, code, reason),) = answers(io.BytesIO(b"PK"))
    assert (what, code) == ("error", "BadZipFile")
    assert reason == "its zip is cut or damaged; perhaps the file was not copied to its end"
    other = container_of("WordDocument", b"x")
    assert next(answers(io.BytesIO(other)))[:2] == ["error", "NotAWorkbookError"]


@pytest.mark.usefixtures("in_process")
def test_a_doctype_behind_a_long_comment_is_refused(
    workbook: Workbook, rewritten: Rewritten
) -> None:
    """The parser itself refuses it, wherever it stands."""
    head = b"<!--" + b" " * 70_000 + b"--><!DOCTYPE x>"
    path = rewritten(workbook({"T": [NAMES]}), {"sheet1.xml": lambda raw: head + raw})

    assert "declares a document type" in refused(path).message


def test_a_zip_that_lies_about_its_sizes_is_damaged(workbook: Workbook) -> None:
    """Nothing unpacks more than the directory says."""
    path = workbook({"T": [NAMES]})
    raw = bytearray(path.read_bytes())
    at = 0
    while (at := raw.find(b"PK\x01\x02", at + 1)) > 0:
        raw[at + 24 : at + 28] = struct.pack("<I", 100)
    path.write_bytes(raw)

    assert "the workbook is damaged" in refused(path).message
