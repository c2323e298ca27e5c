"""Resolves `env:` and `file:`, for a row whose turn has come; no file holds up the rows of others."""

from collections.abc import Collection, Mapping

import anyio.to_thread

from batchconnect.model.reference import FILE, LookedUp, Reference
from batchconnect.validation.reference import References


class LocalResolver:
    """
    The variables and files of this machine.

    Args:
        references: What a sheet may refer to.
    """

    def __init__(self, references: References) -> None:
        self._references = references

    async def resolve(self, references: Collection[Reference]) -> Mapping[Reference, LookedUp]:
        """As `Resolver.resolve`; files are read in a thread, one after the other."""
        return {reference: await self._one(reference) for reference in references}

    async def _one(self, reference: Reference) -> LookedUp:
        if reference.store == FILE:
            # A disk, or a share, may take its time.
            return await anyio.to_thread.run_sync(self._references.resolve, reference)
        return self._references.resolve(reference)
