"""
The ledger as a file: who may use it now, and whether it lies in a good place.

The lock is the operating system's (`flock` on a file beside the ledger), so it dies with its process
and needs no cleaning up after a crash.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from batchconnect.errors import LedgerError, LedgerInUseError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where SQLite's own lock has to do
    fcntl = None  # type: ignore[assignment]  # the one platform difference, said in the README

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "9p", "afs"}
)
_SYNCED_FOLDERS = ("dropbox", "onedrive", "icloud", "google drive", "googledrive", "box sync")


@contextmanager
def locked(ledger: Path, *, about: dict[str, str]) -> Iterator[None]:
    """
    Hold the ledger's lock.

    Args:
        ledger: The ledger's path; the lock is a file of the same name plus `.lock`.
        about: Who holds it, for the message that the second process gets.

    Raises:
        LedgerInUseError: Another process holds it; at once, without waiting.
        LedgerError: The lock's file cannot be made.
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
        if fcntl is not None:
            _take(descriptor, ledger)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, orjson.dumps({"pid": os.getpid(), **about}), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, ledger: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise LedgerInUseError(
            f"the ledger {ledger} is in use by {_holder(descriptor)}",
            hint="Wait until that run has ended. `batchconnect status` shows how far it is.",
        ) from None


def _holder(descriptor: int) -> str:
    try:
        told = orjson.loads(os.pread(descriptor, 4096, 0))
        return ", ".join(f"{word} {value}" for word, value in told.items())
    except (OSError, ValueError, AttributeError):
        return "another process"


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
            raise LedgerError(f"the ledger {path} is not a regular file")
        # SQLite gives its companions (-wal, -shm) the mode of the file itself.
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


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
            if len(point.parts) > best and place.is_relative_to(point):
                best, kind = len(point.parts), fields[2]
    return kind
