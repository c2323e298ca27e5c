"""
The fast check: one look at a whole row that has nothing to say.

Most rows of a sheet of a million are valid, so one pattern over all cells decides whether the
rules have to be asked at all. It is narrower than the rules, never wider: a row that passes has no
finding, and no rule would change a cell. `tests/validation/test_valid_pattern.py` holds the two against each other.
"""

import re
from functools import cache, partial
from itertools import repeat
from typing import NamedTuple, cast

from batchconnect.model.column import Column
from batchconnect.model.reference import Reference
from batchconnect.model.row import Row
from batchconnect.model.secret import Secret
from batchconnect.model.target import Target
from batchconnect.validation.damage import has_escape
from batchconnect.validation.entra import has_same_ids
from batchconnect.validation.garbled import pairs_among
from batchconnect.validation.placeholder import PLACEHOLDER_STARTS
from batchconnect.validation.rules import LETTERS, RULES

SEPARATOR = "\x1f"
"""A control character that no part of the pattern matches, so no cell runs into the next."""
MARKER = "bc1-"
"""A description that holds this is looked at by the rules: a marker may have been copied into it."""

_KEY = Column.SERVICE_PRINCIPAL_KEY


_garbled_pattern = cache(partial(pairs_among, LETTERS))
"""Made when it is first asked for: a sheet in English never does, and it takes as long as a thousand rows."""


def may_be_garbled(joined: str) -> bool:
    """Whether the rules have to look at a row's letters, though the pattern lets each of them pass."""
    return not joined.isascii() and _garbled_pattern().search(joined) is not None


class Texts(NamedTuple):
    """The cells of a row in the order of the columns, judged; "" where there is none."""

    name: str
    text: str
    target: Target
    service_principal_key: Secret | Reference
    org: str | None
    """None: refused, so that nothing takes its place."""
    sandbox: str | None


_COLUMNS = tuple(Column)
_KEY_AT = _COLUMNS.index(_KEY)
_PATTERN = re.compile(SEPARATOR.join(f"(?:{rule.plain})" for rule in RULES.values()))
"""What the cells of a healthy row match, joined in the order of the columns."""


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
    if _PATTERN.fullmatch(joined) is None or may_be_garbled(joined):
        return None
    name, text, *parts, key, org, sandbox = texts
    target = Target(*parts)
    if has_same_ids(target) or MARKER in text or has_escape(key):
        return None
    if key[:3] in PLACEHOLDER_STARTS or joined.count(key) > 1:
        return None
    return Texts(name, text, target, secret, org, sandbox)
