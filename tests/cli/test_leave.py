"""How the process ends: at once, with what was registered for the end done, and never while something is under way."""

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from batchconnect import __main__
from batchconnect.__main__ import script


class Left(BaseException):
    """The process would be gone by now."""


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done at the end, in its order."""
    order: list[str] = []

    def leave(code: int) -> NoReturn:
        order.append(f"left with {code}")
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: order.append("what was registered"))
    return order


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command end with this."""

    def end(code: object) -> None:
        def main() -> NoReturn:
            sys.exit(code)  # type: ignore[arg-type]

        monkeypatch.setattr(__main__, "main", main)

    return end


@pytest.fixture
def worker() -> Iterator[threading.Event]:
    """A thread that is at work until this is set; nobody may leave before."""
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait)
    thread.start()
    yield may_end
    may_end.set()
    thread.join()


def test_the_process_ends_with_the_command_s_code_at_once(done: list[str], ends: Any) -> None:
    ends(6)

    with pytest.raises(Left):
        script()
    assert done == ["what was registered", "left with 6"]


def test_what_is_no_code_ends_as_python_ends_it(done: list[str], ends: Any) -> None:
    """A text, which Python prints."""
    ends("a sentence")

    with pytest.raises(SystemExit):
        script()
    assert done == []


def test_a_thread_that_is_at_work_is_not_cut_off(
    done: list[str], ends: Any, worker: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be writing: Python waits for it, as it does by itself."""
    monkeypatch.setattr(__main__, "_LAST_WORDS_S", 0.001)
    ends(0)

    with pytest.raises(SystemExit):
        script()
    assert done == []


def test_a_thread_that_has_just_been_told_to_end_is_waited_for(
    done: list[str], ends: Any, worker: threading.Event
) -> None:
    worker.set()
    ends(0)

    with pytest.raises(Left):
        script()
    assert done[-1] == "left with 0"


class Full:
    """A stream that takes nothing more."""

    def flush(self) -> None:
        raise OSError("No space left on device")


def test_a_stream_that_takes_nothing_is_left_to_python_which_says_so(
    done: list[str], ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(0)
    monkeypatch.setattr(sys, "stdout", Full())

    with pytest.raises(SystemExit):
        script()
    assert done == ["what was registered"]
