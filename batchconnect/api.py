"""
The same job from Python: `await onboard(...)`, or `onboard_sync(...)` where no loop is running.

The library installs no signal handler, no logging and no loop policy, and writes only where it was
told to.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from batchconnect.lane.reconciler import OnDoubt
from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event
from batchconnect.model.outcome import Status
from batchconnect.model.redactor import Redactor
from batchconnect.reports import write_reports
from batchconnect.reports.columns import facts_of
from batchconnect.reports.incident import Incident
from batchconnect.reports.result import Result
from batchconnect.reports.summary import Summary
from batchconnect.run.choices import Choices
from batchconnect.run.engine import Listener, onboard_sheet
from batchconnect.run.stop import Stop
from batchconnect.settings import Settings, load_settings
from batchconnect.sheet import Sheet, open_sheet
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
    incidents: tuple[Incident, ...]
    """Troubles grouped by cause, the largest first."""
    exit_code: int
    """As of the command line: 0 every row has its connection, 4 some have none, 6 some are in doubt."""
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
    ledger: str | Path | None = None,
    reports: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    choices: Choices | None = None,
    stop: Stop | None = None,
) -> Report:
    """
    Make sure that every row has its base connection.

    Args:
        sheet: A path, rows as mappings (keys are matched as headers are), or a DataFrame of texts.
        settings: The orgs: as a value, or the path of a settings file. None: the environment and
            `batchconnect.toml`, as for the command line.
        ledger: The ledger's path. None: `ledger.sqlite3` in *reports*, or, without those, only in
            memory: then a crash forgets what was sent, and the next run settles first.
        reports: The folder for the run's files; None: none are written.
        on_event: Hears of everything that happens; what it raises ends the run in good order, then goes up.
        choices: What else the command line's options choose, as `Choices(simulate=True)`. What is left
            at its default there is filled in from the settings (proxy, concurrency, …), but for
            their ledger and reports.
        stop: Ends the run in good order when its `ask` is called.

    Returns:
        The report; rows that fail are in it, they raise nothing.

    Raises:
        BatchConnectError: The run as a whole cannot be carried out (settings, sheet, ledger).
    """
    chosen = choices or Choices()
    known = settings if isinstance(settings, Settings) else _load(settings, chosen)
    chosen = _filled(chosen, known)
    if reports is not None:
        chosen = replace(chosen, reports=Path(reports))
    elif ledger is not None:
        # What a simulation keeps lies beside the one place that was named.
        chosen = replace(chosen, reports=Path(ledger).parent)
    if ledger is not None:
        chosen = replace(chosen, ledger=Path(ledger))
    in_memory = reports is None and ledger is None
    redactor = Redactor()
    told: list[Report] = []

    def report(summary: Summary) -> None:
        folder = None
        if reports is not None:
            folder = (chosen.home / summary.opened.run_id).absolute()
            write_reports(summary, folder, redact=redactor.text)
        told.append(_report(summary, folder))

    opened = _open(sheet)
    try:
        await onboard_sheet(
            opened,
            settings=known,
            choices=chosen,
            environ=os.environ,
            listener=Listener(
                on_event=on_event or (lambda event: None), stop=stop or Stop(), redactor=redactor
            ),
            report=report,
            in_memory=in_memory,
        )
    finally:
        opened.close()
    return told[0]


def onboard_sync(
    sheet: "str | Path | Iterable[Mapping[str, object]] | pd.DataFrame",
    *,
    settings: Settings | str | Path | None = None,
    ledger: str | Path | None = None,
    reports: str | Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    choices: Choices | None = None,
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
        choices=choices,
    )
    return anyio.run(job)


def _load(path: str | Path | None, choices: Choices) -> Settings:
    return load_settings(
        path=None if path is None else Path(path),
        environ=os.environ,
        resolve_secrets=not choices.simulate,
    )


def _filled(choices: Choices, settings: Settings) -> Choices:
    """What the settings say wherever the choice is the default, as on the command line."""
    default = Choices()
    of_settings = {
        "concurrency": settings.concurrency,
        "timeout_s": settings.timeout,
        "settle_s": settings.settle,
        "on_doubt": settings.on_doubt and OnDoubt(settings.on_doubt),
        "patience_s": settings.patience,
        "skip_invalid": settings.skip_invalid,
        "allow_refs": settings.allow_refs,
        "refs_dir": settings.refs_dir,
        "proxy": settings.proxy and settings.proxy.reveal(),
        "ca_bundle": settings.ca_bundle,
    }
    wanted: dict[str, Any] = {
        name: value
        for name, value in of_settings.items()
        if value is not None and getattr(choices, name) == getattr(default, name)
    }
    return replace(choices, **wanted)


def _open(sheet: Any) -> Sheet:
    if isinstance(sheet, str | Path):
        return open_sheet(sheet)
    return MemorySheet(sheet)


def _report(summary: Summary, folder: Path | None) -> Report:
    return Report(
        run_id=summary.opened.run_id,
        rows=tuple(summary.rows()),
        counts=dict(summary.counts),
        incidents=summary.incidents,
        exit_code=int(summary.exit_code or 0),
        folder=folder,
    )
