"""A file with one secret in it: read whole, or refused before anything blocks or leads elsewhere."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from batchconnect.model.errors import SettingsError
from batchconnect.model.secret import Secret

LARGEST_FILE: Final = 64 * 1024
"""Bytes."""
_FLAGS = (
    os.O_RDONLY
    # Windows has none of these; there `file:` works in the settings only (see `_open`).
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class ReferenceFileError(Exception):
    """A file that a reference names cannot be used; the text ends the sentence `the file ...`."""


def read_secret_file(path: Path, *, setting: str) -> Secret:
    """
    The secret in a file that the operator's own settings name.

    Args:
        path: Symbolic links are followed.
        setting: How the setting or variable is called, for the message.

    Raises:
        SettingsError: The file cannot be used.
    """
    told = f"the file that it names ({len(str(path))} characters)"
    try:
        # A broken link or a loop fails in `open` below with the system's own reason.
        with suppress(OSError, RuntimeError, ValueError):
            path = path.resolve()
        descriptor = _open(path)
        # It is there, so its path is no secret in a path's place.
        told = f"the file {path}"
        secret = _read(descriptor)
    except ReferenceFileError as refusal:
        raise SettingsError(
            f"{setting}: {told} {refusal}",
            hint="Name a text file in UTF-8 with the secret alone in it.",
        ) from None
    if not secret:
        raise SettingsError(f"{setting}: the file {path} is empty", hint="Put the secret into it.")
    return secret


def read_below(folder: Path, path: str) -> Secret:
    """
    The secret in a file that a sheet names.

    Args:
        folder: Below which it has to lie, wherever links lead.
        path: Relative to it.

    Raises:
        ReferenceFileError: It cannot be used.
    """
    try:
        root = folder.resolve(strict=True)
        target = (root / path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise ReferenceFileError("does not exist or cannot be reached") from None
    if not target.is_relative_to(root) or target == root:
        raise ReferenceFileError("does not lie below the folder of `--refs-dir`")
    # The resolved way holds no link. Walking it folder by folder, each opened without following
    # one, keeps it so even where somebody swaps a folder for a link in the meantime.
    parent = _open(root)
    try:
        for part in target.relative_to(root).parts:
            step = _open(part, parent)
            os.close(parent)
            parent = step
    except ReferenceFileError:
        os.close(parent)
        raise
    return _read(parent)


def _open(path: str | Path, folder: int | None = None) -> int:
    try:
        return os.open(path, _FLAGS, dir_fd=folder)
    except OSError as reason:
        raise ReferenceFileError(f"cannot be opened ({reason.strerror})") from None
    except NotImplementedError:
        raise ReferenceFileError("cannot be opened safely on this system") from None
    except ValueError:
        raise ReferenceFileError("has a name that no file can have") from None


def _read(descriptor: int) -> Secret:
    # What is refused here:
    #
    # 1. not a file (a folder, a pipe, a device): it might block or never end
    # 2. larger than the cap: not a secret
    # 3. not UTF-8, or with a byte order mark: what would be sent is not what an editor shows
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ReferenceFileError("is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as reason:
        raise ReferenceFileError(f"cannot be read ({reason.strerror})") from None
    finally:
        os.close(descriptor)
    if len(raw) > LARGEST_FILE:
        raise ReferenceFileError(f"is larger than {LARGEST_FILE} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ReferenceFileError("is not UTF-8 text") from None
    if text.startswith("\ufeff"):
        raise ReferenceFileError("begins with a byte order mark; save it as UTF-8 without it")
    return Secret(text[: -len("\r\n")] if text.endswith("\r\n") else text.removesuffix("\n"))
