"""What is told of an error that nobody foresaw: its kind, its place, its frames, and nothing it has seen."""

from typing import NoReturn

from batchconnect.model.fault import Fault, fault_of

CANARY = "canary~secret~0001"
HERE = "tests.model.test_fault"


def broken(secret: str) -> NoReturn:
    raise KeyError(secret)


def caught(call: object) -> Fault:
    try:
        call()  # type: ignore[operator]  # any of the functions below
    except BaseException as error:  # noqa: BLE001 - a group may hold an interrupt
        return fault_of(error)
    raise AssertionError("it did not fail")


def test_kind_place_and_frames_are_told_and_no_text() -> None:
    """The text of a KeyError is the key that was asked for."""
    found = caught(lambda: broken(CANARY))

    assert found.type == "KeyError"
    assert found.place.startswith(f"{HERE}:")
    assert found.place.endswith(" broken")
    assert [frame.split(" ")[1] for frame in found.trace] == [
        "caught",
        "test_kind_place_and_frames_are_told_and_no_text.<locals>.<lambda>",
        "broken",
    ]
    assert CANARY not in repr(found)
    assert found.label == f"KeyError at {found.place}"


def test_of_a_group_the_cause_is_told() -> None:
    """What else is in it was cancelled for its sake, or followed."""

    def several() -> NoReturn:
        try:
            broken(CANARY)
        except KeyError as error:
            inner = ExceptionGroup("inner", [error])
        raise BaseExceptionGroup("outer", [KeyboardInterrupt(), inner])

    assert caught(several).place.endswith(" broken")


def test_what_it_was_raised_from_stands_behind_it() -> None:
    """Its kind and its frames; a context that was cut off is not told."""

    def wrapped() -> NoReturn:
        try:
            broken(CANARY)
        except KeyError as error:
            raise RuntimeError(CANARY) from error

    def cut_off() -> NoReturn:
        try:
            broken(CANARY)
        except KeyError:
            raise RuntimeError(CANARY) from None

    assert "from KeyError" in caught(wrapped).trace
    assert CANARY not in repr(caught(wrapped))
    assert not any(line.startswith("from") for line in caught(cut_off).trace)


def test_a_recursion_keeps_its_beginning_and_its_end() -> None:
    """A thousand equal frames tell nothing more than forty."""

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        broken(CANARY)

    found = caught(lambda: deeper(200))

    assert len(found.trace) <= 42
    assert found.trace[0].endswith(" caught")
    assert found.trace[-1].endswith(" broken")
    assert any(line.endswith(" more)") for line in found.trace)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert fault_of(ValueError(CANARY)).label == "ValueError at an unknown place"
