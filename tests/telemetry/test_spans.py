"""What OpenTelemetry sees of a run, where an SDK is set up; and that nothing is paid for where none is."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import batchconnect
from batchconnect import RunOptions
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import (
    LanePaused,
    LaneStopped,
    PaceChanged,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RunFinished,
    RunStarted,
    SheetWarned,
)
from batchconnect.model.outcome import Created, InDoubt, Status
from batchconnect.model.value import replace
from batchconnect.telemetry import heard_by_telemetry
from batchconnect.telemetry.spans import Telemetry, is_set_up
from tests.acceptance.practice import Practice
from tests.command_line import FAST, CommandLine, cells, many

OPTIONS = RunOptions(simulate=True, rate=200.0, skip_invalid=True)


class Seen:
    """What the SDK was told."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider(metric_readers=[self.reader])

    def spans(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.exporter.get_finished_spans() if one.name == name]

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """An SDK that is set up, for one test: OpenTelemetry has one provider for a process."""
    seen = Seen()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", seen.tracers)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", seen.meters)
    yield seen
    seen.meters.shutdown()
    seen.tracers.shutdown()


def test_a_run_is_a_span_and_each_row_that_is_sent_is_one_below_it(seen: Seen) -> None:
    rows = [*many(2, org="acme"), cells(3, org="acme", database="")]
    report = batchconnect.onboard_sync(rows, options=OPTIONS)

    (run,) = seen.spans("batchconnect.run")
    below = seen.spans("batchconnect.row")
    assert run.attributes is not None
    assert run.attributes["batchconnect.run_id"] == report.run_id
    assert run.attributes["batchconnect.exit_code"] == report.exit_code == 4
    assert run.status.status_code is trace.StatusCode.ERROR
    assert len(below) == 2, "the rejected row was never sent"
    for span in below:
        assert span.attributes is not None
        assert span.parent == run.context
        assert span.attributes["batchconnect.status"] == "created"
        assert span.end_time is not None
        assert span.start_time is not None
        assert span.end_time >= span.start_time


def test_numbers_are_counted_by_org_and_status(seen: Seen) -> None:
    batchconnect.onboard_sync(
        [*many(2, org="acme"), *many(1, org="globex")],
        options=RunOptions(simulate=True, rate=200.0, verify=True),
    )

    rows = {
        (point.attributes["batchconnect.org"], point.attributes["batchconnect.status"]): point.value
        for point in seen.points("batchconnect.rows")
    }
    assert rows == {("acme", "created"): 2, ("globex", "created"): 1}
    assert sum(point.value for point in seen.points("batchconnect.tests")) == 3
    assert sum(point.count for point in seen.points("batchconnect.row.duration")) == 3


def test_neither_a_name_nor_a_secret_is_told(seen: Seen) -> None:
    batchconnect.onboard_sync(many(2, org="acme"), options=OPTIONS)
    text = "".join(span.to_json() for span in seen.exporter.get_finished_spans())

    assert "Client" not in text
    assert "FAKE" not in text
    assert "kusto" not in text


def test_a_row_of_several_sheets_is_told_by_its_own_number_and_which_sheet(
    seen: Seen, batchconnect_command: CommandLine
) -> None:
    """The sheet by its place, from 1, since a file's name may be a client's."""
    paths = [batchconnect_command.sheet(many(1), "a.csv")]
    paths.append(batchconnect_command.sheet([cells(2), cells(3)], "b.csv"))
    batchconnect.onboard_sync(paths, options=OPTIONS)

    told = [dict(span.attributes or {}) for span in seen.spans("batchconnect.row")]
    places = {(one["batchconnect.sheet"], one["batchconnect.row"]) for one in told}
    assert places == {(1, 2), (2, 2), (2, 3)}


def test_the_program_s_own_span_is_the_parent(seen: Seen) -> None:
    """So that a run is seen where it was asked for; in a notebook's thread as well."""
    with trace.get_tracer("mine").start_as_current_span("mine") as mine:
        batchconnect.onboard_sync(many(1, org="acme"), options=OPTIONS)

    (run,) = seen.spans("batchconnect.run")
    assert run.parent == mine.get_span_context()


def test_the_command_tells_as_the_library_does(
    seen: Seen, batchconnect_command: CommandLine, practice: Practice
) -> None:
    done = batchconnect_command("run", batchconnect_command.sheet(many(2)), *FAST)

    assert done.code == 0
    assert len(seen.spans("batchconnect.row")) == 2
    (run,) = seen.spans("batchconnect.run")
    assert run.status.status_code is trace.StatusCode.UNSET


def test_a_run_that_was_cut_off_ends_its_spans(seen: Seen) -> None:
    """It has no last event."""

    def hear(event: batchconnect.Event) -> None:
        if type(event).__name__ == "RowStarted":
            raise LookupError

    with pytest.raises(batchconnect.ListenerError):
        batchconnect.onboard_sync(many(2, org="acme"), options=OPTIONS, on_event=hear)

    assert len(seen.spans("batchconnect.run")) == 1


def test_an_exporter_that_fails_is_no_part_of_the_run(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            raise OSError

    broken = TracerProvider()
    broken.add_span_processor(SimpleSpanProcessor(Broken()))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", broken)
    monkeypatch.setattr("batchconnect.telemetry.spans.Telemetry._settle", _raise)

    assert batchconnect.onboard_sync(many(2, org="acme"), options=OPTIONS).exit_code == 0


def _raise(*_arguments: object) -> None:
    raise OSError


def test_without_an_sdk_nobody_listens() -> None:
    """The API alone is installed here as well, and does nothing."""
    assert not is_set_up()
    with heard_by_telemetry() as listener:
        assert listener is None


def test_without_the_package_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchconnect.telemetry.find_spec", lambda _name: None)
    with heard_by_telemetry() as listener:
        assert listener is None


def test_what_a_lane_goes_through_is_an_event_of_the_run(seen: Seen) -> None:
    """A pause, a pace and a stop, by org and reason; a pause is counted as well. What nobody asked for is passed over."""
    telemetry = Telemetry()
    for event in (
        RunStarted(run_id="r-1", resumed=True),
        LanePaused(org="acme", host="h", pause_s=4.0, reason="throttled"),
        PaceChanged(org="acme", host="h", rate=2.5, reason="congestion"),
        LaneStopped(org="acme", sandbox=None, code="403027", title="t", detail="d"),
        SheetWarned(cells="E2", code="c", what="w", remedy="r"),
        RunFinished(run_id="r-1", exit_code=ExitCode.STOPPED, duration_s=1.0),
    ):
        telemetry.hear(event)

    (run,) = seen.spans("batchconnect.run")
    assert [(one.name, dict(one.attributes or {})) for one in run.events] == [
        (
            "lane_paused",
            {
                "batchconnect.org": "acme",
                "batchconnect.reason": "throttled",
                "batchconnect.pause_s": 4.0,
            },
        ),
        (
            "pace_changed",
            {
                "batchconnect.org": "acme",
                "batchconnect.reason": "congestion",
                "batchconnect.rate": 2.5,
            },
        ),
        ("lane_stopped", {"batchconnect.org": "acme", "batchconnect.code": "403027"}),
    ]
    (pauses,) = seen.points("batchconnect.lane.pauses")
    assert (pauses.value, dict(pauses.attributes)) == (
        1,
        {"batchconnect.org": "acme", "batchconnect.reason": "throttled"},
    )


def test_a_row_that_the_sweep_gives_another_id_counts_once(seen: Seen) -> None:
    telemetry = Telemetry()
    settled = RowSettled(row=2, org="acme", sandbox="dev", outcome=Created(connection_id="c-1"))
    telemetry.hear(settled)
    telemetry.hear(replace(settled, outcome=Created(connection_id="c-2"), was=Status.CREATED))
    telemetry.hear(RunFinished(run_id="r-1", exit_code=ExitCode.IN_DOUBT, duration_s=1.0))

    assert [point.value for point in seen.points("batchconnect.rows")] == [1]


def test_a_row_in_doubt_is_told_within_its_span_and_fails_by_its_code(seen: Seen) -> None:
    """Of a run that went on, whose beginning another process told: its rows count, and have no parent."""
    telemetry = Telemetry()
    telemetry.hear(RowStarted(row=2, org="acme", sandbox="dev"))
    telemetry.hear(RowInDoubt(row=2, org="acme", sandbox="dev", code="http-502"))
    telemetry.hear(
        RowSettled(row=2, org="acme", sandbox="dev", outcome=InDoubt(code="http-502", detail=""))
    )
    telemetry.hear(RunFinished(run_id="r-1", exit_code=ExitCode.IN_DOUBT, duration_s=1.0))

    (row,) = seen.spans("batchconnect.row")
    assert [one.name for one in row.events] == ["in_doubt"]
    assert row.status.status_code is trace.StatusCode.ERROR
    assert row.status.description == "http-502"
    assert seen.points("batchconnect.doubts")[0].value == 1
    assert seen.spans("batchconnect.run") == []
