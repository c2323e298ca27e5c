"""
The whole catalogue of the contract, code by code: what a person gets to read of each answer.

The codes and what they say are read from the contract itself, the messages from the sources of the words
that a foreign text may show. Each goes through the same door as an answer of the service.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import pytest

from batchconnect.flow_service.problem import read_problem
from batchconnect.model.foreign_text import LONGEST_SHOWN, ForeignText
from batchconnect.model.outcome import Status
from batchconnect.model.remedies import hint_for, title_for
from batchconnect.model.secret import Secret
from batchconnect.transport.interface import Response

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
SECTIONS: Final = ("4", "5", "12", "13")
KEY: Final = "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ."
DATABASE, CLUSTER = "Umsätze_2026-Q3", "acme7x.westeurope"
VALUES: Final = ("Acme, Inc. Süd", f"https://{CLUSTER}.kusto.windows.net", DATABASE, "prod")
GUID: Final = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def section(number: str) -> str:
    return re.split(r"^## ", CONTRACT, flags=re.MULTILINE)[int(number)]


def in_section(number: str) -> Iterator[str]:
    """The codes of a section, as a row of a report bears them; those without a status are refusals."""
    text = section(number)
    statuses: dict[str, list[str]] = {}
    for first, last in re.findall(r"(\d{4})-400 to (\d{4})-400", text):
        text += "".join(f" {one}-400" for one in range(int(first), int(last) + 1))
    for one, status in re.findall(r"\b([12]\d{3})-([45]\d\d)\b", text):
        statuses.setdefault(one, []).append(status)
    yield from re.findall(r"\b(?:4[0-2]\d|503)\d{3}\b", text)
    for one in set(re.findall(r"(?<![\d-])([12]\d{3})(?![\d,])", text)):
        yield from (f"FLOW-{one}-{status}" for status in statuses.get(one, ["400"]))


CODES: Final = sorted({code for number in SECTIONS for code in in_section(number)})


def says() -> Iterator[tuple[str, str]]:
    """Code and text of each row of the two catalogues."""
    for row in re.findall(r"^\|(.+)\|$", section("4"), flags=re.MULTILINE):
        cells = [cell.strip().replace("*", "").replace("`", "") for cell in row.split("|")]
        codes = re.findall(
            r"\b\d{6}\b|\b\d{4}-\d{3}\b", " ".join(cells[:-1] if len(cells) < 4 else cells[:2])
        )
        text = cells[2] if len(cells) == 4 else cells[-1]
        yield from ((code, " ".join(text.split())) for code in codes)


def messages() -> Iterator[str]:
    """Sentence by sentence, what Adobe, Microsoft, proxies and databases are known to say."""
    for source in sorted((ROOT / ".ci" / "shown_words").glob("*.txt")):
        for line in source.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#") and source.stem != "function_words":
                for sentence in re.split(r"(?<=\.) ", line):
                    yield from textwrap.wrap(sentence, 150)


def foreign() -> ForeignText:
    return ForeignText([Secret(KEY)], VALUES)


def test_the_catalogue_is_read_whole() -> None:
    """Else the tests below would show little."""
    assert len(CODES) > 100
    assert {"401013", "503020", "FLOW-1102-404", "FLOW-1451-400", "FLOW-2121-403"} <= {*CODES}
    assert len(dict(says())) > 100
    assert len(set(messages())) > 300


@pytest.mark.parametrize("status", [Status.FAILED, Status.IN_DOUBT, Status.NOT_ATTEMPTED])
def test_every_code_has_a_title_and_a_remedy(status: Status) -> None:
    """In words, beside the code; a remedy is a sentence or more, and says what to do."""
    for code in CODES:
        title, hint = title_for(code), hint_for(code, status)

        assert len(title.replace(code, "").split()) >= 1, (code, title)
        assert re.fullmatch(r"[A-Z`].{20,}\.", hint), (code, hint)


@pytest.mark.parametrize(("code", "text"), list(says()), ids=[code for code, _ in says()])
def test_what_each_code_says_stays_readable(code: str, text: str) -> None:
    """The text, its code and its request id, with the database, the cluster and a GUID that it names."""
    is_flow = "-" in code
    told = f"{text} ({DATABASE}, {CLUSTER}, {GUID})"
    if len(told) > LONGEST_SHOWN:
        told = f"{text} ({CLUSTER})"
    status = int(code.rpartition("-")[2]) if is_flow else 400
    body = (
        {
            "type": f"https://ns.adobe.com/aep/errors/FLOW-{code}",
            "title": "Invalid request",
            "status": status,
            "report": {"detailed-message": told, "request-id": GUID},
        }
        if is_flow
        else {"error_code": code, "message": told}
    )
    response = Response(status=status, headers={"x-request-id": GUID}, body=orjson.dumps(body))
    problem = read_problem(response, foreign())

    assert problem.code == (f"FLOW-{code}" if is_flow else code)
    assert problem.message == told
    assert problem.request_id == GUID


def test_a_message_that_is_known_stays_readable_word_by_word() -> None:
    """Also where it names the row's database and cluster."""
    for message in sorted(set(messages())):
        told = f"{message} '{DATABASE}' {CLUSTER}"
        if message == "disk I/O error.":  # single letters but `a` and `I` are never shown
            told = told.replace("I/O", "input")

        assert foreign().shown(told) == told
