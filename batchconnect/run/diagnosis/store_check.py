"""What each store of the settings says when it is signed in to; nothing is read there. For `orgs` and `doctor`."""

from collections.abc import Mapping

import anyio

from batchconnect.model.store import StoreKind
from batchconnect.model.value import Value
from batchconnect.stores.line import StoreLine
from batchconnect.stores.words import told


class CheckedStore(Value):
    """What one store answered."""

    name: str
    kind: StoreKind
    auth: str
    is_open: bool
    """Whether cells of a sheet may refer to it."""
    refusal: str | None = None
    """What is wrong, with its remedy, one line; None: all is well."""


async def check_stores(stores: Mapping[str, StoreLine]) -> list[CheckedStore]:
    """
    Sign in to each store, once, and read nothing.

    Args:
        stores: As `opened_stores` gives them.

    Returns:
        One for each, in the order of the settings.
    """
    found: dict[str, CheckedStore] = {}

    async def check(line: StoreLine) -> None:
        profile, trouble = line.profile, await line.check()
        found[profile.name] = CheckedStore(
            name=profile.name,
            kind=profile.kind,
            auth=profile.auth,
            is_open=profile.is_open,
            refusal=None if trouble is None else told(trouble, profile),
        )

    async with anyio.create_task_group() as tasks:
        for line in stores.values():
            tasks.start_soon(check, line)
    return [found[name] for name in stores]
