"""The fast lane's list of what is too dear for it."""

import re
from pathlib import Path

from tests.slow_tests import KEPT, MOST_S, dear, listed

ROOT = Path(__file__).parents[1]


def test_each_test_that_is_listed_is_there() -> None:
    """One that was renamed would be in the lane again, and nobody would know why the list names another."""
    for name in listed():
        path, *_, function = name.split("::")
        assert re.search(
            rf"^\s*(async )?def {function}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE
        ), name


def test_what_holds_the_promises_stays_in_the_lane() -> None:
    assert all((ROOT / path).is_file() for path in KEPT)
    assert not any(name.startswith(KEPT) for name in listed())


def test_the_dear_ones_are_listed_but_for_the_cheapest_of_a_file() -> None:
    """Of each room something is tried."""
    costs = {
        "a.py::x": MOST_S / 2,
        "a.py::y": MOST_S * 2,
        "b.py::z": MOST_S * 3,
        "b.py::w": MOST_S * 2,
    }

    assert dear(costs) == ["a.py::y", "b.py::z"]
    assert dear({f"{KEPT[0]}::x": MOST_S * 2, f"{KEPT[0]}::y": MOST_S * 3}) == []
