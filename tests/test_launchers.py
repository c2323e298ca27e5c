"""
The recipes that start workers, as docs/launch-workers.md has them: each can be read, and tries again what is to be.

They were run with what the page names; that cannot be had in every clone. What is held here is their shape, and that
all of them say the same of exit codes and of the time that a worker needs to end.
"""

import ast
import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from batchconnect.model.defaults import DRAIN_S
from batchconnect.model.errors import ExitCode

PAGE: Final = Path(__file__).parents[1] / "docs" / "launch-workers.md"
BY_SIGNAL: Final = 128
"""Exit codes from here on tell of a signal."""
ASKED: Final = {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
NEVER_AGAIN: Final = {code for code in ExitCode if ExitCode.OK < code < BY_SIGNAL}


def recipe(name: str) -> str:
    """The block that a reader saves under this name."""
    found = re.findall(
        rf"^```\w+ {re.escape(name)}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(found) == 1, name
    return str(found[0])


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(recipe("batchconnect-worker@.service"))
    return parser


def test_every_exit_code_has_its_line_on_the_page() -> None:
    lines = re.findall(r"^\| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    answers = {
        int(code): answer for codes, answer in lines for code in re.findall(r"`(\d+)`", codes)
    }

    assert set(answers) == {*ExitCode, 137, 142}
    assert {code for code, answer in answers.items() if answer.startswith("no:")} == {
        ExitCode.OK,
        *NEVER_AGAIN,
    }
    assert {code for code, answer in answers.items() if answer.startswith("yes:")} == {137, 142}


def test_the_unit_starts_again_what_a_signal_ended_and_nothing_else() -> None:
    """A worker that was asked to end, by SIGTERM or Ctrl-C, has not failed."""
    service = unit()["Service"]

    assert service["Restart"] == "on-failure"
    assert set(map(int, service["RestartPreventExitStatus"].split())) == NEVER_AGAIN
    assert set(map(int, service["SuccessExitStatus"].split())) == ASKED
    assert int(service["TimeoutStopSec"]) > DRAIN_S
    assert service["KillMode"] == "mixed", "what the command started is not asked beside it"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """As it stands on the page, without a word."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here: apt-get install systemd")
    file = tmp_path / "batchconnect-worker@.service"
    file.write_text(recipe(file.name), encoding="utf-8")

    done = subprocess.run(
        [program, "verify", file], check=False, capture_output=True, text=True, timeout=300
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_job_fails_by_our_codes_and_gives_a_pod_its_time() -> None:
    job: Any = yaml.safe_load(recipe("job.yaml"))
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    first, second = spec["podFailurePolicy"]["rules"]

    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert "completions" not in spec, "one pod that ends well is the end of the run"
    assert pod["restartPolicy"] == "Never", "podFailurePolicy needs it"
    assert pod["terminationGracePeriodSeconds"] > DRAIN_S
    assert (first["action"], first["onExitCodes"]["operator"]) == ("FailJob", "In")
    assert set(first["onExitCodes"]["values"]) == NEVER_AGAIN
    assert first["onExitCodes"]["containerName"] == container["name"]
    assert (second["action"], second["onPodConditions"]) == (
        "Ignore",
        [{"type": "DisruptionTarget"}],
    )
    drain = container["args"][container["args"].index("--drain") + 1]
    assert float(drain) < pod["terminationGracePeriodSeconds"]
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["volumes"]}


@pytest.mark.parametrize("name", ["onboard_clients.py", "onboard_job.py"])
def test_the_orchestrators_try_again_what_a_signal_ended_and_nothing_else(name: str) -> None:
    """Their code can be read, and its one question of the exit code has our answer for each code that there is."""
    code = ast.parse(recipe(name))
    asked = [node for node in ast.walk(code) if isinstance(node, ast.If)]
    never = asked[0]

    def is_never_again(code: int) -> bool:
        return bool(eval(ast.unparse(never.test), {}, {"code": code}))

    given_up = "allow_retries=False" if name == "onboard_job.py" else "AirflowFailException"
    assert given_up in ast.unparse(never.body[0])
    assert {one for one in ExitCode if is_never_again(one)} == NEVER_AGAIN
    assert not any(map(is_never_again, (-9, -14, 137, 142, *ASKED)))
