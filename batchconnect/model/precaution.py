"""What a person decides before a run: what follows a doubt, and when failures are too many."""

from enum import StrEnum

from batchconnect.model.value import Value


class OnDoubt(StrEnum):
    """What follows proven absence."""

    RESEND = "resend"
    """Send once more, at most twice."""
    HOLD = "hold"
    """Leave it in doubt for a person."""


class FailureLimit(Value):
    """At how many failed rows a run stops: so many rows, or a share of those that are to be done."""

    rows: int | None = None
    share: float | None = None
    """Above 0, at most 1."""

    def __str__(self) -> str:
        """As it is typed: `20`, `5%`."""
        return f"{100 * (self.share or 0.0):g}%" if self.rows is None else str(self.rows)

    def of(self, to_do: int) -> float:
        """How many failed rows end the run."""
        if self.rows is not None:
            return self.rows
        return max(1.0, (self.share or 0.0) * to_do)
