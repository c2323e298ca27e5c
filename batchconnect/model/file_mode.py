"""
Modes of files, where the volume has any.

Shares as CIFS and Azure Files refuse to set one, or take it and keep their own. What is written there is
as private as the share is, which is worth a warning and no reason to fail.
"""

import errno
import os
from pathlib import Path
from typing import Final

_NO_MODES: Final = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
)


def set_mode(place: Path | int, mode: int) -> bool:
    """
    Give a file or folder its mode.

    Args:
        place: Its path, or a descriptor of it.
        mode: As of `chmod`.

    Returns:
        Whether the volume let it be set.

    Raises:
        OSError: Something else is wrong: it is not there, the device fails.
    """
    try:
        os.chmod(place, mode)  # noqa: PTH101 - a descriptor has no Path
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise
        return False
    return True
