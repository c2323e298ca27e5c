"""The log: one line of JSON for each event, no secret in it, and no run that fails for it."""

import io
import json
import os
import stat
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import pytest
import structlog
from typing_extensions import override

from batchconnect.cli.log import open_log
from batchconnect.cli.log.value import json_line, json_value, snake_case
from batchconnect.model.event import (
    Draining,
    FaultMet,
    LanePaused,
    LaneStopped,
    PaceChanged,
    RowInDoubt,
    RowSettled,
    RowStarted,
    RunStarted,
    Swept,
)
from batchconnect.model.fault import fault_of
from batchconnect.model.outcome import Created, Problem, Rejected
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret

CANARY = 'canary-S3cret"~value.42'
STARTED = RunStarted(run_id="20261123-161530123-k3f9", resumed=False)


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Stderr:
    """What `sys.stderr` is to us."""

    def __init__(self, buffer: BinaryIO) -> None:
        self.buffer = buffer


class Broken(io.BytesIO):
    """A terminal that is gone."""

    @override
    def write(self, _line: Any) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.log.jsonl"


@pytest.fixture
def redactor() -> Redactor:
    held = Redactor()
    held.hold(Secret(CANARY))
    return held


def test_an_event_becomes_one_line_with_time_level_name_and_fields(
    path: Path, redactor: Redactor
) -> None:
    """In this order, so that a person finds the beginning."""
    with open_log(path, redactor=redactor) as journal:
        journal.event(STARTED)

    (line,) = written(path)
    assert list(line) == [
        "timestamp", "level", "event", "run_id", "resumed", "simulated", "left_open",
    ]  # fmt: skip
    assert (line["level"], line["event"], line["resumed"]) == ("info", "run_started", False)
    assert str(line["timestamp"]).endswith("Z")


def test_an_outcome_is_told_with_its_status_and_its_problems(
    path: Path, redactor: Redactor
) -> None:
    """As values, not as somebody's repr."""
    problem = Problem(code="blank", column="name", cell="A2", what="It is blank.", remedy="Fill.")
    where: Any = {"row": 2, "org": "acme", "sandbox": "prod"}
    with open_log(path, redactor=redactor) as journal:
        journal.event(RowSettled(**where, outcome=Rejected(problems=(problem,))))
        journal.event(RowSettled(**where, outcome=Created(connection_id="c-1"), duration_ms=5))

    rejected, created = (line["outcome"] for line in written(path))
    assert rejected["status"] == "rejected"
    assert rejected["problems"][0] | {"cell": "A2", "severity": "error"} == rejected["problems"][0]
    assert (created["status"], created["connection_id"]) == ("created", "c-1")


def test_a_level_says_how_much_an_event_weighs(path: Path, redactor: Redactor) -> None:
    """So that one can look for the errors."""
    lane: Any = {"org": "acme", "host": "h"}
    row: Any = {"row": 1, "org": "acme", "sandbox": "prod"}
    events = (
        RowStarted(**row),
        PaceChanged(**lane, rate=3, reason="growth"),
        PaceChanged(**lane, rate=1, reason="congestion"),
        LanePaused(**lane, pause_s=1, reason="throttled"),
        RowInDoubt(**row, code="timeout"),
        Draining(reason="SIGINT", in_flight=2),
        LaneStopped(org="acme", sandbox=None, code="403025", title="t", detail="d"),
        Swept(expected=1, found=1, duplicated=(), missing=()),
        Swept(expected=1, found=0, duplicated=(), missing=("bc1-x",)),
    )
    with open_log(path, redactor=redactor, verbose=1) as journal:
        for event in events:
            journal.event(event)

    expected = "debug info info warning warning warning error info error"
    assert expected.split() == [line["level"] for line in written(path)]


def test_a_fault_is_logged_with_its_frames_and_without_what_they_held(path: Path) -> None:
    """The redactor holds nothing here: neither the error's text nor a variable comes to the log."""

    def outer() -> None:
        cells = {"servicePrincipalKey": CANARY}
        inner(cells)

    def inner(cells: dict[str, str]) -> None:
        held = [cells["servicePrincipalKey"]] * 3
        raise RuntimeError(f"it broke with {held}")

    with open_log(path, redactor=Redactor()) as journal:
        try:
            outer()
        except RuntimeError as error:
            journal.event(FaultMet(fault=fault_of(error), where="row", org="acme", rows=(12,)))

    (line,) = written(path)
    assert (line["level"], line["event"], line["where"]) == ("error", "fault_met", "row")
    assert line["rows"] == [12]
    assert line["fault"]["type"] == "RuntimeError"
    assert line["fault"]["place"].startswith("tests.cli.log.test_log:")
    assert [frame.rpartition(".")[2] for frame in line["fault"]["trace"]][1:] == ["outer", "inner"]
    assert "canary" not in path.read_text()


def test_a_live_secret_in_any_text_is_cut_out_of_the_final_line(
    path: Path, redactor: Redactor
) -> None:
    """Also where it was escaped before."""
    with open_log(path, redactor=redactor) as journal:
        journal.event(
            LaneStopped(
                org="a", sandbox=None, code="c", title=json.dumps({"key": CANARY}), detail=""
            )
        )
        journal.event(Draining(reason=repr(CANARY), in_flight=0))

    assert [line["event"] for line in written(path)] == ["lane_stopped", "draining"]
    assert "canary" not in path.read_text()
    assert "***" in path.read_text()


def test_redaction_never_breaks_a_line(path: Path) -> None:
    """A secret of digits may be a number, one with a quote may end where a text ends."""
    redactor = Redactor()
    redactor.hold(
        Secret("12345678"), Secret('abcdefgh"'), Secret("LaneStopped"), Secret('","code":')
    )
    with open_log(path, redactor=redactor) as journal:
        journal.event(RowInDoubt(row=12345678, org="abcdefgh", sandbox="p", code="x"))
        journal.event(RunStarted(run_id="abcdefgh", resumed=True))
        journal.event(
            Swept(expected=1, found=1, duplicated=("abcdefgh",), missing=(), complete=True)
        )

    redactor.release(Secret('","code":'))
    with open_log(path, redactor=redactor) as journal:
        journal.event(Draining(reason="SIGINT", in_flight=12345678))

    text = path.read_text()
    assert len(written(path)) == 4
    assert written(path)[3]["in_flight"] == "***"
    assert "12345678" not in text
    assert {"event": "line_withheld"} in written(path)


@dataclass(frozen=True)
class _Nested:
    key: Secret
    path: Path


class _Colour(Enum):
    RED = "red"


def test_every_value_becomes_json_and_a_secret_three_stars() -> None:
    """What is not known is told by its type alone, whatever its repr would say."""

    class Unknown:
        @override
        def __repr__(self) -> str:
            return CANARY

    value = {
        "nested": _Nested(Secret(CANARY), Path("a/b")),
        "secrets": [Secret(CANARY), (Secret(CANARY),)],
        Secret(CANARY): 1,
        "colour": _Colour.RED,
        "big": 1 << 70,
        "set": {1},
        "bytes": CANARY.encode(),
        "unknown": Unknown(),
        "class": _Nested,
        "plain": [None, True, 1.5, 7, "text"],
    }

    assert json_value(value) == {
        "nested": {"key": "***", "path": "a/b"},
        "secrets": ["***", ["***"]],
        "***": 1,
        "colour": "red",
        "big": str(1 << 70),
        "set": [1],
        "bytes": "<bytes>",
        "unknown": "<Unknown>",
        "class": "<type>",
        "plain": [None, True, 1.5, 7, "text"],
    }


def test_a_line_tells_each_value_as_it_is_told_alone() -> None:
    """On the fast way, and on the slow one for what that does not take."""
    known: dict[Any, Any] = {
        "nested": _Nested(Secret(CANARY), Path("a")),
        "set": {Secret(CANARY)},
        "at": (1, None),
    }
    known |= {"read-only": MappingProxyType({"a": 1})}
    for values in (known, known | {"colour": _Colour.RED, "type": _Nested, "bytes": b"x"}):
        for more in ({}, {"big": 1 << 70}, {"lone": "\udcff"}, {"inner": {_Colour.RED: CANARY}}):
            assert json.loads(json_line(values | more)) == json_value(values | more)


def test_a_file_name_that_is_no_text_is_logged_escaped() -> None:
    """Python holds its bytes as lone surrogates."""
    assert json.loads(json_line({"name": "a\udcff"})) == {"name": "a\udcff"}
    assert snake_case("RowInDoubt") == "row_in_doubt"


def test_names_that_a_terminal_would_act_upon_are_inert(path: Path, redactor: Redactor) -> None:
    """Escapes of C1, and letters that turn the direction of a text."""
    name = "\x1b[31m\x9b31m\u202eevil\u2028ü"
    with open_log(path, redactor=redactor) as journal:
        journal.event(Draining(reason=name, in_flight=0))

    text = path.read_text(encoding="utf-8")
    assert written(path)[0]["reason"] == name
    assert not set("\x1b\x9b\u202e\u2028") & set(text)
    assert "ü" in text


def test_the_file_is_for_its_owner_alone(path: Path, redactor: Redactor) -> None:
    """Also one that was there before."""
    previous = os.umask(0)
    try:
        open_log(path, redactor=redactor).__exit__(None, None, None)
        made = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o644)
        open_log(path, redactor=redactor).__exit__(None, None, None)
    finally:
        os.umask(previous)

    assert (made, stat.S_IMODE(path.stat().st_mode)) == (0o600, 0o600)


def test_a_run_that_goes_on_goes_on_in_its_log(path: Path, redactor: Redactor) -> None:
    """And starts a line of its own, though the killed process may not have ended its last."""
    path.write_text('{"event":"old"}\n{"event":"cu')
    with open_log(path, redactor=redactor) as journal:
        journal.event(STARTED)

    lines = path.read_text().splitlines()
    assert lines[:2] == ['{"event":"old"}', '{"event":"cu']
    assert json.loads(lines[2])["event"] == "run_started"


def test_a_link_a_folder_or_a_missing_folder_gives_no_log_and_a_message(
    tmp_path: Path, redactor: Redactor
) -> None:
    """The run goes on; nothing is written through a link."""
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "fifo")
    told: list[str] = []
    for name in ("link", "", "no/folder", "fifo"):
        with open_log(tmp_path / name, redactor=redactor, on_trouble=told.append) as journal:
            journal.event(STARTED)
            journal.event(Draining(reason="here", in_flight=0))

            assert not journal.is_written

    assert len(told) == 4
    assert all("there is no log" in message for message in told)
    assert "not a plain file" in told[3]
    assert target.read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk to hand")
def test_a_full_disk_ends_the_log_once_and_not_the_run(
    redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard error goes on."""
    stderr, told = io.BytesIO(), list[str]()
    monkeypatch.setattr(sys, "stderr", Stderr(stderr))
    monkeypatch.setattr(stat, "S_ISREG", lambda _mode: True)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    with open_log(
        Path("/dev/full"), redactor=redactor, json_stderr=True, on_trouble=told.append
    ) as journal:
        journal.event(STARTED)
        journal.event(STARTED)

    assert told == ["the log ends early: /dev/full cannot be written: No space left on device"]
    assert len(stderr.getvalue().splitlines()) == 2


def test_a_line_that_is_cut_by_a_full_disk_ends_the_log(
    path: Path, redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system then writes a part, and calls it success."""

    class Nearly(io.BytesIO):
        @override
        def write(self, line: Any) -> int:
            return super().write(line[:5])

    told: list[str] = []
    monkeypatch.setattr(sys, "stderr", Stderr(Nearly()))
    with open_log(path, redactor=redactor, json_stderr=True, on_trouble=told.append) as journal:
        journal.event(STARTED)
        journal.event(STARTED)

    assert told == [
        "the log ends early: stderr cannot be written: no space is left for a whole line"
    ]
    assert len(written(path)) == 2


def test_a_closed_terminal_does_not_end_the_file(
    path: Path, redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once."""
    for stream in (Broken(), io.BytesIO()):
        told: list[str] = []
        monkeypatch.setattr(sys, "stderr", Stderr(stream))
        with open_log(path, redactor=redactor, json_stderr=True, on_trouble=told.append) as journal:
            if not isinstance(stream, Broken):
                stream.close()
            journal.event(STARTED)
            journal.event(STARTED)

        assert len(told) == 1
        assert "stderr cannot be written" in told[0]
    assert len(written(path)) == 4


def test_trouble_that_nobody_asked_about_is_silent(tmp_path: Path, redactor: Redactor) -> None:
    """The default does nothing."""
    with open_log(tmp_path, redactor=redactor) as journal:
        assert not journal.is_written


@pytest.mark.parametrize(
    ("verbose", "names"), [(0, ["run_started"]), (1, ["row_started", "run_started"])]
)
def test_details_are_told_only_when_asked_for(
    path: Path, redactor: Redactor, monkeypatch: pytest.MonkeyPatch, verbose: int, names: list[str]
) -> None:
    """In the file and on stderr alike; stderr stays open after us."""
    stderr = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", Stderr(stderr))
    with open_log(path, redactor=redactor, json_stderr=True, verbose=verbose) as journal:
        journal.event(RowStarted(row=1, org="acme", sandbox="prod"))
        journal.event(STARTED)

    assert names == [json.loads(line)["event"] for line in stderr.getvalue().splitlines()]
    assert names == [line["event"] for line in written(path)]
    assert not stderr.closed


def test_a_log_may_have_no_file_and_a_process_no_stderr(
    redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then there is nothing to write to, and nothing is done."""
    monkeypatch.setattr(sys, "stderr", None)
    with open_log(None, redactor=redactor, json_stderr=True) as journal:
        journal.event(STARTED)

        assert not journal.is_written


def test_the_structlog_of_the_calling_program_is_left_alone(path: Path, redactor: Redactor) -> None:
    """Neither do we configure it, nor does its configuration reach our lines."""
    structlog.reset_defaults()
    try:
        with open_log(path, redactor=redactor) as journal:
            assert not structlog.is_configured()
            structlog.configure(processors=[lambda *_: "theirs"])
            journal.event(STARTED)
    finally:
        structlog.reset_defaults()

    assert written(path)[0]["event"] == "run_started"
