"""What was found about a sheet's cells, as a person reads it: on a terminal wrapped, in a pipe one line each."""

import textwrap
from collections.abc import Iterator
from typing import Final

from batchconnect.cli.screen.console import UNWRAPPED
from batchconnect.model.escape import escape_control
from batchconnect.model.outcome import Severity
from batchconnect.run.intake.findings import FindingKind, FindingKinds

_MOST_KINDS: Final = 200


def finding_lines(kinds: FindingKinds, *, width: int) -> Iterator[str]:
    """
    Errors first, the most frequent first, each with its cells and its remedy; harmless for a terminal.

    Args:
        kinds: What was found.
        width: Columns of the terminal; `UNWRAPPED`: each finding is one line.
    """
    found = kinds.sorted()
    for kind in found[:_MOST_KINDS]:
        yield from map(escape_control, _told(kind, width))
    if len(found) > _MOST_KINDS:
        yield f"and {len(found) - _MOST_KINDS} more kinds: `validate --json` shows all of them"


def error_lines(kinds: FindingKinds, *, width: int) -> Iterator[str]:
    """As `finding_lines`, of errors alone."""
    for kind in kinds.sorted():
        if kind.problem.severity is Severity.ERROR:
            yield from map(escape_control, _told(kind, width))


def _told(kind: FindingKind, width: int) -> Iterator[str]:
    problem = kind.problem
    told = f"{problem.severity}: {kind.told}"
    remedy = problem.remedy if problem.severity is not Severity.NOTE else ""
    if width >= UNWRAPPED:
        yield " -> ".join(part for part in (told, remedy) if part)
        return
    yield from textwrap.wrap(told, width, subsequent_indent="    ")
    yield from textwrap.wrap(remedy, width, initial_indent="    -> ", subsequent_indent="       ")
