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
from batchconnect.sheet.workbook.form import NotAWorkbookError, PasswordError, form_of

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
def test_a_cell_at_the_end_of_the_world_is_named(workbook: Workbook) -> None:
    """The 5 KB file that aborts calamine: it never gets there."""
    path = workbook({"T": [NAMES]}, lambda tab: tab.__setitem__("XFD1048576", "x"))

    error = refused(path)

    assert path.stat().st_size < 10_000
    assert "the cell XFD1048576 lies too far out" in error.message
    assert "Ctrl+End" in str(error.hint)


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
def test_a_document_type_is_refused(
    workbook: Workbook, rewritten: Rewritten, part: str, tmp_path: Path
) -> None:
    """No entity is expanded, no file of ours is read."""
    (tmp_path / "loot").write_text("FAKE~loot")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/loot">]>'.encode()
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


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (OLE + b"\0" * 600 + "WordDocument".encode("utf-16-le"), "another Office program"),
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
        (b"\x09\x08\x10\x00\x00\x06", "an Excel file without its container"),
        (b"", "the file is empty (0 bytes)"),
    ],
)
def test_a_stranger_is_called_by_its_name(write: Write, content: bytes, words: str) -> None:
    """Whatever its ending says."""
    assert words in refused(write(content, "clients.xls")).message


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
        ('print(\'["error","a b c",""]\')', "do not know (unknown)"),
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
        # An import or a thread that fails for want of memory says so in many ways, or as an abort.
        words = "within the limits|ImportError|MemoryError|OSError|RuntimeError"
        assert re.search(words, refused(path).message)


@pytest.mark.parametrize("is_far", [True, False])
def test_a_child_that_aborts_is_asked_in_turn(
    workbook: Workbook, monkeypatch: pytest.MonkeyPatch, *, is_far: bool
) -> None:
    """Calamine may abort before the look finds the far cell; then the look comes first."""
    found = '["error","FarCellError","XFD1048576"]'
    program = (
        f"import os, sys; print('{found}') if 'in-turn' in sys.argv and {is_far} else os.abort()"
    )
    monkeypatch.setattr(process, "_START", program)
    words = "the cell XFD1048576 lies too far out" if is_far else "within the limits of memory"

    assert words in refused(workbook({"T": [NAMES]})).message


@pytest.mark.parametrize("cell", ["AE1048576", "XFD1048576"])
def test_a_far_cell_is_named_across_the_processes(workbook: Workbook, cell: str) -> None:
    """Whichever of calamine and the look comes first: 32 million cells it survives, 17 billion not."""
    assert (
        f"the cell {cell} lies too far out"
        in refused(workbook({"T": [NAMES]}, lambda tab: tab.__setitem__(cell, "x"))).message
    )


def test_what_the_look_finds_explains_what_calamine_runs_into(
    workbook: Workbook, rewritten: Rewritten
) -> None:
    """Both fail at once: the document type is named."""
    path = rewritten(
        workbook({"T": [NAMES]}),
        {"sheet1.xml": lambda raw: b"<!DOCTYPE x>" + raw.partition(b"?>")[2][:200]},
    )

    with path.open("rb") as file:
        *_, last = answers(file, None, at_once=True)
    assert last[:2] == ["error", "ForbiddenXmlError"]


def test_a_form_is_known_by_its_parts() -> None:
    """The kinds that calamine reads."""
    assert form_of(io.BytesIO(zipped({"xl/workbook.bin": b""}))) == "xlsb"
    assert form_of(io.BytesIO(zipped({"xl/workbook.xml": b""}))) == "xlsx"
    ods = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}
    assert form_of(io.BytesIO(zipped(ods))) == "ods"
    assert form_of(io.BytesIO(OLE + "Workbook".encode("utf-16-le"))) == "xls"
    with pytest.raises(NotAWorkbookError):
        form_of(io.BytesIO(OLE))
    with pytest.raises(PasswordError):
        form_of(io.BytesIO(OLE + "EncryptedPackage".encode("utf-16-le")))


def test_the_child_answers_with_an_error_for_anything() -> None:
    """In-process: an exception is an answer."""
    assert list(answers(io.BytesIO(b"PK"), None)) == [["error", "BadZipFile", ""]]
    assert next(answers(io.BytesIO(OLE), None))[:2] == ["error", "NotAWorkbookError"]


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
