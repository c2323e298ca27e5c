"""
The fast check: one look at a whole row that has nothing to say.

Most rows of a sheet of a million are valid_texts, so one pattern over all cells decides whether the
rules have to be asked at all. It is narrower than the rules, never wider: a row that passes has no
finding, and no rule would change a cell. `tests/test_healthy.py` holds the two against each other.
"""

import re
from collections.abc import Container
from itertools import repeat
from typing import NamedTuple, cast

from batchconnect.model.row import Column, Row
from batchconnect.model.secret import Secret
from batchconnect.validation.placeholder import PLACEHOLDER_STARTS

SEPARATOR = "\x1f"
"""A control character that no part of the pattern matches, so no cell runs into the next."""
ESCAPE = "_x"
"""A row that holds this anywhere is looked at by the rules: its key may hold `_x0041_`."""
MARKER = "bc1-"
"""A row that holds this anywhere is looked at by the rules: a marker may have been copied into it."""

_GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_LETTERS = "\u00c0-\u017e"
"""Latin letters in one piece: NFC changes none of them while no combining character follows."""
_KEY = Column.SERVICE_PRINCIPAL_KEY
_PARTS = {
    # Without `~`, which every client secret of Entra has: nothing of that shape passes.
    Column.NAME: rf"[A-Za-z{_LETTERS}](?:[ -}}{_LETTERS}]{{0,253}}[!-}}{_LETTERS}])?",
    Column.DESCRIPTION: rf"(?:[A-Za-z{_LETTERS}][ -}}{_LETTERS}]{{0,223}})?",
    Column.ENDPOINT: (
        r"https://(?!ingest-)[a-z][a-z0-9]{3,21}\.[a-z][a-z0-9]{1,40}\.kusto\.windows\.net"
    ),
    Column.DATABASE: "[A-Za-z](?:[A-Za-z0-9 ._-]{0,253}[A-Za-z0-9])?",
    Column.TENANT: rf"{_GUID}|[a-z][a-z0-9]{{2,60}}\.onmicrosoft\.com",
    Column.SERVICE_PRINCIPAL_ID: _GUID,
    # No reference in any letter case, no GUID, no number rewritten by a spreadsheet, no mask, no
    # ellipsis, nothing that begins as placeholders do.
    _KEY: (
        r"(?!(?i:env|file|literal):|.?[0-9A-Fa-f]{8}-|[0-9.,Ee+-]+(?:\x1f|\Z)|[Xx0._-]{8}"
        rf"|(?i:{'|'.join(PLACEHOLDER_STARTS)}))"
        r"[A-Za-z0-9~_.-][!-)+-~]{7,9999}(?<!\.\.\.)"
    ),
    Column.ORG: "(?:[A-Za-z0-9][A-Za-z0-9@._-]{0,254})?",
    Column.SANDBOX: "(?:[a-z0-9][a-z0-9-]{0,254})?",
}


def pattern_of(columns: Container[Column]) -> re.Pattern[str]:
    """
    What the cells of a healthy row match, joined in the order of the columns.

    Args:
        columns: Those that the sheet has; at least all that it must have.

    Returns:
        A pattern with a group for each column but the key's, "" for one that the sheet lacks.
    """
    parts = [
        "()" if column not in columns else rf"{SEPARATOR}({'?:' if column is _KEY else ''}{part})"
        for column, part in _PARTS.items()
    ]
    return re.compile("".join(parts).removeprefix(SEPARATOR))


class Texts(NamedTuple):
    """The cells of a row in the order of the columns, judged; "" where there is none."""

    name: str
    text: str
    endpoint: str
    database: str
    tenant: str
    service_principal_id: str
    service_principal_key: Secret
    org: str | None
    """None: refused, so that nothing takes its place."""
    sandbox: str | None


_COLUMNS = tuple(Column)
_KEY_AT = _COLUMNS.index(_KEY)
_PATTERN = pattern_of(_COLUMNS)


def valid_texts(row: Row) -> Texts | None:
    """The texts of a row that surely has no finding, None: the rules have to look at it."""
    cells = [*map(row.cells.get, _COLUMNS, repeat(""))]
    secret = cells[_KEY_AT]
    if not isinstance(secret, Secret):
        return None
    cells[_KEY_AT] = secret.reveal()
    # To ask every cell whether it is a text would take as long as all the rest.
    texts = cast("list[str]", cells)
    try:
        joined = SEPARATOR.join(texts)
    except TypeError:
        return None
    if _PATTERN.fullmatch(joined) is None:
        return None
    name, text, endpoint, database, tenant, principal, key, org, sandbox = texts
    if tenant == principal or MARKER in text or ESCAPE in key or joined.count(key) > 1:
        return None
    return Texts(name, text, endpoint, database, tenant, principal, secret, org, sandbox)
