"""
What code, tests and pages cite is in the repository: each document, each section, each quoted heading.

A section number stands for itself nowhere. Read backwards from it, the next name is its document: `contract`
is docs/contract.md, a page is itself, and RFC 9110 or [MS-XLS] are somebody else's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
CONTRACT: Final = "docs/contract.md"
PAGES: Final[Mapping[str, str]] = {
    path.relative_to(ROOT).as_posix(): re.sub(
        r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for path in sorted(
        {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob(".github/*.md")}
    )
}
"""Without their blocks, where a comment looks like a heading."""
WRITTEN_BY_US: Final = {"benchmarks.md", "FILE.md", "ci.md"}
"""What a program of ours writes, and nobody reads here."""
TO_COME: Final[frozenset[str]] = frozenset()
"""Cited already, and written next; it leaves this set as soon as it is there."""
PROMISES: Final = "docs/promises.md"
THIS: Final = Path(__file__).relative_to(ROOT).as_posix()

_SECTIONS = re.compile(
    r"\bsections? (\d+(?:\.\d+)*(?: \([^)]*\))?(?:(?:, | and | to |, and )\d+(?:\.\d+)*(?: \([^)]*\))?)*)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.(])\d+(?:\.\d+)*")
_SOURCE = re.compile(
    r"\bRFC \d+|\[MS-\w+\]|\bOpenDocument 1\.3\b|(?P<page>[\w./-]+\.md)\b|(?P<contract>\bcontract\b)",
    re.IGNORECASE,
)
_BACK = 160
"""Characters before a number in which its document is named."""
_PAGE = re.compile(r"(?<![\w./-])[\w./-]+\.md\b")
_QUOTED = re.compile(r"([\w./-]+\.md), \"([^\"]+)\"")
_OF_SECTION = re.compile(
    r"\bcontract,? section (\d+)[,:] (?:[^.;)\"]{0,30} )?\"([^\"]+)\"", re.IGNORECASE
)
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_HEADING = re.compile(r"^#+ (?:(?P<number>\d+)\. )?(?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Text:
    """What is read of one file, and where it stands."""

    path: str
    text: str

    @cached_property
    def lower(self) -> str:
        """To see quickly that a word is nowhere in it."""
        return self.text.lower()

    @cached_property
    def flat(self) -> str:
        """On one line, without the marks of comments: a citation may be broken by a line's end."""
        return re.sub(r"\s+(?:# )?", " ", self.text)


def _texts() -> list[Text]:
    files = chain(
        (ROOT / "batchconnect").rglob("*.py"),
        (ROOT / "tests").rglob("*.py"),
        (ROOT / "tests").rglob("*.yaml"),
        (ROOT / page for page in PAGES),
    )
    return [
        Text(path=path.relative_to(ROOT).as_posix(), text=path.read_text("utf-8"))
        for path in sorted(files)
        if path.relative_to(ROOT).as_posix() != THIS
    ]


def sections_cited(text: Text) -> Iterator[tuple[str, str]]:
    """Each section number that a text names, with its document: a page, `foreign`, or "" for none."""
    for found in _SECTIONS.finditer(text.flat) if "section" in text.lower else ():
        before = text.flat[max(0, found.start() - _BACK) : found.start()]
        named = list(_SOURCE.finditer(before))
        owner = CONTRACT if text.path == CONTRACT and not named else ""
        if named:
            last = named[-1]
            owner = CONTRACT if last["contract"] else (last["page"] or "foreign")
        for number in _NUMBER.findall(found[1]):
            yield owner, number


def page_of(name: str, citing: str) -> str | None:
    """The page that a name means: from the root, or beside the page that names it; None: nowhere."""
    beside = (ROOT / citing).parent / name
    for path in (ROOT / name, beside):
        if path.is_file():
            return path.resolve().relative_to(ROOT).as_posix()
    return None


def numbered(page: str) -> set[str]:
    """The numbers of a page's sections."""
    return {found["number"] for found in _HEADING.finditer(page) if found["number"]}


def headed(page: str) -> set[str]:
    """The titles of a page's sections, without their numbers."""
    return {found["title"] for found in _HEADING.finditer(page)}


def section(page: str, number: str) -> str:
    """One numbered section of a page."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return "" if found is None else found[0]


def wrong_sections(text: Text) -> list[str]:
    """Section numbers that lead nowhere."""
    wrong = []
    for owner, number in sections_cited(text):
        if owner == "foreign":
            continue
        page = page_of(owner, text.path) if owner else None
        if page is None or number not in numbered(PAGES[page]):
            wrong.append(f"section {number} of {owner or 'no document'}")
    return wrong


def wrong_pages(text: Text) -> list[str]:
    """Documents that the repository does not hold, and headings that they do not have."""
    if ".md" not in text.text:
        return []
    names = [
        name for name in _PAGE.findall(_without_addresses(text)) if not _is_code_of(text, name)
    ]
    wrong = [
        name
        for name in names
        if name.removeprefix("../") not in TO_COME and page_of(name, text.path) is None
    ]
    for name, title in _QUOTED.findall(text.flat):
        page = page_of(name, text.path)
        if page is not None and title not in headed(PAGES[page]):
            wrong.append(f'"{title}" of {name}')
    return wrong


def wrong_quotes(text: Text) -> list[str]:
    """Words that a citation of the contract quotes, and that its section does not have."""
    return [
        f'"{words}" of section {number}'
        for number, words in (_OF_SECTION.findall(text.flat) if "section" in text.lower else ())
        if words.lower() not in section(PAGES[CONTRACT], number).lower()
    ]


def named_tests(text: str) -> list[tuple[str, str]]:
    """File and name of each test that a page names; no name: all of its file."""
    return _TEST.findall(text)


def wrong_tests(text: str) -> list[str]:
    """Tests that are not in the repository."""
    wrong = []
    for path, name in named_tests(text):
        file = ROOT / path
        if not file.is_file() or (name and f"def {name}(" not in file.read_text("utf-8")):
            wrong.append(f"{path}::{name}")
    return wrong


def _without_addresses(text: Text) -> str:
    return re.sub(r"https?://\S+", "", text.flat)


def _is_code_of(text: Text, name: str) -> bool:
    # A test of the pages opens them by their bare names, below a constant that is the folder.
    is_test = text.path.startswith("tests/")
    return name.rpartition("/")[2] in WRITTEN_BY_US or (
        is_test and (ROOT / "docs" / name).is_file()
    )


TEXTS: Final = _texts()


def sample(words: str, path: str = "batchconnect/any.py") -> Text:
    """A text of a test's own."""
    return Text(path=path, text=words)


def test_the_reader_sees_the_citations() -> None:
    """A test of citations that reads none would always pass."""
    cited = [pair for text in TEXTS for pair in sections_cited(text)]

    assert {(CONTRACT, str(number)) for number in (1, 2, 3, 4, 5, 6, 7, 8, 9)} <= set(cited)
    assert ("foreign", "10.2.3") in cited
    assert len([owner for owner, _ in cited if owner == CONTRACT]) > 40
    assert sum(len(_QUOTED.findall(text.flat)) for text in TEXTS if ".md" in text.text) >= 5
    assert sum(len(_OF_SECTION.findall(x.flat)) for x in TEXTS if "section" in x.lower) >= 3


@pytest.mark.parametrize(
    ("words", "cited"),
    [
        ("Contract, section 5, first and second table.", [(CONTRACT, "5")]),
        ("(contract,\n# section 8)", [(CONTRACT, "8")]),
        ("The contract's sections 1 and 7", [(CONTRACT, "1"), (CONTRACT, "7")]),
        (
            "Contract, section 5, third table; section 7, classes.",
            [(CONTRACT, "5"), (CONTRACT, "7")],
        ),
        ("RFC 9110, section 10.2.3 (Retry-After).", [("foreign", "10.2.3")]),
        (
            "[MS-XLSB], sections 2.1.4 (records), 2.4 (Brt).",
            [("foreign", "2.1.4"), ("foreign", "2.4")],
        ),
        ("plans.md, section 3", [("plans.md", "3")]),
        ("as section 4 says", [("", "4")]),
    ],
)
def test_a_section_belongs_to_the_document_named_before_it(
    words: str, cited: list[tuple[str, str]]
) -> None:
    assert list(sections_cited(sample(words))) == cited


@pytest.mark.parametrize(
    "words",
    ["contract, section 99", "as section 4 says", "plans.md, section 3", "README.md, section 3"],
)
def test_a_section_that_leads_nowhere_is_found(words: str) -> None:
    """Of the contract, of no document, of one that is not here, and of one without numbers."""
    assert wrong_sections(sample(words)) != []


def test_a_document_or_heading_that_is_not_here_is_found() -> None:
    """Also where the name is that of another folder's page."""
    assert wrong_pages(sample('plans.md, "Words"; docs/plans.md')) == ["plans.md", "docs/plans.md"]
    assert wrong_pages(sample("exactly-once.md")) == ["exactly-once.md"]
    assert wrong_pages(sample('docs/exactly-once.md, "Prayers"')) == [
        '"Prayers" of docs/exactly-once.md'
    ]
    assert wrong_pages(sample('docs/exactly-once.md, "The marker"')) == []
    assert wrong_quotes(sample('Contract, section 9, "never said"')) == [
        '"never said" of section 9'
    ]


def test_what_is_to_come_is_not_there_yet() -> None:
    """No exemption outlives its reason."""
    assert [name for name in TO_COME if (ROOT / name).exists()] == []


def test_the_contract_keeps_its_numbers() -> None:
    """1 to 14, each once and in order: the code cites them."""
    numbers = [found["number"] for found in _HEADING.finditer(PAGES[CONTRACT]) if found["number"]]

    assert numbers == [str(number) for number in range(1, 15)]


def test_every_citation_leads_somewhere() -> None:
    """In this repository, for whoever has nothing but a clone."""
    wrong = {
        text.path: [*wrong_sections(text), *wrong_pages(text), *wrong_quotes(text)]
        for text in TEXTS
    }

    assert {path: said for path, said in wrong.items() if said} == {}


def test_each_promise_names_a_test_that_there_is() -> None:
    """A test that is renamed, or goes, leaves no promise behind without one."""
    page = PAGES[PROMISES]
    promises = [line for line in page.splitlines() if line.startswith("- ")]

    assert len(promises) > 70
    assert [line for line in promises if not named_tests(line)] == []
    assert {path: wrong for path, text in PAGES.items() if (wrong := wrong_tests(text))} == {}


def test_a_test_that_is_not_there_is_found() -> None:
    """Neither its file, nor its name in a file that is there."""
    assert wrong_tests("`tests/test_nothing.py::test_a`, `tests/test_docs.py::test_b`") == [
        "tests/test_nothing.py::test_a",
        "tests/test_docs.py::test_b",
    ]
