"""A folder to work in, the real command in a process of its own, and what it cost."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER_CORE, CLIENT_CORE = 0, 1
LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process took, and what it said."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    code: int
    out: str
    err: str


def pinned(core: int) -> tuple[str, ...]:
    """Words before a command that keep it on one core, where there are several."""
    cores = os.cpu_count() or 1
    return ("taskset", "-c", str(core)) if cores > core and _has("taskset") else ()


def measured(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    core: int | None = CLIENT_CORE,
) -> Cost:
    """Run a command to its end; peak memory is that of its largest process, children included."""
    out, err = folder / ".stdout", folder / ".stderr"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [*(pinned(core) if core is not None else ()), *map(str, command)]
    began = time.perf_counter()
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = subprocess.Popen(
            _measuring(words),
            cwd=folder,
            env={**user_environ(), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
        )
        try:
            code = process.wait(LONGEST_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = err.read_text(errors="replace")
    peak = re.search(r"peak-kib=(\d+)\n\Z", said)
    return Cost(
        wall_s=wall_s,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_mib=int(peak[1]) / 1024 if peak else 0.0,
        code=code,
        out=out.read_text(errors="replace"),
        err=said[: peak.start()] if peak else said,
    )


def python(*arguments: str | Path) -> list[str]:
    """Our interpreter with these arguments."""
    return [sys.executable, *map(str, arguments)]


def tool(*arguments: str | Path) -> list[str]:
    """The command of the project."""
    return python("-m", "batchconnect", *arguments)


def _measuring(words: Sequence[str]) -> list[str]:
    # A small parent of its own, since this process' RUSAGE_CHILDREN keeps the largest child ever.
    program = (
        "import resource,subprocess,sys;"
        "code=subprocess.call(sys.argv[1:]);"
        "peak=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss;"
        "print(f'\\npeak-kib={peak}',file=sys.stderr);"
        "sys.exit(code)"
    )
    return [sys.executable, "-S", "-c", program, *words]


def user_environ() -> dict[str, str]:
    """What a user's command finds: none of our variables."""
    # Their bytecode, too: without it, every start compiles the house anew.
    left_out = "BATCHCONNECT", "PYTHONDONTWRITEBYTECODE"
    environ = {
        name: value
        for name, value in os.environ.items()
        if not any(word in name for word in left_out)
    }
    return {**environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def _has(name: str) -> bool:
    return any((Path(folder) / name).is_file() for folder in os.get_exec_path())


def found(name: str) -> str | None:
    """Where a program is, None where it is missing."""
    folders = [*os.get_exec_path(), "/usr/sbin", "/sbin"]
    paths = (Path(folder) / name for folder in folders)
    return next((str(path) for path in paths if path.is_file()), None)
