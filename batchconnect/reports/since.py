"""
What is new, fixed and still failing since the run before over the same sheet.

Only rows that failed then are remembered, and of a run that ended well none is read: so a million rows
that stand cost nothing.
"""

from collections.abc import Callable, Iterable, Iterator

from batchconnect.model.identity import canonical_name
from batchconnect.model.value import Value
from batchconnect.reports.result import Change, Result, is_failing, is_unfinished

Identified = tuple[str | None, Result]
"""A row's marker, None where it was rejected, and the row."""


class Before(Value):
    """The run before, as far as a later one is compared with it."""

    run_id: str
    started_at_ms: int
    _places: frozenset[tuple[str, str, str]]
    """Org, sandbox and name of each row that failed."""
    _names: frozenset[str]
    """Of rejected ones, whose org or sandbox may be what was wrong, where only they have them."""

    def change_of(self, result: Result) -> Change | None:
        """What a row of a later run is beside it."""
        failed = _place(result) in self._places or canonical_name(result.name) in self._names
        if not failed:
            return Change.NEW if is_failing(result) else None
        return Change.STILL if is_unfinished(result) else Change.FIXED


class Since(Value):
    """How many rows of a run changed since the run before."""

    run_id: str
    """Of the run before."""
    started_at_ms: int
    new: int
    still_failing: int
    fixed: int

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.still_failing or self.fixed)


def before_of(
    run_id: str, started_at_ms: int, rows: Callable[[], Iterator[Identified]] | None
) -> Before:
    """
    Remember what failed in a run.

    Args:
        run_id: Its id.
        started_at_ms: When it began.
        rows: One pass over its rows, asked for twice at most; None: all of them are known to be done.
    """
    places: set[tuple[str, str, str]] = set()
    rejected: set[str] = set()
    for marker, result in rows() if rows else ():
        if is_failing(result):
            places.add(_place(result))
            if marker is None and result.name:
                rejected.add(canonical_name(result.name))
    names = rejected - _names_of_others(rows(), rejected) if rows and rejected else rejected
    return Before(
        run_id=run_id,
        started_at_ms=started_at_ms,
        _places=frozenset(places),
        _names=frozenset(names),
    )


def _names_of_others(rows: Iterable[Identified], rejected: set[str]) -> set[str]:
    """Names that a row in another place has as well: they say nothing about which row it was."""
    names = ((marker, canonical_name(result.name)) for marker, result in rows)
    return {name for marker, name in names if marker is not None and name in rejected}


def _place(result: Result) -> tuple[str, str, str]:
    return result.org, result.sandbox, canonical_name(result.name)
