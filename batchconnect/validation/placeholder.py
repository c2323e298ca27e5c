"""
What stands in a key's cell in place of a key: a tool's mask, a template's variable, a programmer's nothing.

Each was met in a sheet that tools had exported. What surely is no key is refused; all of it would be sent
byte for byte otherwise, and the connection would stand there without ever working.
"""

import json
import re
from itertools import product
from typing import Final

_STARTS: Final = (
    *("you", "cha", "und", "red", "sen", "sys", "pla", "ins", "ent", "pas", "dum", "tod", "sec"),
    *("cli", "ser", "non", "nul", "rep", "mas", "hid", "not", "tbd", "fix", "see", "htt", "emp"),
    *("bla", "mis", "xxx", "000", "...", "---"),
)
PLACEHOLDER_STARTS: Final = frozenset(
    "".join(letters)
    for start in _STARTS
    for letters in product(*((letter.lower(), letter.upper()) for letter in start))
) | {f"__{chr(code)}" for code in range(ord("!"), ord("~") + 1)}
"""How the words below begin, in any letter case, and a web address: the fast check leaves such a key, of
8 characters or more, to the rules."""

_WORDS: Final = frozenset(
    (
        *(
            "sensitive",
            "sensitive value",
            "redacted",
            "masked",
            "hidden",
            "secret",
            "password",
            "key",
        ),
        *(
            "null",
            "none",
            "nil",
            "undefined",
            "nan",
            "n/a",
            "na",
            "n.a.",
            "empty",
            "blank",
            "missing",
        ),
        *(
            "todo",
            "tbd",
            "tba",
            "fixme",
            "changeme",
            "change me",
            "change it",
            "placeholder",
            "dummy",
        ),
        *("system.security.securestring", "system.object", "secret value", "client secret"),
        *(
            "not set",
            "not available",
            "see vault",
            "see keepass",
            "see key vault",
            "as before",
            "same",
        ),
    )
)
_BRACKETS: Final = "<>()[]{}\"'"
# Texts, for `re` compiles them when the first odd key is met, which most runs never do.
_GAPS: Final = r"[\s_-]+"
_ASKS: Final = (
    r"(?i)(?:your|insert|enter|paste|replace|service|client)[\s_-]?.*?"
    r"(?:secret|key|password|value|here)(?:[\s_-]?(?:here|value))?"
)
_VARIABLE: Final = (
    r"(?is)<[^<>]*>|\{[A-Za-z_][\w.-]*\}|\{\{[^{}]*\}\}|[$#]\{[^{}]*\}#?|\$\([^()]*\)|\$\{\{[^{}]*\}\}|%[A-Za-z_]\w*%"
    r"|\$[A-Z_][A-Z0-9_]*|@Microsoft\.KeyVault\(.*\)|__[A-Za-z][A-Za-z0-9_]*__"
)
_ONE_SIGN: Final = r"(?i)[*\u2022\u25cf\u00b7#?.x0_-]+"
_FORMULA: Final = r"(?s)=\s*\".*\""


def no_key(text: str) -> str | None:
    """
    Why a text surely is no client secret, in words that follow `the secret`; None: it may be one.

    Args:
        text: The key as typed; not blank.
    """
    bare = text.strip()
    cases = (
        (len(bare) == 1, "is a single character"),
        ("\ufffd" in text, "holds U+FFFD, which stands for a character that was lost"),
        (re.fullmatch(_FORMULA, bare), 'is wrapped as a formula (`="…"`), as exports do'),
        (_is_one_sign(bare), "is a mask, not a value"),
        (re.fullmatch(_VARIABLE, bare), "is a variable or reference that nobody filled in"),
        (_is_json(bare), "is a whole JSON document"),
        (_is_word(bare), "is a placeholder, not a value"),
    )
    return next((words for is_so, words in cases if is_so), None)


def _is_one_sign(text: str) -> bool:
    return len(set(text.lower())) == 1 and re.fullmatch(_ONE_SIGN, text) is not None


def _is_word(text: str) -> bool:
    plain = re.sub(_GAPS, " ", text.strip(_BRACKETS).lower())
    asks = re.fullmatch(_ASKS, text.strip(_BRACKETS))
    return plain in _WORDS or (asks is not None and not any(map(str.isdigit, text)))


def _is_json(text: str) -> bool:
    if text[:1] + text[-1:] not in {"{}", "[]"}:
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
