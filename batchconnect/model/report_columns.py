"""
The columns of our reports, since a person may feed a report back: a sheet's reader knows them too.

How each gets its value is told by `reports/columns.py`.
"""

from batchconnect.model.column import Column
from batchconnect.model.target import TARGET_COLUMNS

RESULT_COLUMNS: tuple[str, ...] = (
    "row",
    "status",
    Column.NAME.value,
    "connection_id",
    Column.ORG.value,
    Column.SANDBOX.value,
    *(column.value for column in TARGET_COLUMNS),
    "error_code",
    "error",
    "error_column",
    "http_status",
    "request_id",
    "attempts",
    "reconciled",
    "matched_by",
    "etag",
    "started_at",
    "finished_at",
    "duration_ms",
    "sheet",
    "worksheet",
    "connection_state",
    "works",
    "works_error",
    "tested_at",
    "etag_before",
    "key_reference",
    "key_version",
    "key_expires",
)
"""Of `results.csv`, in their order."""

FAILED_COLUMNS = ("status", "error", "column", "hint")
"""What `failed.csv` has behind the user's own columns."""

PLACE_COLUMNS = ("sheet", "worksheet", "row")
"""What `failed.csv` and the workbook have besides where a run has several sheets."""

WORKBOOK_COLUMNS = ("status", "works", "connection_id", "error", "hint")
"""What a workbook of ours adds behind the user's own columns."""

WORKBOOK_SIGN = frozenset({"status", "connection_id", "error", "hint"})
"""What a reader knows a workbook of ours by, those of earlier versions too; no CSV of ours has all of them."""

ABOUT_TAB = "about"
"""The tab of a workbook of ours that has no rows: what a reader has to know of the others."""

EXPORT_COLUMNS = (
    "state",
    "created_at",
    "updated_at",
    "connection_id",
    "marker",
    "from_org",
    "from_sandbox",
)
"""What `export` has behind the template's columns: a sheet carries them into its reports."""

USED_BY = "used_by"
"""What it has besides where it was counted who uses each connection."""

FORMULA_QUOTES = "formula_quotes"
"""The last column of an export in CSV: a reader knows by it that formulas are quoted there, as in our reports."""

REPORT_COLUMNS = frozenset(
    name
    for name in (*RESULT_COLUMNS, *FAILED_COLUMNS, *WORKBOOK_COLUMNS, FORMULA_QUOTES)
    if name not in set(Column)
)
"""What our reports add to a sheet."""
