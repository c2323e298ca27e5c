"""
Headers that mean a column of ours only where no plainer word does.

`Customer` is the connection's name in one sheet and a note beside `name` in another; `name (required)` is
`name` with something said about it. So they are asked for last, each for a column that the sheet would lack
without it: whatever a plain word names stays as it is.
"""

import re
from collections.abc import Iterator, Mapping

from batchconnect.model.column import Column
from batchconnect.sheet.header_words import MEANINGS, letters_of

# NOTE: not here on purpose: `client` and `Dienstprinzipal-ID` (person or app, object or application),
# `Geheimnis-ID` (never the value), `tenant name` (customer or domain).
_WORDS: Mapping[Column, tuple[str, ...]] = {
    Column.NAME: (
        *("display name", "client name", "customer", "customer name", "account name"),
        *("Anzeigename", "Verbindungsname", "Name der Verbindung", "Bezeichnung", "Kunde"),
        *("Kundenname", "Name des Kunden", "Name des Mandanten"),
    ),
    Column.DESCRIPTION: ("Beschreibung",),
    Column.ENDPOINT: ("Endpunkt", "Abfrage-URI", "URI des Clusters", "Clusteradresse"),
    Column.DATABASE: ("Datenbank", "Datenbankname", "Name der Datenbank"),
    Column.TENANT: (
        *("Mandant", "Mandanten-ID", "Mandant-ID", "Verzeichnis-ID", "Verzeichnis-ID (Mandant)"),
        *("Verzeichnis-ID (Mandanten)", "Verzeichnis-ID (Mandanten-ID)"),
        "Verzeichnis (Mandanten)-ID",
    ),
    Column.SERVICE_PRINCIPAL_ID: (
        *("Anwendungs-ID", "Anwendungs-ID (Client)", "Anwendungs-ID (Client-ID)"),
        *("Anwendungs (Client)-ID", "ID der Anwendung", "App-ID (Client)"),
    ),
    Column.SERVICE_PRINCIPAL_KEY: (
        *("Geheimer Clientschlüssel", "Geheimer Schlüssel des Clients", "Clientgeheimnis"),
        *("Wert des geheimen Clientschlüssels", "Anwendungsschlüssel", "Clientschlüssel"),
        *("Anwendungsgeheimnis", "Geheimniswert"),
    ),
    Column.ORG: ("Organisations-ID", "Name der Organisation", "Adobe-Organisation"),
    Column.SANDBOX: ("Name der Sandbox",),
}
_REMARKS = frozenset(
    (
        *("required", "optional", "mandatory", "obligatory", "unique", "sensitive", "case", "as"),
        *("or", "text", "string", "pflicht", "pflichtfeld", "pflichtangabe", "erforderlich"),
        *("notwendig", "eindeutig", "als", "oder"),
    )
)
"""What people say about a column beside its name."""
_SHAPES = frozenset({"guid", "uuid", "domain", "uri", "url", "https"})
"""What its cells look like; a secret that is a GUID is the secret's id, so there it is no mere remark."""
_LONGEST = 80
"""Characters that a header with a remark has at most; a longer one is a sentence, or no header at all."""
_WORD = re.compile(r"[^\W_]+")


def _spellings(word: str) -> Iterator[str]:
    yield letters_of(word)
    for umlaut, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        word = word.replace(umlaut, plain)
    yield letters_of(word)


LOOSE_MEANINGS: Mapping[str, Column] = {
    spelling: column
    for column, words in _WORDS.items()
    for word in words
    for spelling in _spellings(word)
}


def loose_meaning(header: str) -> Column | None:
    """The column that a header means if no plainer word means it; None: it means none."""
    if (column := LOOSE_MEANINGS.get(letters_of(header))) is not None:
        return column
    if len(header) > _LONGEST:
        return None
    words = _WORD.findall(header.casefold())
    has_shape = not _SHAPES.isdisjoint(words[1:])
    while len(words) > 1 and words[-1] in _REMARKS | _SHAPES:
        words.pop()
        plain = letters_of("".join(words))
        column = MEANINGS.get(plain) or LOOSE_MEANINGS.get(plain)
        if column is not None and not (has_shape and column is Column.SERVICE_PRINCIPAL_KEY):
            return column
    return None
