"""Files that a command makes for a person: new ones only, for their owner's eyes, whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import chain, count
from pathlib import Path

from batchconnect.model.errors import UsageError
from batchconnect.model.file_mode import set_mode
from batchconnect.reports.write import writing


def refuse_existing(path: Path) -> None:
    """
    See that nothing stands at a path yet.

    Raises:
        UsageError: Something does.
    """
    if os.path.lexists(path):
        raise _exists(path)


def new_beside(sheet: str) -> str:
    """A name for a copy of a sheet with its problems, where nothing stands yet: `clients-annotated.xlsx`."""
    stem = Path(sheet).stem
    names = (f"{stem}-annotated{number}.xlsx" for number in chain([""], count(2)))
    return next(name for name in names if not os.path.lexists(name))


def write_new(path: Path, chunks: Iterable[bytes]) -> None:
    """
    Write a new file, mode 0600, beside its place; it gets its name when it is whole, whatever ends the process.

    Raises:
        UsageError: It exists already, or cannot be written; nothing is left of it then.
    """
    refuse_existing(path)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(aside, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor has no Path
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        _put(aside, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def try_place(path: Path) -> None:
    """
    Try whether a file can be written at a path, before anything depends on it; what stands there stays.

    Raises:
        UsageError: It cannot.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        aside.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def write_over(path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
    """
    Write a file whole; what stood there before is replaced.

    Args:
        path: Its place.
        chunks: Its bytes.
        mode: Who may read it, on volumes that keep that.

    Raises:
        UsageError: It cannot be written; what stood there stays.
    """
    try:
        for _ in writing(path, chunks, check=partial(_let_read, mode=mode)):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def _let_read(aside: Path, *, mode: int) -> None:
    set_mode(aside, mode)


def append_to(path: Path, chunks: Iterable[bytes]) -> None:
    """
    Add to a file that others write to as well; one that is not there is made, mode 0600.

    Raises:
        UsageError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor has no Path
            file.writelines(chunks)
    except OSError as error:
        raise _unwritable(path, error) from None


def _put(aside: Path, path: Path) -> None:
    """Give the file its name; one that has come there meanwhile stays."""
    try:
        # Unlike a move, a second name never takes another file's place.
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        raise _exists(path) from None
    except (OSError, NotImplementedError):  # some volumes have no second names: a move has to do
        refuse_existing(path)
        aside.rename(path)


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} exists already, and what a person filled in is never overwritten",
        hint="Name a new file, or move that one away.",
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    if isinstance(error, FileNotFoundError):
        return UsageError(
            f"{path} cannot be written: there is no folder {path.parent}",
            hint="Make the folder first, or name a file in one that is there.",
        )
    why = error.strerror or str(error)
    return UsageError(f"{path} cannot be written: {why}", hint="Name a file in another folder.")
