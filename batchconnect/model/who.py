"""Who gives a command, and which process carries it out: as ledger and reports name them."""

import getpass
import os
import platform
import secrets


def operator() -> str:
    """The person's name on this machine; a number, where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in a bare container
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def process_name() -> str:
    """
    Of this process, its own among all that ever were, and told to people: who, where, which.

    Its end is random, for containers may all have one machine's name, and the process number 1.
    """
    return f"{operator()}@{platform.node()}/{os.getpid()}-{secrets.token_hex(8)}"
