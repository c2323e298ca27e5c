"""`report --by org`: each client gets their own rows, lanes and incidents, and nobody else's."""

import csv
import json
from pathlib import Path

import pytest

from batchconnect.run.org_report import folder_name
from tests.command_line import FAST, CommandLine, cells, many


def test_each_org_gets_a_report_of_its_own(batchconnect: CommandLine) -> None:
    """Nothing in it tells of another org: neither a row, nor a lane, nor a name."""
    rows = [*many(2, org="acme"), cells(3, org="globex")]
    batchconnect("run", batchconnect.sheet(rows), "--simulate", *FAST)

    done = batchconnect("report", "--simulate", "--by", "org", "--json")

    assert done.code == 0
    assert set(done.json["orgs"]) == {"acme", "globex"}
    folder = Path(done.json["orgs"]["acme"])
    summary = json.loads((folder / "summary.json").read_bytes())
    assert (summary["rows"], summary["exit_code"]) == (2, 0)
    assert [lane["org"] for lane in summary["lanes"]] == ["acme"]
    with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["org"] for row in csv.DictReader(file)} == {"acme"}
    for name in ("results.csv", "results.jsonl", "failed.csv", "summary.json", "report.html"):
        assert b"globex" not in (folder / name).read_bytes()


def test_latest_still_points_to_the_run(batchconnect: CommandLine) -> None:
    batchconnect("run", batchconnect.sheet(many(1, org="acme")), "--simulate", *FAST)
    before = Path("reports/simulated/latest").resolve()

    batchconnect("report", "--simulate", "--by", "org")

    assert before == Path("reports/simulated/latest").resolve()
    assert not (before / "by-org" / "latest").exists()


@pytest.mark.parametrize(
    ("org", "name"),
    [
        ("acme", "acme"),
        ("Acme, Inc. / EU", "Acme_Inc._EU"),
        ("../..", "without-org"),
        ("", "without-org"),
    ],
)
def test_whatever_is_typed_names_a_folder(org: str, name: str) -> None:
    """It never leads out of the run's own."""
    assert name == folder_name(org)
