"""
How this service behaves where the documents differ, or say nothing: each habit is one that some platform has.

What happens by itself is the usual one. Tests, and a `simulate` of another kind, turn them; nothing here is
state, so a restart begins with the usual ones again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from batchconnect.simulator import catalogue
from batchconnect.simulator.answers import NotFound

SHOWN = frozenset({"endpoint", "database", "tenant", "servicePrincipalId"})
"""All that can be shown of a connection's credentials: a key is never given back."""


@dataclass(slots=True, kw_only=True)
class Habits:
    """The habits of one simulated service."""

    # What reads show

    shown: frozenset[str] = SHOWN
    """Which of the client's `auth.params` listings and GET show; the service's own are always shown."""
    etag_form: Literal["usual", "guid"] = "usual"
    """Of etags made from now on: as Azure's platforms make them, or a bare GUID in quotes."""
    shows_etags: bool = True
    """Whether creates, listings and GET tell etag and version; a PATCH always does."""
    not_found: NotFound = "text"
    """How an id that is not there is told."""
    shows_last_operation: bool = False
    """Whether items carry `lastOperation`."""
    spells: Callable[[str], str] = str
    """How items spell org ids and sandbox names, as `str.upper`: the service's letter case may be its own."""

    # Creating

    initializing_s: float = 0.0
    """How long a new connection is `initializing`, without etag and version; `math.inf` for ever."""
    own_params: Mapping[str, str | bool] = field(default_factory=dict)
    """What the service adds to the `auth.params` of a new connection, as `orgId`."""

    # Changing and deleting

    is_patched: bool = True
    """Whether connections can be changed at all; where not, 1445."""
    knows_nested_params: bool = True
    """Whether `/auth/params/<name>` is a path; where not, 1455, and `/auth/params` is the only one."""
    delete_status: Literal[202, 204] = 204
    """Both are documented."""
    finalizing_s: float = 0.0
    """How long a deleted connection is `delete-finalizing` before it is gone; `math.inf` for ever."""
    delete_lag_s: float = 0.0
    """How long listings still show what is gone."""

    # Looking into the source

    test_s: float = 0.0
    """What a test takes beyond the usual latency."""
    explore_s: float = 0.0
    """What an exploration takes beyond the usual latency."""
    tests_before_right: int = 0
    """Entra's delay: so many tests of every new key say false first."""
    explore_shape: Literal["array", "items"] = "array"
    """Whether tables come as an array, or inside `{"items": […]}`."""
    tables: Sequence[str] = ("Events", "Page Views")
    """The tables that every connection sees."""
    tables_of: dict[str, Sequence[str]] = field(default_factory=dict)
    """By connection id, in place of `tables`."""
    columns: Sequence[tuple[str, str]] = (("Timestamp", "date-time"), ("Tenant", "string"))
    """Name and type of every table's columns; `date-time` is a string with a format."""
    explores: bool = True
    """Whether the connection spec can be explored at all (1336)."""

    # The catalogue

    specs: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: catalogue.SPECS)
    """By id."""
