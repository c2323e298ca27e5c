"""From options to what the engine takes: settings, choices, an open sheet."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from batchconnect.cli.commands.console import Console
from batchconnect.cli.options import (
    PartOptions,
    PlaceOptions,
    RunOptions,
    ServiceOptions,
    SheetOptions,
)
from batchconnect.lane.reconciler import OnDoubt
from batchconnect.ledger import Ledger
from batchconnect.ledger.file import place_warning
from batchconnect.model.errors import LedgerError, UsageError
from batchconnect.run.choices import REPORTS, Choices
from batchconnect.run.exit_code import FailureLimit
from batchconnect.settings import Settings, load_settings
from batchconnect.settings.options import Overrides
from batchconnect.sheet import HiddenRows, Sheet, open_sheet

_WHOLE: Final = 100.0
"""Per cent."""


def settings_of(
    places: PlaceOptions,
    environ: Mapping[str, str],
    *,
    service: ServiceOptions | None = None,
    sheet: SheetOptions | None = None,
    run: RunOptions | None = None,
    offline: bool = False,
) -> Settings:
    """
    Load the settings with the flags that win over them.

    Args:
        places: Where.
        environ: The environment.
        service: Flags of a command that talks to the service.
        sheet: Flags of a command that reads a sheet.
        run: Flags of a run.
        offline: No credential is needed, nor any org.

    Raises:
        SettingsError: As of `load_settings`.
    """
    overrides = Overrides(
        ledger=places.ledger,
        reports=places.reports,
        skip_invalid=(run is not None and run.skip_invalid) or None,
        rate=service.rate if service else None,
        concurrency=service.concurrency if service else None,
        timeout=service.timeout if service else None,
        settle=service.settle if service else None,
        patience=service.patience if service else None,
        on_doubt=service.on_doubt if service else None,
        allow_refs=(sheet is not None and sheet.allow_refs) or None,
        refs_dir=sheet.refs_dir if sheet else None,
        allow_hosts=tuple((service.allow_host if service else None) or ()),
        proxy=service.proxy if service else None,
        ca_bundle=service.ca_bundle if service else None,
    )
    return load_settings(
        path=places.settings,
        environ=environ,
        overrides=overrides,
        resolve_secrets=not (offline or places.simulate),
    )


def choices_of(
    settings: Settings,
    places: PlaceOptions,
    *,
    service: ServiceOptions | None = None,
    sheet: SheetOptions | None = None,
    run: RunOptions | None = None,
    part: PartOptions | None = None,
) -> Choices:
    """
    Everything that was chosen; what no flag and no setting names keeps its default.

    Raises:
        UsageError: Options contradict each other.
    """
    default = Choices()
    fault = service.fault if service else None
    if fault is not None and not places.simulate:
        raise UsageError(
            "--fault without --simulate", hint="Trouble is practised against the simulator only."
        )
    return Choices(
        worksheet=sheet.worksheet if sheet else None,
        encoding=sheet.encoding if sheet else None,
        visible_only=sheet.visible_only if sheet else False,
        org=sheet.org if sheet else None,
        sandbox=sheet.sandbox if sheet else None,
        only=_only(part) if part else tuple((sheet.only if sheet else None) or ()),
        concurrency=settings.concurrency or default.concurrency,
        timeout_s=settings.timeout or default.timeout_s,
        settle_s=settings.settle,
        on_doubt=OnDoubt(settings.on_doubt or default.on_doubt),
        patience_s=default.patience_s if settings.patience is None else settings.patience,
        skip_invalid=settings.skip_invalid,
        max_rows=run.max_rows if run else None,
        max_failures=_max_failures(run.max_failures) if run else None,
        note=run.note if run else "",
        strict=bool((sheet and sheet.strict) or (part and part.strict)),
        adopt_by_name=service.adopt_by_name if service else False,
        recreate=run.recreate if run else False,
        settle_first=run.settle_first if run else False,
        allow_refs=settings.allow_refs,
        refs_dir=settings.refs_dir,
        proxy=settings.proxy.reveal() if settings.proxy else None,
        ca_bundle=settings.ca_bundle,
        simulate=places.simulate,
        fault=fault or default.fault,
        seed=service.seed if service else default.seed,
        reports=settings.reports or REPORTS,
        ledger=settings.ledger,
    )


@contextmanager
def sheet_of(path: str, options: SheetOptions, console: Console) -> Iterator[Sheet]:
    """
    An open sheet, its warnings said.

    Raises:
        SheetError: It cannot be used.
    """
    sheet = open_sheet(
        path, worksheet=options.worksheet, encoding=options.encoding, hidden=_hidden(options)
    )
    told = len(sheet.warnings)
    try:
        console.warn(sheet.warnings)
        yield sheet
        # Some are known only when the sheet was read to its end.
        console.warn(sheet.warnings[told:])
    finally:
        sheet.close()


def _hidden(options: SheetOptions) -> HiddenRows:
    """What becomes of rows that nobody sees; to leave them out is no warning, so it wins."""
    if options.visible_only:
        return HiddenRows.LEAVE_OUT
    return HiddenRows.REFUSE if options.strict else HiddenRows.READ


def warn_of_places(choices: Choices, settings: Settings, console: Console) -> None:
    """Say what is odd about settings and ledger, and which ledger it is."""
    console.warn(settings.warnings)
    warning = place_warning(choices.ledger_path)
    if warning is not None:
        console.warn([warning])


def warn_ignored_flags(part: PartOptions, console: Console) -> None:
    """A run's options that a command takes, so that one command line serves all, and has no use for."""
    idle = {
        "--max-rows": part.max_rows is not None,
        "--max-failures": part.max_failures is not None,
        "--note": bool(part.note),
    }
    names = ", ".join(name for name, is_given in idle.items() if is_given)
    if names:
        console.say(f"note: without effect here, for nothing is created: {names}")


@contextmanager
def ledger_of(choices: Choices) -> Iterator[Ledger]:
    """
    The ledger, for reading; a run may be at work on it.

    Raises:
        LedgerError: There is none, or it is unusable.
    """
    if not choices.ledger_path.exists():
        raise LedgerError(f"there is no ledger at {choices.ledger_path}", hint=_where(choices))
    with Ledger(choices.ledger_path, simulated=choices.simulate, read_only=True) as ledger:
        yield ledger


def _where(choices: Choices) -> str:
    if not choices.simulate and replace(choices, simulate=True).ledger_path.exists():
        return "There are simulated runs: add --simulate. A real run makes a ledger of its own."
    return "A run makes it. One that lies elsewhere: --ledger FILE, or --reports DIR."


def place_flags(places: PlaceOptions) -> list[str]:
    """What the next command needs to find the same ledger and reports."""
    again: list[str] = []
    for name, path in (
        ("--settings", places.settings),
        ("--reports", places.reports),
        ("--ledger", places.ledger),
    ):
        again += [name, str(path)] if isinstance(path, Path) else []
    return [*again, "--simulate"] if places.simulate else again


def sheet_flags(options: SheetOptions) -> list[str]:
    """What the next command needs to read the same rows of the sheet in the same way."""
    named = (
        ("--worksheet", options.worksheet),
        ("--encoding", options.encoding),
        ("--org", options.org),
        ("--sandbox", options.sandbox),
        *(("--only", only) for only in options.only or ()),
        ("--refs-dir", options.refs_dir),
    )
    flags = (
        ("--visible-only", options.visible_only),
        ("--allow-refs", options.allow_refs),
        ("--strict", options.strict),
    )
    return [
        *(part for name, value in named if value is not None for part in (name, str(value))),
        *(name for name, is_given in flags if is_given),
    ]


def _only(part: PartOptions) -> tuple[str, ...]:
    org = () if part.org is None else (f"org={part.org}",)
    return (*org, *(part.only or ()))


def _max_failures(text: str | None) -> FailureLimit | None:
    """`N` rows, or `N%` of them."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    value = float(found[1]) if found else 0.0
    is_share = bool(found and found[2])
    is_whole = value.is_integer() and not is_share
    if not (0 < value <= (_WHOLE if is_share else value) and (is_share or is_whole)):
        raise UsageError(
            f"--max-failures {text}: neither a number of rows nor a share of them",
            hint="For example: --max-failures 20, or --max-failures 5%",
        )
    return FailureLimit(share=value / _WHOLE) if is_share else FailureLimit(rows=int(value))
