"""Whether a run could keep its ledger and its reports: the folder, its disk, its modes, its locks."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from batchconnect.model.errors import BatchConnectError, LedgerError
from batchconnect.model.file_mode import set_mode
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.opening.opened_ledger import (
    is_in_use,
    is_there,
    read_ledger,
    try_lock,
    warning_of_place,
)
from batchconnect.run.opening.places import home_of, ledger_place

_FULL: Final = 20_000_000
"""Bytes that are left: a run of a few thousand rows would not end well."""
_NEARLY_FULL: Final = 500_000_000
_OTHERS: Final = 0o077
_ELSEWHERE: Final = "Name a folder on a local disk that you may write, with --reports, or --ledger."


def look_at_places(options: MergedOptions) -> Iterator[Check]:
    """Try the folders of ledger and reports, and read the ledger where there is one; nothing is left there."""
    place = ledger_place(options)
    folders = [home_of(options).absolute()]
    if isinstance(place, Path):
        folders.insert(0, place.parent)
    for folder in dict.fromkeys(folders):
        yield from _look_at_folder(folder)
    if (warning := warning_of_place(options)) is not None:
        yield _of_ledger(place, Verdict.WARNING, warning, "Name a local path with --ledger.")
    yield _look_at_ledger(options, place)


def _look_at_folder(folder: Path) -> Iterator[Check]:
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    made = "" if nearest == folder else f" (a run makes it in {nearest})"
    try:
        problems = list(_try(nearest))
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        yield Check(
            topic="folder",
            subject=str(folder),
            verdict=Verdict.FAILED,
            code="ledger",
            what=f"nothing can be written there{made}: {error.strerror or error}",
            remedy=_ELSEWHERE,
        )
        return
    yield from (_of_folder(folder, *problem) for problem in problems)
    if free < _NEARLY_FULL:
        verdict = Verdict.FAILED if free < _FULL else Verdict.WARNING
        yield _of_folder(
            folder, verdict, f"its disk has {free // 1_000_000} MB left", "Make room there."
        )
    if not problems:
        yield Check(
            topic="folder",
            subject=str(folder),
            what=f"may be written{made}, is private, has locks; {_size(free)} free",
        )


def _try(folder: Path) -> Iterator[tuple[Verdict, str, str]]:
    """
    Do there what a ledger does; what of it goes wrong, each with its remedy.

    Raises:
        OSError: Nothing can be written there.
    """
    probe = folder / f".batchconnect-{secrets.token_hex(8)}"
    try:
        _write(probe)
        if os.name == "posix" and (not set_mode(probe, 0o600) or probe.stat().st_mode & _OTHERS):
            yield (
                Verdict.WARNING,
                "the volume refuses chmod: whoever may read the volume may read ledger and reports",
                "Name a folder on a volume that keeps modes, with --reports and --ledger.",
            )
        try:
            try_lock(probe)
        except LedgerError as error:
            yield Verdict.FAILED, f"it has no locks: {error.message}", _ELSEWHERE
    finally:
        for path in (probe, probe.with_name(f"{probe.name}.lock")):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _write(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, b"batchconnect doctor tries whether it can write here\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look_at_ledger(options: MergedOptions, place: Path | LedgerAddress) -> Check:
    if not is_there(options):
        return _of_ledger(place, Verdict.OK, "there is none yet; the first run makes it")
    try:
        with read_ledger(options) as ledger:
            runs = sum(1 for _ in ledger.runs())
    except BatchConnectError as error:
        return _of_ledger(place, Verdict.FAILED, error.message, error.hint or "")
    if isinstance(place, Path) and os.name == "posix" and place.stat().st_mode & _OTHERS:
        told = "others may read it, and it tells who was onboarded"
        return _of_ledger(place, Verdict.WARNING, told, f"chmod 600 {place}")
    used = "; a run is at work on it now" if is_in_use(options) else ""
    return _of_ledger(
        place,
        Verdict.NOTE if used else Verdict.OK,
        f"readable, {runs} {'run' if runs == 1 else 'runs'}{used}",
    )


def _of_ledger(place: Path | LedgerAddress, verdict: Verdict, what: str, remedy: str = "") -> Check:
    is_bad = verdict is Verdict.FAILED
    return Check(
        topic="ledger",
        subject=str(place),
        verdict=verdict,
        what=what,
        remedy=remedy,
        code="ledger" if is_bad else "",
    )


def _of_folder(folder: Path, verdict: Verdict, what: str, remedy: str) -> Check:
    return Check(topic="folder", subject=str(folder), verdict=verdict, what=what, remedy=remedy)


def _size(free: int) -> str:
    return f"{free / 1e9:.0f} GB" if free >= 1e9 else f"{free // 1_000_000} MB"  # noqa: PLR2004
