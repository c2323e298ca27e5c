"""
Runs the child that reads a workbook, and turns whatever becomes of it into tabs or one `SheetError`.

Its answer comes from a file that may be hostile: it is bounded in bytes and seconds, and each value in
it is checked before it is used.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from batchconnect.model.errors import SheetError
from batchconnect.sheet.source import FileSource
from batchconnect.sheet.workbook.form import RIGHTS
from batchconnect.sheet.workbook.told_rows import ToldRows

LONGEST_WAIT_S = 180.0
MOST_ANSWER = 160 << 20
"""Bytes that the child may answer: some 600,000 rows."""
MOST_TABS = 1000

# `-I` keeps every foreign path and variable out, ours too, so the package is found by its folder. A
# bare module stands for it: the public face, and all that it imports, is no business of the child.
_START = """
import runpy, sys, types
folder = sys.argv.pop(1)
for name, inner in ("batchconnect", ""), ("batchconnect.sheet", "/sheet"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder + inner]
runpy.run_module("batchconnect.sheet.workbook.child", run_name="__main__", alter_sys=True)
"""
_AS_CSV = "Save the sheet as `CSV UTF-8` and use that file."


@dataclass(slots=True)
class Tab:
    """A tab as the child told it."""

    name: str
    is_visible: bool
    rows: ToldRows = field(default_factory=ToldRows)
    """Those that are not blank; blank ones may stand among them."""
    hidden: frozenset[int] = frozenset()
    """Numbers of those rows that nobody sees."""
    notes: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Row number and position of cells that are read as the spreadsheet shows them, by what they are."""


class _TooMuchError(Exception):
    """The child answers more than a sheet can hold."""


def read_tabs(source: FileSource, *, path: str, worksheets: Sequence[str] = ()) -> list[Tab]:
    """
    Let a child process read a workbook.

    Args:
        source: The workbook.
        path: As given, for messages.
        worksheets: The tabs that are asked for, or `EVERY_TAB`; none: all whose headers match.
    Raises:
        SheetError: The file is damaged or hostile, or too large for the child's limits.
    """
    package = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-I", "-B", "-c", _START, str(package)]
    command += worksheets
    timed_out = threading.Event()
    with source.as_stdin() as stdin, _started(command, stdin) as process:
        assert process.stdout is not None

        def give_up() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(LONGEST_WAIT_S, give_up)
        timer.daemon = True
        timer.start()
        try:
            tabs = _tabs(_Answer(process.stdout), path)
        except _TooMuchError:
            raise _too_large(path) from None
        finally:
            timer.cancel()
            process.kill()
    if tabs is not None:
        return tabs
    if timed_out.is_set():
        raise SheetError(
            f"{path}: reading it took more than {LONGEST_WAIT_S:.0f} s, so it was stopped",
            hint=_AS_CSV,
        )
    raise _too_large(path)


@contextlib.contextmanager
def _started(command: list[str], stdin: int) -> Iterator[subprocess.Popen[bytes]]:
    # Windows starts nothing without SYSTEMROOT; elsewhere the environment is empty.
    environment = {k: v for k, v in os.environ.items() if os.name == "nt" and k == "SYSTEMROOT"}
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/" if os.name == "posix" else None,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class _Answer:
    """What the child writes, as far as it may: lines, and bytes that follow them."""

    def __init__(self, stdout: IO[bytes]) -> None:
        self._stdout = stdout
        self._left = MOST_ANSWER

    def __iter__(self) -> Iterator[bytes]:
        while line := self._stdout.readline(MOST_ANSWER):
            self._take(len(line))
            yield line

    def read(self, size: int) -> bytes:
        """So many bytes; fewer where the answer breaks off."""
        self._take(size)
        return self._stdout.read(size)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _TooMuchError


def _tabs(answer: _Answer, path: str) -> list[Tab] | None:
    """The tabs; None where the answer broke off, for the child was ended by a limit."""
    tabs: list[Tab] = []
    for line in answer:
        if line.startswith(b'["row",') and tabs:
            tabs[-1].rows.add(line)
            continue
        match _json(line):
            case ["tab", str(name), bool(is_visible)] if len(tabs) < MOST_TABS:
                tabs.append(Tab(name=name, is_visible=is_visible))
            case ["rows", int(rows), int(size)] if tabs and rows > 0 and size > 0:
                packed = answer.read(size)
                if len(packed) < size:
                    return None
                tabs[-1].rows.add_block(rows, packed)
            case ["hidden", list(numbers)] if tabs:
                tabs[-1].hidden = frozenset(n for n in numbers if type(n) is int)
            case ["note", str(what), list(places)] if tabs:
                tabs[-1].notes[what] = [place for found in places for place in _place(found)]
            case ["error", str(code), str(detail)]:
                raise _error(path, code, detail)
            case ["end"]:
                return tabs
            case _:
                return None
    return None


def _place(found: object) -> Iterator[tuple[int, int]]:
    match found:
        case [int(row), int(position)]:
            yield row, position
        case _:
            pass


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _too_large(path: str) -> SheetError:
    return SheetError(
        f"{path}: the workbook cannot be read within the limits of memory and time",
        hint=f"It is damaged, or it is very large. {_AS_CSV}",
    )


def _error(path: str, code: str, detail: str) -> SheetError:
    """What an error of the child means; its detail is ours, yet it is cut and cleaned."""
    detail = "".join(char for char in detail if char.isprintable())[:80]
    match code:
        case "UnsafeZipError":
            what = f"this looks like a zip bomb and is not opened: {detail}"
            remedy = "Copy the table into a new workbook, or save it as CSV."
        case "FarCellError":
            what = f"the cell {detail} lies too far out; no table of ours is that large"
            remedy = "Delete all rows and columns behind the table: Ctrl+End shows the last cell."
        case "NotInspectedError":
            what = f"the tab `{detail}` cannot be looked at for errors and hidden rows, so it is not read"
            remedy = f"Open it in a spreadsheet program and save it anew as XLSX. {_AS_CSV}"
        case "ForbiddenXmlError" | "DTDForbidden" | "EntitiesForbidden":
            what = (
                "its XML declares a document type, as no spreadsheet program does; it is not read"
            )
            remedy = "Open it in a spreadsheet program and save it anew, if you trust it."
        case "ProtectedError" if detail == RIGHTS:
            what = (
                "the workbook is encrypted by a sensitivity label or by rights management; "
                "there is no password to it"
            )
            remedy = (
                "In Excel, as somebody who may: Home > Sensitivity, choose a label without encryption, "
                "or File > Info > Protect Workbook > Restrict Access > Unrestricted Access; save it again."
            )
        case "ProtectedError":
            what = "the workbook is protected by a password"
            remedy = (
                "In Excel: File > Info > Protect Workbook > Encrypt with Password, delete it; "
                "then save it again."
            )
        case "MixedFormsError":
            what = (
                "this is an Excel 5/95 workbook whose cells refer to shared texts, which only "
                "Excel 97 has; no program shows them"
            )
            remedy = (
                "The program that wrote it mixes two forms, as SheetJS does for `biff5` with `bookSST`: "
                "let it write XLSX, or `CSV UTF-8`."
            )
        case "NotAWorkbookError":
            what, remedy = f"this is {detail}", _AS_CSV
        case "MemoryError":
            return _too_large(path)
        case _:
            what = "the workbook is damaged, or of a kind that we do not know"
            what += f": {detail}" if detail else ""
            remedy = f"Open it in a spreadsheet program and save it anew. {_AS_CSV}"
    return SheetError(f"{path}: {what}", hint=remedy)
