"""
Looks at a zip's directory before anything is unpacked, so that a bomb is refused by what it declares.

A zip that lies about its sizes meets the limits of the process that unpacks it.
"""

import zipfile
from typing import IO

MOST_UNPACKED = 1 << 30
"""Bytes of all members together; a sheet of 500,000 rows has half of it."""
MOST_RATIO = 200
"""Unpacked to packed bytes of one member; deflate cannot exceed 1032, honest sheets stay below 100."""
RATIO_MATTERS_FROM = 50 << 20
"""Bytes; below it even the worst ratio does no harm."""
MOST_MEMBERS = 10_000


class UnsafeZipError(Exception):
    """A zip that would do harm; the text says why, for a person."""


def check_zip(file: IO[bytes]) -> None:
    """
    Refuse a zip bomb by its directory.

    Raises:
        UnsafeZipError: Its members are too many or too large.
        zipfile.BadZipFile: It is no zip.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise UnsafeZipError(f"it has {len(members):,} parts")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED:
        raise UnsafeZipError(f"it unpacks to {unpacked >> 20:,} MiB")
    for member in members:
        size = member.file_size
        if size > RATIO_MATTERS_FROM and size > MOST_RATIO * max(1, member.compress_size):
            raise UnsafeZipError(f"one part unpacks to {size >> 20:,} MiB of hardly anything")
