"""An error of our own in a run: what the log, the report and the screen tell of it, and what they do not."""

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

from batchconnect.cli.log.log import Log
from batchconnect.cli.progress import Progress
from batchconnect.lane.reconciler import Reconciler
from batchconnect.simulator.decision import Decision, Reset
from tests.acceptance.place import CANARY
from tests.acceptance.practice import Practice
from tests.command_line import CLIENT_SECRET, FAST, CommandLine, Done, many

HERE = "tests.cli.commands.test_faults_command:"
RUN = ("-q", *FAST, "--json")


def breaking(*_arguments: Any, **_named: Any) -> NoReturn:
    """Fails with a key in its text and in its variables."""
    secret = f"{CANARY}key-001.Xy_4Q"
    raise KeyError(secret)


def folder_of(done: Done) -> Path:
    return Path(done.json["files"]["summary.json"]).parent


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run.log.jsonl").read_text().splitlines()]


def the_fault(done: Done) -> dict[str, Any]:
    (incident,) = [one for one in done.json["incidents"] if one["code"] == "internal_fault"]
    fault: dict[str, Any] = incident["fault"]
    assert fault["type"] == "KeyError"
    assert fault["place"].startswith(HERE)
    assert fault["trace"][-1] == fault["place"]
    assert fault["version"]
    return fault


def assert_no_key(done: Done, folder: Path) -> None:
    texts = [
        done.out,
        done.err,
        *(path.read_text() for path in folder.glob("*.*") if path.suffix != ".xlsx"),
    ]
    for secret in (CANARY, CLIENT_SECRET):
        assert not any(secret in text for text in texts)
    assert CANARY.encode() not in b"".join(
        path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()
    )


def test_a_fault_in_the_making_of_a_request_is_in_log_and_report(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type, place and frames; no key. Nothing was sent, so `rerun` brings the rows home."""
    sheet = batchconnect.sheet(many(20))
    with monkeypatch.context() as patch:
        patch.setattr("batchconnect.flow_service.client.create_request", breaking)
        done = batchconnect("run", sheet, *RUN)

    assert done.code == 4, done
    folder = folder_of(done)
    fault = the_fault(done)
    (incident,) = done.json["incidents"]
    assert (incident["rows"], incident["title"]) == (20, "A fault of batchconnect")
    assert done.json["counts"]["not_attempted"] == 20
    told = [line for line in log_of(folder) if line["event"] == "fault_met"]
    assert len(told) == 20
    assert [line["fault"]["place"] for line in told] == [fault["place"]] * 20
    assert told[0]["fault"]["trace"] == fault["trace"]
    for name in ("summary.json", "report.html", "failed.csv", "results.csv"):
        assert fault["place"] in (folder / name).read_text()
    assert all(
        frame.split(" ")[0] in (folder / "report.html").read_text() for frame in fault["trace"]
    )
    assert_no_key(done, folder)
    assert practice.creates() == []

    again = batchconnect("rerun", *RUN)

    assert again.code == 0, again
    assert again.json["counts"]["created"] == 20
    assert again.json["incidents"] == []


def test_the_screen_says_what_to_send(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version, type, place and frames, under the incident and its advice."""
    monkeypatch.setattr("batchconnect.flow_service.client.create_request", breaking)

    done = batchconnect("run", batchconnect.sheet(many(2)), "-q", *FAST)

    assert "! A fault of batchconnect (internal_fault): 2 rows, first row" in done.out
    assert f"     KeyError at {HERE}" in done.out
    assert "     batchconnect " in done.out
    assert "batchconnect.flow_service.client:" in done.out
    assert CANARY not in done.out + done.err
    assert practice.creates() == []


def test_a_fault_after_the_send_is_settled_and_told(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection exists and is found by its marker; the incident stands beside it."""
    monkeypatch.setattr("batchconnect.flow_service.client.judge_create", breaking)

    done = batchconnect("run", batchconnect.sheet(many(1)), *RUN, "--settle", "2")

    assert done.code == 0, done
    assert done.json["counts"]["created"] == 1
    assert len(practice.creates()) == 1
    the_fault(done)
    assert_no_key(done, folder_of(done))


def test_a_fault_of_the_whole_command_is_one_sentence_and_a_trace_in_the_log(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1; the same command goes on under the same run id."""
    sheet = batchconnect.sheet(many(1))
    with monkeypatch.context() as patch:
        patch.setattr("batchconnect.run.lanes.lane_group.LaneGroup.share_out", breaking)
        done = batchconnect("run", sheet, "-q", *FAST)

    assert done.code == 1
    assert done.err.startswith(f"error: unexpected error: KeyError at {HERE}")
    assert "Traceback" not in done.err
    (folder,) = [path for path in Path("reports").iterdir() if (path / "run.log.jsonl").exists()]
    (line,) = [line for line in log_of(folder) if line["event"] == "fault_met"]
    assert line["where"] == "run"
    assert any(frame.startswith("batchconnect.run.batch:") for frame in line["fault"]["trace"])

    again = batchconnect("run", sheet, *RUN)

    assert again.code == 0, again
    assert again.json["run_id"] == folder.name
    the_fault(again)
    assert_no_key(again, folder_of(again))
    assert len(practice.creates()) == 1


def test_a_report_format_that_fails_is_in_the_log(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other files are there; the rows are created all the same."""
    with monkeypatch.context() as patch:
        patch.setattr("batchconnect.reports.page.html._pieces", breaking)
        done = batchconnect("run", batchconnect.sheet(many(1)), "-q", *FAST)

    assert done.code == 1
    assert "unexpected error: KeyError at " in done.err
    (folder,) = [path for path in Path("reports").iterdir() if (path / "run.log.jsonl").exists()]
    assert (folder / "results.csv").exists()
    assert [line["where"] for line in log_of(folder) if line["event"] == "fault_met"] == ["report"]
    assert len(practice.connections()) == 1


@pytest.mark.parametrize(
    ("room", "name"), [(Progress, "progress"), (Log, "log")], ids=["progress", "log"]
)
def test_a_display_or_a_log_that_fails_costs_no_row(
    room: type[object],
    name: str,
    batchconnect: CommandLine,
    practice: Practice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is given up, said once, and the other one goes on."""
    monkeypatch.setattr(room, "event", breaking)

    done = batchconnect("run", batchconnect.sheet(many(3)), *FAST)

    assert done.code == 0, done
    assert len(practice.connections()) == 3
    assert done.err.count(f"warning: the {name} is given up: KeyError at {HERE}") == 1
    assert CANARY not in done.out + done.err


def test_a_fault_in_reconcile_leaves_the_doubts_and_is_told(
    batchconnect: CommandLine, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, nothing is guessed: exit 6, and the next `reconcile` settles them."""
    practice.by_name(Client_001=Decision(reply=Reset(), lag_s=1.0))
    batchconnect("run", batchconnect.sheet(many(2)), *RUN, "--settle", "0.3", "--on-doubt", "hold")
    with monkeypatch.context() as patch:
        patch.setattr(Reconciler, "_judge", breaking)
        done = batchconnect("reconcile", "--json", "--settle", "30")

    assert done.code == 6, done
    assert done.json["counts"]["in_doubt"] == 1
    the_fault(done)

    again = batchconnect("reconcile", "--json", "--settle", "30")

    assert again.code == 0, again
    assert len(practice.creates()) == 2
