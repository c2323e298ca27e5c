"""
A service that repeats a secret in whatever spelling: it can be read back from nothing that we say or keep.

One command for all spellings of one kind of answer, for a command costs more than a row. What is looked
for are pieces of the key and of each spelling, in every file, on the terminal, and in the ledger while
it is written.
"""

import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle
from pathlib import Path

import orjson
import pytest

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Answer, Request
from tests.acceptance.place import Place, cells
from tests.acceptance.practice import ACME, Practice
from tests.spellings import SPELLINGS, pieces, squeezed

pytestmark = pytest.mark.acceptance

KEYS = {
    "Entra": "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ.",
    "signs": "schlüZq7%4/s\\w\"o<rd>&'+=;:~ä-2026",
}
FAST = ("--rate", "200", "--settle", "0.5", "--on-doubt", "hold", "-v")
SPELLED = list(SPELLINGS)
"""Row number 1 repeats its key in the first of them, and so on."""


def shaped(status: int, spelled: str) -> Answer:
    """As JSON with the spelling in each of its texts, code and ids."""
    return answers.json_answer(
        status,
        {
            "type": f"https://ns.adobe.com/aep/errors/FLOW-1308-{status}",
            "title": f"Refused {spelled}",
            "error_code": spelled,
            "status": status,
            "report": {"detailed-message": f"Tenant {spelled} not found", "request-id": spelled},
            "errorMessage": f"connection={spelled}",
            "items": [{"auth": {"params": {"servicePrincipalKey": spelled}}}],
        },
        ("X-Odd", spelled.encode("ascii", "ignore").decode().replace("\n", " ")),
    )


def coded(status: int, spelled: str) -> Answer:
    """As JSON that names the spelling as its code."""
    return answers.json_answer(
        status, {"error_code": spelled, "error": spelled, "message": f"not valid: {spelled}"}
    )


def page(status: int, spelled: str) -> Answer:
    """As HTML."""
    text = f"<html><body><h1>Refused: {spelled}</h1><a href='/?k={spelled}'>try again</a></body></html>"
    return Answer(status=status, headers=(answers.HTML,), body=text.encode())


def no_sandbox(spelled: str) -> Answer:
    """The refusal that stops one sandbox and lets its lane read the next."""
    return answers.flow("2100-404", f"Not found {spelled}", f"Sandbox {spelled} not found")


def wrong_client(spelled: str) -> Answer:
    """As IMS words it."""
    return answers.json_answer(
        400, {"error": "invalid_client", "error_description": f"wrong secret {spelled}"}
    )


SHAPES = (shaped, coded, page)


class Search:
    """
    Looks for pieces of a key.

    Args:
        place: Where.
        key: The key.
    """

    def __init__(self, place: Place, key: str) -> None:
        self._place = place
        self._pieces = pieces(key)
        self._calls = 0
        self.ledgers: set[bytes] = set()
        """What the ledger's files held now and then, its write-ahead log among them."""

    def keep_ledger(self) -> None:
        """Look at the ledger's files as they are now, at every tenth call."""
        self._calls += 1
        if self._calls % 10 == 0:
            self.ledgers |= {path.read_bytes() for path in self._place.reports.glob("*.sqlite3*")}

    def found(self) -> list[str]:
        """Pieces, and where they stand."""
        return [
            f"{piece} in {where}"
            for where, text in self._texts()
            for piece in sorted(self._pieces)
            if piece in text
        ]

    def _texts(self) -> Iterator[tuple[str, str]]:
        for path in [*self._place.folder.rglob("*"), *self._place.said.iterdir()]:
            yield "a name", squeezed(path.name)
            if path.is_file() and not path.is_symlink() and path not in self._place.inputs:
                yield str(path), squeezed(_content(path))
        for content in self.ledgers:
            yield "the ledger", squeezed(content.decode("utf-8", "replace"))


def _content(path: Path) -> str:
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8", errors="replace")
    with zipfile.ZipFile(path) as parts:
        return "\n".join(parts.read(name).decode() for name in parts.namelist())


def instead(answer: Answer) -> Decision:
    """Answered so, and nothing done."""
    return Decision(apply_after_s=None, reply=Instead(answer=answer))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_search_finds_each_spelling(place: Place, key: str) -> None:
    """In the midst of a file, escaped in JSON, and in the ledger."""
    search = Search(place, key)
    for spelling, spell in SPELLINGS.items():
        path = place.folder / "one.json"
        path.write_bytes(orjson.dumps({"message": f"not found {spell(key)} not found"}))
        assert search.found(), spelling
        path.unlink()
    search.ledgers.add(b"\0\1" + key.encode()[:12] + b"\2")
    assert search.found()


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_in_the_answer_to_a_create(place: Place, practice: Practice, key: str) -> None:
    """JSON and HTML, refused and in doubt: in no file, no output, no ledger byte."""
    search = Search(place, key)
    rows = [
        cells(number, name=f"{shape.__name__} {number}", servicePrincipalKey=key)
        for number in range(1, len(SPELLED) + 1)
        for shape in SHAPES
    ]
    by_name = {shape.__name__: shape for shape in SHAPES}

    def repeat(request: Request) -> Decision | None:
        if not request.is_create:
            return None
        search.keep_ledger()
        shape, number = request.json["name"].split()
        spelled = SPELLINGS[SPELLED[int(number) - 1]](
            request.json["auth"]["params"]["servicePrincipalKey"]
        )
        statuses = (500, 502, 504) if shape == "page" else (400, 500, 409)
        return instead(by_name[shape](statuses[int(number) % 3], spelled))

    practice.script = repeat
    done = place.run("run", place.sheet(rows), *FAST)
    told = place.run_each(
        ("status", "--json"),
        ("report", "--by", "org"),
        ("runs", "--json"),
        ("rerun", "--json", *FAST),
    )

    assert done.code in {4, 6}, done
    assert {row["status"] for row in place.results().values()} <= {"failed", "in_doubt"}
    assert [one.code for one in told[:3]] == [0, 0, 0], told
    assert len(search.ledgers) > 1, "the ledger was looked at while it was written"
    assert search.found() == []


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_in_the_answer_to_a_read(place: Place, practice: Practice, key: str) -> None:
    """Each sandbox's listing, and each look at a connection, is refused in another spelling."""
    search = Search(place, key)
    spelled = [spell(key) for spell in SPELLINGS.values()]
    rows = [
        cells(number, sandbox=f"s{number}", servicePrincipalKey=key)
        for number in range(len(spelled))
    ]

    def repeat(request: Request) -> Decision | None:
        search.keep_ledger()
        if request.method != "GET":
            return None
        return instead(no_sandbox(spelled[int(request.sandbox.removeprefix("s"))]))

    sheet = place.sheet(rows)
    before = place.run("run", sheet, *FAST)
    practice.script = repeat
    done = place.run("run", sheet, *FAST)
    told = place.run_each(("plan", sheet, "--json"), ("reconcile", "-v"), ("report", "--by", "org"))

    assert before.code == 0, before
    assert done.code == 7, done
    assert place.statuses() == {"not_attempted": len(rows)}
    assert [one.code for one in told] == [7, 4, 0], told
    assert search.found() == []


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", partial(shaped, 403)),
        ("GET", partial(coded, 400)),
        ("GET", partial(page, 404)),
        ("GET", partial(shaped, 500)),
        ("POST", partial(page, 403)),
        ("POST", partial(coded, 403)),
        ("POST", partial(page, 400)),
    ],
    ids=["refused", "coded", "page", "failed", "portal", "denied", "bad page"],
)
def test_a_key_in_an_answer_that_stops_a_lane(
    place: Place, practice: Practice, method: str, answer: Callable[[str], Answer]
) -> None:
    """All spellings at once, for there is no second answer."""
    key = KEYS["Entra"]
    search = Search(place, key)
    said = answer("\n".join(spell(key) for spell in SPELLINGS.values()))
    practice.script = lambda request: (
        instead(said) if request.method == method and not request.is_token_request else None
    )
    done = place.run(
        "run", place.sheet([cells(1, servicePrincipalKey=key)]), *FAST, "--patience", "1"
    )

    assert done.code in {4, 6, 7}, done
    assert set(place.statuses()) <= {"not_attempted", "failed", "in_doubt"}
    assert search.found() == []


def test_a_key_in_an_answer_to_the_sweep_and_to_reconcile(place: Place, practice: Practice) -> None:
    """What was made, or is in doubt, is looked for by marker and by id, and no look is answered well."""
    key = KEYS["Entra"]
    search = Search(place, key)
    spelled = cycle(spell(key) for spell in SPELLINGS.values())
    shapes: Iterator[Callable[[str], Answer]] = cycle(
        (partial(shaped, 400), partial(coded, 400), no_sandbox, partial(page, 400))
    )
    creates = count()
    is_later = threading.Event()

    def repeat(request: Request) -> Decision | None:
        search.keep_ledger()
        if request.is_create:
            is_later.set()
            is_lost = next(creates) % 2
            return instead(page(504, next(spelled))) if is_lost else None
        if request.method == "GET" and is_later.is_set():
            return instead(next(shapes)(next(spelled)))
        return None

    practice.script = repeat
    rows = [cells(number, servicePrincipalKey=key) for number in range(1, 9)]
    done = place.run("run", place.sheet(rows), *FAST, "--patience", "5")
    told = [place.run("reconcile", "-v") for _ in range(4)]

    assert done.code == 6, done
    assert place.statuses() == {"created": 4, "in_doubt": 4}
    assert all(one.code != 0 for one in told), told
    assert search.found() == []


def test_a_client_secret_in_the_answer_of_a_sign_in(place: Place, practice: Practice) -> None:
    """IMS repeats what it was sent, in its texts, as its code, or on a page."""
    secret = KEYS["signs"]
    place.environ["BATCHCONNECT_CLIENT_SECRET"] = secret
    search = Search(place, secret)
    sheet = place.sheet([cells(1)])
    for number, spell in enumerate(SPELLINGS.values()):
        answer = (wrong_client, partial(coded, 400), partial(page, 400))[number % 3](spell(secret))
        practice.script = lambda request, answer=answer: (  # type: ignore[misc]  # bound as it is now
            instead(answer) if request.is_token_request else None
        )
        done = place.run(*(("run", sheet, *FAST), ("orgs", "--sandbox", "dev"))[number % 2])

        assert done.code == 7, done
    assert search.found() == []


MESSAGES: dict[str, Callable[[str, str, str], str]] = {
    "database": lambda app, tenant, database: (
        f"Principal 'aadapp={app};{tenant}' is not authorized to read database '{database}'."
    ),
    "cluster": lambda app, tenant, database: (
        f"Database '{database}' could not be found on cluster 'contoso'."
    ),
    "secret": lambda app, tenant, database: "AADSTS7000215: Invalid client secret provided.",
    "application": lambda app, tenant, database: (
        f"AADSTS700016: Application with identifier '{app}' was not found in the directory"
    ),
    "tenant": lambda app, tenant, database: f"AADSTS90002: Tenant '{tenant}' not found.",
}
REASONS = {
    "database": "kusto_not_authorized",
    "cluster": "kusto_no_database",
    "secret": "AADSTS7000215",
    "application": "AADSTS700016",
    "tenant": "AADSTS90002",
}


def test_documented_messages_are_read_word_by_word(place: Place) -> None:
    """With database, cluster and ids, the service's code before them and the reason's beside them."""
    secret = "qV8w" * 9
    rows = [
        cells(number, name=f"Client {name}", servicePrincipalKey=KEYS["Entra"])
        for number, name in enumerate(MESSAGES, start=1)
    ]
    wanted = {
        row["name"]: MESSAGES[row["name"].removeprefix("Client ")](
            row["servicePrincipalId"], row["tenant"], row["database"]
        )
        for row in rows
    }
    with Practice(orgs={ACME: ("client-acme", secret)}) as practice:
        place.environ.update(practice.environment(), BATCHCONNECT_CLIENT_SECRET=secret)
        practice.script = lambda request: (
            instead(answers.invalid("1308-400", wanted[request.json["name"]]))
            if request.is_create
            else None
        )
        done = place.run("run", place.sheet(rows), *FAST)

    results = place.results()
    assert done.code == 4, done
    assert {name: row["error_code"] for name, row in results.items()} == {
        f"Client {name}": reason for name, reason in REASONS.items()
    }
    # The simulator's token is so short that the `Is` in it counts as one of its words.
    assert {name: row["error"].replace("…", "is") for name, row in results.items()} == {
        name: f"FLOW-1308-400: {text}" for name, text in wanted.items()
    }
