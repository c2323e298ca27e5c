"""
A folder to work in and the real command by subprocess, as a person has them; and what nobody may find.

Every test that works in a `Place` is a test of secrets as well: all that was said and written is searched
for the planted ones when the test is over.
"""

import base64
import csv
import io
import os
import selectors
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from batchconnect.ledger.row_state import RowState, fold_rows
from batchconnect.ledger.sqlite.store import SqliteLedger

ROOT = Path(__file__).parents[2]
INPUTS = ROOT / "inputs"
CANARY = "canary~"
"""Every secret of every test begins so, unless its own bytes are the matter."""
CLIENT_SECRET = f"{CANARY}client-secret-p8Wz"
PATIENCE_S = 400.0
"""How long a command may take on a busy machine before it counts as hanging."""

COLUMNS = (
    "name",
    "description",
    "endpoint",
    "database",
    "tenant",
    "servicePrincipalId",
    "servicePrincipalKey",
    "org",
    "sandbox",
)
Cells = Mapping[str, Any]


def cells(number: int, **changed: Any) -> dict[str, Any]:
    """One healthy row."""
    return {
        "name": f"Client {number:03d}",
        "description": f"Data of client {number}",
        "endpoint": "https://contoso.westeurope.kusto.windows.net",
        "database": f"db{number:03d}",
        "tenant": "contoso.onmicrosoft.com",
        "servicePrincipalId": f"0d1ff3c1-7c0a-4b0e-9d7e-{number:012x}",
        "servicePrincipalKey": f"{CANARY}key-{number:03d}.Xy_4Q",
        "org": "",
        "sandbox": "dev",
        **changed,
    }


def many(count: int, **changed: Any) -> list[dict[str, Any]]:
    """Healthy rows, numbered from 1."""
    return [cells(number, **changed) for number in range(1, count + 1)]


NURSERY = """
import gc, json, os, sys
import anyio._backends._asyncio, jinja2, uvloop, xlsxwriter.workbook
from batchconnect.__main__ import main
import batchconnect.cli.app
from batchconnect.cli.commands import orgs, plan, reconcile, rerun, run, validate
gc.freeze()
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        streams = ((job["in"], os.O_RDONLY, 0), (job["out"], os.O_WRONLY, 1), (job["err"], os.O_WRONLY, 2))
        for path, mode, number in streams:
            os.dup2(os.open(path, mode), number)
        os.environ.clear()
        os.environ.update(job["env"])
        os.chdir(job["cwd"])
        sys.argv = ["batchconnect", *job["arguments"]]
        main()
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""
Gives each command a process of its own by forking, for most of a short command is its imports.

What they left is frozen: the look for cycles at each command's end would copy all of it, page by page.
"""


class Nursery:
    """Where commands are born that need no interpreter started for them."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", NURSERY]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def run(self, patience_s: float, **job: Any) -> int | None:
        """Run one command to its end; its exit code, or None where it hung and was killed."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(job) + b"\n")
        pid = self._line(PATIENCE_S)
        assert pid is not None
        code = self._line(patience_s)
        if code is None:
            os.kill(pid, signal.SIGKILL)
            self._line(PATIENCE_S)
        return code

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()

    def _line(self, patience_s: float) -> int | None:
        out = self._process.stdout
        assert out is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(out, selectors.EVENT_READ)
            return int(out.readline()) if waiting.select(patience_s) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return orjson.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Running:
    """A command that has been started."""

    def __init__(self, process: "subprocess.Popen[bytes]", out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    @property
    def pid(self) -> int:
        """Of the command itself."""
        return self.process.pid

    @property
    def said(self) -> str:
        """Stdout so far."""
        return self._out.read_text(errors="replace")

    @property
    def told(self) -> str:
        """Stderr so far."""
        return self._err.read_text(errors="replace")

    def send(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(signum)

    def done(self, patience_s: float = PATIENCE_S) -> Done:
        """Wait for its end."""
        try:
            code = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it hangs; stderr: {self.told}") from None
        return Done(
            code=code,
            out=self._out.read_text(errors="replace"),
            err=self._err.read_text(errors="replace"),
        )


class Place:
    """
    A folder, an environment, and the command.

    Args:
        folder: Empty; `work` is made in it to work in, and `said` for what commands say.
        nursery: Where its commands are forked.
    """

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.said = folder / "said"
        self.said.mkdir()
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith("BATCHCONNECT")
        }
        self.inputs: set[Path] = set()
        """Files that hold secrets because the person put them there."""
        self.secrets: set[str] = {CANARY}
        self._running: list[Running] = []
        self._nursery = nursery
        self._said = 0

    # What the person writes

    def write(self, name: str, content: str | bytes) -> Path:
        """A private file in the folder."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        self.inputs.add(path)
        return path

    def sheet(self, rows: Iterable[Cells], name: str = "clients.csv") -> Path:
        """A CSV of rows; further keys become further columns."""
        rows = list(rows)
        names = list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)]))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
        return self.write(name, text.getvalue())

    def settings(self, text: str, name: str = "batchconnect.toml") -> Path:
        """A settings file."""
        return self.write(name, text)

    # What the person gives

    def start(
        self,
        *arguments: str | Path,
        python: Sequence[str] = ("-m", "batchconnect"),
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        wrap: Sequence[str] = (),
        **popen: Any,
    ) -> Running:
        """
        Start the command.

        Args:
            arguments: Its arguments.
            python: What the interpreter runs.
            env: Variables on top of the place's own.
            stdin: What it can read.
            wrap: A command that is given ours.
            popen: For `subprocess.Popen`.
        """
        out, err, given = self._streams(stdin)
        command = [*wrap, sys.executable, *python, *(str(one) for one in arguments)]
        with out.open("wb") as to_out, err.open("wb") as to_err, given.open("rb") as from_in:
            streams = {"stdin": from_in, "stdout": to_out, "stderr": to_err, **popen}
            process = subprocess.Popen(
                command, cwd=self.folder, env={**self.environ, **(env or {})}, **streams
            )
        running = Running(process, out, err)
        self._running.append(running)
        return running

    def run(
        self,
        *arguments: str | Path,
        patience_s: float = PATIENCE_S,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        **rest: Any,
    ) -> Done:
        """
        Give the command, and wait for its end; the further arguments are those of `start`.

        It is forked, unless the interpreter itself is to be told something.
        """
        if rest or any(name.startswith("PYTHON") for name in env or {}):
            return self.start(*arguments, env=env, stdin=stdin, **rest).done(patience_s)
        out, err, given = self._streams(stdin)
        code = self._nursery.run(
            patience_s,
            arguments=[str(one) for one in arguments],
            cwd=str(self.folder),
            env={**self.environ, **(env or {})},
            out=str(out),
            err=str(err),
            **{"in": str(given)},
        )
        assert code is not None, f"it hangs; stderr: {err.read_text()}"
        return Done(
            code=code, out=out.read_text(errors="replace"), err=err.read_text(errors="replace")
        )

    def run_each(self, *commands: Sequence[str | Path]) -> list[Done]:
        """Give many commands, one after the other."""
        return [self.run(*command) for command in commands]

    def _streams(self, stdin: bytes) -> tuple[Path, Path, Path]:
        """Files for what one command says and what it can read."""
        self._said += 1
        out, err, given = (self.said / f"{self._said:03d}{end}" for end in (".out", ".err", ".in"))
        out.touch()
        err.touch()
        given.write_bytes(stdin)
        self.inputs.add(given)
        return out, err, given

    def end_all(self) -> None:
        """Whatever a failed test left running."""
        for running in self._running:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()

    # What the person finds

    @property
    def reports(self) -> Path:
        """Where a run's files are by default."""
        return self.folder / "reports"

    @property
    def latest(self) -> Path:
        """The newest run's folder."""
        return (self.reports / "latest").resolve()

    def runs(self, home: Path | None = None) -> list[str]:
        """Names of the runs' folders, oldest first."""
        home = home or self.reports
        names = [path.name for path in home.iterdir() if path.is_dir() and not path.is_symlink()]
        return sorted(name for name in names if name.removeprefix("sim-")[0].isdigit())

    def summary(self, folder: Path | None = None) -> Any:
        """`summary.json` of the newest run."""
        return orjson.loads(((folder or self.latest) / "summary.json").read_bytes())

    def results(self, folder: Path | None = None) -> dict[str, Any]:
        """`results.jsonl` of the newest run, by the rows' names."""
        lines = ((folder or self.latest) / "results.jsonl").read_bytes().splitlines()
        rows = [orjson.loads(line) for line in lines]
        assert len(rows) == len({(row["sheet"], row["worksheet"], row["row"]) for row in rows}), (
            "each row once"
        )
        return {row["name"]: row for row in rows}

    def table(self, name: str, folder: Path | None = None) -> list[dict[str, str]]:
        """A CSV of the newest run."""
        text = ((folder or self.latest) / name).read_text(encoding="utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def statuses(self, folder: Path | None = None) -> dict[str, int]:
        """How many rows ended how."""
        counts = self.summary(folder)["counts"]
        return {status: count for status, count in counts.items() if count}

    def intents(self, ledger: Path | None = None) -> list[RowState]:
        """What the ledger knows of the rows of its runs, oldest run first."""
        path = ledger or self.reports / "ledger.sqlite3"
        with SqliteLedger(path, read_only=True) as opened:
            numbers = [number for number, _, _ in opened.runs()][::-1]
            return [state for run in numbers for state in fold_rows(opened.row_lines(run))]

    def leaks(self) -> list[str]:
        """Where a planted secret stands that no person put there."""
        needles = [needle for secret in sorted(self.secrets) for needle in _spellings(secret)]
        files = [*self.folder.rglob("*"), *self.said.iterdir()]
        return [
            f"{needle.decode()} in {path}"
            for path in files
            if path.is_file() and not path.is_symlink() and path not in self.inputs
            for needle in needles
            if needle in _bytes_of(path)
        ]


def _bytes_of(path: Path) -> bytes:
    """What stands in a file; a workbook is packed, so its parts are looked at."""
    if path.suffix != ".xlsx":
        return path.read_bytes()
    with zipfile.ZipFile(path) as parts:
        return b"\n".join(parts.read(name) for name in parts.namelist())


def _spellings(secret: str) -> list[bytes]:
    """As it is, escaped, and as base64 at any of the three places of a longer base64 text."""
    plain = secret.encode()
    found = {plain, orjson.dumps(secret)[1:-1]}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + plain)
        first = -(-before * 8 // 6)
        found.add(text[first : (before + len(plain)) * 8 // 6])
    return sorted(found)


def until(
    what: Callable[[], object],
    *,
    patience_s: float = PATIENCE_S,
    why: str = "",
    every_s: float = 0.01,
) -> None:
    """Wait for something to become true; what costs more than a glance is asked for less often."""
    end = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < end, why or "it never came true"
        time.sleep(every_s)
