"""
The first day of a person who opens no docs: from an empty folder to a verified end, by what the screens say.

Four orgs, a workbook of three tabs, a plan that is approved, a run, a mended sheet. Each command is the one that
the screen before it named; nothing else is known but `--help`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.acceptance.place import CLIENT_SECRET, Done, Nursery, Place, cells
from tests.acceptance.practice import Practice
from tests.acceptance.terminal import COLUMNS, on_terminal

pytestmark = pytest.mark.acceptance

ORGS = {
    key: (f"{letter * 24}@AdobeOrg", f"client-{key}", f"{CLIENT_SECRET}-{key}")
    for key, letter in zip(("acme", "globex", "initech", "Umbrella"), "ABCD", strict=True)
}
TABS = ("DACH", "Nordics", "UK & IE")
SETTLED_SOON = ("--settle", "0.6")
"""So that nobody waits: a connection that does not work is asked once more within a share of it."""


@dataclass
class Person:
    """Who sits before the terminal, and remembers what the last screen said is next."""

    place: Place
    screen: Done

    def give(self, *words: str, answers: Any = ()) -> Done:
        """Give a command."""
        self.screen = on_terminal(self.place, *words, answers=answers)
        for line in self.screen.out.splitlines():
            is_to_be_copied = "batchconnect " in line or "/" in line
            assert len(line) <= COLUMNS or is_to_be_copied, line
        return self.screen

    def follow(self, *more: str) -> Done:
        """Give what the screen named as next, with what was read in its help."""
        return self.give(*self.next, *more)

    @property
    def next(self) -> list[str]:
        """The words of the command that the screen named."""
        found = re.findall(r"^next: .*?batchconnect (.*)$", self.screen.out, flags=re.MULTILINE)
        assert len(found) == 1, self.screen
        return shlex.split(found[0])


@pytest.fixture
def service(place: Place) -> Iterator[Practice]:
    """A service with four orgs; where it is, the environment says, as it does nowhere in life."""
    orgs = {org_id: (client_id, secret) for org_id, client_id, secret in ORGS.values()}
    with Practice(orgs=orgs) as practice:
        place.environ.update(
            BATCHCONNECT_PLATFORM_URL=practice.url, BATCHCONNECT_IMS_URL=practice.url
        )
        yield practice
        place.secrets |= practice.tokens


@pytest.fixture
def person(place: Place) -> Person:
    """Before an empty folder."""
    return Person(place, Done(code=0, out="", err=""))


def fill_in(book: Path, place: Place) -> None:
    """Three tabs of four rows, copied from the template's; with what people do to sheets."""
    made = openpyxl.load_workbook(book)
    first = made.worksheets[0]
    tabs = [first, made.copy_worksheet(first), made.copy_worksheet(first)]
    number = 0
    for tab, title in zip(tabs, TABS, strict=True):
        tab.title = title
        tab.cell(1, 10).value = "Account manager"
        for row, org in enumerate(ORGS, 4):
            number += 1
            asked = cells(
                number,
                org=org,
                servicePrincipalId=f"{number * 7919:08x}-1111-4222-8333-{number * 104729:012x}",
            )
            for at, text in enumerate(asked.values(), 1):
                tab.cell(row, at).value = text
            tab.cell(row, 10).value = ("Ina", "Tom")[number % 2]
    made["Nordics"]["C5"] = "contoso.westeurope.kusto.windows.net"
    made["UK & IE"]["G6"] = f"{cells(11)['servicePrincipalKey']}-wrong-at-test"
    made.save(book)
    place.inputs.add(book)


def mend(book: Path, tab: str, cell: str, text: str) -> None:
    made = openpyxl.load_workbook(book)
    made[tab][cell] = text
    made.save(book)


def sort_backwards(book: Path, tab: str) -> None:
    made = openpyxl.load_workbook(book)
    rows = [[cell.value for cell in row] for row in made[tab].iter_rows(4, 7)]
    for at, row in enumerate(reversed(rows), 4):
        for column, text in enumerate(row, 1):
            made[tab].cell(at, column).value = text
    made.save(book)


def set_up(person: Person, place: Place) -> None:
    """`init`, as `--help` says to begin: asked for four orgs, one secret typed, one mistyped on the way."""
    answers = []
    for key, (org_id, client_id, secret) in ORGS.items():
        is_typed = key == "acme"
        variable = f"{key.upper()}_SECRET"
        place.environ[variable] = secret
        wrong = [("@AdobeOrg):", "nonsense")] if key == "globex" else []
        answers += [
            ("(acme):", key),
            *wrong,
            ("@AdobeOrg):", org_id),
            ("Client id:", client_id),
            ("type it):", "" if is_typed else f"env:{variable}"),
            *([("(not shown):", secret)] if is_typed else []),
            ("each row):", "" if key == "Umbrella" else "dev"),
            ("[y/N]:", "n" if key == "Umbrella" else "y"),
        ]
    assert "batchconnect init" in person.give("--help").out
    done = person.give("init", answers=answers)
    place.inputs |= {*(place.folder / "secrets").iterdir()}

    assert done.code == 0, done
    assert done.out.count("signed in") == 4
    assert CLIENT_SECRET not in (place.folder / "batchconnect.toml").read_text(encoding="utf-8")


def test_a_first_day(person: Person, place: Place, service: Practice) -> None:
    """Twelve rows, each with its connection once, and all of them work."""
    book = place.folder / "clients.xlsx"
    set_up(person, place)

    # The template, filled in; of its three tabs none is meant more than the others.
    template = person.follow()
    fill_in(book, place)
    many_tabs = person.follow()
    assert (template.code, many_tabs.code) == (0, 3)
    assert "--all-worksheets" in many_tabs.out
    checked = person.give("validate", book.name, "--all-worksheets")
    assert checked.code == 3, checked
    assert "Nordics!C5" in checked.out
    assert "warning" not in checked.out, "nothing is odd about a template that was filled in"

    # The problem is seen in the sheet itself, and mended there.
    annotated = person.follow()
    assert annotated.code == 3
    copy = openpyxl.load_workbook(place.folder / "clients-annotated.xlsx")
    assert [copy[tab]["A4"].value for tab in TABS] == ["Client 001", "Client 005", "Client 009"]
    assert copy["Nordics"]["C5"].comment is not None
    mend(book, "Nordics", "C5", "https://contoso.westeurope.kusto.windows.net")
    assert person.give("validate", book.name, "--all-worksheets").code == 0

    # A plan is saved, approved, and followed although the sheet was sorted since; not where a cell changed.
    planned = person.follow("--out", "plan.json")
    assert (planned.code, planned.out.count("    + row ")) == (0, 12), planned
    sort_backwards(book, "DACH")
    mend(book, "UK & IE", "D4", "other")
    refused = person.follow(*SETTLED_SOON)
    assert refused.code == 3, refused
    assert "`database` is `other`, planned `db009`" in " ".join(refused.out.split())
    assert service.creates() == []
    mend(book, "UK & IE", "D4", "db009")
    ran = person.give("run", "--plan", "plan.json", "--verify", *SETTLED_SOON)
    assert ran.code == 4, ran
    assert "12 created" in ran.out
    assert "works: 11 yes, 1 no" in ran.out
    assert "first row 6 of" in ran.out

    # The key is mended, and only that row is sent again.
    sent = len(service.creates())
    mend(book, "UK & IE", "G6", f"{cells(11)['servicePrincipalKey']}-right")
    assert "correct the keys" in person.screen.out
    mended = person.follow(*SETTLED_SOON)
    assert mended.code == 0, mended
    assert "works: 12 yes" in mended.out
    assert len(service.creates()) == sent == 12

    verified = person.give("verify", *SETTLED_SOON)
    listed = person.give("runs")
    assert (verified.code, listed.code) == (0, 0)
    assert "works: 12 yes" in verified.out
    assert "clients.xlsx (3 tabs)" in listed.out
    names = [one.name for one in service.connections()]
    assert sorted(names) == [f"Client {number:03d}" for number in range(1, 13)]
    by_org = {one.org_id for one in service.connections()}
    assert by_org == {org_id for org_id, *_ in ORGS.values()}


def test_a_first_contact_that_fails_is_told_by_its_cause(
    person: Person, place: Place, nursery: Nursery
) -> None:
    """Nothing answers there: what is wrong, and the command that looks closer, before any sheet is read."""
    place.environ.update(
        BATCHCONNECT_PLATFORM_URL="http://127.0.0.1:9", BATCHCONNECT_IMS_URL="http://127.0.0.1:9"
    )
    org_id, client_id, secret = ORGS["acme"]
    place.environ["ACME_SECRET"] = secret
    flags = ("--org", "acme", "--org-id", org_id, "--client-id", client_id)

    done = person.give("init", *flags, "--client-secret", "env:ACME_SECRET", "--sandbox", "dev")
    looked = person.follow()

    assert (done.code, looked.code) == (4, 4)
    assert "(refused)" in done.out
    assert person.screen.out.count("FAIL") >= 1
    assert "(refused)" in looked.out
