"""What a program hands over as a sheet: a path, rows as mappings, or a frame."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

from batchconnect.model.errors import SheetError, UsageError
from batchconnect.options import MergedOptions
from batchconnect.run.sheet_name import check_name, check_rows
from batchconnect.sheet import HiddenRows, MemorySheet, Sheet, open_sheet

if TYPE_CHECKING:
    import pandas as pd

Rows = Iterable[Mapping[str, object]]
SheetLike = Union[str, "os.PathLike[str]", Rows, "pd.DataFrame"]
"""
A path; rows as mappings, whose keys are matched as headers are; or a DataFrame of texts.

Of a frame, named levels of its index are columns as well.
"""


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
        with _file(os.fspath(sheet), options) as found:
            yield found
        return
    given: Any = sheet
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise UsageError(
            f"a sheet cannot be a {type(given).__name__}",
            hint="Give a path, a list of mappings from header to cell, or a DataFrame.",
        )
    rows = MemorySheet(given)
    try:
        yield rows
    finally:
        rows.close()


@contextmanager
def _file(path: str, options: MergedOptions) -> Iterator[Sheet]:
    check_name(path)
    found = open_sheet(
        path,
        worksheet=options.worksheet,
        encoding=options.encoding,
        hidden=HiddenRows.of(visible_only=options.visible_only, strict=options.strict),
    )
    try:
        if found.warnings:
            check_rows(found)
        yield found
    except SheetError:
        check_rows(found)  # the error names it
        raise
    finally:
        found.close()
