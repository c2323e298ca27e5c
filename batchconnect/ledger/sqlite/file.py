"""
The ledger as a file: who may use it now, and whether it lies in a good place.

The lock is the operating system's (`flock` on a file beside the ledger), so it dies with its process
and needs no cleaning up after a crash.
"""

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from batchconnect.model.errors import LedgerError, LedgerGoneError, LedgerInUseError
from batchconnect.model.file_mode import set_mode

if sys.platform != "win32":  # pragma: no branch - there SQLite's own lock has to do
    import fcntl

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "9p", "afs"}
)
_AN_INSTANT_S = 0.05
_LONGEST_TOLD = 4096
"""Bytes of the lock's file that are read: who holds it."""
_SYNCED_FOLDERS = (
    "dropbox",
    "onedrive",
    "icloud",
    "google drive",
    "googledrive",
    "box sync",
    "nextcloud",
    # macOS: iCloud Drive is `~/Library/Mobile Documents`, everything else `~/Library/CloudStorage`.
    "mobile documents",
    "cloudstorage",
)


class HeldFile:
    """
    A file that this process relies on, and whether it is still what its path leads to.

    Args:
        path: Where it is.
        is_same: Where the path leads to another device or inode: whether that is the same file all the
            same, by what is read from it. Some mounts number their files anew.
    """

    def __init__(self, path: Path, is_same: Callable[[], bool]) -> None:
        self._path = os.fspath(path)
        self._is_same = is_same
        self._identity = _identity(path.stat())

    def check(self) -> None:
        """
        Look again.

        Raises:
            LedgerGoneError: It was removed, moved, or replaced.
        """
        try:
            now = _identity(os.stat(self._path))  # noqa: PTH116 - asked before every group of intents
        except OSError as error:
            raise self._gone(error.strerror or "it cannot be looked at") from None
        if now != self._identity and not self._is_same():
            raise self._gone("another file is there")

    def _gone(self, why: str) -> LedgerGoneError:
        return LedgerGoneError(
            f"{self._path} was removed, moved or replaced during the run ({why})",
            hint="Nothing more was sent. Put the folder back as it was, then give the same command again; "
            "where that cannot be, wait the settle window before a new ledger begins.",
        )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@contextmanager
def locked(ledger: Path, *, about: dict[str, str]) -> Iterator[HeldFile]:
    """
    Hold the ledger's lock.

    Yields:
        The lock's file, to be looked at again while it is relied on.

    Args:
        ledger: The ledger's path; the lock is a file of the same name plus `.lock`.
        about: Who holds it, for the message that the second process gets.

    Raises:
        LedgerInUseError: Another process holds it; at once, without waiting.
        LedgerError: The lock's file cannot be made, or locked.
    """
    path = ledger.with_name(ledger.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise LedgerError(
            f"the ledger's lock {path} cannot be made: {error.strerror}",
            hint="Name a ledger in a folder that you may write, with --ledger.",
        ) from None
    try:
        _take(descriptor, ledger)
        # A courtesy to others: on a full disk the lock holds without it.
        with suppress(OSError):
            told = json.dumps({"pid": os.getpid(), **about}, ensure_ascii=False)
            os.ftruncate(descriptor, 0)
            # A file's name may hold what is no text: then a `?` stands for it.
            os.pwrite(descriptor, told.encode(errors="replace"), 0)
        yield HeldFile(path, lambda: _reads_alike(path, descriptor))
    finally:
        os.close(descriptor)


def _reads_alike(path: Path, descriptor: int) -> bool:
    """Whether a path leads to what a descriptor has; who holds the lock stands in it."""
    try:
        return path.read_bytes() == os.pread(descriptor, _LONGEST_TOLD, 0) != b""
    except OSError:
        return False


def _take(descriptor: int, ledger: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Who only asks (`held_by`) has the lock for an instant, and is no run.
            time.sleep(_AN_INSTANT_S)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerInUseError(
            f"the ledger {ledger} is in use by {_holder(descriptor)}",
            hint="Wait until that run has ended. `batchconnect status` shows how far it is. On a team "
            "ledger, --ledger postgresql://..., both would work on it.",
        ) from None
    except OSError as error:
        raise LedgerError(
            f"the ledger {ledger} cannot be locked: {error.strerror}",
            hint="Not every network share has locks: name a local path with --ledger.",
        ) from None


def held_by(ledger: Path) -> Mapping[str, object] | None:
    """
    Who holds the ledger's lock now, by what it told of itself; asking takes nothing away from it.

    Returns:
        As `locked` was given it, empty where it told nothing; None: nobody holds it.
    """
    path = ledger.with_name(ledger.name + ".lock")
    if sys.platform == "win32" or not path.exists():
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Shared: two who ask at once do not see each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _told(descriptor)
    finally:
        os.close(descriptor)
    return None


def _told(descriptor: int) -> Mapping[str, object]:
    try:
        told = orjson.loads(os.pread(descriptor, _LONGEST_TOLD, 0))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _holder(descriptor: int) -> str:
    told = _told(descriptor)
    return ", ".join(f"{word} {value}" for word, value in told.items()) or "another process"


def make_or_check(path: Path, *, read_only: bool) -> None:
    """
    Make the ledger's file, private, or see that what stands there can be one.

    Raises:
        LedgerError: It is a symbolic link, no regular file, or (when reading) not there.
        OSError: The folder or file cannot be made or opened.
    """
    if path.is_symlink():
        raise LedgerError(
            f"the ledger {path} is a symbolic link",
            hint="Name the file itself: a link may lead two runs to one ledger under two locks.",
        )
    if read_only:
        if not path.is_file():
            raise LedgerError(
                f"there is no ledger at {path}",
                hint="Name it with --ledger, or its folder with --reports.",
            )
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LedgerError(
                f"the ledger {path} is not a regular file", hint="Name another with --ledger."
            )
    finally:
        os.close(descriptor)


def make_private(path: Path) -> None:
    """Let nobody else read a ledger, nor what SQLite keeps beside it, whatever its mode was."""
    # NOTE: by path. Closing a descriptor of the file would end the locks that SQLite holds on it.
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            set_mode(path.with_name(path.name + suffix), 0o600)


def place_warning(path: Path, mounts: str | None = None) -> str | None:
    """
    Say why a ledger lies in a bad place, if it does.

    Args:
        path: The ledger's path.
        mounts: The text of the mount table; None: this machine's own, where it has one.
    """
    place = path.absolute()
    for part in place.parts:
        if any(name in part.lower() for name in _SYNCED_FOLDERS):
            return (
                f"the ledger lies in a synced folder ({part}): a copy that comes back from the cloud "
                "may undo what was written; name a local path with --ledger"
            )
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    kind = _file_system(place, mounts)
    if kind in _NETWORK_FILE_SYSTEMS:
        return (
            f"the ledger lies on a network share ({kind}): locks and durable writes are not "
            "dependable there; name a local path with --ledger"
        )
    return None


def _file_system(place: Path, mounts: str) -> str:
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) > 2:  # noqa: PLR2004 - device, mount point, type
            point = Path(fields[1].replace("\\040", " "))
            # `>=`: of two mounts on one point the later one is seen (autofs, and nfs over it).
            if len(point.parts) >= best and place.is_relative_to(point):
                best, kind = len(point.parts), fields[2]
    return kind
