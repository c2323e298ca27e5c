"""
A run as Prometheus' text format, for the textfile collector of a machine that runs it as a job.

Every file of a collector's folder is read together, and one series may stand in one file only: so each bears
the name of its file as a label, and all of them say the same of what a metric means.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from batchconnect.model.outcome import Status, Works
from batchconnect.reports.summary import Summary

_MS: Final = 1000.0
_HELP: Final[Mapping[str, str]] = {
    "info": "The last run: what it did, its id, the version that did it. Always 1.",
    "exit_code": "Exit code of the last command: 0 is done, 4 left rows, 6 has doubts, 5 and 7 need a person.",
    "end_timestamp_seconds": "When the last command ended.",
    "start_timestamp_seconds": "When the last run began.",
    "duration_seconds": "How long the last run took.",
    "rows": "Rows of the last run, by what became of them.",
    "connections": "Connections of the last run that were tested, by whether they work.",
    "requests": "Creates of the last run, by what became of the request.",
    "incident_rows": "Rows of the last run that one cause met.",
    "sweep": "What the look at the end compared: expected, found, duplicated, missing, wrong_id.",
    "lane_requests": "Requests that a lane of the last run sent.",
    "lane_throttled": "Answers that asked a lane of the last run to slow down.",
    "lane_paused_seconds": "How long a lane of the last run was paused.",
    "lane_rate": "Requests per second of a lane of the last run, at its end.",
}


def render(summary: Summary, *, name: str, ended_at_s: float) -> bytes:
    """
    The metrics of a run.

    Args:
        summary: The run.
        name: What tells its series from those of other files: the file's own name.
        ended_at_s: When the command ended, in seconds since 1970.
    """
    return _text(_of_run(_Families(name), summary, ended_at_s))


def render_error(exit_code: int, *, name: str, ended_at_s: float) -> bytes:
    """As `render`, of a command that ended before there was anything to sum up."""
    return _text(_of_end(_Families(name), exit_code, ended_at_s))


Key = TypeVar("Key", bound=tuple[str, ...])


class _Families:
    """Makes the families of one file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def one(self, metric: str, value: float) -> GaugeMetricFamily:
        """A metric with one series."""
        return self.many(metric, {(): value})

    def many(self, metric: str, values: Mapping[Key, float], *labels: str) -> GaugeMetricFamily:
        """A metric with a series for each of these."""
        family = GaugeMetricFamily(
            f"batchconnect_run_{metric}", _HELP[metric], labels=["name", *labels]
        )
        for key, value in values.items():
            family.add_metric([self._name, *key], value)
        return family


def _of_end(new: _Families, exit_code: int, ended_at_s: float) -> Iterator[GaugeMetricFamily]:
    yield new.one("exit_code", exit_code)
    yield new.one("end_timestamp_seconds", ended_at_s)


def _of_run(new: _Families, summary: Summary, ended_at_s: float) -> Iterator[GaugeMetricFamily]:
    opened, requests, sweep = summary.opened, summary.requests, summary.sweep
    mode = "true" if opened.simulated else "false"
    about = (opened.command, opened.run_id, opened.tool_version, mode)
    yield new.many("info", {about: 1}, "command", "run_id", "version", "simulated")
    yield from _of_end(new, int(summary.exit_code or 0), ended_at_s)
    yield new.one("start_timestamp_seconds", summary.started_at_ms / _MS)
    yield new.one("duration_seconds", summary.duration_s)
    rows = {(status.value,): float(summary.counts[status]) for status in Status}
    yield new.many("rows", rows, "status")
    if summary.works:
        works = {(one.value,): float(summary.works.get(one, 0)) for one in Works}
        yield new.many("connections", works, "works")
    sent = {
        "sent": requests.sent,
        "created": requests.created,
        "throttled": requests.throttled,
        "retried": requests.retried,
        "in_doubt": requests.in_doubt,
    }
    yield new.many("requests", {(kind,): float(n) for kind, n in sent.items()}, "kind")
    causes: dict[tuple[str, ...], float] = {}
    for incident in summary.incidents:
        key = (incident.code, incident.org or "")
        causes[key] = causes.get(key, 0.0) + incident.rows
    if causes:
        yield new.many("incident_rows", causes, "code", "org")
    if sweep is not None:
        found = {
            "expected": sweep.expected,
            "found": sweep.found,
            "duplicated": len(sweep.duplicated),
            "missing": len(sweep.missing),
            "wrong_id": len(sweep.wrong_id),
        }
        yield new.many("sweep", {(kind,): float(n) for kind, n in found.items()}, "kind")
    yield from _of_lanes(new, summary)


def _of_lanes(new: _Families, summary: Summary) -> Iterator[GaugeMetricFamily]:
    lanes = {(lane.org, lane.host): lane for lane in summary.lanes}
    if not lanes:
        return
    for metric, field in (
        ("lane_requests", "sent"),
        ("lane_throttled", "throttled"),
        ("lane_paused_seconds", "paused_s"),
        ("lane_rate", "rate_last"),
    ):
        values = {key: getattr(lane, field) for key, lane in lanes.items()}
        told = {key: float(value) for key, value in values.items() if value is not None}
        yield new.many(metric, told, "org", "host")


class _Told(Collector):
    """What a registry asks for its families."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Any:
        """All of them."""
        return self._families


def _text(families: Iterator[GaugeMetricFamily]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(list(families)))
    return generate_latest(registry)
