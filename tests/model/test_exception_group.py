"""Callers want the cause, not the group that a task group made of it."""

import pytest

from batchconnect.model.errors import LedgerError, SheetError
from batchconnect.model.exception_group import unwrap_exception_group


def test_the_first_of_our_own_errors_is_the_cause() -> None:
    """However deep it lies; what came with it followed from it."""
    inner = ExceptionGroup("inner", [KeyError("foreign"), LedgerError("full")])

    with pytest.raises(LedgerError, match="full") as caught, unwrap_exception_group():
        raise ExceptionGroup("outer", [OSError("foreign"), inner, SheetError("second")])

    assert caught.value.__suppress_context__


def test_a_group_of_foreign_errors_goes_up_as_it_is() -> None:
    """Nobody foresaw it, so nothing of it may be lost."""
    with pytest.raises(ExceptionGroup, match="all foreign"), unwrap_exception_group():
        raise ExceptionGroup("all foreign", [OSError("a"), ExceptionGroup("b", [KeyError("c")])])


def test_what_is_no_group_is_left_alone() -> None:
    """No error, no problem."""
    with unwrap_exception_group():
        pass
    with pytest.raises(LedgerError), unwrap_exception_group():
        raise LedgerError("alone")
