"""Endpoints and databases: what is refused, what is said, what is sent."""

from collections.abc import Iterable

import pytest

from batchconnect.model.outcome import Problem, Severity
from batchconnect.validation.kusto import canonical_endpoint, check_database, check_endpoint
from batchconnect.validation.kusto_hosts import HOSTS, SUFFIXES, is_listed

HEALTHY = "https://acme.westeurope.kusto.windows.net"


def codes(problems: Iterable[Problem], severity: Severity | None = None) -> list[str]:
    return [problem.code for problem in problems if severity in {None, problem.severity}]


def test_a_documented_endpoint_passes_without_a_word() -> None:
    """No finding, sent as typed."""
    assert check_endpoint(HEALTHY) == (HEALTHY, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://acme.westeurope.kusto.windows.net", "endpoint_not_https"),
        ("ftp://acme.westeurope.kusto.windows.net", "endpoint_not_https"),
        ("acme.westeurope.kusto.windows.net", "endpoint_scheme_missing"),
        ("//acme.westeurope.kusto.windows.net", "endpoint_scheme_missing"),
        ("https:/acme.westeurope.kusto.windows.net", "endpoint_scheme_missing"),
        ("https://user:pass@acme.westeurope.kusto.windows.net", "endpoint_user_info"),
        ("https://@acme.westeurope.kusto.windows.net", "endpoint_user_info"),
        (HEALTHY + "?a=b", "endpoint_query"),
        (HEALTHY + "?", "endpoint_query"),
        (HEALTHY + "#a", "endpoint_fragment"),
        (HEALTHY + "#", "endpoint_fragment"),
        (HEALTHY + "/db", "endpoint_path"),
        (HEALTHY + "//", "endpoint_path"),
        (HEALTHY + ":8443", "endpoint_port"),
        (HEALTHY + ":80", "endpoint_port"),
        (HEALTHY + ":44\uff13", "endpoint_not_ascii"),
        ("https://10.0.0.1", "endpoint_ip_address"),
        ("https://2130706433", "endpoint_ip_address"),
        ("https://0x7f.1", "endpoint_ip_address"),
        ("https://0x7f000001", "endpoint_ip_address"),
        ("https://127.1", "endpoint_ip_address"),
        ("https://acme.0x7f", "endpoint_ip_address"),
        ("https://[::1]", "endpoint_ip_address"),
        ("https://[::1]:443", "endpoint_ip_address"),
        ("https://fe80::a:b:c", "endpoint_ip_address"),
        ("https://acme", "endpoint_single_label"),
        ("https://localhost", "endpoint_single_label"),
        ("https://äcme.westeurope.kusto.windows.net", "endpoint_not_ascii"),
        ("https://acme。westeurope.kusto.windows.net", "endpoint_not_ascii"),
        ("https://acme westeurope.kusto.windows.net", "endpoint_host_invalid"),
        ("https://acme.westeurope.kusto.windows.net.", "endpoint_host_invalid"),
        ("https://acme..kusto.windows.net", "endpoint_host_invalid"),
        ("https://-acme.westeurope.kusto.windows.net", "endpoint_host_invalid"),
        ("https://acme%2ewesteurope.kusto.windows.net", "endpoint_host_invalid"),
        ("https://evil.example\\.kusto.windows.net", "endpoint_host_invalid"),
        ("https://<cluster>.<region>.kusto.windows.net", "endpoint_host_invalid"),
        ("https://" + "a." * 130 + "kusto.windows.net", "endpoint_host_invalid"),
        ("https://ac\0me.westeurope.kusto.windows.net", "endpoint_host_invalid"),
        ("https://", "endpoint_no_host"),
        ("https:///db", "endpoint_no_host"),
        ("https://portal.azure.com", "endpoint_portal"),
        ("https://ms.portal.azure.com/#resource/x", "endpoint_portal"),
        ("https://dataexplorer.azure.com/clusters/help/databases/Samples", "endpoint_portal"),
        ("dataexplorer.azure.com/clusters/acme.westeurope", "endpoint_portal"),
        ("https://login.microsoftonline.com@evil.example", "endpoint_user_info"),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(text: str, code: str) -> None:
    """Each rule of the contract's section 8 names itself, and says what to write."""
    canonical, problems = check_endpoint(text)

    assert canonical is None
    assert code in codes(problems, Severity.ERROR)
    assert all(problem.remedy and text not in problem.what for problem in problems)


def test_every_problem_is_named_at_once() -> None:
    """A person repairs a cell in one go."""
    _, problems = check_endpoint("http://me@10.0.0.1:80/x?y#z")

    assert codes(problems) == [
        "endpoint_not_https",
        "endpoint_user_info",
        "endpoint_port",
        "endpoint_path",
        "endpoint_query",
        "endpoint_fragment",
        "endpoint_ip_address",
    ]


def test_a_missing_scheme_is_answered_with_the_full_form() -> None:
    """The remedy can be copied."""
    (problem,) = check_endpoint("acme.westeurope.kusto.windows.net")[1]

    assert "https://<cluster>.<region>.kusto.windows.net" in problem.remedy


@pytest.mark.parametrize(
    "text",
    [
        HEALTHY + "/",
        HEALTHY + ":443",
        HEALTHY + ":443/",
        HEALTHY + ":",
        "HTTPS://ACME.WestEurope.Kusto.Windows.NET",
        f"  {HEALTHY} ",
        f"\u200b{HEALTHY}\u00a0",
        f"\u201c{HEALTHY}\u201d",
    ],
)
def test_another_spelling_is_normalised_and_said(text: str) -> None:
    """An identifier has one meaning however it was pasted."""
    canonical, problems = check_endpoint(text)

    assert canonical == HEALTHY
    assert codes(problems) == codes(problems, Severity.NOTE) == ["endpoint_normalised"]
    assert canonical_endpoint(text) == HEALTHY


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("ingest-acme.westeurope.kusto.windows.net", ["endpoint_ingest"]),
        ("acme.kusto.windows.net", ["endpoint_no_region"]),
        ("kvc-1a2b.westeurope.kusto.windows.net", ["endpoint_cluster_name"]),
        ("abc.westeurope.kusto.windows.net", ["endpoint_cluster_name"]),
        ("evil.example", ["endpoint_unlisted_host"]),
        ("acme.westeurope.kusto.windows.net.evil.example", ["endpoint_unlisted_host"]),
        ("evilkusto.windows.net", ["endpoint_unlisted_host"]),
        ("kusto.windows.net", ["endpoint_unlisted_host"]),
        ("acme.kusto.azuresynapse.net", ["endpoint_undocumented_host"]),
        ("adx.monitor.azure.com", ["endpoint_undocumented_host"]),
        ("ingest-acme.evil.example", ["endpoint_unlisted_host", "endpoint_ingest"]),
    ],
)
def test_what_is_odd_is_warned_about_and_sent(host: str, expected: list[str]) -> None:
    """A person should look; the row goes on."""
    canonical, problems = check_endpoint(f"https://{host}")

    assert canonical == f"https://{host}"
    assert codes(problems) == codes(problems, Severity.WARNING) == expected


def test_an_ingestion_host_is_named_without_its_prefix() -> None:
    """The remedy is the right address, where the host is a listed one."""
    (problem,) = check_endpoint("https://ingest-acme.westeurope.kusto.windows.net")[1]
    assert HEALTHY in problem.remedy

    problem = check_endpoint("https://ingest-acme.evil.example")[1][1]
    assert "evil.example" not in problem.remedy


def test_the_tables_name_the_same_clouds() -> None:
    """Each sign-in authority has suffixes and hosts; all of them are listed."""
    assert list(SUFFIXES) == list(HOSTS)
    assert all(is_listed(f"a{suffix}") for suffixes in SUFFIXES.values() for suffix in suffixes)
    assert all(is_listed(host) for hosts in HOSTS.values() for host in hosts)


def test_what_a_listing_shows_compares_even_when_it_is_no_endpoint() -> None:
    """Lower case is all that can be done for it."""
    assert canonical_endpoint(" Not an Endpoint ") == "not an endpoint"


@pytest.mark.parametrize("text", ["telemetry", "Sales 2024", "a.b-c_d", "1", "1e5", "NA"])
def test_an_ordinary_database_passes(text: str) -> None:
    """No finding."""
    assert check_database(text) == ()


@pytest.mark.parametrize(
    ("text", "severity", "expected"),
    [
        ("a\0b", Severity.ERROR, ["database_control"]),
        ("a\nb", Severity.ERROR, ["database_control"]),
        ("a" * 1025, Severity.ERROR, ["database_too_long"]),
        ("a" * 261, Severity.WARNING, ["database_long"]),
        (" telemetry", Severity.WARNING, ["database_outer_space"]),
        ("telemetry\u00a0", Severity.WARNING, ["database_outer_space"]),
        ("a/b", Severity.WARNING, ["database_characters"]),
        ("tele\u200bmetry", Severity.WARNING, ["database_characters"]),
        ("1.23E+15", Severity.WARNING, ["database_characters", "database_looks_rounded"]),
        ("123.0", Severity.WARNING, ["database_looks_rounded"]),
    ],
)
def test_an_odd_database_is_named(text: str, severity: Severity, expected: list[str]) -> None:
    """Errors where Kusto takes no such name, warnings where Azure documents none."""
    assert codes(check_database(text), severity) == expected
