"""To whom a run's end may be told, by the name that the settings give it; and what is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from batchconnect.model.reference import Reference
from batchconnect.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeProfile:
    """One address of the settings: `[notify.NAME]`."""

    name: str
    url: Callable[[], Secret] | Reference = field(repr=False)
    """Read when it is needed; or where in a store it stands. Who knows a webhook's address may write there."""


class Mood(StrEnum):
    """How an end is to be taken at a glance."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told: numbers, a run's id and an exit code, and no name of anybody or anything."""

    title: str
    body: str
    mood: Mood
