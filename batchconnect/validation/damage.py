"""
What spreadsheets, mail programs and word processors do to an identifier on its way into a cell.

An identifier (GUID, domain, endpoint, org) has one meaning however it was pasted, so what is
invisible or wrapped around it is taken off, with a note. What changed its characters is named, and
the row is refused. Names, descriptions and secrets are never touched: what was likely done to a secret
is said.
"""

import re

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_MISLEADING = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""As above without the two joiners, which Persian, Indic scripts and emoji need inside names."""
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb"
_CURLED = re.compile("[\u2018-\u201f\u2039\u203a\u00ab\u00bb]")
_ELLIPSES = ("\u2026", "...")
_NO_BREAK = re.compile("[\u00a0\u202f]")
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_ESCAPED = re.compile("_x[0-9A-Fa-f]{4}_")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_BREAK = re.compile("[\n\r\x0b\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[Ee]\+\d{1,3}")
_TRAILING_ZERO = re.compile(r"\d+[.,]0+")
_FORMULA = re.compile(
    r'\s*=\s*(?:".*"|[A-Z][A-Z.]*\(.*\)|\$?[A-Z]{1,3}\$?\d+(?:[&+*/:-].*)?)\s*',
    re.IGNORECASE | re.DOTALL,
)
_APOSTROPHE = re.compile(r"'(?![a-z][ -])[^']*")
"""Not the one of `'s-Hertogenbosch`, nor one that closes again."""
_SPREADSHEET_ERROR = re.compile(
    r"\s*(?:#(?:REF!|N/A|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!"
    r"|BUSY!|UNKNOWN!|EXTERNAL!|PYTHON!|GETTING_DATA)|#{3,})\s*",
    re.IGNORECASE,
)


def clean(text: str) -> tuple[str, str]:
    """
    Take off what is invisible in an identifier or wrapped around it.

    Returns:
        The identifier, and in words what was taken off; "" where nothing was.
    """
    removed = []
    bare = _INVISIBLE.sub("", text)
    if bare != text:
        removed.append("invisible characters")
    trimmed = bare.strip()
    unquoted = trimmed.strip(_QUOTES).strip()
    if len(trimmed) != len(bare):
        removed.append("no-break spaces" if _NO_BREAK.search(bare) else "outer white space")
    if unquoted != trimmed:
        removed.append("quotation marks")
    return unquoted, " and ".join(removed)


def damage(text: str) -> str | None:
    """
    What was done to a refused identifier, in words that end a sentence; None: nothing known.

    Args:
        text: The identifier after `clean`.
    """
    cases = (
        (looks_rounded(text), "a spreadsheet turned it into a number"),
        (text.endswith(_ELLIPSES), "it is cut off with an ellipsis"),
        (_DASHES.search(text), "it has typographic dashes in place of hyphens"),
        (_CURLED.search(text), "it has typographic quotation marks inside"),
        (_NO_BREAK.search(text), "it has a no-break space inside"),
        (_CONTROL.search(text), "it has a control character inside"),
        (any(map(str.isspace, text)), "it has white space inside"),
        (not text.isascii(), "it has characters outside ASCII"),
    )
    return next((words for is_so, words in cases if is_so), None)


def secret_damage(text: str) -> list[tuple[str, str]]:
    """
    What was likely done to a secret, which is sent all the same.

    Args:
        text: The secret as typed.

    Returns:
        Codes, each with words that follow `the secret`.
    """
    inside = text.strip()
    is_quoted = len(inside) > 1 and inside[0] in _QUOTES and inside[-1] in _QUOTES
    cases = (
        (
            looks_rounded(text),
            "key_looks_rounded",
            "looks like a number that a spreadsheet has rewritten",
        ),
        (text.endswith(_ELLIPSES), "key_cut_off", "ends with an ellipsis, so it is cut off"),
        (is_quoted, "key_quoted", "stands in quotation marks"),
        (
            not is_quoted and inside[:1] == "'",
            "key_apostrophe",
            "begins with an apostrophe, as spreadsheets mark a text",
        ),
        (
            has_escape(text),
            "key_escape",
            "holds `_x` and four digits, which stand for another character in a workbook's own text",
        ),
        (
            not is_quoted and _CURLED.search(text),
            "key_typographic",
            "has typographic quotation marks",
        ),
        (
            _DASHES.search(text),
            "key_typographic_dash",
            "has a typographic dash, as in place of `-`",
        ),
        (_NO_BREAK.search(inside), "key_no_break_space", "has a no-break space inside"),
        (
            has_misleading(text),
            "key_invisible",
            "has invisible characters, as a web page adds them",
        ),
    )
    return [(code, words) for is_so, code, words in cases if is_so]


def has_escape(text: str) -> bool:
    """Whether a text holds `_x0041_` or the like, which a workbook's own text means as a character."""
    return "_x" in text and bool(_ESCAPED.search(text))


def looks_rounded(text: str) -> bool:
    """Whether a text is what a spreadsheet makes of a long number: `1.23E+15`, `123.0`."""
    return bool(_SCIENTIFIC.fullmatch(text) or _TRAILING_ZERO.fullmatch(text))


def is_spreadsheet_error(text: str) -> bool:
    """Whether a text is what a failed formula or a narrow column shows: `#REF!`, `########`."""
    return bool(_SPREADSHEET_ERROR.fullmatch(text))


def is_formula_text(text: str) -> bool:
    """Whether a text is a formula that nobody calculated: `="00123"`, `=T("x")`, `=A2&B2`."""
    return bool(_FORMULA.fullmatch(text))


def is_marked_as_text(text: str) -> bool:
    """Whether a text begins with the apostrophe that a spreadsheet takes for a mark."""
    return bool(_APOSTROPHE.fullmatch(text))


def has_control(text: str) -> bool:
    """Whether a text holds a control character or a line separator."""
    return bool(_CONTROL.search(text))


def has_line_break(text: str) -> bool:
    """Whether a text holds anything that some reader takes for the end of a line."""
    return bool(_LINE_BREAK.search(text))


def has_surrogate(text: str) -> bool:
    """Whether a text holds half of a character, which UTF-8 cannot carry."""
    return not text.isascii() and bool(_SURROGATE.search(text))


def has_misleading(text: str) -> bool:
    """Whether a text holds characters that no reader sees, direction overrides included."""
    return not text.isascii() and bool(_MISLEADING.search(text))
