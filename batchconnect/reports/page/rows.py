"""
The rows of the page's table as one inert JSON block.

A text that many rows share (an org, an endpoint, a hint) is written once, at the end, and rows hold its
number: that halves the page. Characters that steer a reader's eye or end a script are escapes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import orjson

from batchconnect.model.column import Column
from batchconnect.model.escape import escape_control
from batchconnect.model.target import TARGET_COLUMNS
from batchconnect.reports.advice import placing
from batchconnect.reports.columns import cells_of
from batchconnect.reports.result import Result, is_unfinished, what_is_wrong

MOST_ROWS: Final = 50_000
"""A page with more is slow to open; it holds the unfinished rows then, so many at most."""

_SHORT: Final = {Column.SERVICE_PRINCIPAL_ID: "principal"}
_TARGET: Final = tuple(_SHORT.get(column, column.value) for column in TARGET_COLUMNS)
FIELDS: Final = (
    "row",
    "status",
    "name",
    "connection",
    "org",
    "sandbox",
    *_TARGET,
    "description",
    "codes",
    "error",
    "hint",
    "column",
    "http",
    "request",
    "attempts",
    "match",
    "started",
    "duration",
    "state",
    "works",
    "tested",
    "since",
    "before",
    "steps",
    "warnings",
    "carried",
)
"""What stands where in a row; the script reads their names from the block."""

TEXTS: Final = frozenset(
    {
        "status", "org", "sandbox", *_TARGET, "description", "codes", "error", "hint", "column",
        "match", "state", "works", "since", "warnings", "carried",
    }
)  # fmt: skip
"""Fields that hold numbers of texts, or lists of such."""

_Field = int | str | list[int] | list[list[int]] | None

_PER_CHUNK = 500
_NO_TROUBLE: Final = (0, 0, 0, 0)
"""Numbers of the text that is none: no code, error, hint or column."""
_FOUND_BY_ASKING = "its marker, after the answer was lost"


def _numbers() -> defaultdict[str, int]:
    """Texts by number, in the order in which they come up; asking for a text is enough."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    numbers[""] = 0
    return numbers


def codes_of(result: Result) -> list[str]:
    """Every code that explains the row: a rejected one may have several, a test has its own."""
    if result.error_code is None and result.works_error is None and not result.problems:
        return []
    own = [code for code in (result.error_code, result.works_error) if code]
    errors = [problem.code for problem in result.problems] if is_unfinished(result) else []
    return list(dict.fromkeys([*own, *errors]))


class RowBlock:
    """
    Takes rows in the sheet's order, and writes the block.

    The written rows are kept, some 200 bytes each: that costs less than reading them a second time.

    Args:
        total: Rows of the run; with more than `MOST_ROWS`, only unfinished ones are taken.
        carried: Headers of the unknown columns.
        started_at_ms: The run's start, from which the rows' starts are counted.
        place: Options that stand behind each command which an advice names.
        are_several: Whether the run has several sheets: a row's number alone does not tell it then, and where it
            stands is the last of what it carries.
        is_live: The run is still at work: what a row would need is refused until it is through, and not said.
    """

    def __init__(
        self,
        *,
        total: int,
        carried: Sequence[str],
        started_at_ms: int,
        place: Sequence[str] = (),
        are_several: bool = False,
        is_live: bool = False,
    ) -> None:
        self._advice = placing(place)
        self._is_live = is_live
        self._is_whole = total <= MOST_ROWS
        self._width = len(carried)
        self._are_several = are_several
        own = ("sheet", "worksheet") if are_several else ()
        self._carried = list(map(escape_control, (*carried, *own)))
        self._started_at_ms = started_at_ms
        self._texts = _numbers()
        self._rows: list[bytes] = []

    def add(self, result: Result, codes: Sequence[str]) -> None:
        """Take the next row with its `codes_of`, unless the page is full."""
        if (self._is_whole or is_unfinished(result)) and len(self._rows) < MOST_ROWS:
            # A copy, for orjson leaves a text in the room that it was written in: some 8 KB of a row's 200 bytes.
            self._rows.append(bytes(memoryview(orjson.dumps(self._row(result, codes)))))

    def lines(self) -> Iterator[str]:
        """The block, in chunks of whole lines."""
        head = {
            "fields": FIELDS,
            "texted": sorted(TEXTS),
            "carried": self._carried,
            "started": self._started_at_ms,
            "several": self._are_several,
        }
        yield _inert_json([orjson.dumps(head)[:-1] + b',\n"rows":[\n'])
        yield from _listed(iter(self._rows))
        yield '],\n"texts":[\n'
        yield from _listed(orjson.dumps(escape_control(text)) for text in self._texts)
        yield "]}\n"

    def _row(self, result: Result, codes: Sequence[str]) -> list[_Field]:
        texts = self._texts
        cells = cells_of(result, self._width)
        if self._are_several:
            cells = (*cells, result.sheet, result.worksheet)
        started_at_ms = result.started_at_ms
        # Of most rows there is no more to tell than that they are done.
        has_trouble = codes or result.error or result.hint or result.error_column or result.works
        return [
            result.row,
            texts[result.status],
            escape_control(result.name),
            escape_control(result.connection_id or ""),
            texts[result.org],
            texts[result.sandbox],
            *[texts[part] for part in result.target],
            texts[result.description],
            *(self._trouble(result, codes) if has_trouble else _NO_TROUBLE),
            result.http_status,
            escape_control(result.request_id) if result.request_id else "",
            result.attempts,
            texts[_FOUND_BY_ASKING if result.reconciled else result.matched_by or ""],
            None if started_at_ms is None else started_at_ms - self._started_at_ms,
            result.duration_ms,
            texts[result.connection_state or ""],
            texts[result.works] if result.works else 0,
            self._since_start(result.tested_at_ms),
            texts[result.since] if result.since else 0,
            int(result.carried_over),
            self._steps(result) if result.steps else [],
            [texts[warning] for warning in result.warnings] if result.warnings else [],
            [texts[cell] for cell in cells] if cells else [],
        ]

    def _trouble(self, result: Result, codes: Sequence[str]) -> tuple[int, int, int, int]:
        """What keeps a row from being done, and what to do: `codes`, `error`, `hint`, `column`."""
        texts = self._texts
        return (
            texts[" ".join(codes)],
            texts[self._advice(what_is_wrong(result))],
            texts["" if self._is_live else self._advice(result.hint)],
            texts[result.error_column or ""],
        )

    def _steps(self, result: Result) -> list[list[int]]:
        texts = self._texts
        return [
            [
                step.at_ms - self._started_at_ms,
                texts[f"{step.what} ({step.code})" if step.code else step.what],
            ]
            for step in result.steps
        ]

    def _since_start(self, at_ms: int | None) -> int | None:
        return None if at_ms is None else at_ms - self._started_at_ms


def _listed(items: Iterator[bytes]) -> Iterator[str]:
    """Items of a JSON list, one a line."""
    comma = b""
    while batch := list(islice(items, _PER_CHUNK)):
        yield _inert_json([comma, b",\n".join(batch)])
        comma = b",\n"
    yield "\n"


def _inert_json(parts: Iterable[bytes]) -> str:
    """JSON that neither ends a script nor begins a comment in it, whatever it holds."""
    text = b"".join(parts).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
