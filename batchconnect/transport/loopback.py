"""
Tells whether a host is this machine: the rule that lets plain HTTP, and any port, through.

It is asked when the settings are read and once more before each message (contract, section 1); one rule
for both, so that no address passes the first and surprises at the second.
"""

from functools import lru_cache
from ipaddress import ip_address


@lru_cache(maxsize=64)
def is_loopback(host: str | None) -> bool:
    """Whether a host is `localhost` or a loopback address, by its spelling alone; no name is looked up."""
    try:
        return host == "localhost" or (host is not None and ip_address(host).is_loopback)
    except ValueError:
        return False
