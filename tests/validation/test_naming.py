"""Names, descriptions and sandboxes: sent as typed, or refused."""

from collections.abc import Iterable

import pytest

from batchconnect.model.outcome import Problem, Severity
from batchconnect.validation.naming import check_description, check_name, check_sandbox

MARKER = "bc1-o2cyiczkeuyf5wanj624uvdrpp"


def codes(problems: Iterable[Problem], severity: Severity | None = None) -> list[str]:
    return [problem.code for problem in problems if severity in {None, problem.severity}]


@pytest.mark.parametrize(
    "text",
    [
        "Acme, Inc.",
        "A & B == C",
        "Süd",
        "\U0001f600",
        "=HYPERLINK(1)",
        "<script>",
        "NA",
        "1e5",
        "00123",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f4bb",
    ],
)
def test_a_name_is_free(text: str) -> None:
    """Commas, formulas, emoji, joiners: exact in JSON, no finding."""
    assert check_name(text) == ()


@pytest.mark.parametrize(
    ("text", "severity", "expected"),
    [
        ("a\0b", Severity.ERROR, ["name_control"]),
        ("a\tb", Severity.ERROR, ["name_control"]),
        ("a\u2028b", Severity.ERROR, ["name_control"]),
        ("a\x1b[31m", Severity.ERROR, ["name_control"]),
        ("a" * 256, Severity.WARNING, ["name_long"]),
        (" Acme", Severity.WARNING, ["name_outer_space"]),
        ("Acme\u00a0", Severity.WARNING, ["name_outer_space"]),
        ("Ac\u200bme", Severity.WARNING, ["name_invisible"]),
        ("Acme\u202egpj", Severity.WARNING, ["name_invisible"]),
        ("Su\u0308d", Severity.NOTE, ["name_not_nfc"]),
        ("1.23E+15", Severity.WARNING, ["name_looks_rounded"]),
        ("123.0", Severity.WARNING, ["name_looks_rounded"]),
    ],
)
def test_an_odd_name_is_named(text: str, severity: Severity, expected: list[str]) -> None:
    """It is never changed; a control character is refused."""
    problems = check_name(text)

    assert codes(problems, severity) == codes(problems) == expected


@pytest.mark.parametrize(
    ("text", "own", "expected"),
    [
        ("", "", []),
        ("   ", "", []),
        ("Acme", "Acme", []),
        (" Acme ", " Acme ", []),
        ("a" * 224, "a" * 224, []),
        ("a" * 225, "a" * 225, ["description_cut"]),
        ("\U0001f600" * 113, "\U0001f600" * 113, ["description_cut"]),
        (f"Acme {MARKER}", "Acme", ["description_marker_removed"]),
        (MARKER, "", ["description_marker_removed"]),
        ("a\nb", "a\nb", []),
        ("a\r\nb", "a\r\nb", []),
        ("a\rb", "a\rb", ["description_control"]),
        ("a\tb", "a\tb", ["description_control"]),
        ("a\0" + "b" * 300, "a\0" + "b" * 300, ["description_control", "description_cut"]),
    ],
)
def test_a_description_keeps_the_users_text(text: str, own: str, expected: list[str]) -> None:
    """A marker copied from elsewhere is taken off; what will be cut is said before."""
    kept, problems = check_description(text)

    assert kept == own
    assert codes(problems) == expected


@pytest.mark.parametrize("text", ["prod", "dev-2", "2024-test", "a"])
def test_a_sandbox_is_lower_case(text: str) -> None:
    """Letters, digits, hyphens."""
    assert check_sandbox(text) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Prod", "upper-case"),
        ("prod ", "white space"),
        ("my sandbox", "white space inside"),
        ("*", "all sandboxes"),
        ("dev_2", "special characters"),
        ("-dev", "special characters"),
        ("dév", "special characters"),
        ("prod\n", "white space"),
        ("My Box", "upper-case letters and it has white space inside"),
    ],
)
def test_what_is_no_sandbox_is_refused(text: str, said: str) -> None:
    """Every reason at once."""
    (problem,) = check_sandbox(text)

    assert (problem.code, problem.severity) == ("sandbox_invalid", Severity.ERROR)
    assert said in problem.what
