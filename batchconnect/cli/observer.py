"""What attends a run from the outside, whichever command gave it: progress, log, report, signals."""

import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import anyio

from batchconnect.cli import deadline_timer
from batchconnect.cli.files.ci_files import CiFiles
from batchconnect.cli.log import Log, open_log
from batchconnect.cli.options import OutputOptions
from batchconnect.cli.progress import Progress, open_progress
from batchconnect.cli.screen.console import Console
from batchconnect.cli.screen.finding_lines import error_lines, finding_lines
from batchconnect.cli.signals import watch_signals
from batchconnect.model.contact import is_of_contact
from batchconnect.model.errors import ExitCode
from batchconnect.model.event import Event, FaultMet, LaneStopped, RowSettled, RunStarted
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.fault import fault_of
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.reports import LOG, ReportError, write_reports
from batchconnect.reports.json import summary_document
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import closing_lines, incident_lines
from batchconnect.reports.write import make_folder
from batchconnect.run.desk import Listener
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.run.opening.places import home_of, ledger_place
from batchconnect.run.stop import Stop
from batchconnect.run.team.work import Together
from batchconnect.telemetry import heard_by_telemetry

Ended = TypeVar("Ended")
"""What a command ends with: the summary of its run, or what it saw instead."""


class RunObserver:
    """
    What attends a run from the outside: progress, log, redaction, report.

    Args:
        options: Where the run's folder lies.
        output: How much is said.
        log_json: `--log-json`.
        console: Where it is said.
        place: Options by which the next command finds the run: the report's commands have them, too.
        kept: Options that a rerun has to be given again.
        joins: On a team ledger: the run that it joins, by its id; None: the sheet's.
        files: What a CI job asks for besides.
    """

    def __init__(
        self,
        *,
        options: MergedOptions,
        output: OutputOptions,
        log_json: bool,
        console: Console,
        place: Sequence[str] = (),
        kept: Sequence[str] = (),
        joins: str | None = None,
        files: CiFiles | None = None,
    ) -> None:
        self._joins = joins
        self.redactor = console.redactor
        self.stop = Stop()
        self.document: Mapping[str, object] = {}
        self.problems: FindingKinds | None = None
        """Of a run that refused to start: every problem of the sheet with its cell."""
        self.settled = 0
        """Rows that were settled while it observed."""
        self.unreached: dict[str, str] = {}
        """By org: the code of what kept its service from being reached."""
        self._options = options
        self._place = tuple(place)
        self._kept = tuple(kept)
        self._files = files or CiFiles()
        self._log_json = log_json
        self._verbose = output.verbose
        self._console = console
        self._stack = ExitStack()
        self._log: Log | None = None
        self._tell_telemetry = self._stack.enter_context(heard_by_telemetry())
        self._progress: Progress | None = self._stack.enter_context(
            open_progress(
                sys.stderr,
                # The log's lines on stderr tell it all: a bar would be written across them.
                quiet=output.quiet or log_json,
                verbose=output.verbose,
                environ=os.environ,
                clock=time.monotonic,
            )
        )

    @property
    def listener(self) -> Listener:
        """What the engine takes."""
        return Listener(
            on_event=self.hear,
            stop=self.stop,
            redactor=self.redactor,
            together=Together(joins=self._joins, arm=deadline_timer.arm),
        )

    def close(self) -> None:
        """Put the screen in order, close the log."""
        self._stack.close()

    def hear(self, event: Event) -> None:
        """Show an event, and log it."""
        if isinstance(event, RunStarted):
            self._open_log(event)
        self.settled += isinstance(event, RowSettled)
        if isinstance(event, LaneStopped) and is_of_contact(event.code):
            self.unreached[event.org] = event.code
        if self._tell_telemetry is not None:
            self._tell_telemetry(event)
        for tell in (self._tell_log, self._tell_progress):
            try:
                tell(event)
            except Exception as error:  # noqa: BLE001 - what is shown and logged is no part of the run
                self._drop(tell, error)

    def _tell_log(self, event: Event) -> None:
        if self._log is not None:
            self._log.event(event)

    def _tell_progress(self, event: Event) -> None:
        if self._progress is not None:
            self._progress.event(event)

    def _drop(self, broken: Callable[[Event], None], error: Exception) -> None:
        """Give up the display or the log, and say in the other one why."""
        fault = FaultMet(fault=fault_of(error), where="log")
        if broken == self._tell_log:
            self._log = None
        else:
            self._progress = None
            fault = replace(fault, where="progress")
        self._console.say(f"warning: the {fault.where} is given up: {fault.fault.label}")
        self.hear(fault)

    def report(self, summary: Summary) -> None:
        """Write the run's files."""
        summary = replace(summary, place=self._place)
        self._files.write(summary, self._console, self.redactor.text)
        folder = home_of(self._options) / summary.opened.run_id
        files = write_reports(summary, folder, redact=self.redactor.text)
        if summary.exit_code == ExitCode.SHEET:
            self.problems = _problems(summary)
        self.document = {
            **summary_document(summary),
            "files": {name: str(path) for name, path in files.items()},
        }

    def tell_end(self, summary: Summary, again: str | None, *, before: Iterable[str] = ()) -> None:
        """
        Say how the run ended.

        Args:
            summary: The run.
            again: The command that goes on from here.
            before: What else went wrong, which is told first.

        Raises:
            ResultError: It could not be written.
        """
        width = self._console.width
        summary = replace(summary, place=self._place, kept=self._kept)
        problems = [*before]
        errors = [*problems, *incident_lines(summary, width=width)]
        if self.problems is not None:
            # Each problem is told with its cell: the incidents would say it once more.
            summary = replace(summary, incidents=())
            problems = [*finding_lines(self.problems, width=width)]
            errors = [*error_lines(self.problems, width=width)]
        folder = home_of(self._options) / summary.opened.run_id
        lines = closing_lines(summary, folder=folder, next_command=again, width=width)
        self._console.result(self.document, [*problems, *lines], errors=errors)

    def _open_log(self, event: RunStarted) -> None:
        folder = home_of(self._options) / event.run_id
        what = "goes on" if event.resumed else "begins"
        simulated = ", simulated" if event.simulated else ""
        self._say(f"run {event.run_id} {what}{simulated}; ledger: {ledger_place(self._options)}")
        try:
            make_folder(folder)
        except OSError as error:
            raise ReportError({folder: error.strerror or str(error)}, {}) from None
        self._log = self._stack.enter_context(
            open_log(
                folder / LOG,
                redactor=self.redactor,
                json_stderr=self._log_json,
                verbose=self._verbose,
                on_trouble=lambda text: self._say(f"warning: {text}", is_error=True),
            )
        )

    def _say(self, text: str, *, is_error: bool = False) -> None:
        if self._progress is not None:
            self._progress.message(text, is_error=is_error)


def _problems(summary: Summary) -> FindingKinds:
    kinds = FindingKinds()
    for row in summary.rows():
        for problem in row.problems:
            kinds.add(row.row, problem)
    return kinds


def attend(
    observer: RunObserver, work: Callable[[], Awaitable[Ended]], *, drain_s: float = 0
) -> Ended:
    """
    Carry out what opens, or goes on with, a run; signals stop it in good order.

    Args:
        observer: Who attends it; closed at the end.
        work: The engine's part, with everything handed in.
        drain_s: After SIGTERM: how long what is in flight may take, in seconds.
    """

    async def carry_out() -> Ended:
        try:
            with unwrap_exception_group():
                async with anyio.create_task_group() as beside:
                    beside.start_soon(partial(watch_signals, observer.stop, drain_s=drain_s))
                    ended = await work()
                    beside.cancel_scope.cancel()
            return ended
        finally:
            observer.close()

    return anyio.run(carry_out, backend_options={"use_uvloop": sys.platform != "win32"})
