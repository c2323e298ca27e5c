"""From options to what the engine takes: settings, options, an open sheet."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from batchconnect.cli.options import RUN, SERVICE, SHEET, Given
from batchconnect.cli.screen.console import Console
from batchconnect.model.column import Column
from batchconnect.model.errors import SheetError, UsageError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.options import OPTIONS, MergedOptions, Option, RunOptions, with_defaults
from batchconnect.options.shape import REFERENCES
from batchconnect.run import selection
from batchconnect.run.opening.open_by_options import open_by
from batchconnect.run.opening.opened_ledger import warning_of_place
from batchconnect.run.opening.sheet_name import check_rows
from batchconnect.settings import Settings, load_settings
from batchconnect.sheet import Sheet
from batchconnect.sheet.several import parts_of
from batchconnect.sheet.source import OPEN_TO_ALL
from batchconnect.sheet.template import PRACTICE_KEY

if TYPE_CHECKING:
    # Whoever only reads a sheet needs none of the reports' modules.
    from batchconnect.reports.next_step import NextStep

_OF_ONE_FILE: Final = {"worksheet", "all_worksheets", "map", "visible_only", "encoding"}
_TRIED: Final = 20
"""Rows that tell whether a sheet is an example."""
_PLACES: Final = ("reports", "ledger", "simulate")
_UNREMEMBERED: Final = ("only", "allow_refs", "refs_dir", "strict")
"""What a run is told of its sheet, and does not keep for the command after it."""
_KEPT: Final = {
    "rerun": (*_UNREMEMBERED, *SERVICE.names, *RUN.names),
    "reconcile": SERVICE.names,
    "verify": (*SERVICE.names, "note"),
    "rotate": (*SERVICE.names, *RUN.names),
    "undo": (*SERVICE.names, "note"),
}
"""By the command that is next: what it is given of the one before, beside what it knows by itself."""
_BEARS_MORE: Final = re.compile(r"[@?#\\\s]")
"""In a proxy's address: a name and a password before its host, or what is no part of such an address."""
_PRACTICE: Final = {"fault", "seed"}
"""Trouble that was practised is over."""


def as_part(given: Given, *, sandbox: str | None = None) -> Given:
    """
    What a command without a sheet was given: there `--org` chooses, for there is no cell to fill.

    Args:
        given: As it was given.
        sandbox: The one that is chosen likewise.
    """
    part = selection.as_part(given.options, sandbox=sandbox)
    return replace(given, options=part)


def settings_of(given: Given, environ: Mapping[str, str], *, offline: bool = False) -> Settings:
    """
    Load the settings with the flags that win over them.

    Args:
        given: The flags.
        environ: The environment.
        offline: No credential is needed, nor any org.

    Raises:
        SettingsError: As of `load_settings`.
    """
    return load_settings(
        path=given.settings,
        environ=environ,
        options=given.options,
        resolve_secrets=not (offline or given.options.simulate),
        flags=True,
    )


def options_of(settings: Settings, given: Given) -> MergedOptions:
    """
    Everything that was chosen; what no flag and no setting names keeps its default.

    Raises:
        UsageError: Options contradict each other.
    """
    if given.options.fault is not None and not given.options.simulate:
        raise UsageError(
            "--fault without --simulate", hint="Trouble is practised against the simulator only."
        )
    return with_defaults(settings.options)


@contextmanager
def sheet_of(
    paths: Sequence[str], options: MergedOptions, console: Console, *, checks_name: bool = False
) -> Iterator[Sheet]:
    """
    Open sheets as one, their warnings said.

    Args:
        paths: As they were typed, or `-`.
        options: How it is read.
        console: Where its warnings are said.
        checks_name: Whether who reads it holds its name against each key; the warnings, which name it, are
            then said at the end.

    Raises:
        SheetError: It cannot be used, or its name holds a key.
    """
    sheet = open_by(options, paths)
    told: frozenset[str] = frozenset()
    try:
        if sheet.warnings and not checks_name:
            check_rows(sheet)
            told = frozenset(sheet.warnings)
            console.warn(_that_count(sheet, sheet.warnings))
        yield sheet
        # Some are known only when the sheet was read to its end.
        console.warn(_that_count(sheet, [one for one in sheet.warnings if one not in told]))
    except SheetError:
        check_rows(sheet)  # the error names it
        raise
    finally:
        sheet.close()


def _that_count(sheet: Sheet, warnings: Sequence[str]) -> Iterator[str]:
    """The warnings of a sheet; an example's keys are nobody's, so everybody may read them."""
    for warning in warnings:
        if OPEN_TO_ALL not in warning or not _is_practice(sheet):
            yield warning


def _is_practice(sheet: Sheet) -> bool:
    """Whether its keys are made up, and say so, as far as its first rows tell."""
    return all(map(_has_practice_keys, parts_of(sheet)))


def _has_practice_keys(sheet: Sheet) -> bool:
    keys = [row.cells.get(Column.SERVICE_PRINCIPAL_KEY) for row in islice(sheet.rows(), _TRIED)]
    return bool(keys) and all(
        isinstance(key, Secret) and key.reveal().startswith(PRACTICE_KEY) for key in keys if key
    )


def warn_of_places(options: MergedOptions, settings: Settings, console: Console) -> None:
    """Say what is odd about settings and ledger, and which ledger it is."""
    console.warn(settings.warnings)
    warning = warning_of_place(options)
    if warning is not None:
        console.warn([warning])


def warn_ignored_flags(given: Given, console: Console) -> None:
    """A run's options that a command takes, so that one command line serves all, and has no use for."""
    idle = {name: getattr(given.options, name) for name in ("max_rows", "max_failures", "note")}
    names = ", ".join(OPTIONS[name].flag for name, value in idle.items() if value not in {None, ""})
    if names:
        console.say(f"note: without effect here, for nothing is created: {names}")


def place_flags(given: Given) -> list[str]:
    """What the next command needs to find the same ledger and reports."""
    settings = [] if given.settings is None else ["--settings", str(given.settings)]
    return [*settings, *flags_of(given.options, _PLACES)]


def sheet_flags(given: Given) -> list[str]:
    """What the next command needs to read the same rows of the sheet in the same way."""
    return flags_of(given.options, SHEET.names)


def service_flags(given: Given) -> list[str]:
    """What the next command needs to reach the service alike, and to follow the same references."""
    return flags_of(given.options, (*SERVICE.names, "allow_refs", "refs_dir"))


def kept_flags(given: Given, step: "NextStep") -> list[str]:
    """What the command that is named next needs besides, to do no more than was to be done, and in the same way."""
    word = step.command[1] if step.command else ""
    return _kept(given, (*(_UNREMEMBERED if step.reads_sheet else ()), *_KEPT.get(word, ())))


def rerun_flags(given: Given) -> list[str]:
    """`kept_flags`, of an advice that names a rerun."""
    return _kept(given, _KEPT["rerun"])


def _kept(given: Given, names: Iterable[str]) -> list[str]:
    return flags_of(given.options, (name for name in names if name not in _PRACTICE))


def judging_flags(given: Given) -> list[str]:
    """What the next command needs to judge rows in the same way that stand in another file now."""
    return flags_of(given.options, (name for name in SHEET.names if name not in _OF_ONE_FILE))


def flags_of(options: RunOptions, names: Iterable[str]) -> list[str]:
    """The options of these names as they would be typed; what was not chosen is left out."""
    chosen = options.given()
    return [
        word for name in names if name in chosen for word in _typed(OPTIONS[name], chosen[name])
    ]


def _typed(one: Option, value: object) -> list[str]:
    if one.shape.kind is bool:
        return [one.flag] if value else []
    values = value if isinstance(value, tuple) else (value,)
    texts = map(_text_of, values)
    return [word for text in texts if text is not None for word in (one.flag, text)]


def _text_of(value: object) -> str | None:
    """The value as it would be typed; None: it bears a secret, which nobody prints."""
    if isinstance(value, float):
        return repr(int(value) if value.is_integer() else value)
    secret = value.url if isinstance(value, LedgerAddress) else value
    if not isinstance(secret, Secret):
        return str(value)
    typed = secret.reveal()
    if typed.startswith(REFERENCES):
        return typed
    if isinstance(value, LedgerAddress):
        return None if value.passwords else str(value)
    return None if _BEARS_MORE.search(typed) else typed
