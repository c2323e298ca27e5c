"""
What every chart of the page is drawn with: bars as SVG paths, round values on an axis, labels.

A drawing is `WIDTH` by `HEIGHT` units and is stretched to its place on the page; texts stand beside it
at percentages, so that they are never stretched.
"""

from collections.abc import Iterable, Sequence
from math import floor, log10

from batchconnect.model.value import Value
from batchconnect.reports.page.words import number

WIDTH = 1000
HEIGHT = 100

_EDGE = 0.8
"""Share of the width right of which a label stands to the left of its place."""
_GAP_BELOW = 120
"""With fewer bars than this they have gaps; more would be lost between them."""


class Mark(Value):
    """A label at a place of an axis."""

    at: float
    """Percent of the width, or of the height from above."""
    text: str
    anchor: str = "start"
    """Of SVG: on which side of the place the text stands."""


class Series(Value):
    """One colour of stacked bars."""

    name: str
    css: str
    """Which colour of the page's style."""
    total: str
    path: str


class Bars(Value):
    """Stacked bars with their axes."""

    series: tuple[Series, ...]
    hits: tuple[tuple[str, str, str], ...]
    """x, width and tooltip of each column."""
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    """Upright lines: processes that went on, percentiles."""
    spoken: str
    """The picture in words."""


def stacked(
    kinds: Sequence[tuple[str, str, int]], columns: Sequence[Sequence[float]], top: float
) -> tuple[Series, ...]:
    """
    Pile bars up.

    Args:
        kinds: Colour, name and total of each, from the ground up.
        columns: For each column, a value of each kind.
        top: The value at the upper edge.
    """
    return tuple(
        Series(
            name=name,
            css=css,
            total=number(total),
            path=bars([(sum(column[:place]) / top, column[place] / top) for column in columns]),
        )
        for place, (css, name, total) in enumerate(kinds)
    )


def bars(columns: Sequence[tuple[float, float]]) -> str:
    """A path of bars, each from a base up by a share of the height."""
    width = WIDTH / len(columns)
    gap = 0.12 if len(columns) < _GAP_BELOW else 0.0
    bar = short(width * (1 - 2 * gap))
    return "".join(
        f"M{short((place + gap) * width)} {short(HEIGHT * (1 - base))}h{bar}v-{short(HEIGHT * share)}h-{bar}z"
        for place, (base, share) in enumerate(columns)
        if share > 0
    )


def hits(tooltips: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
    """Columns over the whole height that tell their numbers to a mouse; those without a text are left out."""
    texts = list(tooltips)
    width = WIDTH / len(texts)
    return tuple(
        (short(place * width), short(width), text) for place, text in enumerate(texts) if text
    )


def scale(highest: float) -> tuple[float, tuple[float, ...]]:
    """The top of an axis, a little above the highest value, and two or three round values on it."""
    if highest <= 0:
        return 1.0, ()
    step = 10.0 ** floor(log10(highest))
    step = next(part * step for part in (0.5, 1, 2, 5) if highest / (part * step) < 4)  # noqa: PLR2004 - at most three lines
    lines = [step * place for place in range(1, 4) if step * place <= highest]
    return highest * 1.12, tuple(lines)


def beside(at: float, text: str) -> Mark:
    """A label to the right of its place, or to the left of it near the right edge."""
    return Mark(at=at, text=text, anchor="end" if at > _EDGE * 100 else "start")


def percent(share: float) -> float:
    """Of the width or height."""
    return round(share * 100, 2)


def short(value: float) -> str:
    """A number for a path: two places, and no more than it needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
