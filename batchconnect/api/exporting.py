"""`export`: what stands in sandboxes, as rows of a sheet; or how far a sheet and they have drifted apart."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from batchconnect.api.call import (
    LedgerLike,
    OnEvent,
    PathLike,
    SettingsLike,
    begin,
    path_of,
    refuse_unheeded,
)
from batchconnect.api.one_error import with_one_error
from batchconnect.api.sheets import SheetLike, opened
from batchconnect.api.shown import Shown, counted, frame
from batchconnect.model.column import Column
from batchconnect.model.errors import ExitCode, UsageError
from batchconnect.model.report_columns import EXPORT_COLUMNS, USED_BY
from batchconnect.options import RunOptions
from batchconnect.reports.columns import iso
from batchconnect.run.export import export_run
from batchconnect.run.export.drift import Drift, DriftKind
from batchconnect.run.export.export import Exported
from batchconnect.run.export.export_run import Wish, export_of
from batchconnect.run.export.file import check_out, odd_cells, write_export
from batchconnect.run.history.made_rows import MadeRow
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.service import connected

if TYPE_CHECKING:
    import pandas as pd

_UNHEEDED: Final = ("org", "sandbox", "only")
"""Options that have arguments of their own here."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Export(Shown):
    """What was found; no credential that a listing shows is in it."""

    rows: tuple[Exported, ...]
    """The connections, sandbox by sandbox, the oldest first."""
    drift: tuple[Drift, ...] | None
    """Where a sheet and they part; None: no sheet was compared."""
    compared: int
    """Rows of that sheet."""
    missing: tuple[MadeRow, ...]
    """Of a run: the rows whose connections stand nowhere that was read."""
    refusals: Mapping[tuple[str, str], str]
    """By org and sandbox: why it could not be read, or why its users could not be counted."""
    without_default: tuple[str, ...]
    """Orgs of which no sandbox was named: nothing of them was read."""
    exit_code: int
    """As of the command line: 0, 4 there is drift, or not everything could be found out, 7 nothing could be."""
    counts_usage: bool = False
    odd: tuple[tuple[int, str, str], ...] = ()
    """Of the file that was written: row, column, and why its cell is not as it stands there."""
    path: Path | None = None
    """The file; None: none was asked for, or nothing could be read."""

    def to_pandas(self) -> "pd.DataFrame":
        """
        The connections as a sheet in the template's form, keys blank; where a sheet was compared, the drift.

        `org` and `sandbox` are blank, so that whoever runs the sheet says where; `from_org` and `from_sandbox`
        say where a connection stands.
        """
        if self.drift is not None:
            return frame(*self._drift(self.drift), whole=("row",))
        usage = (USED_BY,) if self.counts_usage else ()
        columns = (*(column.value for column in Column), *EXPORT_COLUMNS, *usage)
        return frame(columns, map(self._cells, self.rows), whole=usage)

    def _cells(self, row: Exported) -> Sequence[object]:
        found = row.standing
        return (
            *(row.cells.get(column, "") for column in Column),
            *(found.state, iso(found.created_at_ms), iso(found.updated_at_ms), found.id),
            "no" if found.marker is None else "yes",
            *(row.org, row.sandbox),
            *((row.used_by,) if self.counts_usage else ()),
        )

    def _line(self) -> str:
        unread = [("not read", len(self.refusals) + len(self.without_default))]
        if self.drift is not None:
            counts = [
                (kind, sum(one.kind is kind for one in self.drift)) for kind in _kinds(self.drift)
            ]
            told = counted([*((kind.value.replace("_", " "), n) for kind, n in counts), *unread])
            return f"{self.compared} rows compared: {told or 'no drift'}"
        counts_of = [("connections", len(self.rows)), ("missing", len(self.missing)), *unread]
        return counted(counts_of) or "no connections"

    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        if self.drift is not None:
            return self._drift(self.drift)
        lines = (
            (row.org, row.sandbox, row.cells.get(Column.NAME), row.standing.id, row.standing.state)
            for row in self.rows
        )
        return ("org", "sandbox", "name", "connection_id", "state"), lines

    def _drift(self, drift: Sequence[Drift]) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        heads = ("drift", "row", "name", "org", "sandbox", "connection_id", "columns", "why")
        lines = (
            (
                *(one.kind.value, one.row, one.name, one.org, one.sandbox),
                *(one.connection_id, " ".join(one.columns), one.why),
            )
            for one in drift
        )
        return heads, lines

    def _where(self) -> str | None:
        return next(iter(self.refusals.values()), None)


@with_one_error
async def export(
    *,
    orgs: Sequence[str] = (),
    sandboxes: Sequence[str] = (),
    every: bool = False,
    run: str | None = None,
    against: SheetLike | None = None,
    usage: bool = False,
    out: PathLike | None = None,
    keep_target: bool = False,
    settings: SettingsLike = None,
    ledger: LedgerLike | None = None,
    reports: PathLike | None = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
) -> Export:
    """
    Read what stands in sandboxes; nothing is changed. As `batchconnect export`.

    Args:
        orgs: Of these; none: of the only org of the settings.
        sandboxes: These, in each of the orgs; none: each org's default.
        every: Of every org of the settings.
        run: Only the connections of this run; something has to name its ledger.
        against: A sheet as of `onboard`: tell how far it has drifted.
        usage: Count who uses each connection, too.
        out: A new file, `.csv` or `.xlsx`: the connections as a sheet in the template's form, keys blank; where
            a sheet is compared, the drift.
        keep_target: In that sheet, fill in where each connection stands.
        settings: As of `onboard`.
        ledger: As of `onboard`; for a run something has to name it.
        reports: As of `onboard`: the ledger may lie there; nothing is written.
        on_event: As of `onboard`; here it hears of pauses alone.
        options: As of `onboard`, but for `org`, `sandbox` and `only`.

    Raises:
        UsageError: Something has to be named and is not, a name is nobody's, two wishes exclude each other, or
            the file exists or cannot be written.
        BatchConnectError: As of `onboard`.
    """
    refuse_unheeded(options, _UNHEEDED, by="export, which has orgs and sandboxes")
    wish = Wish(
        orgs=_names(orgs, "orgs"),
        sandboxes=_names(sandboxes, "sandboxes"),
        every=every,
        run_id=run,
        usage=usage,
    )
    if run is not None and (against is not None or orgs or sandboxes or every):
        raise UsageError(
            "run says which connections, and so nothing else may",
            hint="Leave out against, orgs, sandboxes and every.",
        )
    if against is not None and usage:
        raise UsageError(
            "usage is counted of connections, and against tells of rows",
            hint="Call it twice, once without against.",
        )
    if keep_target and (out is None or against is not None):
        raise UsageError(
            "keep_target is about the cells of a sheet, and none is written",
            hint="Give out=FILE, and no against.",
        )
    file = None if out is None else path_of("out", out)
    if file is not None:
        check_out(file)
    call = begin(
        settings=settings, ledger=ledger, reports=reports, on_event=on_event, options=options
    )
    if run is not None:
        call.need_ledger("export of a run", run)
    call.warn_of_settings()
    with ExitStack() as stack:
        held = stack.enter_context(ledger_of(call.options)) if run is not None else None
        sheet = None
        if against is not None:
            sheet = stack.enter_context(opened(against, call.options))
        service = connected(
            call.settings,
            call.options,
            on_event=call.listener.on_event,
            hold=call.listener.redactor.hold,
            in_memory=not call.names_ledger,
        )
        async with service as there:
            found = await export_of(
                wish,
                service=there,
                redactor=call.listener.redactor,
                options=call.options,
                ledger=held,
                against=sheet,
            )
    if found.is_refused:
        file = None
    if file is not None:
        write = partial(write_export, file, found, usage=usage, keep_target=keep_target)
        await anyio.to_thread.run_sync(write)
    return _told(found, usage=usage, path=file, redact=call.listener.redactor.text)


def _names(names: Sequence[str], what: str) -> tuple[str, ...]:
    """One name may stand for a list of them, as in `RunOptions`."""
    listed: tuple[Any, ...] = (names,) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) and name for name in listed):
        raise UsageError(f"{what} must be a name, or a list of names")
    return listed


def _told(
    found: export_run.Export, *, usage: bool, path: Path | None, redact: Callable[[str], str]
) -> Export:
    odd = () if path is None or found.drift is not None else tuple(odd_cells(found))
    if found.is_refused:
        code = ExitCode.STOPPED
    else:
        is_whole = found.is_whole and not found.drift and not odd
        code = ExitCode.OK if is_whole else ExitCode.UNFINISHED
    refusals = {
        (one.org, one.sandbox): redact(why)
        for one in found.sandboxes
        if (why := one.refusal or one.usage_unread) is not None
    }
    return Export(
        rows=tuple(row for one in found.sandboxes for row in one.rows),
        drift=None if found.drift is None else tuple(found.drift),
        compared=found.compared,
        missing=tuple(found.missing),
        refusals=refusals,
        without_default=tuple(found.without_default),
        exit_code=int(code),
        counts_usage=usage,
        odd=odd,
        path=None if path is None else path.absolute(),
    )


def _kinds(drift: Iterable[Drift]) -> Iterable[DriftKind]:
    return dict.fromkeys(one.kind for one in drift)
