"""Tenants, application ids and client secrets, and how each goes wrong."""

from collections.abc import Callable, Iterable

import pytest

from batchconnect.model.outcome import Problem, Severity
from batchconnect.validation.entra import check_key, check_principal_id, check_tenant
from batchconnect.validation.finding import Problems

Check = Callable[[str], tuple[str | None, Problems]]

GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def codes(problems: Iterable[Problem], severity: Severity | None = None) -> list[str]:
    return [problem.code for problem in problems if severity in {None, problem.severity}]


@pytest.mark.parametrize("check", [check_principal_id, check_tenant])
def test_a_guid_passes_without_a_word(check: Check) -> None:
    """No finding, sent as typed."""
    assert check(GUID) == (GUID, ())


@pytest.mark.parametrize("check", [check_principal_id, check_tenant])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GUID.upper(), "letters were lowered"),
        (f"{{{GUID}}}", "braces"),
        (f"({GUID})", "braces"),
        (f"{{{GUID.upper()}}}", "braces; letters were lowered"),
        (f" {GUID}\n", "outer white space"),
        (f"\u00a0{GUID}", "no-break spaces"),
        (f"\u200b{GUID[:9]}\u200c{GUID[9:]}\ufeff", "invisible characters"),
        (f"\u201c{GUID}\u201d", "quotation marks"),
        (f"'{GUID}'", "quotation marks"),
        (f' " {{{GUID}}} " ', "quotation marks and braces"),
    ],
)
def test_what_is_wrapped_around_a_guid_is_taken_off_and_said(
    check: Check, text: str, said: str
) -> None:
    """An identifier has one meaning; no change is silent."""
    value, problems = check(text)

    assert value == GUID
    assert codes(problems) == codes(problems, Severity.NOTE) == ["id_normalised"]
    assert said in problems[0].what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GUID[:-1], "35 of 36"),
        (GUID + "0", "37 characters"),
        (GUID.replace("-", ""), "four hyphens are missing"),
        (GUID.replace("-", "\u2013"), "typographic dashes"),
        (GUID[:8] + "\u2026", "ellipsis"),
        (GUID[:8] + "...", "ellipsis"),
        (GUID.replace("f", "g"), "other places"),
        (GUID.replace("a", "\u0430"), "outside ASCII"),
        (GUID[:8] + " " + GUID[9:], "white space inside"),
        (GUID[:8] + "\u00a0" + GUID[9:], "no-break space inside"),
        (GUID[:8] + "\0" + GUID[9:], "control character inside"),
        (GUID[:8] + "\u2019" + GUID[9:], "quotation marks inside"),
        ("1.23E+15", "a spreadsheet turned it into a number"),
        ("7.2E+15", "a spreadsheet turned it into a number"),
        ("123.0", "a spreadsheet turned it into a number"),
        ("x", "1 of 36"),
    ],
)
def test_what_is_no_guid_is_refused_with_its_damage(text: str, said: str) -> None:
    """The message tells what happened to it, and never repeats it."""
    value, (problem,) = check_principal_id(text)

    assert value is None
    assert problem.code == "principal_id_not_guid"
    assert said in problem.what
    assert len(text) < 3 or text not in problem.what


@pytest.mark.parametrize(
    "text", ["microsoft.onmicrosoft.com", "contoso.com", "a.b-c.example", "xn--mnchen-3ya.de"]
)
def test_a_domain_is_a_tenant(text: str) -> None:
    """The other form that Azure Data Factory documents."""
    assert check_tenant(text) == (text, ())


def test_a_domain_is_lowered_with_a_note() -> None:
    """Domains know no letter case."""
    value, problems = check_tenant(" Contoso.COM")

    assert value == "contoso.com"
    assert codes(problems) == ["id_normalised"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("common", "tenant_not_specific"),
        ("Organizations", "tenant_not_specific"),
        ("consumers", "tenant_not_specific"),
        (f"https://login.microsoftonline.com/{GUID}", "tenant_is_address"),
        ("admin@contoso.com", "tenant_is_address"),
        ("contoso", "tenant_invalid"),
        ("contoso..com", "tenant_invalid"),
        ("-contoso.com", "tenant_invalid"),
        ("contoso.com-", "tenant_invalid"),
        ("10.0.0.1", "tenant_invalid"),
        ("a" * 64 + ".com", "tenant_invalid"),
        (GUID[:-2], "tenant_invalid"),
        ("1.23E+15", "tenant_invalid"),
        ("münchen.de", "tenant_invalid"),
    ],
)
def test_what_is_neither_is_refused(text: str, code: str) -> None:
    """Common endpoints name no tenant; addresses are said to be addresses."""
    value, problems = check_tenant(text)

    assert value is None
    assert codes(problems, Severity.ERROR) == [code]


@pytest.mark.parametrize(
    "text",
    [
        "12345678901234567890",
        'a"b\\c%&=x',
        "-a-b-c-d",
        "=a+b+c+d",
        "+a+b+c+d",
        "@a@b@c@d",
        "a" * 10_000,
        "schlüssel",
        "abc8Q~x_y.z-",
        "ab cd ef",
        "my-key-2026",
        "nullable-thing",
    ],
)
def test_a_secret_is_not_judged_by_its_looks(text: str) -> None:
    """Byte for byte, whatever it is."""
    assert check_key(text) == ()


@pytest.mark.parametrize("text", ["00123", "1e5", "9s~", "-a", "=a", "a b"])
def test_a_short_secret_is_sent_with_a_warning(text: str) -> None:
    """Nobody's client secret has seven characters, but some other token's key may."""
    (found,) = check_key(text)

    assert (found.code, found.severity) == ("key_short", Severity.WARNING)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "<sensitive>",
            "(sensitive value)",
            "***",
            "****************",
            "null",
            "None",
            "undefined",
        ),
        *("{SERVICE_PRINCIPAL_KEY}", "{{servicePrincipalKey}}", "${ADX_SECRET}", "n/a", "NA", "-"),
        *(
            "<your-client-secret>",
            "YOUR_CLIENT_SECRET",
            "changeme",
            "CHANGE_ME",
            "TODO",
            "x",
            "xxxxxxxx",
        ),
        *(
            "System.Security.SecureString",
            "[REDACTED]",
            "__sensitive__",
            "your secret here",
            "%KEY%",
        ),
        *(
            "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s/)",
            "$(AdxSecret)",
            "#{Key}#",
        ),
        *(
            '{"appId": "a", "password": "b"}',
            '="12345678901234567890"',
            "half\ufffdlost~secret",
            " x ",
        ),
        *("\u2022" * 12, "________", "enter_password_here", "not set", "service-principal-key"),
    ],
)
def test_what_surely_is_no_key_is_refused(text: str) -> None:
    """Masks, variables, words, whole documents: one error each, without the text."""
    (found,) = check_key(text)

    assert (found.code, found.severity) == ("key_placeholder", Severity.ERROR)
    assert len(text) < 4 or text not in f"{found.what} {found.remedy}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("'FAKE~key1.abcdefgh", "key_apostrophe"),
        ("FAKE_x0041_key1.abcdefgh", "key_escape"),
        ("abc8*********", "key_masked"),
        (' "FAKE~key1.abcdefgh"', "key_quoted"),
    ],
)
def test_what_may_be_damage_is_a_warning(text: str, code: str) -> None:
    """It is sent as typed, since nobody can know."""
    found = check_key(text)

    assert code in [problem.code for problem in found]
    assert {problem.severity for problem in found} == {Severity.WARNING}


@pytest.mark.parametrize(
    ("text", "severity", "expected"),
    [
        ("abc\ndef", Severity.ERROR, ["key_line_break"]),
        ("abc\rdef", Severity.ERROR, ["key_line_break"]),
        ("abc\r\n", Severity.ERROR, ["key_line_break"]),
        ("abc\u2028def", Severity.ERROR, ["key_line_break"]),
        ("abc\u2029def", Severity.ERROR, ["key_line_break"]),
        ("abc\x85def", Severity.ERROR, ["key_line_break"]),
        ("abc\0def", Severity.ERROR, ["key_nul"]),
        ("abc\0\n", Severity.ERROR, ["key_line_break", "key_nul"]),
        ("abc\udcffdef", Severity.ERROR, ["key_surrogate"]),
        ("abc\tdef", Severity.WARNING, ["key_control"]),
        ("abcdef ", Severity.WARNING, ["key_outer_space"]),
        ("\u00a0abcdef", Severity.WARNING, ["key_outer_space"]),
        (GUID, Severity.WARNING, ["key_looks_like_id"]),
        (f"{{{GUID.upper()}}}", Severity.WARNING, ["key_looks_like_id"]),
        ("abc********", Severity.WARNING, ["key_masked"]),
        ("1.23E+15", Severity.WARNING, ["key_looks_rounded"]),
        ("ENV:NAME", Severity.WARNING, ["key_looks_like_reference"]),
    ],
)
def test_what_is_wrong_with_a_secret_is_said_without_it(
    text: str, severity: Severity, expected: list[str]
) -> None:
    """Errors for what cannot be sent, warnings for what is likely a slip."""
    problems = check_key(text)

    assert codes(problems, severity) == codes(problems) == expected
    assert all(text.strip() not in problem.what + problem.remedy for problem in problems)
