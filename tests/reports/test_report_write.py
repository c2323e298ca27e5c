"""Reports reach the disk whole or not at all, for their owner's eyes only."""

import html
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints
from zipfile import ZipFile

import pytest

from batchconnect import reports
from batchconnect.ledger.entry import Line, RowPlanned, RunEnded, RunOpened, Settled
from batchconnect.ledger.row_state import fold_rows
from batchconnect.ledger.sqlite.store import SqliteLedger
from batchconnect.model.event import Swept
from batchconnect.model.outcome import Failed, Problem, Status, Works
from batchconnect.model.redactor import Redactor
from batchconnect.model.secret import Secret, redact
from batchconnect.model.target import Target
from batchconnect.reports import FORMATS, ReportError, write_reports
from batchconnect.reports.incident import Incident
from batchconnect.reports.redaction import without_secrets
from batchconnect.reports.result import Result
from batchconnect.reports.summary import Summary, summarize

RUN = "20251124-160000000-k3f9"


def summary_of(name: str = "Acme", detail: str = "No.") -> Summary:
    opened = RunOpened(run_id=RUN, sheets=("s.csv",), sheet_sha256="0", carried=("Ref",))
    planned = RowPlanned(name=name, carried=(detail,))
    settled = Settled(outcome=Failed(code="c", detail=detail))
    with SqliteLedger(":memory:") as ledger:
        run = ledger.append([Line(entry=opened, at_ms=1)])
        ledger.append(
            [
                Line(entry=planned, run=run, row=2, at_ms=2),
                Line(entry=settled, run=run, row=2, at_ms=3),
                Line(entry=RunEnded(exit_code=4), run=run, at_ms=4),
            ]
        )
        of_run, of_rows = list(ledger.run_lines(run)), list(ledger.row_lines(run))
    return summarize(of_run, lambda: fold_rows(of_rows))


def text_of(path: Path) -> str:
    """What a person can read in a file; of a workbook, every part of it."""
    if path.suffix != ".xlsx":
        return path.read_text("utf-8-sig")
    with ZipFile(path) as parts:
        return html.unescape("".join(parts.read(name).decode() for name in parts.namelist()))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_every_format_is_written_for_the_owner_alone(tmp_path: Path) -> None:
    """Directory 0700, files 0600, nothing else left behind."""
    folder = tmp_path / "new" / "reports" / RUN

    written = write_reports(summary_of(), folder)

    assert written == {name: folder / name for name in FORMATS}
    assert {path.name for path in folder.iterdir()} == set(FORMATS)
    assert {mode(path) for path in written.values()} == {0o600}
    assert {mode(one) for one in (folder, folder.parent, folder.parent.parent)} == {0o700}


def test_the_summary_names_the_files(tmp_path: Path) -> None:
    """Absolute paths, the log with them where there is one."""
    folder = tmp_path / RUN
    folder.mkdir()
    (folder / "run.log.jsonl").touch()

    write_reports(summary_of(), folder)

    files = json.loads((folder / "summary.json").read_bytes())["files"]
    assert files == {name: str(folder / name) for name in (*FORMATS, "run.log.jsonl")}
    assert mode(folder) == 0o700


def test_reports_are_written_again_over_themselves(tmp_path: Path) -> None:
    """`report` and `reconcile` replace a run's files; the same ledger gives the same bytes."""
    folder = tmp_path / RUN
    before = {name: path.read_bytes() for name, path in write_reports(summary_of(), folder).items()}

    after = {name: path.read_bytes() for name, path in write_reports(summary_of(), folder).items()}

    assert after == before


def test_a_planted_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Nobody has us overwrite a file elsewhere."""
    folder, victim = tmp_path / RUN, tmp_path / "victim"
    victim.write_text("mine")
    folder.mkdir()
    (folder / "results.csv").symlink_to(victim)

    write_reports(summary_of(), folder)

    assert victim.read_text() == "mine"
    assert not (folder / "results.csv").is_symlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """The run's folder is our own, or there is no report."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / RUN).symlink_to("elsewhere")

    with pytest.raises(ReportError, match="symbolic link"):
        write_reports(summary_of(), tmp_path / RUN)

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_full_disk_names_the_file_and_the_others_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file is never left; the old one stands; the summary does not name the one that failed."""
    folder = tmp_path / RUN
    folder.mkdir()
    (folder / "results.csv").write_text("old")

    def full(summary: Summary) -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports, "FORMATS", {**FORMATS, "results.csv": full})

    with pytest.raises(ReportError, match=r"results\.csv could not be written: No space") as caught:
        write_reports(summary_of(), folder)

    assert caught.value.hint is not None
    assert set(caught.value.written) == set(FORMATS) - {"results.csv"}
    assert (folder / "results.csv").read_text() == "old"
    assert {path.name for path in folder.iterdir()} == set(FORMATS)
    files = json.loads((folder / "summary.json").read_bytes())["files"]
    assert "results.csv" not in files


def test_an_error_of_ours_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that cannot be read any more is not the disk's fault."""

    def broken(summary: Summary) -> Iterator[bytes]:
        yield b"half"
        raise ValueError("broken")

    monkeypatch.setattr(reports, "FORMATS", {"results.csv": broken})

    with pytest.raises(ValueError, match="broken"):
        write_reports(summary_of(), tmp_path / RUN)

    assert list((tmp_path / RUN).iterdir()) == []


def test_a_mistake_in_one_format_does_not_cost_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for the ids of a run finds them, whatever the workbook died of."""

    def broken(summary: Summary) -> Iterator[bytes]:
        yield b"half"
        raise ValueError("broken")

    monkeypatch.setattr(reports, "FORMATS", {**FORMATS, "results.xlsx": broken})

    with pytest.raises(ValueError, match="broken"):
        write_reports(summary_of(), tmp_path / RUN)

    found = {path.name for path in (tmp_path / RUN).iterdir()}
    assert found == FORMATS.keys() - {"results.xlsx"}


def test_latest_leads_to_the_newest_run(tmp_path: Path) -> None:
    """The report of an older run, written again, does not take it back."""
    older, newer = tmp_path / "20250101-000000000-aaaa", tmp_path / RUN
    latest = tmp_path / "latest"

    write_reports(summary_of(), older)
    assert latest.readlink().name == older.name
    write_reports(summary_of(), newer)
    assert latest.readlink().name == newer.name
    write_reports(summary_of(), older)
    assert latest.readlink().name == newer.name
    assert (latest / "results.csv").is_file()


def test_latest_that_leads_nowhere_is_led_here(tmp_path: Path) -> None:
    """A newer run that was removed is not the newest."""
    (tmp_path / "latest").symlink_to("20990101-000000000-zzzz")

    write_reports(summary_of(), tmp_path / RUN)

    assert (tmp_path / "latest").readlink().name == RUN


def test_without_links_a_file_names_the_newest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows grants links to few."""

    def refused(self: Path, target: str, target_is_directory: bool = False) -> None:
        raise OSError("a privilege is not held")

    monkeypatch.setattr(Path, "symlink_to", refused)

    write_reports(summary_of(), tmp_path / RUN)

    assert (tmp_path / "latest.txt").read_text() == f"{RUN}\n"
    assert not (tmp_path / "latest").exists()


def test_a_folder_named_latest_is_left_alone(tmp_path: Path) -> None:
    """It is somebody's own."""
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "mine").touch()

    write_reports(summary_of(), tmp_path / RUN)

    assert (tmp_path / "latest" / "mine").exists()
    assert (tmp_path / "latest.txt").read_text() == f"{RUN}\n"


def test_latest_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reports stand all the same."""
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest.txt").mkdir()

    with pytest.raises(ReportError, match="latest") as caught:
        write_reports(summary_of(), tmp_path / RUN)

    assert set(caught.value.written) == set(FORMATS)


def test_where_a_folder_cannot_be_synced_nobody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has no such thing."""
    monkeypatch.setattr("batchconnect.reports.write.os.name", "nt")

    reports.write.sync_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    "key", ['pa"ss,wörd"1', "tab\\back\\slash", "<&'amp;>secret", "=formula+key", "plain-secret"]
)
def test_no_planted_secret_leaves(tmp_path: Path, key: str) -> None:
    """The last line of defence finds it in every format, however that escapes it."""
    secret = Secret(key)
    clean: Callable[[str], str] = lambda text: redact(text, [secret])  # noqa: E731 - typed as the door takes it

    written = write_reports(
        summary_of(name=f"n {key}", detail=f"echo {key}!"), tmp_path / RUN, redact=clean
    )

    for path in written.values():
        text = text_of(path)
        assert key not in text
        assert key.replace('"', '""') not in text
        assert json.dumps(key, ensure_ascii=False)[1:-1] not in text
    assert "echo ***!" in (tmp_path / RUN / "results.csv").read_text()


def test_a_report_of_a_part_is_a_filter(tmp_path: Path) -> None:
    """Rows may be left out; the rest of the machinery does not notice."""
    summary = replace(summary_of(), rows=lambda: iter([]))

    written = write_reports(summary, tmp_path / RUN)

    assert written["results.jsonl"].read_bytes() == b""


def test_a_workbook_is_redacted_before_it_is_packed(tmp_path: Path) -> None:
    """Nobody can look for a secret in its bytes, so every text that goes in is looked at."""
    key = "planted-secret"
    problem = Problem(code="c", column="name", what=f"what {key}", remedy=f"remedy {key}")
    summary = summary_of()
    (row,) = summary.rows()
    echo = replace(
        row,
        org=key,
        sandbox=key,
        target=Target(
            endpoint=key,
            database=key,
            tenant=key,
            service_principal_id=key,
        ),
        description=key,
        hint=key,
        connection_id=key,
        error_code=key,
        error=key,
        problems=(problem,),
    )
    opened = replace(summary.opened, note=key, sheets=(key,), carried=(key,))

    write_reports(
        replace(summary, rows=lambda: iter([echo]), opened=opened),
        tmp_path / RUN,
        redact=lambda text: redact(text, [Secret(key)]),
    )

    text = text_of(tmp_path / RUN / "results.xlsx")
    assert key not in text
    assert "remedy ***" in text


def planted(value: Any, key: str) -> Any:
    """The same value with a secret in place of every text, read off the fields' types, not their names."""
    kind = type(value)
    if is_dataclass(value) and not isinstance(value, type):
        filled = {one.name: planted(getattr(value, one.name), key) for one in fields(value)}
        return replace(value, **filled)
    if isinstance(value, tuple):
        items = [planted(item, key) for item in value]
        return kind(*items) if hasattr(value, "_fields") else kind(items)
    return key if kind is str else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A value that some day lies in a row."""

    told: str
    by_name: Mapping[str, str]


class WiderResult(Result):
    """A row with fields that nobody has thought of yet."""

    remark: str
    inner: Nested
    several: tuple[str, ...]


def test_a_text_field_that_is_added_to_a_row_is_searched_without_a_word() -> None:
    """What is searched is read off the row, however deep a text lies: no list of names to forget."""
    key = "planted-secret"
    clean = partial(redact, secrets=[Secret(key)])
    (row,) = summary_of().rows()
    values = {one.name: getattr(row, one.name) for one in fields(row)}
    wider = WiderResult(
        **values, remark=key, inner=Nested(told=key, by_name={key: f"a {key}"}), several=("b", key)
    )

    cleaned = without_secrets(wider, clean)

    assert isinstance(cleaned, WiderResult)
    assert (cleaned.remark, cleaned.several) == ("***", ("b", "***"))
    assert cleaned.inner == Nested(told="***", by_name={"***": "a ***"})
    assert (
        without_secrets(
            replace(wider, remark="", inner=Nested(told="", by_name={}), several=()), clean
        ).name
        == row.name
    )


def test_every_text_of_a_run_and_of_its_rows_is_looked_at(tmp_path: Path) -> None:
    """Rows, header, incidents, sweep, lanes and lines: a secret in all of them is in no file."""
    key = "planted-secret"
    summary = summary_of()
    (row,) = summary.rows()
    swept = Swept(expected=1, found=1, duplicated=(key,), missing=(key,))
    incident = Incident(
        code=key,
        title=key,
        org=key,
        sandbox=key,
        rows=1,
        first_row=1,
        hint=key,
        status=Status.FAILED,
    )
    problem = Problem(code=key, column="name", what=f"what {key}", remedy=f"remedy {key}")
    opened = replace(planted(summary.opened, key), run_id=RUN)
    # A text that a row may lack is in this one.
    lacking: dict[str, Any] = {
        name: key for name, hint in get_type_hints(Result).items() if hint == str | None
    }
    assert {"connection_state", "works_error", "etag_before"} <= lacking.keys()
    row = replace(row, works=Works.NO, **lacking)
    filled = replace(
        summary,
        opened=opened,
        sweep=swept,
        incidents=(incident,),
        ledger=key,
        rows=lambda: iter([replace(planted(row, key), error_column="name", problems=(problem,))]),
    )

    written = write_reports(filled, tmp_path / RUN, redact=partial(redact, secrets=[Secret(key)]))

    assert len(written) == 6
    assert not any(key in text_of(path) for path in written.values())


def test_a_workbook_that_would_hold_a_secret_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts are searched as they are unpacked, whatever a format wrote past the first look."""
    monkeypatch.setattr("batchconnect.reports.cleaned", lambda summary, _redact: summary)
    key = "planted-secret & more"
    redactor = Redactor()
    redactor.hold(Secret(key))

    with pytest.raises(ReportError, match=r"results\.xlsx.*it would hold a secret"):
        write_reports(summary_of(name=f"n {key}"), tmp_path / RUN, redact=redactor.text)

    assert not (tmp_path / RUN / "results.xlsx").exists()
    assert (tmp_path / RUN / "results.csv").exists()


KILLED = """
import os, signal, sys, time
from pathlib import Path
from batchconnect.reports.write import writing
steps = writing(Path(sys.argv[1]), [b"half", b"of it"])
next(steps)
print("begun", flush=True)
sys.stdin.read()
"""


def test_parts_of_a_killed_process_go_and_those_at_work_stay(tmp_path: Path) -> None:
    """`kill -9` leaves them; whoever writes the folder next takes them away, and nothing of others."""
    folder = tmp_path / RUN
    folder.mkdir()
    theirs = folder / ".notes.txt"
    theirs.write_text("mine")
    command = [sys.executable, "-c", KILLED]
    with (
        subprocess.Popen(
            [*command, str(folder / "results.csv")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as killed,
        subprocess.Popen(
            [*command, str(folder / "failed.csv")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as at_work,
    ):
        for process in (killed, at_work):
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
        killed.kill()
        killed.wait()
        left = sorted(path.name[:11] for path in folder.glob(".*.????????????????"))
        assert left == [".failed.csv", ".results.cs"]
        for part in folder.glob(".*.????????????????"):
            os.utime(part, (part.stat().st_atime, part.stat().st_mtime - 10))
        old = tmp_path / ".latest.0123456789abcdef"
        old.symlink_to("nowhere")
        os.utime(old, (1, 1), follow_symlinks=False)

        write_reports(summary_of(), folder)

        now = [path.name[:11] for path in folder.glob(".*.????????????????")]
        assert now == [".failed.csv"]
        at_work.kill()
    assert theirs.read_text() == "mine"
    assert not old.is_symlink()
