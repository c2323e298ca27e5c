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
_GAPS: Final = re.compile(r"[\s_-]+")
_ASKS: Final = re.compile(
    r"(?:your|insert|enter|paste|replace|service|client)[\s_-]?.*?"
    r"(?:secret|key|password|value|here)(?:[\s_-]?(?:here|value))?",
    re.IGNORECASE,
)
_VARIABLE: Final = re.compile(
    r"<[^<>]*>|\{[A-Za-z_][\w.-]*\}|\{\{[^{}]*\}\}|[$#]\{[^{}]*\}#?|\$\([^()]*\)|\$\{\{[^{}]*\}\}|%[A-Za-z_]\w*%"
    r"|\$[A-Z_][A-Z0-9_]*|@Microsoft\.KeyVault\(.*\)|__[A-Za-z][A-Za-z0-9_]*__",
    re.DOTALL | re.IGNORECASE,
)
_ONE_SIGN: Final = re.compile(r"[*\u2022\u25cf\u00b7#?.x0_-]+", re.IGNORECASE)
_FORMULA: Final = re.compile(r"=\s*\".*\"", re.DOTALL)


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
        (_FORMULA.fullmatch(bare), 'is wrapped as a formula (`="…"`), as exports do'),
        (_is_one_sign(bare), "is a mask, not a value"),
        (_VARIABLE.fullmatch(bare), "is a variable or reference that nobody filled in"),
        (_is_json(bare), "is a whole JSON document"),
        (_is_word(bare), "is a placeholder, not a value"),
    )
    return next((words for is_so, words in cases if is_so), None)


def _is_one_sign(text: str) -> bool:
    return len(set(text.lower())) == 1 and _ONE_SIGN.fullmatch(text) is not None


def _is_word(text: str) -> bool:
    plain = _GAPS.sub(" ", text.strip(_BRACKETS).lower())
    asks = _ASKS.fullmatch(text.strip(_BRACKETS))
    return plain in _WORDS or (asks is not None and not any(map(str.isdigit, text)))


def _is_json(text: str) -> bool:
    if text[:1] + text[-1:] not in {"{}", "[]"}:
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
