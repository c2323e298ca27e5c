"""
The image's own lines, carried out without an engine: what each stage runs, then the command as the image starts it.

The image's paths are put below one folder; the one line that asks a registry is not carried out.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[1]
NOT_RUN: Final = (
    "RUN /app/bin/pip install --no-cache-dir --require-hashes --requirement /wheel/image.txt"
)
"""It asks a registry; the packages of this environment stand in for what it installs."""
PATHS: Final = ("/app", "/wheel", "/data")
USER: Final = 10001


def lines() -> list[str]:
    """The instructions of the file."""
    text = (ROOT / "Containerfile").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def told(word: str) -> list[str]:
    """What stands behind an instruction, each time."""
    return [line.removeprefix(f"{word} ") for line in lines() if line.startswith(f"{word} ")]


def test_the_image_runs_as_nobody_s_root() -> None:
    """As a number, so that a platform can see that it is none; and the command is the entry point."""
    assert told("USER") == [str(USER)]
    assert lines().index(f"USER {USER}") > max(
        number for number, line in enumerate(lines()) if line.startswith("RUN ")
    )
    assert told("ENTRYPOINT") == ['["batchconnect"]']
    assert told("STOPSIGNAL") == ["SIGTERM"]
    assert not any("http" in line or "curl" in line for line in lines())


def test_the_line_that_is_not_carried_out_is_there() -> None:
    """What it installs is held to what the package asks for in `test_project.py`."""
    assert NOT_RUN in lines()


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """A folder with what the image has below its root, made by the file's own lines."""
    folder = Path(tempfile.mkdtemp(prefix="batchconnect-image-"))
    folder.chmod(0o755)
    try:
        _make(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def _make(image: Path) -> None:
    wheel = image / "wheel"
    wheel.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheel],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    tools = image / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(_python())
    for line in lines():
        if line == NOT_RUN:
            _lend_packages(image)
        elif line.startswith("RUN "):
            _run(_inside(line.removeprefix("RUN "), image), tools)


def _run(command: str, tools: Path) -> None:
    done = subprocess.run(
        ["sh", "-euc", command],
        env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def _inside(text: str, image: Path) -> str:
    """A text with the image's paths below the folder; who is not root cannot give a folder away."""
    for path in PATHS:
        text = text.replace(path, f"{image}{path}")
    return text if os.geteuid() == 0 else re.sub(r" --(owner|group)=\d+", "", text)


def _lend_packages(image: Path) -> None:
    (site,) = (image / "app/lib").glob("python*/site-packages")
    ours = Path(next(path for path in sys.path if path.endswith("site-packages")))
    if _is_open_to_others(ours):
        (site / "lent.pth").write_text(f"{ours}\n")
        return
    # The image's user may not look into it, as into a clone below a folder of mkdtemp.
    names = re.findall(
        r"^([\w.-]+)==", (ROOT / "requirements/image.txt").read_text("utf-8"), re.MULTILINE
    )
    for name in names:
        with suppress(PackageNotFoundError):  # of another system, or another Python
            for file in distribution(name).files or ():
                if ".." not in file.parts:
                    (site / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ours / file, site / file)


def _is_open_to_others(path: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


def _python() -> Path:
    """An interpreter of this version that the image's user may start, too."""
    here = Path(sys.executable).resolve()
    name = f"python3.{sys.version_info.minor}"
    for path in (here, Path("/usr/bin", name), Path("/usr/local/bin", name)):
        if path.exists() and _is_open_to_others(path.resolve().parent):
            return path
    if os.geteuid() != 0:
        return here
    pytest.fail(f"no {name} that another user than root may start")


def batchconnect(image: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as the image starts it: its user, its folder, its variables, and no more."""
    variables = dict(line.split("=", 1) for line in told("ENV"))
    (entry,) = (line.strip('[]"') for line in told("ENTRYPOINT"))
    (folder,) = told("WORKDIR")
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": USER, "group": 0, "extra_groups": [], "umask": 0o077}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [f"{image}/app/bin/{entry}", *arguments],
        cwd=f"{image}{folder}",
        env={name: _inside(value, image) for name, value in variables.items()},
        capture_output=True,
        text=True,
        check=False,
        **user,
    )
    return done


@pytest.mark.slow
def test_the_steps_make_a_command_that_runs_without_root(image: Path) -> None:
    """It has no home and no name, and writes nowhere but below /data."""
    before = _all_but_data(image)
    shutil.copy(ROOT / "inputs/tenants.xlsx", image / "in.xlsx")
    (image / "in.xlsx").chmod(0o444)

    version = batchconnect(image, "--version")
    run = batchconnect(
        image, "run", str(image / "in.xlsx"), "--simulate", "--rate", "200", "--metrics", "m.prom"
    )
    (image / "in.xlsx").unlink()

    assert version.returncode == 0, version.stderr
    assert run.returncode == 0, run.stderr
    assert "40 created" in run.stdout
    data = image / "data"
    assert (data / "reports/simulated/latest/report.html").exists()
    assert (data / "m.prom").exists()
    if os.geteuid() == 0:
        assert {path.lstat().st_uid for path in data.rglob("*")} == {USER}
    assert _all_but_data(image) == before


def _all_but_data(image: Path) -> set[tuple[str, int]]:
    return {
        (str(path), path.lstat().st_mtime_ns)
        for path in image.rglob("*")
        if "data" not in path.relative_to(image).parts[:1]
    }


@pytest.mark.slow
def test_it_has_every_extra_and_nothing_that_installs_more(image: Path) -> None:
    """A notice, metrics, a store: nobody has to build an image of his own."""
    refused = batchconnect(
        image, "run", "nope.csv", "--simulate", "--metrics", "m.prom", "--notify", "ops"
    )

    assert "not installed" not in refused.stderr
    assert not (image / "opt/batchconnect/bin/pip").exists()


def test_no_line_is_told_that_is_not_there() -> None:
    """The page that tells how it is run names the file's user and folders."""
    page = (ROOT / "docs/run-in-a-container.md").read_text("utf-8")

    assert str(USER) in page
    for line in (*told("VOLUME"), *told("ARG")):
        assert shlex.split(line.strip('[]"').split("=")[0])[0] in page
