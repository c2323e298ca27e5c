"""The sheets of a command, opened as its options say: for a terminal and from Python alike."""

from collections.abc import Sequence
from pathlib import Path

from batchconnect.options import MergedOptions
from batchconnect.run.opening.sheet_name import check_name
from batchconnect.sheet import HiddenRows, Sheet, open_sheets


def open_by(options: MergedOptions, paths: Sequence[str | Path]) -> Sheet:
    """
    Open sheets as one.

    Args:
        options: How they are read: tabs, encoding, hidden rows, what headers mean.
        paths: At least one; or `-` alone.

    Raises:
        SheetError: One cannot be used, or its name holds a key.
        UsageError: An option that cannot be meant, or a file that is named twice.
    """
    for path in paths:
        check_name(str(path))
    return open_sheets(
        paths,
        worksheets=tuple(options.worksheet),
        every_worksheet=options.all_worksheets,
        encoding=options.encoding,
        hidden=HiddenRows.of(visible_only=options.visible_only, strict=options.strict),
        renamed=tuple(options.map),
    )
