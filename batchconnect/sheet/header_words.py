"""
How a header is compared, and which ones mean our columns, a secret, or a column of our own reports.

A word is compared by its letters and digits only, so case, spaces, `_`, `-`, brackets and invisible
characters do not matter.
"""

import re
import unicodedata
from collections.abc import Mapping

from batchconnect.model.column import Column
from batchconnect.model.report_columns import REPORT_COLUMNS

# A whole word, or a tail as in `apikey`; `key account manager` and `keyword` are harmless.
_SECRET_WORDS = frozenset({"key", "keys", "pwd", "pass", "pin", "sas", "auth", "bearer", "jwt"})
_SECRET_PARTS = (
    *("secret", "password", "passwd", "passphrase", "passwort", "kennwort", "token", "apikey"),
    *("accesskey", "sharedkey", "privatekey", "credential", "schluessel", "schlüssel"),
    *("connectionstring", "geheim"),
)


_SIGNS = str.maketrans("", "", "".join(one for one in map(chr, range(128)) if not one.isalnum()))
"""All of ASCII but letters and digits."""


def letters_of(text: str) -> str:
    """What a header is compared by: its letters and digits, in one case."""
    # The first twenty rows are read as if they were the header, once for each delimiter: a fiftieth of a short run.
    if text.isascii():
        return text.lower().translate(_SIGNS)
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())


MEANINGS: Mapping[str, Column] = {
    letters_of(word): column for column in Column for word in (column.value, *column.info.words)
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
