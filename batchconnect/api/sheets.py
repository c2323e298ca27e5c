"""What a program hands over as a sheet: a path, rows as mappings, or a frame."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

from batchconnect.model.errors import SheetError, UsageError
from batchconnect.options import MergedOptions
from batchconnect.run.opening.open_by_options import open_by
from batchconnect.run.opening.sheet_name import check_rows
from batchconnect.sheet import MemorySheet, Sheet, renamed_by

if TYPE_CHECKING:
    import pandas as pd

Rows = Iterable[Mapping[str, object]]
SheetLike = Union[
    str, "os.PathLike[str]", Sequence[str], Sequence["os.PathLike[str]"], Rows, "pd.DataFrame"
]
"""
A path, or several, whose sheets make one; rows as mappings, whose keys are matched as headers are; or a DataFrame of texts.

Of a frame, named levels of its index are columns as well.
"""


def paths_of(sheet: SheetLike) -> tuple[str, ...]:
    """The files that a sheet names; none where it is rows."""
    if isinstance(sheet, str | os.PathLike):
        return (os.fspath(sheet),)
    if not isinstance(sheet, list | tuple):
        return ()
    return tuple(os.fspath(one) for one in sheet if isinstance(one, str | os.PathLike))


@contextmanager
def opened(sheet: SheetLike, options: MergedOptions) -> Iterator[Sheet]:
    """
    A sheet, open for as long as it is read.

    Args:
        sheet: As it was handed over.
        options: How it is read.

    Raises:
        UsageError: It is nothing that a sheet may be.
        SheetError: It cannot be used, or its file's name holds a key.
    """
    if isinstance(sheet, str | os.PathLike):
        sheet = (os.fspath(sheet),)
    given: Any = sheet
    if isinstance(given, list | tuple) and given and isinstance(given[0], str | os.PathLike):
        if not all(isinstance(one, str | os.PathLike) for one in given):
            raise UsageError("paths and rows in one list", hint="Give a list of one or the other.")
        with _files([os.fspath(one) for one in given], options) as found:
            yield found
        return
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise UsageError(
            f"a sheet cannot be a {type(given).__name__}",
            hint="Give a path, a list of mappings from header to cell, or a DataFrame.",
        )
    rows = MemorySheet(given, renamed=renamed_by(options.map))
    try:
        yield rows
    finally:
        rows.close()


@contextmanager
def _files(paths: Sequence[str], options: MergedOptions) -> Iterator[Sheet]:
    found = open_by(options, paths)
    try:
        if found.warnings:
            check_rows(found)
        yield found
    except SheetError:
        check_rows(found)  # the error names it
        raise
    finally:
        found.close()
