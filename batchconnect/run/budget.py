"""What one process may still begin of a run, and how many failures it bears (`--max-rows`, `--max-failures`)."""

from collections.abc import Callable
from math import inf


class Budget:
    """
    Counts rows and failures over all lanes of a process.

    Args:
        most_rows: At most so many creates; None: no limit.
        begun: Rows that were begun before.
        on_failures: Told when there are too many failures.
    """

    def __init__(
        self, *, most_rows: int | None, begun: int = 0, on_failures: Callable[[], None]
    ) -> None:
        self.is_over = False
        """Whether a row was held back by it."""
        self.failures_allowed: float = inf
        self._most_rows = most_rows
        self._begun = begun
        self._failures = 0
        self._on_failures = on_failures

    def count_begun(self, rows: int) -> None:
        """Count rows that were begun before."""
        self._begun += rows

    def may_begin(self) -> bool:
        """Count a row that is about to be begun, if it may be."""
        if self._most_rows is not None and self._begun >= self._most_rows:
            self.is_over = True
            return False
        self._begun += 1
        return True

    def failed(self) -> None:
        """Count a row that failed."""
        self._failures += 1
        if self._failures >= self.failures_allowed:
            self._on_failures()
