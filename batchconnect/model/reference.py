"""
Where a secret stands when it does not stand in the cell, and who looks it up there.

The form of a reference is judged without asking anybody; it is resolved once, when its row's turn has
come, and its value lives no longer than the row is on its way. A store of secrets is one more `Resolver`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from batchconnect.model.outcome import Problem
from batchconnect.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Reference:
    """Names a secret, as `env:NAME`. Until it resolved, its text may be a secret that only looks like one."""

    text: str = field(repr=False)


class Resolver(Protocol):
    """Looks secrets up; an environment and a folder of files are one, a vault may be another."""

    async def resolve(
        self, references: Collection[Reference]
    ) -> Mapping[Reference, Secret | Problem]:
        """
        Look up all of these, at once where the store can.

        Returns:
            For each one its secret, or why there is none: in words that hold nothing of a secret, nor of
            what the store answered. What concerns one reference costs no other.
        """
        ...
