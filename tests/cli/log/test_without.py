"""A library is left out of another one's import, and of nothing else."""

import sys

import pytest

from batchconnect.cli.log.without import without


def test_what_is_left_out_is_missing_inside_and_found_again_afterwards() -> None:
    """Whoever imports it later, for a terminal, has it."""
    sys.modules.pop("colorsys", None)
    with without("colorsys"), pytest.raises(ImportError):
        import colorsys

    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_what_is_imported_already_is_not_taken_away() -> None:
    """Nobody is left with half a library."""
    import colorsys

    with without("colorsys"):
        assert sys.modules["colorsys"] is colorsys
    assert sys.modules["colorsys"] is colorsys


def test_it_is_found_again_after_an_import_that_fails() -> None:
    """The error is the import's own."""
    sys.modules.pop("colorsys", None)
    with pytest.raises(ZeroDivisionError), without("colorsys"):
        raise ZeroDivisionError

    assert "colorsys" not in sys.modules
