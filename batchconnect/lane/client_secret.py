"""An org's client secret that a store holds: looked up when the lane signs in, and again when it is refused."""

from collections.abc import Awaitable, Callable
from typing import assert_never

from batchconnect.model.org import Org
from batchconnect.model.outcome import NotAttempted, Problem
from batchconnect.model.reference import Resolver, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.transport.ims import SignInError


def looked_up(org: Org, secrets: Resolver | None) -> Callable[[], Awaitable[Secret]] | None:
    """
    How a lane gets the client secret of its org; None: it stands in the settings, or nowhere.

    Args:
        org: The lane's.
        secrets: Looks up what the settings refer to.
    """
    reference = org.client_secret_at
    if reference is None or secrets is None:
        return None

    async def look_up() -> Secret:
        found = (await secrets.resolve([reference]))[reference]
        match found:
            case StoredSecret(value=value):
                # One of the sign-in's own: a store would give out again what somebody still holds, and one
                # that was refused has to be asked for anew.
                return Secret(value.reveal())
            case NotAttempted(code=code, detail=detail):
                raise SignInError(code, detail)
            case Problem(code=code, what=what, remedy=remedy):
                # A store speaks of a cell, as of a row's key.
                told = f"{what}. {remedy}".replace("the cell", f"client_secret of org {org.key}")
                raise SignInError(code, told)
            case _:
                assert_never(found)

    return look_up
