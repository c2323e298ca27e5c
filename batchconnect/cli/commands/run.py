"""Make it so: every row of the sheet has its connection, and the report says which."""

import os
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import anyio

from batchconnect.cli import deadline_timer
from batchconnect.cli.ending import Ending
from batchconnect.cli.files.ci_files import CiFiles
from batchconnect.cli.log import Log, open_log
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.progress import Progress, open_progress
from batchconnect.cli.screen.console import Console, ResultError, counted, wrapped
from batchconnect.cli.screen.finding_lines import error_lines, finding_lines
from batchconnect.cli.signals import watch_signals
from batchconnect.cli.start import (
    options_of,
    place_flags,
    settings_of,
    sheet_flags,
    sheet_of,
    warn_of_places,
)
from batchconnect.model.contact import is_of_contact
from batchconnect.model.errors import ExitCode, PlanChangedError, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.event import Event, FaultMet, LaneStopped, RowSettled, RunStarted
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.fault import fault_of
from batchconnect.model.outcome import Status
from batchconnect.options import MergedOptions, merge
from batchconnect.reports import LOG, ReportError, write_reports
from batchconnect.reports.json import summary_document
from batchconnect.reports.new_file import new_beside
from batchconnect.reports.summary import Summary
from batchconnect.reports.terminal_summary import closing_lines, incident_lines, next_command
from batchconnect.reports.write import make_folder
from batchconnect.run.engine import Listener, onboard_sheet
from batchconnect.run.intake.findings import FindingKinds
from batchconnect.run.opening.places import home_of, ledger_place, try_places
from batchconnect.run.stop import Stop
from batchconnect.run.task import Task, onboarding
from batchconnect.run.team.work import Together
from batchconnect.sheet import STDIN
from batchconnect.telemetry import heard_by_telemetry

Ended = TypeVar("Ended")
"""What a command ends with: the summary of its run, or what it saw instead."""

_MOST_PROBLEMS: Final = 1000
"""Changes of a plan that the screen shows."""


def run(
    output: OutputOptions,
    given: Given,
    *,
    sheets: Sequence[str],
    plan: Path | None = None,
    task_of: Callable[[MergedOptions], Task] = onboarding,
    joins: str | None = None,
    command: str = "run",
) -> int:
    """Run a sheet: all of it, or what the task says is to be done to its rows; with a plan, as was approved."""
    console = Console(output)
    with Ending(given, console, command=command) as ending:
        return run_told(
            output, given, console, ending, sheets=sheets, plan=plan, task_of=task_of, joins=joins
        )


def run_told(
    output: OutputOptions,
    given: Given,
    console: Console,
    ending: Ending,
    *,
    sheets: Sequence[str],
    plan: Path | None = None,
    task_of: Callable[[MergedOptions], Task] = onboarding,
    joins: str | None = None,
) -> int:
    """As `run`, where somebody else tells how it ended."""
    environ = os.environ
    files = CiFiles.of(given)
    carry_out: Callable[..., Awaitable[Summary]] = onboard_sheet
    about_plan = ""
    if plan is not None:
        # What plans are is a tenth of a short command's imports, and most runs have none.
        from batchconnect.run.plan.planned_run import run_as_planned  # noqa: PLC0415 - see above
        from batchconnect.run.plan.saved_plan import (  # noqa: PLC0415 - likewise
            KEY_UNSEEN,
            check_mode,
            read_plan,
        )

        saved = read_plan(plan)
        check_mode(saved, plan, simulate=bool(given.options.simulate))
        given = replace(given, options=merge(given.options, saved.run_options()))
        sheets = sheets or saved.sheets
        carry_out = partial(run_as_planned, plan=saved, path=plan)
        about_plan = f"plan {plan}: {counted(len(saved.rows), 'row')}; {KEY_UNSEEN}"
    if not sheets:
        raise UsageError(
            "no sheet is named",
            hint="batchconnect run SHEET, or: batchconnect run --plan plan.json",
        )
    settings = settings_of(given, environ)
    options = options_of(settings, given)
    ending.reach(settings, options)
    with sheet_of(sheets, options, console) as opened:
        warn_of_places(options, settings, console)
        console.warn(try_places(options))
        observer = RunObserver(
            options=options,
            output=output,
            log_json=given.log_json,
            console=console,
            place=place_flags(given),
            joins=joins,
            files=files,
        )
        work = partial(
            carry_out,
            opened,
            settings=settings,
            options=options,
            environ=environ,
            listener=observer.listener,
            report=observer.report,
            task=task_of(options),
        )
        if about_plan:
            console.say(about_plan)
        try:
            summary = attend(observer, work, drain_s=given.drain)
        except PlanChangedError as error:
            files.write_changes(error, console)
            ending.code = error.exit_code
            flags = [*place_flags(given), *sheet_flags(given)]
            anew = shlex.join(["batchconnect", "plan", *sheets, "--out", str(plan), *flags])
            hint = f"Plan again, and have that approved: {anew}"
            return _told_changes(error, console, hint=observer.redactor.text(hint))
    ending.summary = summary
    again = next_command(
        summary,
        same=observer.redactor.text(shlex.join(["batchconnect", *sys.argv[1:]])),
        options=place_flags(given),
    )
    if observer.problems is not None:
        again = _annotating(sheets, given) or again
    code = int(summary.exit_code or 0)
    is_practice = given.options.fault not in {None, "none"}
    if is_practice and 0 < summary.total == summary.counts[Status.EXISTING]:
        console.say(
            "note: every row stood there already, so there was no trouble to see;"
            " another --reports begins anew"
        )
    try:
        observer.tell_end(summary, again)
    except ResultError as error:
        if not code:
            raise
        console.say(f"error: {error.message}")
    return code


def _told_changes(error: PlanChangedError, console: Console, *, hint: str) -> int:
    """What is not as planned; of very much, the first of it, for --json has all."""
    document = {
        "error": error.message,
        "hint": hint,
        "exit_code": int(error.exit_code),
        "changes": error.changes,
    }
    lines = list(error.changes[:_MOST_PROBLEMS])
    if len(error.changes) > len(lines):
        lines.append(f"and {len(error.changes) - len(lines)} more: --json shows all of them")
    told = [part for line in lines for part in wrapped(escape_control(line), console.width)]
    console.result(document, told)
    console.say(f"error: {error.message}\nhint:  {escape_control(hint)}")
    return int(error.exit_code)


class RunObserver:
    """
    What attends a run from the outside: progress, log, redaction, report.

    Args:
        options: Where the run's folder lies.
        output: How much is said.
        log_json: `--log-json`.
        console: Where it is said.
        place: Options by which the next command finds the run: the report's commands have them, too.
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
        summary = replace(summary, place=self._place)
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


def _annotating(sheets: Sequence[str], given: Given) -> str | None:
    """The command that shows the problems in the sheet itself; standard input is no such sheet, nor are several."""
    if len(sheets) > 1 or sheets[0] == STDIN:
        return None
    flags = [*place_flags(given), *sheet_flags(given)]
    out = new_beside(sheets[0])
    return shlex.join(["batchconnect", "validate", sheets[0], "--annotate", out, *flags])


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
