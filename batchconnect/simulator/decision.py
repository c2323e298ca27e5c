"""
What a fault is: "applied?" and "what is answered?", chosen apart.

Every trouble that a client can meet is a pair of these two: a create that took effect and was
answered by a reset, one that took effect two seconds after its 504, one that never did.
"""

from dataclasses import dataclass
from typing import Literal

from batchconnect.simulator.exchange import Answer

Shape = Literal[
    "no_body",
    "not_json",
    "no_id",
    "location_only",
    "location_url",
    "no_location",
    "odd_id",
    "ids_differ",
    "no_etag",
    "as_200",
    "as_202",
    "as_204",
    "repeat_token",
    "no_items",
    "foreign_item",
    "number_code",
]
"""
A true answer, bent. The first twelve are for a 201; `repeat_token`, `no_items` and `foreign_item` for a
listing; `number_code` turns the gateway's `error_code` into a number. A shape that does not fit the
answer leaves it as it is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """What the service says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """Another answer, whatever the service says."""

    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaped:
    """What the service says, bent."""

    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """TCP reset, after the request was read and before the status line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The socket is closed in good order, without a status line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbled:
    """Bytes that are no status line, then the socket is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """No byte for some seconds, then the socket is closed."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What the service says, and the socket is closed within the body."""

    after_bytes: int = 0
    """Of the body; 0 cuts it right after the headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """What the service says, a byte now and then."""

    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What the service says, with a body that is far too large."""

    size: int
    """Bytes after decompression."""
    gzip: bool = False
    """A small body that unpacks to `size`."""
    endless: bool = False
    """No length is said and the body never ends (`size` is the size of a piece)."""


Reply = Normal | Instead | Reshaped | Reset | Closed | Garbled | Hang | Cut | Drip | Flood


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The fate of one request."""

    apply_after_s: float | None = 0.0
    """
    When it takes effect: 0 at once, None never. A patch or a deletion that is to take effect later is judged
    twice, when it comes and when its time has come: what was changed meanwhile is not overwritten.
    """
    reply: Reply = Normal()
    delay_s: float = 0.0
    """Before the first byte of the reply. The effect does not wait for it."""
    lag_s: float = 0.0
    """How long a created connection stays out of listings."""

    def __post_init__(self) -> None:
        if self.apply_after_s is None and not isinstance(
            self.reply, Instead | Reset | Closed | Garbled | Hang
        ):
            raise ValueError(
                f"{type(self.reply).__name__} is the service's own answer, so the request must take "
                "effect. HINT: with apply_after_s=None use Instead, Reset, Closed, Garbled or Hang"
            )

    @property
    def is_fault(self) -> bool:
        """Whether the client sees anything but the service's own answer."""
        return not isinstance(self.reply, Normal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the web server has to do for one request."""

    delay_s: float
    reply: Reply
    answer: Answer
    """The whole answer for `Normal`; what a cut, a drip or a flood begins with."""
