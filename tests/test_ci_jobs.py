"""
The jobs to copy in `docs/ci/` do what they say: each command in them is carried out, in the job's own order and environment.

What only the CI's own machine has is put in its place: where its agent keeps things, what its secrets are, and the
line that installs the package.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.test_docs import ORGS, _service

ROOT: Final = Path(__file__).parents[1]
JOBS: Final = ROOT / "docs" / "ci"
SHEET: Final = """name,endpoint,database,tenant,servicePrincipalId,servicePrincipalKey
Acme telemetry,https://acme.westeurope.kusto.windows.net,telemetry,acme.onmicrosoft.com,0d1ff3c1-7c0a-4b0e-9d7e-2f1f6b8f3a11,env:ACME_KEY
"""
INSTALLS: Final = re.compile(r"pip install batchconnect\b|python3 -m venv|^export PATH=")
"""Lines that are not carried out: the tests run in an environment that is set up, and ask no registry."""

ORG_ID, (CLIENT_ID, CLIENT_SECRET) = next(iter(ORGS.items()))
GIVEN: Final = {
    "ORG_ID": ORG_ID,
    "CLIENT_ID": CLIENT_ID,
    "SANDBOX": "dev",
    "CLIENT_SECRET": CLIENT_SECRET,
    "ACME_KEY": "FAKE~acme.key-1",
}
"""What a project sets besides, by the names that the jobs give it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a job, with the environment that the file gives it."""

    command: str
    environment: Mapping[str, str]


def github() -> Iterator[Step]:
    document = yaml.safe_load((JOBS / "github.yml").read_text("utf-8"))
    for job in document["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                yield Step(step["run"], {**document["env"], **job["env"], **step.get("env", {})})


def gitlab() -> Iterator[Step]:
    document = yaml.safe_load((JOBS / "gitlab.yml").read_text("utf-8"))
    # What the head of the file says is set in the project.
    project = {f"BATCHCONNECT_{name}": GIVEN[name] for name in GIVEN if name != "ACME_KEY"}
    environment = {**document["variables"], **project, "ACME_KEY": GIVEN["ACME_KEY"]}
    for name in document["stages"]:
        for command in (*document["default"]["before_script"], *document[name]["script"]):
            yield Step(command, environment)


def azure() -> Iterator[Step]:
    document = yaml.safe_load((JOBS / "azure-pipelines.yml").read_text("utf-8"))
    shared = {one["name"]: one["value"] for one in document["variables"] if "name" in one}
    for stage in document["stages"]:
        for job in stage["jobs"]:
            deploy = job.get("strategy", {}).get("runOnce", {}).get("deploy", {})
            for step in job.get("steps", deploy.get("steps", ())):
                if "bash" in step:
                    yield Step(step["bash"], {**shared, **step.get("env", {})})


KINDS: Final[Mapping[str, Any]] = {
    "github.yml": github,
    "gitlab.yml": gitlab,
    "azure-pipelines.yml": azure,
}


def test_every_job_to_copy_is_carried_out_here() -> None:
    assert {path.name for path in JOBS.iterdir()} == KINDS.keys()


@pytest.mark.acceptance
@pytest.mark.parametrize("name", KINDS)
def test_every_command_of_a_job_does_what_it_says(name: str, tmp_path: Path) -> None:
    """From the first to the last, as on a machine of the team's; the row has its connection then."""
    place, state, tools = (tmp_path / part for part in ("place", "state", "bin"))
    for folder in (place, state, tools):
        folder.mkdir()
    (place / "clients.csv").write_text(SHEET, "utf-8")
    (place / "clients.csv").chmod(0o600)
    shim = tools / "batchconnect"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m batchconnect "$@"\n')
    shim.chmod(0o755)
    told = []
    with _service() as url:
        for step in KINDS[name]():
            if INSTALLS.search(step.command):
                continue
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", step.command],
                cwd=place,
                env={
                    "PATH": f"{tools}:/usr/bin:/bin",
                    "HOME": str(tmp_path),
                    "CI_PIPELINE_ID": "1",
                    "GITHUB_STEP_SUMMARY": str(tmp_path / "step-summary"),
                    "BATCHCONNECT_PLATFORM_URL": url,
                    "BATCHCONNECT_IMS_URL": url,
                    **{key: _filled(text, state) for key, text in step.environment.items()},
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step.command}\n{done.stdout}\n{done.stderr}"
            told.append((step.command, done.stdout))
    commands = [command for command, _ in told]
    assert [command.split()[1] for command in commands if command.startswith("batchconnect")] == [
        "validate",
        "plan",
        "run",
    ]
    assert "1 created" in next(text for command, text in told if "batchconnect run" in command)
    assert (place / "results.xml").is_file()
    assert (state / "ledger.sqlite3").is_file()
    summaries = [*place.glob("*.md"), *tmp_path.glob("step-summary")]
    assert summaries
    for written in (*summaries, *place.glob("*.xml"), *state.glob("plan-*.json")):
        assert "FAKE" not in written.read_text("utf-8"), written


def _filled(text: str, state: Path) -> str:
    """A value of the file as the CI fills it in."""
    text = text.replace("/var/lib/batchconnect", str(state))
    text = re.sub(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", lambda found: GIVEN[found[1]], text)
    text = re.sub(r"\$\((\w+)\)", lambda found: GIVEN[found[1]], text)
    text = text.replace("${{ github.run_id }}", "1").replace("$(Build.BuildId)", "1")
    text = text.replace("$CI_PIPELINE_ID", "1")
    assert "$" not in text, text
    return text


def test_the_jobs_of_github_have_no_finding_of_their_checker() -> None:
    """As the workflows of this repository, whose actions they pin alike."""
    checker = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [checker, "--offline", "--quiet", JOBS / "github.yml"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    ours = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    used = set(re.findall(r"uses: (\S+)", (JOBS / "github.yml").read_text("utf-8")))
    assert used <= set(re.findall(r"uses: (\S+)", ours))


@pytest.mark.parametrize("name", KINDS)
def test_no_job_holds_a_secret_or_pipes_one(name: str) -> None:
    """Credentials come from the CI's own store, by name."""
    text = (JOBS / name).read_text("utf-8")

    assert not re.search(r"(?i)(client_secret|_key): *[\"']?[A-Za-z0-9~_-]{12,}", text)
    assert "--ledger" not in text, "the ledger's place is said once"
