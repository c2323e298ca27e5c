"""What every result shows of itself: a line, a table in a notebook, a frame, and an error where that is wanted."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from batchconnect.model.errors import ExitCode, UnfinishedError
from batchconnect.model.escape import escape_control

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS: Final = 20
"""Lines of a table in a notebook; `to_pandas` has all."""
_AS_ASKED: Final = frozenset({ExitCode.OK, ExitCode.AS_ASKED})


class Shown:
    """A result of a call."""

    __slots__ = ()

    exit_code: int

    @abstractmethod
    def _line(self) -> str:
        """The result in one line."""

    @abstractmethod
    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """What a person has to look at: the heads of its columns, and its lines."""

    @abstractmethod
    def to_pandas(self) -> "pd.DataFrame":
        """All of it as a frame."""

    def raise_for_failures(self) -> Self:
        """
        Raise where not everything is as it was asked for: where the exit code is neither 0 nor 8.

        Returns:
            The result itself, so that the call may stand behind another.

        Raises:
            UnfinishedError: Something is left to do; it has the exit code.
        """
        if self.exit_code in _AS_ASKED:
            return self
        raise UnfinishedError(self._line(), hint=self._where(), exit_code=self.exit_code)

    def _where(self) -> str | None:
        """What to do next."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {escape_control(self._line())}>"

    def _repr_html_(self) -> str:
        heads, rows = self._table()
        lines = iter(rows)
        shown = list(islice(lines, _MOST_ROWS))
        more = sum(1 for _ in lines)
        parts = [f"<p>{escape(repr(self)[1:-1])}</p>"]
        if shown:
            parts += [
                "<table><thead><tr>",
                *(f"<th>{escape(head)}</th>" for head in heads),
                "</tr></thead><tbody>",
                *(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown),
                "</tbody></table>",
            ]
        if more:
            parts.append(f"<p>and {more:,} more: to_pandas() has all</p>")
        return "".join(parts)


def _cell(value: object) -> str:
    return f"<td>{escape(escape_control('' if value is None else str(value)))}</td>"


def frame(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Iterable[str] = ()
) -> "pd.DataFrame":
    """
    A frame of these rows.

    Args:
        columns: Their names, each once.
        rows: Their values; None is missing.
        whole: Columns of whole numbers: one that is missing makes no 201.0 of a 201.
    """
    import pandas as pd  # noqa: PLC0415 - whoever asks for no frame pays for none

    found = pd.DataFrame(list(map(tuple, rows)), columns=list(columns))
    types: Any = dict.fromkeys(whole, "Int64")
    return found.astype(types)


def counted(counts: Iterable[tuple[object, int]]) -> str:
    """Numbers in words, those that are 0 left out: `58 created, 2 failed`."""
    return ", ".join(f"{count} {word}" for word, count in counts if count)
