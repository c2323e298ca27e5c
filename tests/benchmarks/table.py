"""What was measured, as a Markdown table for people and JSON for programs."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of the table."""

    what: str
    target: str
    got: str
    met: bool | None
    """None: it has no target, or it could not be measured here."""
    figures: dict[str, object] = field(default_factory=dict)
    table: str = ""
    """A Markdown table of its own, to stand below the one of all measures."""


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, each of two figures that were taken one after the other."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def markdown(measures: Sequence[Measure]) -> str:
    """The table."""
    words = {True: "yes", False: "**no**", None: "-"}
    lines = [
        f"Measured on: {machine()}.",
        "",
        "| what | target | measured | met |",
        "|---|---|---|---|",
    ]
    lines += [f"| {one.what} | {one.target} | {one.got} | {words[one.met]} |" for one in measures]
    for one in measures:
        lines += ["", f"{one.what}:", "", one.table] if one.table else []
    return "\n".join(lines) + "\n"


def write(measures: Sequence[Measure], folder: Path) -> None:
    """`benchmarks.md` and `benchmarks.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(markdown(measures), encoding="utf-8")
    document = {
        "machine": machine(),
        "at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "measures": [asdict(one) for one in measures],
    }
    (folder / "benchmarks.json").write_text(
        json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8"
    )


def machine() -> str:
    """The machine and what ran on it."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "orjson"))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {libraries}{load}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "unknown processor")
