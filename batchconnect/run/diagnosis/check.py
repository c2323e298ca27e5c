"""One thing that was looked at, and how it is: what every module here answers with."""

from enum import StrEnum

from batchconnect.model.value import Value


class Verdict(StrEnum):
    """How one thing is."""

    OK = "ok"
    NOTE = "note"
    """It is as it may be; somebody who looks for a cause should know."""
    WARNING = "warning"
    """It works, and something about it is not as it should be."""
    FAILED = "failed"
    """A run would stop, or lie, because of it."""
    SKIPPED = "skipped"
    """It could not be looked at, since something before it failed."""


class Check(Value):
    """One line of a diagnosis. It holds no secret: it is made to be sent to others."""

    topic: str
    """One word: `dns`, `tls`, `proxy`, `clock`, `sign-in`, `ledger`, ..."""
    subject: str = ""
    """What was looked at: a host, an org, a path."""
    verdict: Verdict = Verdict.OK
    what: str
    """How it is, a few words."""
    code: str = ""
    """The code by which a run tells the same trouble; "" where it has none."""
    remedy: str = ""
    """What to do; "" where nothing is."""
