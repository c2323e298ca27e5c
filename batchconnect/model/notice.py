"""To whom a run's end may be told, by the name that the settings give it; and what is told."""

from collections.abc import Callable
from enum import StrEnum

from batchconnect.model.reference import Reference
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value


class NoticeProfile(Value, hidden={"url"}):
    """One address of the settings: `[notify.NAME]`."""

    name: str
    url: Callable[[], Secret] | Reference
    """Read when it is needed; or where in a store it stands. Who knows a webhook's address may write there."""


class Mood(StrEnum):
    """How an end is to be taken at a glance."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Notice(Value):
    """What is told: numbers, a run's id and an exit code, and no name of anybody or anything."""

    title: str
    body: str
    mood: Mood
