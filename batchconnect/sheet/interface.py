"""What every kind of sheet offers: rows in the input's order, and each of them again by its place."""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from batchconnect.model.row import Header, Row
from batchconnect.sheet.block import Block


class Sheet(Protocol):
    """
    An open sheet.

    A row's secrets live only as long as the `Row`: a sheet that can read again (CSV) keeps none but in
    the few blocks that it reads ahead by place, 64 KiB of raw bytes at most.
    """

    @property
    def name(self) -> str:
        """For messages and reports: the path as given, with `#tab` for a workbook; `-` for stdin."""
        ...

    @property
    def sha256(self) -> str:
        """Hex digest of the input's bytes; a resume asks it whether the sheet is the same."""
        ...

    @property
    def header(self) -> Header:
        """Which position of the sheet holds which column."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line each: others may read the file, hidden tabs, dropped secret-like columns, ..."""
        ...

    @property
    def blank_rows(self) -> int:
        """Blank rows skipped so far; complete once `rows` has come to its end."""
        ...

    @property
    def template_rows(self) -> int:
        """Of the blank rows, those that are the template's own: nobody filled them in."""
        ...

    def rows(self) -> Iterator[Row]:
        """
        Every row that is not blank, in input order; may be asked for more than once.

        Raises:
            SheetError: A ragged row, an unterminated quote, a wrong encoding, with its place.
        """
        ...

    def blocks(self) -> Iterator[Block | Row]:
        """
        The same rows, in blocks where they were read so.

        Raises:
            SheetError: As of `rows`.
        """
        ...

    def at(self, offset: int) -> Row:
        """
        A row once more.

        Raises:
            SheetError: The file has changed since it was opened.
        """
        ...

    def leave_out(self, carried: Collection[int], *, warnings: Sequence[str]) -> None:
        """
        Read some of the carried columns no more, as if the sheet had none of them.

        Args:
            carried: Their places in `Header.carried`.
            warnings: Why, one line each; they stand behind the sheet's other warnings.
        """
        ...

    def close(self) -> None:
        """Let go of the input and of every cell."""
        ...
