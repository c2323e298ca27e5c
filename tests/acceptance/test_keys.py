"""
The life of a key, by the real command: created wrong, found out, corrected in the returned workbook, sent, proved.

Answers are lost, the command is killed, and a colleague changes connections meanwhile: no key is lost, no
parameter is dropped, and what the colleague changed is left and named.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchconnect.simulator.decision import Closed, Decision, Reset
from batchconnect.simulator.exchange import Request
from batchconnect.simulator.records import COLLEAGUE
from tests.acceptance.place import Done, Place, Running, cells, until
from tests.acceptance.practice import Practice

pytestmark = pytest.mark.acceptance

ROWS = 200
PACE = ("--rate", "100", "--settle", "2")
PARAMS = ("endpoint", "database", "tenant", "servicePrincipalId", "servicePrincipalKey")

WRONG: Mapping[str, tuple[str, str]] = {
    "wrong-at-test": ("AADSTS7000215", "secret"),
    "wrong-at-test-7000222": ("AADSTS7000222", "expired"),
    "wrong-at-test-700016": ("AADSTS700016", "principal"),
    "wrong-at-test-database": ("kusto_no_database", "database"),
    "wrong-at-test-role": ("kusto_not_authorized", "authorized"),
    "expires-at-1000000000": ("AADSTS7000222", "expired"),
}
"""What the bad keys say of themselves, and how the source's reason is told."""
BAD = [number for number in range(1, ROWS + 1) if number % 20 in {3, 9, 14}]
"""Numbers of the clients whose keys are bad: 30 of them, some beside each other."""
PECULIAR = (
    "canary~ two  blanks ",
    "  canary~outer  ",
    'canary~,"comma",\'quotes\'',
    "=1+1;canary~formula",
    "+canary~plus",
    "-canary~minus",
    "@canary~at",
    "'=canary~apostrophe",
    "canary~Süd~🚀~密钥",
    "canary~\\back/slash%20&<tag>{json}",
    "00123~canary",
    "canary~a;b\tc|d",
)
"""Keys that a spreadsheet, a CSV or a URL would change if anybody let it."""


def first_keys() -> list[dict[str, Any]]:
    """200 clients, 30 of them with a key that their source does not accept."""
    kinds = list(WRONG)
    rows = [cells(number) for number in range(1, ROWS + 1)]
    for at, number in enumerate(BAD):
        key = f"canary~{kinds[at % len(kinds)]}"
        rows[number - 1]["servicePrincipalKey"] = key if "at-1" in key else f"{key}!"
    return rows


def corrected(number: int) -> str:
    """What a person types for a client whose key was bad."""
    at = BAD.index(number)
    return PECULIAR[at] if at < len(PECULIAR) else f"canary~corrected-{number:03d}.Xy_4Q"


def fill_in_keys(place: Place, results: Path, name: str = "results.xlsx") -> Path:
    """The returned workbook with the 30 corrected keys, and no other."""
    book = openpyxl.load_workbook(results)
    tab = book["rows"]
    heads = [cell.value for cell in tab[1]]
    of_name, of_key = heads.index("name"), heads.index("servicePrincipalKey")
    blank = 0
    for row in tab.iter_rows(min_row=2):
        blank += row[of_key].value is None
        number = int(row[of_name].value.removeprefix("Client "))
        if number in BAD:
            row[of_key].value, row[of_key].data_type = corrected(number), "s"
    assert blank == ROWS, "no key was handed out"
    path = place.folder / name
    book.save(path)
    path.chmod(0o600)
    place.inputs.add(path)
    return path


def wanted() -> Mapping[str, dict[str, str]]:
    """By name, the five parameters that each connection has to have in the end."""
    rows = first_keys()
    for number in BAD:
        rows[number - 1]["servicePrincipalKey"] = corrected(number)
    return {row["name"]: {name: row[name] for name in PARAMS} for row in rows}


def held(practice: Practice) -> Mapping[str, dict[str, Any]]:
    """By name, all parameters that the service holds of each connection, the key as it arrived."""

    def asked(simulator: Any) -> dict[str, dict[str, Any]]:
        return {
            one.name: {
                **one.params,
                "servicePrincipalKey": simulator.received_key(one.id),
            }
            for one in simulator.connections()
        }

    return practice.ask(asked)


def sent(practice: Practice, method: str, *, since: int = 0) -> list[str]:
    """The connections, by the last part of their path, that a method was sent to."""
    return [
        entry.path.rpartition("/")[2]
        for entry in practice.journal(since=since)
        if entry.method == method and "/connections" in entry.path
    ]


def works(place: Place) -> Mapping[str, int]:
    return Counter(row["works"] for row in place.table("results.csv"))


def made_and_verified(place: Place, practice: Practice) -> Done:
    """The run that finds 30 of its connections not to work."""
    done = place.run("run", place.sheet(first_keys()), *PACE, "--verify")
    assert done.code == 4, done
    assert len(practice.connections()) == ROWS
    return done


def test_created_verified_corrected_sent_and_all_of_them_work(
    place: Place, practice: Practice
) -> None:
    """200 rows, 30 bad keys of several kinds; the corrected ones go by 30 PATCHes, and nothing is created."""
    first = made_and_verified(place, practice)
    rows, summary = place.table("results.csv"), place.summary()
    sheet = fill_in_keys(place, place.latest / "results.xlsx")
    before = practice.mark()
    rerun = place.run("rerun", "--sheet", sheet, *PACE)
    after_rerun = place.table("results.csv")
    patched, posted = sent(practice, "PATCH", since=before), sent(practice, "POST", since=before)
    verify = place.run("verify", *PACE)
    proved = works(place)

    assert place.statuses() == {"created": ROWS - len(BAD), "updated": len(BAD)}
    assert Counter(row["works"] for row in rows) == {"yes": ROWS - len(BAD), "no": len(BAD)}
    causes = Counter(row["works_error"] for row in rows if row["works"] == "no")
    kinds = list(WRONG.values())
    assert causes == Counter(kinds[at % len(kinds)][0] for at in range(len(BAD)))
    told = {one["code"]: one for one in summary["incidents"]}
    assert {code: one["rows"] for code, one in told.items()} == causes, "one incident per cause"
    for code, word in WRONG.values():
        assert word in f"{told[code]['title']} {told[code]['hint']}".lower(), told[code]
    assert f"works: {ROWS - len(BAD)} yes, {len(BAD)} no" in first.out

    assert rerun.code == 0, rerun
    assert (len(patched), len(set(patched)), posted) == (len(BAD), len(BAD), [])
    assert [row["works"] for row in after_rerun if row["status"] == "updated"] == ["yes"] * len(BAD)
    assert verify.code == 0, verify
    assert proved == {"yes": ROWS}
    assert held(practice) == wanted()
