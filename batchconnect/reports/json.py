"""
The run and its rows for programs: `summary.json` and `results.jsonl`, typed and exact.

Their keys are fixed by the JSON Schemas in `schemas/`, which are part of the package.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import orjson

from batchconnect.model.outcome import Works
from batchconnect.model.report_columns import RESULT_COLUMNS
from batchconnect.reports.columns import cells_of, columns_of, iso, values_of
from batchconnect.reports.fan_out import batches
from batchconnect.reports.incident import Incident
from batchconnect.reports.lanes import LaneSummary
from batchconnect.reports.summary import Summary

SUMMARY_SCHEMA = "urn:batchconnect:schema:summary:1"
"""The value of `schema` in `summary.json`, and the `$id` of its JSON Schema."""


def render(summary: Summary) -> Iterator[bytes]:
    """`results.jsonl`: one object per input row, in input order; each chunk holds whole lines."""
    carried = columns_of(summary.carried, (*RESULT_COLUMNS, "warnings"))
    names, width = (*RESULT_COLUMNS, "warnings", *carried), len(carried)
    for batch in batches(summary.rows()):
        # orjson refuses lone surrogates; what the ledger gave back has none.
        yield b"".join(
            orjson.dumps(
                dict(
                    zip(
                        names,
                        (*values_of(result), result.warnings, *cells_of(result, width)),
                        strict=True,
                    )
                ),
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for result in batch
        )


def render_summary(summary: Summary) -> Iterator[bytes]:
    """`summary.json`, indented for people."""
    text = json.dumps(summary_document(summary), ensure_ascii=False, allow_nan=False, indent=2)
    # A path may hold bytes that are no UTF-8, as lone surrogates; `\udcXX` is their JSON escape.
    yield f"{text}\n".encode("utf-8", "backslashreplace")


def summary_document(summary: Summary) -> dict[str, Any]:
    """The run as a JSON object, with the keys of `summary.json` in their order."""
    opened, sweep = summary.opened, summary.sweep
    return {
        "schema": SUMMARY_SCHEMA,
        "tool_version": opened.tool_version,
        "run_id": opened.run_id,
        "command": opened.command,
        "parent_run_id": opened.parent_run_id,
        "simulated": opened.simulated,
        "sheet": ", ".join(opened.places.known),
        "sheets": [{"sheet": name, "worksheet": tab or None} for name, tab in opened.places.named],
        "sheet_sha256": opened.sheet_sha256,
        "note": opened.note,
        "operator": opened.operator,
        "machine": opened.machine,
        "platform_host": opened.platform_host,
        "ledger": summary.ledger,
        "started_at": iso(summary.started_at_ms),
        "finished_at": iso(summary.finished_at_ms),
        "duration_s": summary.duration_s,
        "rows": summary.total,
        "counts": {status.value: count for status, count in summary.counts.items()},
        "works": {works.value: summary.works.get(works, 0) for works in Works},
        "works_changed": {"no_more": summary.stopped_working, "again": summary.works_again},
        "keys_ending": summary.keys_ending,
        "exit_code": None if summary.exit_code is None else int(summary.exit_code),
        "requests": {
            "sent": summary.requests.sent,
            "created": summary.requests.created,
            "throttled": summary.requests.throttled,
            "retried": summary.requests.retried,
            "in_doubt": summary.requests.in_doubt,
        },
        "settle_s": opened.settle_s,
        "lanes": [_lane(lane) for lane in summary.lanes],
        "incidents": [_incident(incident) for incident in summary.incidents],
        "sweep": sweep
        and {
            "expected": sweep.expected,
            "found": sweep.found,
            "duplicated": list(sweep.duplicated),
            # A listing failed: then nobody knows what is missing.
            "missing": list(sweep.missing) if sweep.complete else None,
            "wrong_id": list(sweep.wrong_id),
        },
        "files": dict(summary.files),
        "carried_over": {status.value: n for status, n in summary.carried_over.items()},
        "since": summary.since
        and {
            "run_id": summary.since.run_id,
            "new": summary.since.new,
            "still_failing": summary.since.still_failing,
            "fixed": summary.since.fixed,
        },
    }


def schema(name: str) -> dict[str, Any]:
    """
    One of the package's JSON Schemas.

    Args:
        name: `summary`, or `result` for a line of `results.jsonl`.
    """
    text = files(__package__).joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _lane(lane: LaneSummary) -> dict[str, Any]:
    return {
        "org": lane.org,
        "host": lane.host,
        "sent": lane.sent,
        "created": lane.created,
        "throttled": lane.throttled,
        "paused_s": lane.paused_s,
        "rate_max": lane.rate_max,
        "rate_last": lane.rate_last,
    }


def _incident(incident: Incident) -> dict[str, Any]:
    fault = incident.fault
    return {
        "code": incident.code,
        "title": incident.title,
        "org": incident.org,
        "sandbox": incident.sandbox,
        "rows": incident.rows,
        "first_row": incident.first_row,
        "first": incident.first or None,
        "hint": incident.hint,
        "works": incident.works and incident.works.value,
        "fault": fault
        and {
            "version": incident.version,
            "type": fault.type,
            "place": fault.place,
            "trace": list(fault.trace),
        },
    }
