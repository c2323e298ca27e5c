"""
The rows as `results.csv` and `failed.csv`, for spreadsheets.

UTF-8 with BOM, since Excel takes anything else for the local code page. A cell that a spreadsheet would
run as a formula gets a leading `'`; everything else stays exactly as it is, properly quoted.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.report_columns import FAILED_COLUMNS, PLACE_COLUMNS, RESULT_COLUMNS
from batchconnect.reports.advice import placing
from batchconnect.reports.columns import Fact, cells_of, columns_of, sheet_cells_of, values_of
from batchconnect.reports.fan_out import batches
from batchconnect.reports.result import Result, is_unfinished, what_is_wrong
from batchconnect.reports.summary import Summary

BOM = codecs.BOM_UTF8
"""What a file of text begins with, so that Excel reads it as UTF-8."""

# A cell that begins like one of ours gets one more `'`: taking one off gives each cell back.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_FORMULAS = re.compile(r"\0['=+\-@\t\r]")
"""In cells that are joined, each behind a `\\0`."""
_QUOTE = '"'
_QUOTED = re.compile(r"''*[=+\-@\t\r]")

_RECONCILED = RESULT_COLUMNS.index("reconciled")


def render(summary: Summary) -> Iterator[bytes]:
    """`results.csv`: one record per input row, in input order; each chunk holds whole records."""
    header = [*RESULT_COLUMNS, *columns_of(summary.carried, RESULT_COLUMNS)]
    width = len(summary.carried)
    yield BOM + lines([header])
    for batch in batches(summary.rows()):
        columns = _columns_of([(*values_of(result), *cells_of(result, width)) for result in batch])
        yield _lines_of(columns)


def render_failed(summary: Summary) -> Iterator[bytes]:
    """`failed.csv`: the rows that a person has to look at, as the sheet has them but for the secret."""
    columns = _sheet_order(summary)
    places = PLACE_COLUMNS if summary.opened.places.are_several else ()
    carried = columns_of(summary.carried, (*Column, *FAILED_COLUMNS, *places))
    header = [column if isinstance(column, str) else carried[column] for column in columns]
    width, advice = len(carried), placing(summary.place_flags)
    yield BOM + lines([[*header, *FAILED_COLUMNS, *places]])
    for batch in batches(summary.rows()):
        yield lines(
            [
                [
                    *_failed(result, columns, cells_of(result, width), advice),
                    *_place_of(result)[: len(places)],
                ]
                for result in batch
                if is_unfinished(result)
            ]
        )


def _place_of(result: Result) -> Sequence[str]:
    """Where a row stands of a run over several sheets."""
    return result.sheet, result.worksheet, str(result.row)


def quote_formula(text: str) -> str:
    """Put a `'` before what a spreadsheet would run; `unquote_formula` gives the text back."""
    return f"'{text}" if _FORMULA.match(text) else text


def unquote_formula(text: str) -> str:
    """Take off what `quote_formula` put before a cell."""
    return text[1:] if _QUOTED.match(text) else text


def _columns_of(records: Iterable[Sequence[Fact]]) -> list[Sequence[Fact]]:
    """The columns of records; numbers stay what they are: they are spelled as we would, and no formula is one."""
    columns: list[Sequence[Fact]] = list(zip(*records, strict=True))
    columns[_RECONCILED] = ["true" if fact else "false" for fact in columns[_RECONCILED]]
    return columns


def _sheet_order(summary: Summary) -> Sequence[Column | int]:
    """
    The input columns in the sheet's order, carried ones as their index.

    The ledger keeps the places of the known columns; the carried ones fill the places between them.
    """
    places = summary.opened.columns
    carried = range(len(summary.carried))
    if places is None:
        return [*SHOWN_COLUMNS, *carried]
    taken = {place: Column(name) for name, place in places.items()}
    rest = iter(carried)
    order: list[Column | int] = []
    for place in range(max(taken, default=-1) + 1):
        order += [taken[place]] if place in taken else islice(rest, 1)
    return [one for one in (*order, *rest) if isinstance(one, int) or not one.info.is_secret]


def _failed(
    result: Result,
    columns: Sequence[Column | int],
    carried: Sequence[str],
    advice: Callable[[str], str],
) -> list[str]:
    known = sheet_cells_of(result)
    cells = [known[one] if isinstance(one, Column) else carried[one] for one in columns]
    hint = advice(result.hint)
    return [*cells, result.status, what_is_wrong(result), result.error_column or "", hint]


def lines(records: Iterable[Sequence[Fact]]) -> bytes:
    """Records of one length as CSV, with formulas quoted and CR LF behind each."""
    return _lines_of(list(zip(*records, strict=True)))


def _lines_of(columns: Sequence[Sequence[Fact]]) -> bytes:
    """
    As `lines`, column by column: most hold the same in every record of a step, or nothing.

    Python's own writer looks at each character, which took 8 us a record.
    """
    records = map(",".join, zip(*map(_spelled, columns), strict=True))
    text = "".join([f"{record}\r\n" for record in records])
    return text.encode("utf-8", "backslashreplace")


def _spelled(column: Sequence[Fact]) -> Sequence[str]:
    """The cells of a column as they stand in the file."""
    if column.count(None) == len(column):
        return ("",) * len(column)
    texts = ["" if fact is None else str(fact) for fact in column]
    joined = "\0".join(("", *texts))
    if "," in joined or '"' in joined or "\n" in joined or "\r" in joined:
        return [_quoted(quote_formula(text)) for text in texts]
    return list(map(quote_formula, texts)) if _FORMULAS.search(joined) else texts


def _quoted(text: str) -> str:
    """In quotes, where what it holds would end it."""
    is_odd = "," in text or '"' in text or "\n" in text or "\r" in text
    return f'"{text.replace(_QUOTE, 2 * _QUOTE)}"' if is_odd else text
