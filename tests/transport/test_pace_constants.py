"""The page that says what each constant of the pace does names them all, with the values that they have."""

import re
from pathlib import Path

from tests.benchmarks.sensitivity import constants

PAGE = Path(__file__).parents[2] / "docs" / "pace-constants.md"
FOLLOWS = {"_OK"}
"""Made from another constant, and told there."""


def test_the_page_has_every_constant_of_the_pace_and_its_value() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^ |]+) \|", PAGE.read_text("utf-8"), flags=re.MULTILINE)

    told = {name: float(value) for name, value in rows}
    assert told == {name: value for name, value in constants().items() if name not in FOLLOWS}
