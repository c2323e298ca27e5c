"""The one door where errors become text and exit codes: one sentence, what to do, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from batchconnect.__main__ import main
from batchconnect.model.errors import (
    BatchConnectError,
    ExitCode,
    LedgerError,
    SettingsError,
    SheetError,
    UsageError,
)
from tests.command_line import CommandLine

SECRET = "canary~in-a-foreign-error"


@pytest.fixture
def batchconnect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command, in an empty folder."""
    return CommandLine(tmp_path, capsys, monkeypatch, dict(os.environ))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make the command `runs` fail in a certain way."""

    def fail(error: BaseException) -> None:
        def run(*_given: object, **_named: object) -> int:
            local_secret = SECRET
            raise error if local_secret else AssertionError

        monkeypatch.setattr("batchconnect.cli.commands.runs.run", run)

    return fail


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (BatchConnectError, 1),
        (UsageError, 2),
        (SettingsError, 2),
        (SheetError, 3),
        (LedgerError, 5),
    ],
)
def test_an_error_is_a_sentence_a_hint_and_its_code(
    batchconnect: CommandLine,
    failing: Callable[[BaseException], None],
    kind: type[BatchConnectError],
    code: int,
) -> None:
    """On stderr; also with `--quiet`."""
    failing(kind("something is wrong", hint="Do this."))

    done = batchconnect("runs", "--quiet")

    assert code == done.code
    assert done.err == "error: something is wrong\nhint:  Do this.\n"
    assert done.out == ""


def test_an_error_of_several_lines_stays_readable(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """As several wrong settings; without a hint there is no line for it."""
    failing(SettingsError("one\ntwo"))
    assert batchconnect("runs").err == "error: one\n  two\n"

    failing(SettingsError(""))
    assert batchconnect("runs").err == "error: \n"


def test_with_json_an_error_is_a_document(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """Beside the sentence for the person who looks on."""
    failing(LedgerError("it is full", hint="Make room."))

    done = batchconnect("runs", "--json")

    assert done.json == {"error": "it is full", "hint": "Make room.", "exit_code": 5}
    assert "error: it is full" in done.err


def test_with_json_a_misspelled_command_line_is_a_document_too(batchconnect: CommandLine) -> None:
    """Stderr says what Typer did not understand."""
    done = batchconnect("runs", "--nonsense", "--json")

    assert done.code == 2
    assert done.json["exit_code"] == 2
    assert "--nonsense" in done.err


def test_a_hostile_message_cannot_steer_the_terminal(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """Message and hint are shown with their escapes."""
    failing(SheetError("a\x1b]0;title\x07b", hint="c\u202ed"))

    assert batchconnect("runs").err == "error: a\\x1b]0;title\\x07b\nhint:  c\\u202ed\n"


def test_a_name_that_is_no_text_is_told_all_the_same(batchconnect: CommandLine) -> None:
    """Disks hold such names; JSON does not."""
    done = batchconnect("validate", "nope\udcff.csv", "--json")

    assert done.code == 3
    assert "nope\\udcff.csv" in done.err
    assert done.json["exit_code"] == 3


def test_an_unexpected_error_is_one_sentence_with_its_place(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """Its kind and where; not its text, which may repeat what it was given, and no locals."""
    failing(ValueError(f"invalid literal: {SECRET}"))

    done = batchconnect("runs", "--json")

    assert done.code == ExitCode.UNEXPECTED
    assert done.err.startswith("error: unexpected error: ValueError at tests.cli.test_main:")
    assert "give the same command again" in done.err
    assert SECRET not in done.err + done.out
    assert "Traceback" not in done.err


def test_of_a_group_of_errors_the_cause_is_told(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """The first, since what else is in the group followed from it; one never raised has no place."""
    failing(ExceptionGroup("several", [KeyError("a"), ExceptionGroup("more", [OSError("b")])]))

    assert "unexpected error: KeyError at an unknown place" in batchconnect("runs").err


def test_ctrl_c_is_no_error(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """Exit 130, and nothing said."""
    failing(KeyboardInterrupt())

    done = batchconnect("runs")

    assert (done.code, done.err) == (130, "")


def test_ctrl_c_before_the_command_line_stands(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While modules are loaded."""

    def interrupted(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("batchconnect.__main__._run", interrupted)

    assert batchconnect("runs").code == 130


def test_a_reader_that_went_away_is_no_error(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `batchconnect --help | head -1`."""

    def gone(_arguments: list[str]) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("batchconnect.__main__._run", gone)

    assert batchconnect("runs").code == 0


def test_an_exit_without_a_number_is_told_by_one(
    batchconnect: CommandLine, failing: Callable[[BaseException], None]
) -> None:
    """As Python itself does: a text is a failure, nothing is none."""
    failing(SystemExit("text"))
    assert batchconnect("runs").code == 1

    failing(SystemExit())
    assert batchconnect("runs").code == 0


def test_a_command_line_that_ends_without_a_word_is_fine(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typer ends the process itself; should it not, nothing is wrong."""
    monkeypatch.setattr(
        "batchconnect.cli.app.command", lambda _name: lambda _arguments, prog_name: None
    )

    assert batchconnect("runs").code == 0


def test_the_console_script_ends_with_the_code(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the arguments of the process."""
    monkeypatch.setattr(sys, "argv", ["batchconnect", "validate", "nope.csv"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 3


def test_the_command_looks_for_cycles_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own process is its own; the library leaves the collector alone."""
    told: list[int] = []
    monkeypatch.setattr("gc.set_threshold", told.append)
    monkeypatch.setattr(sys, "argv", ["batchconnect", "--version"])
    with pytest.raises(SystemExit):
        main()

    assert told == [500_000]


def test_a_process_without_streams_gets_some(
    batchconnect: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler may start us with none: no other file may get their numbers."""
    monkeypatch.setattr(sys, "argv", ["batchconnect", "validate", "nope.csv"])
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 3
    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()


def test_python_m_is_the_same_command(tmp_path: Path) -> None:
    """For where the script is not on the path."""
    done = subprocess.run(
        [sys.executable, "-m", "batchconnect", "--version"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("batchconnect ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("beside", "is_at_once"),
    [
        ("pass", True),
        ("threading.Thread(target=time.sleep, args=(30,), daemon=True).start()", True),
        ("Hearing().start()", True),
        ("threading.Thread(target=threading.main_thread().join).start()", False),
    ],
)
def test_a_process_ends_at_once_where_nothing_is_at_work(
    tmp_path: Path, beside: str, *, is_at_once: bool
) -> None:
    """
    Its modules are not taken apart; what was registered for the end is done, and all that was said is out.

    A thread that is just told to end is given the time to hear it.
    """
    code = (
        "import atexit, os, sys, threading, time\n"
        "import batchconnect.cli.commands.runs as runs\n"
        "class Left:\n"
        "    def __del__(self, write=os.write): write(1, b'taken apart\\n')\n"
        "left = Left()\n"
        "heard = threading.Event()\n"
        "class Hearing(threading.Thread):\n"
        "    def run(self): heard.wait()\n"
        "    def join(self, timeout=None): heard.set(); super().join(30)\n"
        "def run(*a, **k):\n"
        f"    {beside}\n"
        "    print('said')\n"
        "    return 4\n"
        "runs.run = run\n"
        "atexit.register(print, 'registered')\n"
        "sys.argv = ['batchconnect', 'runs']\n"
        "from batchconnect.__main__ import script\n"
        "script()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path
    )

    assert (done.returncode, done.stderr) == (4, "")
    told = done.stdout.split("\n")
    assert told[:2] == ["said", "registered"]
    assert ("taken apart" in told) is not is_at_once


@pytest.mark.slow
def test_ctrl_c_is_130_for_the_shell_too(tmp_path: Path) -> None:
    """The whole process, not only the function."""
    code = (
        "import batchconnect.cli.commands.runs as runs, sys\n"
        "def run(*a, **k): raise KeyboardInterrupt\n"
        "runs.run = run\n"
        "sys.argv = ['batchconnect', 'runs']\n"
        "from batchconnect.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
