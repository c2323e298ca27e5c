"""What a command says, and where; a reader that goes away ends no command."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from batchconnect.cli.options import OutputOptions
from batchconnect.cli.screen.console import UNWRAPPED, Console, wrapped
from batchconnect.model.secret import Secret


def console(**output: bool) -> Console:
    return Console(OutputOptions(**output))


def test_results_go_to_stdout_and_messages_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a pipe gets the result alone."""
    console().say("a message")
    console().result({}, ["a", "result"])

    assert capsys.readouterr() == ("a\nresult\n", "a message\n")


def test_quiet_is_silent_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """The result is still the result."""
    console(quiet=True).warn(["odd"])
    console(quiet=True).result({}, ["result"])

    assert capsys.readouterr() == ("result\n", "")


def test_a_warning_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in it."""
    console().warn(["a \x1b[2J b"])

    assert capsys.readouterr().err == "warning: a \\x1b[2J b\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_that_is_said_shows_a_secret_that_is_held(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """In a message, in a result for a person, and in one for programs, however it is escaped there."""
    secret = 'canary~S3cret."value"\\42'
    one = console(json=as_json)
    one.redactor.hold(Secret(secret))

    one.say(f"before {secret}\nafter")
    one.warn([secret])
    one.result({"cells": [f"x{secret}x"], secret: 1}, [f"error: {secret} behind"])

    told = capsys.readouterr()
    assert told.err == "before ***\nafter\nwarning: ***\n"
    assert "canary" not in told.out
    assert "***" in told.out
    assert not as_json or json.loads(told.out) == {"cells": ["x***x"], "***": 1}


def test_no_word_is_cut_in_two_and_no_command_is_parted() -> None:
    """On a terminal what is said goes on below its beginning; a command is there to be copied, however long."""
    told = "hint:  Plan again, and have that approved: batchconnect plan clients.xlsx --all-worksheets --out p.json"

    assert wrapped("hint:  short", 80) == ["hint:  short"]
    assert wrapped(told, 80) == [
        "hint:  Plan again, and have that approved:",
        "       batchconnect plan clients.xlsx --all-worksheets --out p.json",
    ]
    assert wrapped(told, UNWRAPPED) == [told]
    for width in range(40, 120):
        lines = wrapped(
            f"error: {'word ' * 40}/a/path/that/is/much/longer/than/a/terminal/is", width
        )
        assert " ".join(" ".join(lines).split()) == " ".join(
            f"error: {'word ' * 40}/a/path/that/is/much/longer/than/a/terminal/is".split()
        )
        assert all(len(line) <= width for line in lines if "/" not in line)


def test_a_document_may_hold_a_name_that_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """As that of a file on a disk of another age: what is no text becomes a `?`."""
    console(json=True).result({"file": "a\udcff.csv", "path": "x"}, [])

    assert '"a?.csv"' in capsys.readouterr().out


def test_a_document_stays_json_where_few_letters_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the escapes of JSON, not by Python's."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    console(json=True).result({"name": "Süd"}, [])

    assert raw.getvalue() == b'{\n  "name": "S\\u00fcd"\n}\n'


def test_a_terminal_that_knows_few_letters_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an error."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    console().result({}, ["Süd"])

    assert raw.getvalue() == b"S\\xfcd\n"


def test_a_reader_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `batchconnect runs | head -1`: what comes later goes nowhere."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        console().result({}, ["x" * 100_000])
        console().result({}, ["again"])


def test_a_closed_stream_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As of a program that was started without a stderr."""
    stream = (tmp_path / "closed").open("w", encoding="utf-8")
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)

    console().say("nobody hears it")
