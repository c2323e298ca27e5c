"""
The words that people use for our columns, for their secrets, and those of our own reports.

A word is compared by its letters and digits only, so case, spaces, `_`, `-`, brackets and invisible
characters do not matter.
"""

import re
import unicodedata
from collections.abc import Mapping

from batchconnect.model.row import Column

# NOTE: not here on purpose, for each may mean two things: `id`, `key`, `uri`, `tenant name` (often the
# customer), `principal id` (in Azure the object id), `secret id` (never the value), `password`.
_ALIASES: Mapping[Column, tuple[str, ...]] = {
    Column.NAME: ("connection name", "base connection", "base connection name"),
    Column.DESCRIPTION: ("desc", "connection description"),
    Column.ENDPOINT: (
        *("cluster", "cluster uri", "cluster url", "cluster endpoint", "endpoint uri"),
        *("endpoint url", "adx endpoint", "adx cluster", "adx cluster uri", "adx cluster url"),
        *("adx uri", "adx url", "kusto endpoint", "kusto cluster", "kusto cluster uri"),
        *("kusto uri", "kusto url", "query uri", "azure data explorer endpoint"),
    ),
    Column.DATABASE: (
        *("database name", "db", "db name", "adx database", "adx database name"),
        *("kusto database", "kusto database name"),
    ),
    Column.TENANT: (
        *("tenant id", "directory id", "directory tenant id", "azure tenant", "azure tenant id"),
        *("entra tenant", "entra tenant id", "aad tenant", "aad tenant id", "tenant domain"),
    ),
    Column.SERVICE_PRINCIPAL_ID: (
        *("service principal", "application id", "application client id", "client id", "app id"),
        *("app client id", "azure client id", "azure app id", "entra app id", "aad app id"),
        *("aad client id", "spn", "spn id", "sp id", "service principal client id"),
        *("service principal app id", "service principal application id"),
    ),
    Column.SERVICE_PRINCIPAL_KEY: (
        *("service principal secret", "service principal password", "client secret"),
        *("client secret value", "secret", "secret value", "client key", "application key"),
        *("application secret", "app key", "app secret", "azure client secret"),
        *("aad app key", "aad client secret", "sp key", "sp secret", "spn key", "spn secret"),
    ),
    Column.ORG: (
        *("org id", "org name", "organization", "organisation", "organization id"),
        *("organisation id", "ims org", "ims org id", "ims organization", "ims organization id"),
        *("adobe org", "adobe org id", "adobe organization", "adobe ims org", "gw ims org id"),
        "x gw ims org id",
    ),
    Column.SANDBOX: ("sandbox name", "adobe sandbox", "aep sandbox", "x sandbox name"),
}

REPORT_COLUMNS = frozenset(
    (
        *("row", "status", "connection_id", "error_code", "error", "error_column", "http_status"),
        *("request_id", "attempts", "reconciled", "matched_by", "etag", "started_at"),
        *("finished_at", "duration_ms", "hint", "column"),
    )
)
"""What our own reports add to a sheet; a person may feed such a report back."""
# A whole word, or a tail as in `apikey`; `key account manager` and `keyword` are harmless.
_SECRET_WORDS = frozenset({"key", "keys", "pwd", "pass", "pin", "sas", "auth", "bearer", "jwt"})
_SECRET_PARTS = (
    *("secret", "password", "passwd", "passphrase", "passwort", "kennwort", "token", "apikey"),
    *("accesskey", "sharedkey", "privatekey", "credential", "schluessel", "schlüssel"),
    *("connectionstring", "geheim"),
)


def letters_of(text: str) -> str:
    """What a header is compared by: its letters and digits, in one case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())


MEANINGS: Mapping[str, Column] = {
    letters_of(word): column for column in Column for word in (column.value, *_ALIASES[column])
}
REPORT_KEYS: Mapping[str, str] = {letters_of(name): name for name in REPORT_COLUMNS}


def looks_secret(header: str) -> bool:
    """Whether a column of this name may hold something that no report may show."""
    plain = letters_of(header)
    if plain.startswith(("keyaccount", "keyword")):
        return False
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header).casefold()
    words = set(re.split(r"[\W_]+", spaced))
    return not words.isdisjoint(_SECRET_WORDS) or any(part in plain for part in _SECRET_PARTS)
