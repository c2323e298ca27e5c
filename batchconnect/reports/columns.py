"""The columns of a row's `Result` with their values, once for every format that shows the same rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from batchconnect.model.column import SHOWN_COLUMNS, Column
from batchconnect.model.report_columns import RESULT_COLUMNS
from batchconnect.reports.result import Result
from batchconnect.sheet.header_words import letters_of

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - its `Z` is written with the milliseconds


def columns_of(carried: Iterable[str], taken: Iterable[str]) -> list[str]:
    """
    Name the carried columns so that each name in a report is there once.

    A header that differs from ours only in case, spaces and signs bears our name, as in the sheet.

    Args:
        carried: Headers of the sheet's unknown columns.
        taken: Our own columns in that report.
    """
    own = {letters_of(name) for name in taken}
    seen: set[str] = set()
    names = []
    for header in carried:
        name = f"{header}_sheet" if letters_of(header) in own else header
        unique, number = name, 2
        while unique in seen:
            unique, number = f"{name}_{number}", number + 1
        seen.add(unique)
        names.append(unique)
    return names


def cells_of(result: Result, count: int) -> tuple[str, ...]:
    """The carried cells, exactly *count* of them; a sheet changed between runs may have had fewer."""
    carried = result.carried
    return carried if len(carried) == count else (carried + ("",) * count)[:count]


def iso(at_ms: int | None) -> str | None:
    """UTC, ISO 8601 with milliseconds, as `2026-11-23T16:15:30.123Z`."""
    if at_ms is None:
        return None
    second, ms = divmod(at_ms, 1000)
    return f"{_second(second)}.{ms:03}Z"


Fact = str | int | bool | None


def facts_of(result: Result) -> Mapping[str, Fact]:
    """The columns of `results.csv` by name, in their order, typed."""
    return dict(zip(RESULT_COLUMNS, values_of(result), strict=True))


def values_of(result: Result) -> tuple[Fact, ...]:
    """The values of the `RESULT_COLUMNS`, typed."""
    # One by one, for a million rows: got by their names from the table, they take three times as long.
    return (
        result.row,
        str(result.status),
        result.name,
        result.connection_id,
        result.org,
        result.sandbox,
        *result.target,
        result.error_code,
        result.error,
        result.error_column,
        result.http_status,
        result.request_id,
        result.attempts,
        result.reconciled,
        result.matched_by and str(result.matched_by),
        result.etag,
        iso(result.started_at_ms),
        iso(result.finished_at_ms),
        result.duration_ms,
        result.sheet or None,
        result.worksheet or None,
        result.connection_state,
        result.works and str(result.works),
        result.works_error,
        iso(result.tested_at_ms),
        result.etag_before,
        result.key_reference,
        result.key_version,
        iso(result.key_expires_ms),
    )


def sheet_cells_of(result: Result) -> dict[Column, str]:
    """The cells of the sheet's own columns, but for the secret."""
    texts = (result.name, result.description, *result.target, result.org, result.sandbox)
    return dict(zip(SHOWN_COLUMNS, texts, strict=True))


@lru_cache(maxsize=4096)
def _second(at_s: int) -> str:
    # Rows of one second share its text: two instants a row, four times as dear without it.
    return (_EPOCH + timedelta(seconds=at_s)).isoformat()
