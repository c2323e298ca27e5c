"""
A span for the run, a span below it for each row that is sent, and numbers of both; no name and no secret.

Rows are told by their number, org and sandbox; of several sheets, by which of them, from 1. What an exporter of somebody's fails with is no part of the run:
the first error ends the telling, and nothing else.
"""

import time
from importlib.metadata import version
from typing import Final

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode

from batchconnect.model.errors import ExitCode
from batchconnect.model.event import (
    Event,
    LanePaused,
    LaneStopped,
    PaceChanged,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RowTested,
    RunFinished,
    RunStarted,
)
from batchconnect.model.outcome import DONE, Outcome, status_of
from batchconnect.model.row_place import own_number, place_of

_NAME: Final = "batchconnect"
_AS_ASKED: Final = frozenset({ExitCode.OK, ExitCode.AS_ASKED})


def is_set_up() -> bool:
    """Whether somebody has set up an SDK for spans or for metrics, by a call or by OpenTelemetry's own variables."""
    tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
    return not (_is_idle(tracers) and _is_idle(meters))


def _is_idle(provider: object) -> bool:
    """One of the API's own, which does nothing, or waits for one that does something."""
    return type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


class Telemetry:
    """Tells of one run; the span that is current where it is made is the parent of the run's."""

    def __init__(self) -> None:
        known = version(_NAME)
        self._tracer = trace.get_tracer(_NAME, known)
        meter = metrics.get_meter(_NAME, known)
        self._rows = meter.create_counter(
            "batchconnect.rows", unit="{row}", description="Rows that have an outcome."
        )
        self._doubts = meter.create_counter(
            "batchconnect.doubts", unit="{row}", description="Answers that were lost."
        )
        self._tests = meter.create_counter(
            "batchconnect.tests", unit="{connection}", description="Connections that were tested."
        )
        self._pauses = meter.create_counter(
            "batchconnect.lane.pauses", unit="{pause}", description="Pauses of a lane."
        )
        self._durations = meter.create_histogram(
            "batchconnect.row.duration", unit="s", description="From a row's intent to its outcome."
        )
        self._parent: Context = context.get_current()
        self._run: Span | None = None
        self._below: Context | None = None
        self._open: dict[int, Span] = {}
        """The rows in flight."""
        self._are_several = False
        self._has_failed = False

    def hear(self, event: Event) -> None:
        """Tell of an event."""
        if self._has_failed:
            return
        try:
            self._hear(event)
        except Exception:  # noqa: BLE001 - an exporter's trouble is none of the run's
            self._has_failed = True

    def close(self) -> None:
        """End what is open: a run that was cut off has no last event."""
        for span in (*self._open.values(), *([self._run] if self._run is not None else [])):
            span.end()
        self._open.clear()
        self._run = None

    def _hear(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._begin(event)
            case RowStarted(row=row, org=org, sandbox=sandbox):
                attributes: dict[str, str | int] = {
                    "batchconnect.row": own_number(row),
                    "batchconnect.org": org,
                    "batchconnect.sandbox": sandbox,
                }
                if self._are_several:
                    # Which of the run's sheets, from 1: a file's name may be a client's.
                    attributes["batchconnect.sheet"] = place_of(row) + 1
                self._open[row] = self._tracer.start_span(
                    "batchconnect.row", context=self._below, attributes=attributes
                )
            case RowSettled():
                self._settle(event)
            case RowInDoubt(row=row, org=org, code=code):
                self._doubts.add(1, {"batchconnect.org": org, "batchconnect.code": code})
                if row in self._open:
                    self._open[row].add_event("in_doubt", {"batchconnect.code": code})
            case RowTested(org=org, works=works):
                self._tests.add(1, {"batchconnect.org": org, "batchconnect.works": works.value})
            case RunFinished(exit_code=exit_code):
                self._end(exit_code)
            case _:
                self._hear_of_lane(event)

    def _hear_of_lane(self, event: Event) -> None:
        match event:
            case LanePaused(org=org, pause_s=pause_s, reason=reason):
                about: dict[str, str | float] = {
                    "batchconnect.org": org,
                    "batchconnect.reason": reason,
                }
                self._pauses.add(1, about)
                self._note("lane_paused", {**about, "batchconnect.pause_s": pause_s})
            case PaceChanged(org=org, rate=rate, reason=reason):
                told = {"batchconnect.org": org, "batchconnect.reason": reason}
                self._note("pace_changed", {**told, "batchconnect.rate": rate})
            case LaneStopped(org=org, code=code):
                self._note("lane_stopped", {"batchconnect.org": org, "batchconnect.code": code})
            case _:
                pass

    def _begin(self, event: RunStarted) -> None:
        self._are_several = event.places.are_several
        self._run = self._tracer.start_span(
            "batchconnect.run",
            context=self._parent,
            attributes={
                "batchconnect.run_id": event.run_id,
                "batchconnect.resumed": event.resumed,
                "batchconnect.simulated": event.simulated,
            },
        )
        self._below = trace.set_span_in_context(self._run, self._parent)

    def _settle(self, event: RowSettled) -> None:
        status = status_of(event.outcome)
        about = {"batchconnect.org": event.org, "batchconnect.status": status.value}
        # A counter cannot take back: a row that the sweep gave another id was counted already.
        if event.was != status:
            self._rows.add(1, about)
        if event.duration_ms is not None:
            self._durations.record(event.duration_ms / 1000, about)
        span = self._open.pop(event.row, None)
        if span is None:
            return
        span.set_attribute("batchconnect.status", status.value)
        if status not in DONE:
            code = _code(event.outcome)
            span.set_attribute("batchconnect.code", code)
            span.set_status(Status(StatusCode.ERROR, code))
        span.end()

    def _end(self, exit_code: int) -> None:
        if self._run is None:
            return
        self._run.set_attribute("batchconnect.exit_code", exit_code)
        if exit_code not in _AS_ASKED:
            self._run.set_status(Status(StatusCode.ERROR, f"exit code {exit_code}"))
        self.close()

    def _note(self, name: str, about: dict[str, str | float]) -> None:
        if self._run is not None:
            self._run.add_event(name, about, timestamp=time.time_ns())


def _code(outcome: Outcome) -> str:
    return str(getattr(outcome, "code", "rejected"))
