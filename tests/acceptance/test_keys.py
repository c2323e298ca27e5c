"""
The life of a key, by the real command: created wrong, found out, corrected in the returned workbook, sent, proved.

Answers are lost, the command is killed, and a colleague changes connections meanwhile: no key is lost, no
parameter is dropped, and what the colleague changed is left and named.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchconnect.simulator.decision import Closed, Decision, Reset
from batchconnect.simulator.exchange import Request
from tests.acceptance.place import Done, Place, cells, until
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
    "wrong-at-test-role": ("kusto_not_authorized", "role"),
    "expires-at-1000000000": ("AADSTS7000222", "expired"),
}
"""What the bad keys say of themselves, and how the source's reason is told."""
BAD = [number for number in range(1, ROWS + 1) if number % 20 in {3, 9, 14}]
"""Numbers of the clients whose keys are bad: 30 of them, some beside each other."""
PECULIAR = (
    "canary~ two  blanks ",
    "  canary~outer  ",
    "canary~,\"comma\",'quotes'",
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
        number = int(str(row[of_name].value).removeprefix("Client "))
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


THEIRS = BAD[3::6]
"""Five of the thirty, which a colleague changes as their keys are on the way."""


class BadDay:
    """
    What becomes of each PATCH: a tenth of the answers are lost before the change, a tenth after it.

    The first PATCH of some connections finds that a colleague has just changed them: their key, or their name.
    """

    def __init__(self, practice: Practice, seed: int = 9) -> None:
        self._practice = practice
        self._rng = random.Random(seed)
        self._theirs = {one.id: one.name for one in practice.connections()}
        wanted = {f"Client {number:03d}" for number in THEIRS}
        self._to_change = {key for key, name in self._theirs.items() if name in wanted}
        self.changed: dict[str, dict[str, str]] = {}
        """By the name that a connection had: what the colleague made of it."""
        self.lost: Counter[str] = Counter()
        self.patches = 0

    def __call__(self, request: Request) -> Decision | None:
        if request.method != "PATCH":
            return None
        self.patches += 1
        connection_id = request.path.rpartition("/")[2]
        if connection_id in self._to_change:
            self._to_change.remove(connection_id)
            self._change(connection_id)
            return None
        chance = self._rng.random()
        if chance >= 0.2:
            return None
        before = chance < 0.1
        self.lost["before" if before else "after"] += 1
        reply = self._rng.choice((Reset(), Closed()))
        return Decision(apply_after_s=None if before else 0.0, reply=reply)

    def _change(self, connection_id: str) -> None:
        name = self._theirs[connection_id]
        others = self._practice.simulator.others
        if len(self.changed) % 2:
            self.changed[name] = {"name": f"Renamed by a colleague: {name}"}
            others.change(connection_id, name=self.changed[name]["name"])
        else:
            self.changed[name] = {"servicePrincipalKey": f"canary~colleague~{name}"}
            others.change(connection_id, params=self.changed[name])


KILLS = 6


def test_lost_answers_kills_and_a_colleague_lose_no_key_and_drop_no_parameter(
    place: Place,
) -> None:
    """
    The same with a fifth of the answers to PATCH lost, killed six times, while a colleague changes five.

    Always the same command again: 25 have their key in the end, the five are left as the colleague made them.
    """
    with Practice() as practice:
        place.environ.update(practice.environment())
        made_and_verified(place, practice)
        sheet = fill_in_keys(place, place.latest / "results.xlsx")
        before = practice.mark()
        day = practice.script = BadDay(practice)
        # So many side by side that a kill finds some of them at each of their side effects.
        command = ("rerun", place.runs()[0], "--sheet", sheet, "--rate", "30", "--settle", "2")
        rng = random.Random(4)
        killed = 0
        while killed < KILLS:
            code = ended(place, day, command, rng.randint(1, 4), rng.random() * 0.1)
            if code != -signal.SIGKILL:
                break
            killed += 1
        last = place.run(*command)
        found, rows = place.results(), place.table("results.csv")
        names = {row["name"] for row in rows if row["status"] == "conflict"}
        posted = sent(practice, "POST", since=before)
        practice.script = lambda request: None
        verify = place.run("verify", *PACE)
        place.secrets |= practice.tokens
        held_now, runs = held(practice), place.runs()

    assert killed >= KILLS - 2, "it ended before it could be killed"
    assert last.code == 4, last
    assert (len(runs), posted) == (3, []), "each command went on with the same rerun"
    assert min(day.lost["before"], day.lost["after"]) >= 1, day.lost
    theirs = {f"Client {number:03d}" for number in THEIRS}
    assert set(day.changed) == names == theirs
    assert {found[name]["error_code"] for name in theirs} == {"changed_meanwhile"}
    assert "changed_meanwhile" in last.out
    assert Counter(row["status"] for row in rows) == {
        "created": ROWS - len(BAD), "updated": len(BAD) - len(theirs), "conflict": len(theirs),
    }  # fmt: skip
    for name, params in wanted().items():
        change = day.changed.get(name, {})
        now = held_now[change.get("name", name)]
        assert set(now) == set(PARAMS), name
        if name in theirs:
            mine = params["servicePrincipalKey"]
            assert now["servicePrincipalKey"] != mine, name
            assert now["servicePrincipalKey"] == change.get(
                "servicePrincipalKey", now["servicePrincipalKey"]
            )
        else:
            assert now == params, name
    assert verify.code == 4, verify
    assert works(place) == {"yes": ROWS - 2, "no": 2}, "the two that were renamed lack their key"


def ended(place: Place, day: BadDay, command: tuple[Any, ...], number: int, after_s: float) -> int:
    """Start it, kill it a moment after its *number*-th PATCH from now on; its exit code."""
    running = place.start(*command)
    at = day.patches + number
    until(lambda: day.patches >= at or running.process.poll() is not None)
    time.sleep(after_s)
    running.send(signal.SIGKILL)
    return running.done().code
