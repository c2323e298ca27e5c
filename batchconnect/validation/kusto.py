"""
Where an Azure Data Explorer cluster may live, and what an endpoint and a database may look like.

The service takes any text; the principal's token would go wherever the endpoint points to. So a
form that cannot be a cluster is refused, and a host that nobody lists is said aloud (contract,
section 8). Nothing here ever connects.
"""

import re
from ipaddress import IPv6Address

from batchconnect.model.column import Column
from batchconnect.model.outcome import Problem
from batchconnect.validation.damage import clean, damage, has_control, looks_rounded
from batchconnect.validation.finding import AS_TYPED, NOTHING, Problems, error, note, warning
from batchconnect.validation.kusto_hosts import DOCUMENTED_SUFFIX, is_cut_off, is_listed, is_portal

FULL_FORM = "https://<cluster>.<region>.kusto.windows.net"
LONGEST_DATABASE = 1024
LONGEST_AZURE_DATABASE = 260
_INGEST = "ingest-"
_WRITE = f"Write the cluster's URI in full, as `{FULL_FORM}`."

_HEALTHY = re.compile(r"https://[a-z][a-z0-9]{3,21}\.[a-z][a-z0-9]*\.kusto\.windows\.net")
_HEALTHY_DATABASE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9 ._-]{0,258}(?<! )")
_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.DOTALL,
)
_PORT = re.compile(r":([0-9]*)$")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_CLUSTER = re.compile(r"[a-z][a-z0-9]{3,21}")


def check_endpoint(text: str) -> tuple[str | None, Problems]:
    """
    Judge an endpoint.

    Args:
        text: The cell as typed; not blank.

    Returns:
        `https://host` in lower case, None where it may not be sent; and what was found.
    Source:
        Contract, section 8; what counts as a number at a host's end: WHATWG URL, "ends in a number".
    """
    if _HEALTHY.fullmatch(text) and not text.startswith(f"https://{_INGEST}"):
        return text, NOTHING
    cleaned, removed = clean(text)
    parts = _URL.fullmatch(cleaned)
    assert parts is not None, "every text has this shape"
    authority: str = parts["authority"]
    _, at, rest = authority.rpartition("@")
    port = _PORT.search(rest)
    host = (rest if port is None else rest[: port.start()]).lower()
    if is_portal(host):
        return None, (_portal(),)
    problems = [
        *_scheme_problems(parts["scheme"]),
        *_part_problems(parts, has_user=bool(at), port=None if port is None else port[1]),
        *_host_problems(host),
    ]
    if problems:
        return None, tuple(problems)
    canonical = f"https://{host}"
    if removed:
        problems.append(_normalised(f"{removed} were taken off"))
    elif canonical != cleaned:
        problems.append(_normalised(f"it is sent as `{canonical}`"))
    problems += _cluster_warnings(host)
    return canonical, tuple(problems)


def canonical_endpoint(text: str) -> str:
    """
    An endpoint as two are compared, wherever it comes from, a listing of the service too.

    Returns:
        `https://host` in lower case; a text that is no such endpoint comes back in lower case.
    """
    canonical, _ = check_endpoint(text)
    return text.strip().lower() if canonical is None else canonical


def check_database(text: str) -> Problems:
    """
    Judge the name of a database, which is sent as typed.

    Args:
        text: The cell as typed; not blank.
    Source:
        Contract, section 8.
    """
    if _HEALTHY_DATABASE.fullmatch(text):
        return (_rounded(),) if looks_rounded(text) else NOTHING
    remedy = "Copy the database's name from the cluster's page in the Azure portal."
    problems = []
    if has_control(text):
        what = "the name of the database has a control character or a line break"
        problems.append(error(Column.DATABASE, "database_control", what, remedy))
    if len(text) > LONGEST_DATABASE:
        what = f"the name has {len(text)} characters, Azure Data Explorer allows {LONGEST_DATABASE}"
        problems.append(error(Column.DATABASE, "database_too_long", what, remedy))
    elif len(text) > LONGEST_AZURE_DATABASE:
        what = f"the name has {len(text)} characters, Azure documents {LONGEST_AZURE_DATABASE}"
        problems.append(warning(Column.DATABASE, "database_long", what, remedy))
    if text != text.strip():
        what = "the name begins or ends with white space"
        problems.append(
            warning(Column.DATABASE, "database_outer_space", what, remedy, then=AS_TYPED)
        )
    if not all(letter.isalnum() or letter in " ._-" for letter in text.strip()):
        what = "the name has characters other than letters, digits, `-`, `_`, `.` and spaces"
        problems.append(warning(Column.DATABASE, "database_characters", what, remedy))
    if looks_rounded(text):
        problems.append(_rounded())
    return tuple(problems)


def _scheme_problems(scheme: str | None) -> list[Problem]:
    if scheme is None:
        what = "the endpoint does not begin with `https://`"
        return [error(Column.ENDPOINT, "endpoint_scheme_missing", what, _WRITE)]
    if scheme.lower() != "https":
        what = "the endpoint is not an `https` address"
        return [error(Column.ENDPOINT, "endpoint_not_https", what, _WRITE)]
    return []


def _part_problems(parts: re.Match[str], *, has_user: bool, port: str | None) -> list[Problem]:
    cases = (
        (
            has_user,
            "endpoint_user_info",
            "the endpoint has a user name or password before an `@`",
            "Remove everything between `https://` and the host; credentials have their own columns.",
        ),
        (
            port is not None and port.lstrip("0") not in {"", "443"},
            "endpoint_port",
            "the endpoint names a port other than 443",
            "Remove the port.",
        ),
        (
            parts["path"] not in {"", "/"},
            "endpoint_path",
            "the endpoint has a path behind the host",
            "Remove everything behind the host; a database belongs into its own column.",
        ),
        (
            parts["query"] is not None,
            "endpoint_query",
            "the endpoint has a query (`?…`)",
            "Remove the `?` and everything behind it.",
        ),
        (
            parts["fragment"] is not None,
            "endpoint_fragment",
            "the endpoint has a fragment (`#…`)",
            "Remove the `#` and everything behind it.",
        ),
    )
    return [error(Column.ENDPOINT, code, what, fix) for is_so, code, what, fix in cases if is_so]


def _host_problems(host: str) -> list[Problem]:
    labels = host.split(".")
    code, what = "", ""
    if not host:
        code, what = "endpoint_no_host", "the endpoint names no host"
    elif host.startswith("[") or _is_ipv6(host) or _NUMBER.fullmatch(labels[-1]):
        code, what = "endpoint_ip_address", "the host is an IP address, not a cluster's name"
    elif not host.isascii():
        code, what = "endpoint_not_ascii", "the host has characters outside ASCII"
    elif not all(map(_LABEL.fullmatch, labels)) or len(host) > 253:  # noqa: PLR2004  # RFC 1035
        seen = damage(host)
        code = "endpoint_host_invalid"
        what = "the text is not a host's name" + (f": {seen}" if seen else "")
    elif is_cut_off(host):
        code, what = "endpoint_cut_off", "the host's end is missing: the address is cut off"
    elif len(labels) == 1:
        code, what = "endpoint_single_label", "the host has one label only, without a domain"
    return [error(Column.ENDPOINT, code, what, _WRITE)] if code else []


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _cluster_warnings(host: str) -> list[Problem]:
    problems = []
    if not is_listed(host):
        what = (
            "the host is not on Microsoft's list of Azure Data Explorer hosts; the principal's "
            "token would be sent there"
        )
        problems.append(warning(Column.ENDPOINT, "endpoint_unlisted_host", what, _WRITE))
    if host.startswith(_INGEST):
        bare = host.removeprefix(_INGEST)
        shown = f"`https://{bare}`" if is_listed(bare) else f"the host without `{_INGEST}`"
        what = "this is the ingestion endpoint, which answers no queries"
        problems.append(warning(Column.ENDPOINT, "endpoint_ingest", what, f"Use {shown}."))
    if host.endswith(DOCUMENTED_SUFFIX):
        cluster, *region = host.removesuffix(DOCUMENTED_SUFFIX).removeprefix(_INGEST).split(".")
        if not region:
            what = "the host has no region between cluster and `kusto.windows.net`"
            problems.append(warning(Column.ENDPOINT, "endpoint_no_region", what, _WRITE))
        if not _CLUSTER.fullmatch(cluster):
            what = "a cluster's name most often is 4 to 22 letters and digits, a letter first"
            fix = "Compare it with the URI on the cluster's page in the Azure portal."
            problems.append(warning(Column.ENDPOINT, "endpoint_cluster_name", what, fix))
    elif is_listed(host):
        what = f"Adobe documents `{DOCUMENTED_SUFFIX[1:]}` only; this host is not documented for it"
        fix = "Try this row alone first (`--max-rows 1`)."
        problems.append(warning(Column.ENDPOINT, "endpoint_undocumented_host", what, fix))
    return problems


def _portal() -> Problem:
    what = "this is the address of a page in a portal, not of a cluster"
    fix = f"Copy the field `URI` from the cluster's overview page, as `{FULL_FORM}`."
    return error(Column.ENDPOINT, "endpoint_portal", what, fix)


def _normalised(what: str) -> Problem:
    return note(Column.ENDPOINT, "endpoint_normalised", f"the endpoint was normalised: {what}")


def _rounded() -> Problem:
    what = "the name looks like a number that a spreadsheet has rewritten"
    fix = "Compare it with the database's name; format the column as text before typing it again."
    return warning(Column.DATABASE, "database_looks_rounded", what, fix)
