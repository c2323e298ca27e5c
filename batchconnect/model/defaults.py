"""
What holds where nobody chose otherwise, each number once.

The rooms below the options use them as defaults of their own, so that no room has to know the options.
"""

from typing import Final

SETTLE_S: Final = 180.0
"""S = D + L: 120 s that a sent POST may still be applied, 60 s that the listing may lag."""
PATIENCE_S: Final = 900.0
"""How long a lane may go without a normal answer, and a doubt without a complete listing."""
TIMEOUT_S: Final = 120.0
"""Read timeout of a request."""
CONCURRENCY: Final = 64
"""Requests in flight over all lanes."""
DRAIN_S: Final = 25.0
"""After SIGTERM: how long what is in flight may take; orchestrators kill after 30 s."""
LEASE_S: Final = 30.0
"""On a team ledger: how long a lane stays with a worker that does not renew its lease."""
