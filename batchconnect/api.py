"""
The same job from Python: `await onboard(...)`, or `onboard_sync(...)` where no loop is running.

The library installs no signal handler, no logging and no loop policy, and writes only where it was
told to.
"""

import asyncio
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.outcome import Status, Works
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret
from batchconnect.options import OPTIONS, MergedOptions, RunOptions, with_defaults
from batchconnect.reports import write_reports
from batchconnect.reports.columns import facts_of
from batchconnect.reports.incident import Incident
from batchconnect.reports.result import Result
from batchconnect.reports.summary import Summary
from batchconnect.run.engine import Listener, onboard_sheet
from batchconnect.run.places import home_of, try_places
from batchconnect.run.stop import Stop
from batchconnect.settings import Settings, load_settings, settings_under
from batchconnect.sheet import HiddenRows, Sheet, open_sheet
from batchconnect.sheet.memory import MemorySheet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of every row; no secret is in it."""

    run_id: str
    rows: tuple[Result, ...]
    """One per input row, in input order."""
    counts: Mapping[Status, int]
    works: Mapping[Works, int]
    """Rows by what the last test of their connection said; empty where none was tested."""
    incidents: tuple[Incident, ...]
    """Troubles grouped by cause, the largest first."""
    exit_code: int
    """
    As of the command line: 0 every row has its connection, 4 some have none or one that does not work, 6 some
    are in doubt.
    """
    folder: Path | None
    """Where the report's files are; None where none were asked for."""

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a frame, with the columns of `results.csv`."""
        import pandas as pd  # noqa: PLC0415 - whoever asks for no frame pays for none

        return pd.DataFrame([dict(facts_of(row)) for row in self.rows])


async def onboard(
    sheet: "str | Path | Iterable[Mapping[str, object]] | pd.DataFrame",
    *,
    settings: Settings | str | Path | None = None,
    ledger: str | Path | Secret | None = None,
    reports: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    options: RunOptions | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Make sure that every row has its base connection.

    Args:
        sheet: A path, rows as mappings (keys are matched as headers are), or a DataFrame of texts.
        settings: The orgs: as a value, or the path of a settings file. None: the environment and
            `batchconnect.toml`, as for the command line.
        ledger: The ledger's path, or a team's `postgresql://…` (a `Secret` where it bears a password). None: `ledger.sqlite3` in *reports*, or, without those, only in
            memory: then a crash forgets what was sent, and the next run settles first.
        reports: The folder for the run's files; None: none are written.
        on_event: Hears of everything that happens; what it raises ends the run in good order, then goes up.
        options: What the command line's options choose, as `RunOptions(simulate=True)`. It wins over the
            settings, as a flag does; what it leaves out they say (proxy, concurrency, …), but for their
            ledger and reports: those are *ledger* and *reports*.
        stop: Ends the run in good order when its `ask` is called.

    Returns:
        The report; rows that fail are in it, they raise nothing.

    Raises:
        BatchConnectError: The run as a whole cannot be carried out (settings, sheet, ledger), or no report
            could be written: that is tried before anything is sent.

    Warns:
        UserWarning: The folder of the reports, or of the ledger, does not keep the modes of its files.
    """
    given = _with_places(options or RunOptions(), ledger, reports)
    known, chosen = _merged(settings, given)
    redactor = Redactor()
    told: list[Report] = []

    def report(summary: Summary) -> None:
        folder = None
        if given.reports is not None:
            folder = (home_of(chosen) / summary.opened.run_id).absolute()
            placed = replace(summary, place=_place(given))
            write_reports(placed, folder, redact=redactor.text)
        told.append(_report(summary, folder))

    if given.reports is not None:
        for warning in try_places(chosen):
            warnings.warn(warning, stacklevel=2)
    opened = _open(sheet, chosen)
    try:
        await onboard_sheet(
            opened,
            settings=known,
            options=chosen,
            environ=os.environ,
            listener=Listener(
                on_event=on_event or (lambda event: None), stop=stop or Stop(), redactor=redactor
            ),
            report=report,
            in_memory=given.reports is None and given.ledger is None,
        )
    finally:
        opened.close()
    return told[0]


def onboard_sync(
    sheet: "str | Path | Iterable[Mapping[str, object]] | pd.DataFrame",
    *,
    settings: Settings | str | Path | None = None,
    ledger: str | Path | Secret | None = None,
    reports: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    options: RunOptions | None = None,
) -> Report:
    """
    The twin of `onboard` for where no event loop is running.

    Raises:
        UsageError: A loop is running in this thread.
        BatchConnectError: As of `onboard`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError(
            "onboard_sync was called where an event loop is running",
            hint="report = await batchconnect.onboard(...)",
        )
    job = partial(
        onboard,
        sheet,
        settings=settings,
        ledger=ledger,
        reports=reports,
        on_event=on_event,
        options=options,
    )
    return anyio.run(job)


def _with_places(
    options: RunOptions, ledger: str | Path | Secret | None, reports: str | Path | None
) -> RunOptions:
    """The options with the places that the call itself names."""
    if isinstance(ledger, Secret):
        return replace(_with_places(options, None, reports), ledger=LedgerAddress(ledger))
    return replace(
        options,
        ledger=options.ledger if ledger is None else ledger,
        reports=options.reports if reports is None else reports,
    )


def _place(options: RunOptions) -> tuple[str, ...]:
    """Options of the command line by which it finds what was written here."""
    named = {"reports": options.reports, "ledger": options.ledger}
    told = ((OPTIONS[name].flag, str(value)) for name, value in named.items() if value is not None)
    return tuple(word for pair in told for word in pair)


def _merged(
    settings: Settings | str | Path | None, options: RunOptions
) -> tuple[Settings, MergedOptions]:
    """The settings that count, and the options over them; only what was named here is written to."""
    if isinstance(settings, Settings):
        known = settings_under(settings, options, environ=os.environ)
    else:
        known = load_settings(
            path=None if settings is None else Path(settings),
            environ=os.environ,
            options=options,
            resolve_secrets=not options.simulate,
        )
    # What a simulation keeps lies beside the one place that was named.
    ledger = options.ledger
    beside = ledger.parent if isinstance(ledger, Path) else None
    named = replace(
        known.options,
        reports=beside if options.reports is None else options.reports,
        ledger=options.ledger,
    )
    return known, with_defaults(named)


def _open(sheet: Any, options: MergedOptions) -> Sheet:
    if isinstance(sheet, str | Path):
        return open_sheet(
            sheet,
            worksheet=options.worksheet,
            encoding=options.encoding,
            hidden=HiddenRows.of(visible_only=options.visible_only, strict=options.strict),
        )
    return MemorySheet(sheet)


def _report(summary: Summary, folder: Path | None) -> Report:
    return Report(
        run_id=summary.opened.run_id,
        rows=tuple(summary.rows()),
        counts=dict(summary.counts),
        works=dict(summary.works),
        incidents=summary.incidents,
        exit_code=int(summary.exit_code or 0),
        folder=folder,
    )
