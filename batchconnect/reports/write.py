"""
Files of a run reach the disk whole or not at all, and for their owner's eyes only.

Each is written beside its place under a name of its own, made durable, then moved: a crash or a full
disk leaves the file before, never half a file. A link planted in the folder is replaced, not followed.
"""

import codecs
import errno
import os
import re
import secrets
import stat
import sys
import time
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path

from batchconnect.model.errors import BatchConnectError
from batchconnect.model.file_mode import set_mode

if sys.platform != "win32":  # pragma: no branch - there a part is known to be left by its age alone
    import fcntl

LATEST = "latest"
_PART = re.compile(r"\..+\.[0-9a-f]{16}")
"""The name of a part: a file's own, hidden, and what `_aside` puts behind it."""
_LONGEST_WRITE_S = 3600.0
"""Seconds after which nobody is still writing a part."""
_UNTIL_HELD_S = 1.0
"""Seconds within which a part is surely held by whoever made it."""
FULL = frozenset({os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)})
"""What the system says of a full disk, or of a quota that is used up."""
_PIECE = 1 << 20
"""Bytes of an unpacked part that are looked at together."""


class ReportError(BatchConnectError):
    """
    A report could not be written; the others were.

    Args:
        failed: The files and why each could not be written.
        written: The files that stand.
    """

    def __init__(self, failed: Mapping[Path, str], written: Mapping[str, Path]) -> None:
        is_full = not FULL.isdisjoint(failed.values())
        first = "Free disk space or name" if is_full else "Name"
        super().__init__(
            "; ".join(f"{path} could not be written: {why}" for path, why in failed.items()),
            hint=f"{first} another folder with --reports, then run `batchconnect report`:"
            " the ledger has everything.",
        )
        self.failed = dict(failed)
        self.written = dict(written)


def try_folder(folder: Path) -> str | None:
    """
    Do all that a report does in a folder, before anything depends on it: make, write, sync, move.

    Returns:
        A warning where the volume keeps no modes, so that others may read what is written there.

    Raises:
        OSError: One of it cannot be done.
    """
    make_folder(folder)
    probe = folder / f".try.{secrets.token_hex(8)}"
    try:
        write_file(probe, [b"batchconnect tries whether it can write here\n"])
        is_private = set_mode(probe, 0o600) and not probe.stat().st_mode & 0o077
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    if is_private or os.name != "posix":
        return None
    return (
        f"{folder}: the volume keeps no modes of files, so whoever may read the volume may read what is"
        " written there; for a private place name another with --reports, or --ledger"
    )


def make_folder(folder: Path) -> None:
    """
    Make a folder, and those above it that are missing, for the owner alone.

    Raises:
        OSError: It cannot be made, or is a link.
    """
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise OSError("it is a symbolic link")


def remove_left_parts(folder: Path) -> None:
    """
    Remove what a process that was killed left half written, in a run's folder and of `latest` beside it.

    A part is known by its name. Who writes one holds its lock, which dies with its process; of a link, and
    where files have no locks, its age says that nobody is at work on it any more.
    """
    with suppress(OSError):
        beside = [one for one in folder.parent.iterdir() if one.name.startswith(f".{LATEST}.")]
        for part in (*folder.iterdir(), *beside):
            if _PART.fullmatch(part.name) and _is_left(part):
                with suppress(OSError):
                    part.unlink()


def _is_left(part: Path) -> bool:
    try:
        status = part.lstat()
        age_s = time.time() - status.st_mtime
        if sys.platform == "win32" or not stat.S_ISREG(status.st_mode):
            return age_s > _LONGEST_WRITE_S
        if age_s < _UNTIL_HELD_S:
            return False
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return age_s > _LONGEST_WRITE_S
    finally:
        os.close(descriptor)
    return True


def _hold(descriptor: int) -> None:
    """Show others that the file is being written; not every file system has locks."""
    if sys.platform != "win32":  # pragma: no branch
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def write_file(path: Path, chunks: Iterable[bytes]) -> None:
    """
    Write a file whole, mode 0600; the one before stands until then.

    Raises:
        OSError: The disk is full or fails; nothing of the new file is left.
    """
    for _ in writing(path, chunks):
        pass


def writing(
    path: Path, chunks: Iterable[bytes], *, check: Callable[[Path], None] | None = None
) -> Generator[None]:
    """
    Write a file as `write_file` does, a chunk at each step; closed before the last, it leaves nothing.

    Args:
        path: Its place.
        chunks: Its bytes.
        check: Looks at the finished file before it takes its place; what it raises leaves the one before.

    Raises:
        OSError: The disk is full or fails; nothing of the new file is left.
    """
    with _aside(path) as aside:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(aside, flags | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:  # noqa: PTH123 - a descriptor has no Path
            _hold(file.fileno())
            for chunk in chunks:
                file.write(chunk)
                yield
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(aside)
    sync_folder(path.parent)


def redacted(chunks: Iterable[bytes], redact: Callable[[str], str]) -> Iterator[bytes]:
    """Pass each chunk through the last line of defence; a chunk holds whole lines."""
    for chunk in chunks:
        yield redact(chunk.decode()).encode()


def search_packed(path: Path, redact: Callable[[str], str]) -> None:
    """
    Look at every part of a zipped file as it is unpacked: in its bytes nothing could be found.

    Raises:
        OSError: A part holds a live secret, so that the file must not stand.
    """
    with zipfile.ZipFile(path) as packed:
        for part in packed.namelist():
            with packed.open(part) as file:
                rest = ""
                texts = codecs.iterdecode(iter(partial(file.read, _PIECE), b""), "utf-8")
                for text in chain(texts, [">"]):
                    # Texts of XML hold no `>` of their own: none is cut in two behind one.
                    whole, end, rest = (rest + text).rpartition(">")
                    if redact(whole + end) != whole + end:
                        raise OSError("it would hold a secret")


def point_latest(folder: Path) -> None:
    """
    Let `latest` beside a run's folder lead to it, unless it leads to a newer run already.

    Where the platform has no links for us, the file `latest.txt` holds the folder's name.

    Raises:
        OSError: Neither can be made.
    """
    link = folder.parent / LATEST
    if _is_newer(link, folder.name):
        return
    try:
        with _aside(link) as aside:
            aside.symlink_to(folder.name, target_is_directory=True)
    except (OSError, NotImplementedError):
        write_file(link.with_suffix(".txt"), [f"{folder.name}\n".encode()])
    else:
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make a move within a folder durable; Windows has no way to ask for it, and does not need it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some shares sync files alone.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}:
            raise
    finally:
        os.close(descriptor)


def _is_newer(link: Path, name: str) -> bool:
    """Run ids begin with their time, so that their order is the runs' order."""
    if not link.is_symlink():
        return False
    now = link.readlink().name
    return now > name and link.is_dir()


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield aside
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
