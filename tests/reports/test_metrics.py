"""The metrics of a run, as Prometheus reads them."""

import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from batchconnect.model.event import Swept
from batchconnect.model.outcome import Status
from batchconnect.reports.metrics import _HELP, render, render_error
from batchconnect.reports.summary import Summary
from tests.reports.page_run import verified_day

AT_S = 1_790_000_000.5


def series(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Each value by its metric and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(text: bytes, metric: str, **labels: str) -> float:
    """One of them."""
    return series(text)[
        f"batchconnect_run_{metric}", tuple(sorted({"name": "n", **labels}.items()))
    ]


def a_run() -> Summary:
    """One with a bit of everything."""
    return replace(
        verified_day(),
        exit_code=6,
        sweep=Swept(expected=3, found=2, duplicated=("a",), missing=("b",), wrong_id=()),
    )


def test_every_number_is_that_of_the_summary() -> None:
    summary = a_run()
    text = render(summary, name="n", ended_at_s=AT_S)

    for status in Status:
        assert value(text, "rows", status=status.value) == summary.counts[status]
    assert value(text, "exit_code") == 6
    assert value(text, "end_timestamp_seconds") == AT_S
    assert value(text, "start_timestamp_seconds") == summary.started_at_ms / 1000
    assert value(text, "duration_seconds") == summary.duration_s
    assert value(text, "requests", kind="sent") == summary.requests.sent
    assert value(text, "sweep", kind="duplicated") == 1
    for lane in summary.lanes:
        assert value(text, "lane_requests", org=lane.org, host=lane.host) == lane.sent
    met = sum(
        number
        for (metric, _), number in series(text).items()
        if metric == "batchconnect_run_incident_rows"
    )
    assert met == sum(incident.rows for incident in summary.incidents)


def test_no_row_and_no_name_of_a_connection_is_in_it() -> None:
    """Whoever may read a machine's metrics may not read a sheet."""
    summary = a_run()
    text = render(summary, name="n", ended_at_s=AT_S).decode()

    for row in summary.rows():
        assert not row.name or row.name not in text
        assert not row.connection_id or row.connection_id not in text


def test_two_files_of_one_collector_have_no_series_in_common() -> None:
    """The collector takes none of both where they do; and what a metric means is said alike in each."""
    one, two = (render(a_run(), name=name, ended_at_s=AT_S) for name in ("a", "b"))

    assert not series(one).keys() & series(two).keys()
    told = [sorted(re.findall(rb"^# HELP .*$", text, re.MULTILINE)) for text in (one, two)]
    assert told[0] == told[1]


def test_every_metric_is_of_the_declared_ones() -> None:
    text = render(a_run(), name="n", ended_at_s=AT_S)
    found = {metric.removeprefix("batchconnect_run_") for metric, _ in series(text)}

    assert found == _HELP.keys()


def test_a_command_that_came_to_no_run_tells_its_end_alone() -> None:
    """So that yesterday's good numbers do not stand for today."""
    text = render_error(5, name="n", ended_at_s=AT_S)

    assert {metric for metric, _ in series(text)} == {
        "batchconnect_run_exit_code",
        "batchconnect_run_end_timestamp_seconds",
    }
    assert value(text, "exit_code") == 5
