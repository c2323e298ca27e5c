"""What stands in sandboxes, as a sheet; or how far a sheet and they have drifted apart."""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.screen.looking import looking
from batchconnect.cli.screen.refusals import refusal_lines
from batchconnect.cli.signals import ending_at_once
from batchconnect.cli.start import (
    options_of,
    place_flags,
    settings_of,
    sheet_of,
)
from batchconnect.ledger import LedgerReader
from batchconnect.model.errors import ExitCode, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.remedies import look_hint_for
from batchconnect.model.value import by_name
from batchconnect.options import MergedOptions
from batchconnect.run.export.drift import Drift, DriftKind
from batchconnect.run.export.export_run import Export, Wish, export_of
from batchconnect.run.export.file import check_out, odd_cells, write_export
from batchconnect.run.history.made_rows import MadeRow
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.opening.service import connected
from batchconnect.settings import Settings
from batchconnect.sheet import Sheet

_MOST_SHOWN: Final = 50
"""Lines of one kind on a screen; OUT and --json have all."""


def run(
    output: OutputOptions,
    given: Given,
    *,
    out: Path | None,
    wish: Wish,
    against: str | None,
    keep_target: bool,
) -> int:
    """Write a sheet of what stands there, or tell the drift."""
    console = Console(output)
    _check(out, wish, against, keep_target=keep_target)
    settings = settings_of(given, os.environ)
    options = options_of(settings, given)
    console.warn(settings.warnings)
    with ExitStack() as stack:
        ledger = stack.enter_context(ledger_of(options)) if wish.run_id is not None else None
        sheet = None
        if against is not None:
            sheet = stack.enter_context(sheet_of((against,), options, console))
        with ending_at_once():
            found = anyio.run(
                partial(
                    _read,
                    wish,
                    settings=settings,
                    options=options,
                    ledger=ledger,
                    sheet=sheet,
                    console=console,
                ),
                backend_options={"use_uvloop": sys.platform != "win32"},
            )
    odd = [] if found.drift is not None else list(odd_cells(found))
    console.warn(_warnings(found, odd))
    is_written = out is not None and not found.is_refused
    if out is not None and is_written:
        write_export(out, found, usage=wish.usage, keep_target=keep_target)
    document = _document(found, out if is_written else None, odd)
    width = console.width
    lines = _lines(found, out if is_written else None, given, width=width)
    errors = map(escape_control, _errors(found, width=width))
    console.result(document, map(escape_control, lines), errors=errors)
    if found.is_refused:
        return ExitCode.STOPPED
    return ExitCode.UNFINISHED if odd or found.drift or not found.is_whole else ExitCode.OK


async def _read(
    wish: Wish,
    *,
    settings: Settings,
    options: MergedOptions,
    ledger: LedgerReader | None,
    sheet: Sheet | None,
    console: Console,
) -> Export:
    with unwrap_exception_group(), looking(console) as hear:
        async with connected(
            settings, options, on_event=hear, hold=console.redactor.hold
        ) as service:
            return await export_of(
                wish,
                service=service,
                redactor=console.redactor,
                options=options,
                ledger=ledger,
                against=sheet,
            )


def _check(out: Path | None, wish: Wish, against: str | None, *, keep_target: bool) -> None:
    """What cannot be meant, before anything is asked of anybody."""
    if out is None and against is None:
        raise UsageError(
            "nothing says where the sheet goes",
            hint="batchconnect export connections.xlsx; --against SHEET needs no file.",
        )
    if wish.run_id is not None and (against is not None or _names_places(wish)):
        raise UsageError(
            "--run says which connections, and so nothing else may",
            hint="Leave out --against, --org, --sandbox and --all.",
        )
    if against is not None and (wish.usage or keep_target):
        raise UsageError(
            "--against writes no sheet, so --usage and --keep-target have no meaning",
            hint="Give the command twice, once without --against.",
        )
    if out is not None:
        check_out(out)


def _names_places(wish: Wish) -> bool:
    return bool(wish.orgs or wish.sandboxes or wish.every)


def _warnings(found: Export, odd: Sequence[tuple[int, str, str]]) -> Iterator[str]:
    for one in found.sandboxes:
        where = f"{one.org} {one.sandbox}"
        if not one.is_proven:
            yield f"{where}: nothing proves that its listing is whole (--accept-unproven-listing)"
        if one.usage_unread is not None:
            yield f"{where}: who uses its connections could not be counted: {one.usage_unread}"
    for org in found.without_default:
        yield f"{org}: it has no default sandbox, so nothing of it was read; name one with --sandbox"
    told = [f"row {row}: {column}: {why}" for row, column, why in odd]
    told += [
        f"{row.at}: its connection {row.connection_id} stands no more in {row.org} {row.sandbox}"
        for row in found.missing
    ]
    yield from _first(told)


def _first(told: Sequence[str]) -> Iterator[str]:
    yield from told[:_MOST_SHOWN]
    if len(told) > _MOST_SHOWN:
        yield f"and {len(told) - _MOST_SHOWN:,} more: --json shows all of them"


# What is said -----------------------------------------------------------------------------------------


def _document(
    found: Export, out: Path | None, odd: Sequence[tuple[int, str, str]]
) -> Mapping[str, object]:
    drift = None
    if found.drift is not None:
        counts = Counter(one.kind for one in found.drift)
        drift = {
            "rows": found.compared,
            "counts": {kind.value: counts[kind] for kind in DriftKind},
            "items": [by_name(one) for one in found.drift],
        }
    return {
        "path": str(out.absolute()) if out is not None else None,
        "connections": sum(len(one.rows) for one in found.sandboxes),
        "sandboxes": [
            {
                "org": one.org,
                "sandbox": one.sandbox,
                "connections": len(one.rows),
                "with_marker": sum(row.standing.marker is not None for row in one.rows),
                "states": Counter(row.standing.state or "" for row in one.rows),
                "proven": one.is_proven,
                "refusal": one.refusal,
                "remedy": look_hint_for(one.refusal_code) if one.refusal_code else None,
                "usage_refusal": one.usage_unread,
            }
            for one in found.sandboxes
        ],
        "without_default_sandbox": list(found.without_default),
        "missing": [_missing(row) for row in found.missing],
        "odd": [{"row": row, "column": column, "why": why} for row, column, why in odd],
        "drift": drift,
    }


def _missing(row: MadeRow) -> Mapping[str, object]:
    return {
        "row": row.at.row,
        "sheet": row.at.sheet or None,
        "worksheet": row.at.worksheet or None,
        "name": row.name,
        "org": row.org,
        "sandbox": row.sandbox,
        "connection_id": row.connection_id,
    }


def _errors(found: Export, *, width: int) -> Iterator[str]:
    """The sandboxes that could not be read, and what to do."""
    for one in found.sandboxes:
        if one.refusal is not None:
            yield f"{one.org} {one.sandbox}: could not be read: {one.refusal}"
    yield from refusal_lines((one.refusal_code for one in found.sandboxes), width=width)


def _lines(found: Export, out: Path | None, given: Given, *, width: int) -> Iterator[str]:
    for one in found.sandboxes:
        if one.refusal is not None:
            continue
        name = f"{one.org} {one.sandbox}"
        ours = sum(row.standing.marker is not None for row in one.rows)
        states = Counter(row.standing.state for row in one.rows if not row.standing.is_usable)
        told = "".join(f", {count} {state}" for state, count in sorted(states.items(), key=str))
        yield f"{name}: {counted(len(one.rows), 'connection')}, {ours} with our marker{told}"
    yield from _errors(found, width=width)
    if found.drift is not None:
        yield from _drift_lines(found, found.drift)
        if out is not None:
            yield f"{out}: all of it"
    elif out is not None:
        count = sum(len(one.rows) for one in found.sandboxes)
        yield f"{out}: {counted(count, 'row')}, keys blank"
        where = ["--org", "ORG", "--sandbox", "SANDBOX"]
        again = ["batchconnect", "plan", str(out), *place_flags(given), *where]
        yield f"next:   fill in the keys, then: {shlex.join(again)}"
    else:
        yield "nothing could be read, so nothing was written"


def _drift_lines(found: Export, drift: Sequence[Drift]) -> Iterator[str]:
    yield from _first([_told(one) for one in drift])
    counts = Counter(one.kind for one in drift)
    told = ", ".join(f"{counts[kind]} {words}" for kind, (words, _) in _WORDS.items())
    yield (
        f"{counted(found.compared, 'row')}: {told}"
        if drift
        else (f"{counted(found.compared, 'row')}: no drift")
    )


_WORDS: Final[Mapping[DriftKind, tuple[str, Callable[[Drift], str]]]] = {
    DriftKind.DIFFERENT: ("different", lambda one: f"differs in {', '.join(one.columns)}"),
    DriftKind.ONLY_IN_SHEET: ("in the sheet only", lambda _one: "stands in the sheet only"),
    DriftKind.ONLY_THERE: ("there only", lambda _one: "stands there only"),
    DriftKind.NOT_COMPARED: (
        "not compared",
        lambda one: f"not compared: {', '.join((one.why, *one.columns))}",
    ),
}


def _told(one: Drift) -> str:
    row = f"row {one.row}" if one.row is not None else one.connection_id or "a connection"
    name = f" {one.name}" if one.name else ""
    place = f" ({one.org} {one.sandbox})" if one.org else ""
    return f"{row}{name}{place}: {_WORDS[one.kind][1](one)}"
