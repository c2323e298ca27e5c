"""
Keeps a wrong password from being tried twice at a proxy, for some lock the account after a few tries.

A proxy that has let nothing through yet is tried by one request at a time, however many lanes begin at
once; one that refused the sign-in is not asked again.
"""

import asyncio
from typing import Final, final

PROXY_SIGN_IN: Final = "http-407"
"""The code of what the proxy refused for our name and password."""


@final
class ProxyGate:
    """The way to one proxy, shared by all that goes through it."""

    def __init__(self) -> None:
        self.is_refused = False
        """Whether the proxy refused our sign-in: nothing goes there any more."""
        self._is_open = False
        self._one = asyncio.Lock()
        self._probe: object = None

    async def enter(self, who: object) -> None:
        """Wait until it is known whether the proxy lets anybody through, or find it out oneself."""
        if not self._is_known():
            await self._one.acquire()
            if self._is_known():  # the one before us found it out
                self._one.release()
            else:
                self._probe = who

    def leave(self, who: object, *, let_through: bool) -> None:
        """The request is through, or has failed; said twice it does no harm."""
        self._is_open = self._is_open or let_through
        if self._probe is who:
            self._probe = None
            self._one.release()

    def _is_known(self) -> bool:
        return self._is_open or self.is_refused
