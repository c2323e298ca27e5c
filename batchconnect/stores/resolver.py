"""Sends each reference to its store, and makes of the answer what a row can be told."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

import anyio

from batchconnect.model.reference import LookedUp, Reference, Resolver, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.stores.interface import Refusal
from batchconnect.stores.line import StoreLine
from batchconnect.stores.words import not_attempted, problem_of


class _NothingElse:
    """What is looked up names a store of the settings: no variable, and no file."""

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        """Never asked: whoever uses it refers to stores of the settings alone."""
        raise LookupError(f"{len(references)} references to no store of the settings")


STORES_ALONE: Final[Resolver] = _NothingElse()


class StoreResolver:
    """
    Looks up what the stores of the settings hold.

    Args:
        lines: The way to each of them, by name.
        elsewhere: Looks up what names no store: variables and files.
        hold: Told of each secret before anybody has it, so that no text shows it.
    """

    def __init__(
        self,
        lines: Mapping[str, StoreLine],
        elsewhere: Resolver,
        *,
        hold: Callable[[Secret], None] = lambda secret: None,
    ) -> None:
        self._lines = lines
        self._elsewhere = elsewhere
        self._hold = hold

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        """As `Resolver.resolve`; all at once, each store at its own pace."""
        if len(references) == 1:  # as of every row
            (only,) = references
            return {only: await self._one(only)}
        found: dict[Reference, LookedUp] = {}

        async def look_up(reference: Reference) -> None:
            found[reference] = await self._one(reference)

        async with anyio.create_task_group() as tasks:
            for reference in dict.fromkeys(references):
                tasks.start_soon(look_up, reference)
        return found

    def trouble_of(self, reference: Reference) -> anyio.Event | None:
        """As of `StoreLine.trouble`, for the store that a reference names."""
        line = self._lines.get(reference.store)
        return None if line is None else line.trouble

    async def _one(self, reference: Reference) -> LookedUp:
        line = self._lines.get(reference.store)
        if line is None:
            return (await self._elsewhere.resolve([reference]))[reference]
        found = await line.look_up(reference.place)
        match found:
            case StoredSecret(value=value):
                self._hold(value)
                return found
            case Refusal():
                return problem_of(found, reference, line.profile)
            case _:
                return not_attempted(found, line.profile)
