"""A place to work in and a service to practise on, for every acceptance test; secrets are searched last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.place import Nursery, Place
from tests.acceptance.practice import Practice


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks the commands of all tests."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def place(tmp_path: Path, nursery: Nursery) -> Iterator[Place]:
    """An empty folder and the command; afterwards no planted secret may be found anywhere."""
    place = Place(tmp_path, nursery)
    try:
        yield place
    finally:
        place.end_all()
    assert place.leaks() == []


@pytest.fixture
def practice(place: Place) -> Iterator[Practice]:
    """A service of two orgs, the first of which the environment knows."""
    with Practice() as practice:
        place.environ.update(practice.environment())
        yield practice
        place.secrets |= practice.tokens
