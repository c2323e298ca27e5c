"""
The page's templates as Jinja compiled them, kept as Python keeps its own modules: beside them, in `__pycache__`.

To compile them takes a tenth of a short command. Who may write there may as well write what Python itself
would run; where we may not, or where Python is told to leave no bytecode, they are compiled at each start.
"""

import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import final

from jinja2.bccache import Bucket, BytecodeCache
from typing_extensions import override


@final
class Compiled(BytecodeCache):
    """
    Keeps what was compiled.

    Args:
        folder: That of the templates.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "__pycache__"
        # What another version of either made may not run with this one.
        self._ending = f"{sys.implementation.cache_tag}.jinja-{version('jinja2')}"

    @override
    def load_bytecode(self, bucket: Bucket) -> None:
        """Jinja holds it against the template's text, and compiles that anew where it has changed."""
        try:
            with self._path(bucket).open("rb") as file:
                bucket.load_bytecode(file)
        except Exception:  # noqa: BLE001 - there is none, or it is damaged in whatever way: it can be made again
            bucket.reset()

    @override
    def dump_bytecode(self, bucket: Bucket) -> None:
        """A file whole or not at all: another process may be at the same."""
        if sys.dont_write_bytecode:
            return
        path = self._path(bucket)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            aside.write_bytes(bucket.bytecode_to_string())
            aside.replace(path)

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{self._ending}"
