"""Keys whose store says when they end, the first to end first; for a person, or for cron."""

import os
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Final

import anyio

from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.console import Console, counted
from batchconnect.cli.screen.looking import looking
from batchconnect.cli.signals import ending_at_once
from batchconnect.cli.start import options_of, settings_of, sheet_of
from batchconnect.model.errors import ExitCode, UsageError
from batchconnect.model.escape import escape_control
from batchconnect.model.exception_group import unwrap_exception_group
from batchconnect.model.key_end import DAY_MS
from batchconnect.model.row_place import Places
from batchconnect.options import MergedOptions
from batchconnect.run.history.history import find_run
from batchconnect.run.keys.expiring_run import (
    KeyEnds,
    Wanted,
    document_of,
    keys_of_run,
    keys_of_sheet,
    look_at_ends,
)
from batchconnect.run.opening.opened_ledger import ledger_of
from batchconnect.run.validate_run import judging
from batchconnect.settings import Settings
from batchconnect.sheet.kind import is_named_like_a_sheet
from batchconnect.stores.opened import opened_stores
from batchconnect.stores.resolver import STORES_ALONE, StoreResolver

_WITHIN: Final = re.compile(r"(\d{1,5}(?:\.\d+)?)([hdw]?)")
_DAYS: Final = {"h": 1 / 24, "d": 1.0, "w": 7.0, "": 1.0}
_MOST_ROWS: Final = 3


def run(output: OutputOptions, given: Given, *, what: str | None, within: str) -> int:
    """List the keys of a sheet, or of a run, that end within a time."""
    days = _days(within)
    console = Console(output)
    settings = settings_of(given, os.environ, offline=True)
    options = options_of(settings, given)
    console.warn(settings.warnings)
    if what is not None and is_named_like_a_sheet(what):
        with sheet_of((what,), options, console) as sheet:
            how = judging(sheet, settings=settings, options=options, environ=os.environ)
            wanted = keys_of_sheet(sheet, how.judge, how.is_selected)
    else:
        with ledger_of(options) as ledger:
            state = find_run(ledger, what)
            wanted = keys_of_run(state, ledger, (store.name for store in settings.stores))
    now_ms = time.time_ns() // 1_000_000
    with ending_at_once():
        found = anyio.run(
            partial(_look, wanted, settings, options, console, days=days, now_ms=now_ms),
            backend_options={"use_uvloop": sys.platform != "win32"},
        )
    console.result(
        document_of(found, days),
        map(escape_control, _lines(found, days=days, now_ms=now_ms)),
    )
    if found.is_refused:
        return ExitCode.STOPPED
    return ExitCode.OK if found.is_fine else ExitCode.UNFINISHED


async def _look(
    wanted: Wanted,
    settings: Settings,
    options: MergedOptions,
    console: Console,
    *,
    days: float,
    now_ms: int,
) -> KeyEnds:
    with unwrap_exception_group(), looking(console) as hear:
        async with opened_stores(
            settings.stores,
            proxy=options.proxy_url,
            ca_bundle=options.ca_bundle,
            patience_s=options.patience,
            rng=Random(),  # noqa: S311 - jitter, no secret
            on_event=hear,
            hold=console.redactor.hold,
        ) as stores:
            resolver = StoreResolver(stores, STORES_ALONE)
            return await look_at_ends(wanted, resolver, within_days=days, now_ms=now_ms)


def _days(text: str) -> float:
    found = _WITHIN.fullmatch(text.strip())
    if found is None:
        raise UsageError("--within must be a time, as 30d, 12h or 2w")
    return float(found[1]) * _DAYS[found[2]]


def _lines(found: KeyEnds, *, days: float, now_ms: int) -> Iterator[str]:
    if found.ending:
        width = max(len(one.key.reference) for one in found.ending)
        for one in found.ending:
            assert one.key.expires_at_ms is not None
            at = datetime.fromtimestamp(one.key.expires_at_ms / 1000, UTC)
            left = _left(one.key.expires_at_ms - now_ms)
            yield f"{at:%Y-%m-%d}  {left:<15} {one.key.reference:<{width}}  {_rows(one.rows, found.places)}"
    for refused in found.refused:
        name = f"{refused.reference}: " if refused.reference else ""
        told = f"{_rows(refused.rows, found.places)}: {name}{refused.problem.what}"
        yield from textwrap.wrap(told, 80, subsequent_indent="    ")
        yield from textwrap.wrap(
            refused.problem.remedy, 80, initial_indent="    -> ", subsequent_indent="       "
        )
    for why in found.stores.values():
        yield from textwrap.wrap(why, 80, subsequent_indent="    ")
    yield from textwrap.wrap(_sum(found, days), 80, subsequent_indent="    ")


def _sum(found: KeyEnds, days: float) -> str:
    within = f"{days:g} day{'s' * (days != 1)}"
    parts = [f"{counted(len(found.ending), 'key')} of {found.asked} ending within {within}"]
    if found.refused:
        parts.append(f"{len(found.refused)} not to be had")
    if found.unanswered:
        parts.append(f"{found.unanswered} in a store that does not answer")
    if found.undated:
        parts.append(f"{found.undated} whose store tells no end")
    if found.without:
        parts.append(f"{counted(found.without, 'row')} without a key in a store")
    if found.rejected:
        rows = counted(found.rejected, "row")
        parts.append(f"{rows} rejected: not looked at, `batchconnect validate` says why")
    return "; ".join(parts)


def _left(ms: int) -> str:
    days = ms / DAY_MS
    if days < 0:
        return f"ended {-days:.0f} d ago"
    return f"in {days:.0f} days" if days >= 2 else f"in {days * 24:.0f} hours"  # noqa: PLR2004 - a day is told in hours


def _rows(rows: Sequence[tuple[int, str]], places: Places) -> str:
    number, name = rows[0]
    others = ", ".join(places.told(number).removeprefix("row ") for number, _ in rows[1:_MOST_ROWS])
    more = ", ..." if len(rows) > _MOST_ROWS else ""
    return f"{places.told(number)} ({name})" + (f", {others}{more}" if others else "")
