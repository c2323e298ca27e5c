"""
What others do in a sandbox meanwhile: a colleague's change, a dataflow that begins to use a connection, a state.

Tests call it between two requests; each call is one transaction, as a request is.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from batchconnect.simulator.changes import as_patched, touched
from batchconnect.simulator.deletion import take_away
from batchconnect.simulator.late import catch_up
from batchconnect.simulator.patch import Patched
from batchconnect.simulator.records import COLLEAGUE, Connection
from batchconnect.simulator.source import Source
from batchconnect.simulator.source_connections import OF_A_DATAFLOW, release, use
from batchconnect.simulator.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """
    Everybody but the client under test.

    Args:
        source: The service's store, its habits and its keys.
        clock: Unix time.
    """

    source: Source
    clock: Callable[[], float]

    @property
    def _store(self) -> Store:
        return self.source.store

    def set_state(
        self,
        connection_id: str,
        state: str,
        *,
        becomes: str | None = None,
        after_s: float = math.inf,
    ) -> None:
        """
        Put a connection into a state, as the service does by itself: its etag is a new one.

        Args:
            connection_id: Which.
            state: As `disabled`, `initializing`, `draft`, `delete-finalizing`.
            becomes: The state that follows by itself.
            after_s: Seconds until it does.

        Raises:
            ValueError: There is no such connection.
        """
        with self._store.transaction():
            now, connection = self._found(connection_id)
            changed = replace(
                touched(connection, self.source.habits, connection.updated_client, now),
                state=state,
                becomes=becomes,
                becomes_at=None if becomes is None else now + after_s,
            )
            self._store.update(changed, None)

    def change(
        self,
        connection_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        params: Mapping[str, str] | None = None,
        client_id: str = COLLEAGUE,
    ) -> str:
        """
        Change a connection as a colleague would; what is None stays.

        Args:
            connection_id: Which.
            name: The new name.
            description: The new description.
            params: Single `auth.params`, the key among them.
            client_id: Who does it.

        Returns:
            The new etag.

        Raises:
            ValueError: There is no such connection.
        """
        with self._store.transaction():
            now, connection = self._found(connection_id)
            result = Patched(
                name=connection.name if name is None else name,
                description=connection.description if description is None else description,
                params={**connection.params, **(params or {})},
            )
            changed = as_patched(connection, result, self.source.habits, client_id, now)
            self._store.update(changed, (params or {}).get("servicePrincipalKey"))
            return changed.etag

    def delete(self, connection_id: str) -> None:
        """
        Delete a connection, used or not.

        Raises:
            ValueError: There is no such connection.
        """
        with self._store.transaction():
            now, connection = self._found(connection_id)
            take_away(connection, self._store, now, self.source.habits)

    def use(self, connection_id: str, name: str = OF_A_DATAFLOW) -> str:
        """
        Let a dataflow read from a connection: a source connection that names it.

        Returns:
            The source connection's id.

        Raises:
            ValueError: There is no such connection.
        """
        with self._store.transaction():
            now, connection = self._found(connection_id)
            return use(self._store, connection, now, name)

    def release(self, connection_id: str) -> None:
        """Let every dataflow let go of a connection."""
        with self._store.transaction():
            release(self._store, connection_id)

    def _found(self, connection_id: str) -> tuple[float, Connection]:
        now = self.clock()
        catch_up(self._store, now, self.source.habits)
        return now, self._store.by_id(connection_id)
