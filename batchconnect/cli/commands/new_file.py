"""Files that a command makes for a person: new ones only, for their owner's eyes, whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path

from batchconnect.model.errors import UsageError


def refuse_existing(path: Path) -> None:
    """
    See that nothing stands at a path yet.

    Raises:
        UsageError: Something does.
    """
    if os.path.lexists(path):
        raise _exists(path)


def write_new(path: Path, chunks: Iterable[bytes]) -> None:
    """
    Write a new file, mode 0600.

    Raises:
        UsageError: It exists already, or cannot be written; nothing is left of it then.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(chunks)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(path, error) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} exists already, and what a person filled in is never overwritten",
        hint="Name a new file, or move that one away.",
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    why = error.strerror or str(error)
    return UsageError(f"{path} cannot be written: {why}", hint="Name a file in another folder.")
