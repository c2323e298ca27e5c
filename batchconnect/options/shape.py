"""
The shapes that an option's value may have, and the words for one that has another.

The words are the second half of a sentence, "rate must be …", so that a wrong value is told in the same
way wherever it was given, and without being repeated: it may be a secret.
"""

import math
import os
import re
from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.precaution import FailureLimit, OnDoubt
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value

REFERENCES: Final = ("env:", "file:")
"""How a text begins that refers to a ledger's address."""
_PER_CENT: Final = 100.0
_LIMIT: Final = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/|postgres(ql)?:|postgres(ql)?//", re.IGNORECASE)
"""
An address, mistyped perhaps, and no path: it would make folders of that name, with the password if it bears one.

A team's ledger with a slip in its first word would be a new file here, which knows nothing of the team's rows.
"""
_PART: Final = re.compile(r"[^=]*\w[^=]*=.+", re.DOTALL)


class Shape(Value):
    """What a value must be."""

    must_be: str
    convert: Callable[[Any], Any]
    """The value as it is used; None: it cannot be meant. What was converted stays as it is."""
    kind: Any
    """The type that the command line's help tells."""
    read: Callable[[str], Any] = str
    """From the text of a command line to what *convert* takes."""
    least: float | None = None
    """The smallest number."""
    is_list: bool = False
    """May be given again."""


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _note(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _path(value: object) -> Path | None:
    if not isinstance(value, str | os.PathLike) or not str(value) or _ADDRESS.match(str(value)):
        return None
    try:
        return Path(value).expanduser()
    except (RuntimeError, TypeError):
        # The home folder of nobody; a path of bytes.
        return None


def _ledger(value: object) -> Path | LedgerAddress | None:
    if isinstance(value, LedgerAddress):
        value = value.url
    # Whoever hands in a secret has it from where secrets may stand: a variable, or a program.
    text = value.reveal() if isinstance(value, Secret) else value
    address = LedgerAddress.of(text) if isinstance(text, str) else None
    if isinstance(text, str) and text.startswith(REFERENCES):
        return LedgerAddress(Secret(text))
    if address is None:
        return None if isinstance(value, Secret) else _path(value)
    if not address.is_readable:
        return None
    return address if isinstance(value, Secret) or not address.passwords else None


def _texts(value: object) -> tuple[str, ...] | None:
    parts: Iterable[object] = (value,) if isinstance(value, str) else ()
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        parts = value
    elif not isinstance(value, str):
        return None
    found = tuple(part for part in parts if isinstance(part, str) and part)
    return found if len(found) == len(tuple(parts)) else None


def _parts(value: object) -> tuple[str, ...] | None:
    found = _texts(value)
    return found if found is not None and all(map(_PART.fullmatch, found)) else None


def _secret(value: object) -> Secret | None:
    # Whether it is an address is known when a reference has been followed.
    secret = Secret(value) if isinstance(value, str) else value
    return secret if isinstance(secret, Secret) and secret else None


def _on_doubt(value: object) -> OnDoubt | None:
    return OnDoubt(value) if isinstance(value, str) and value in set(OnDoubt) else None


def _failures(value: object) -> FailureLimit | None:
    if isinstance(value, FailureLimit):
        return value if (value.rows or 0) > 0 or 0 < (value.share or 0.0) <= 1 else None
    if isinstance(value, Integral) and not isinstance(value, bool):
        value = str(int(value))
    found = _LIMIT.fullmatch(value.strip()) if isinstance(value, str) else None
    number, is_share = (float(found[1]), bool(found[2])) if found else (0.0, False)
    if is_share:
        return FailureLimit(share=number / _PER_CENT) if 0 < number <= _PER_CENT else None
    return FailureLimit(rows=int(number)) if number > 0 and number.is_integer() else None


def _number(least: float) -> Callable[[object], float | None]:
    def convert(value: object) -> float | None:
        if isinstance(value, bool) or not isinstance(value, Real):
            return None
        number = float(value)
        return number if math.isfinite(number) and number >= least else None

    return convert


def _whole(least: int) -> Callable[[object], int | None]:
    def convert(value: object) -> int | None:
        if isinstance(value, bool) or not isinstance(value, Integral):
            return None
        return int(value) if int(value) >= least else None

    return convert


def _read_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _read_whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def number(least: float, *, seconds: bool = False) -> Shape:
    """A finite number, of at least *least*."""
    words = f"a number of at least {least:g}"
    return Shape(
        must_be=f"seconds, {words}" if seconds else words,
        convert=_number(least),
        kind=float,
        read=_read_number,
        least=least,
    )


def whole_number(least: int | None = None) -> Shape:
    """A number to count with, of at least *least*."""
    return Shape(
        must_be="a whole number" if least is None else f"a whole number of at least {least}",
        convert=_whole(-(1 << 63) if least is None else least),
        kind=int,
        read=_read_whole,
        least=least,
    )


def one_of(words: Collection[str]) -> Shape:
    """One of a few words."""
    return Shape(
        must_be=f"one of {', '.join(sorted(words))}",
        convert=lambda value: value if isinstance(value, str) and value in words else None,
        kind=str,
    )


SWITCH: Final = Shape(must_be="true or false", convert=_switch, kind=bool)
TEXTS: Final = Shape(
    must_be="a text, not empty, or a list of texts", convert=_texts, kind=list[str], is_list=True
)
MAP: Final = Shape(
    must_be="HEADER=COLUMN, as Kunde=name, or a list of these",
    convert=_parts,
    kind=list[str],
    is_list=True,
)
TEXT: Final = Shape(must_be="a text, not empty", convert=_text, kind=str)
NOTE: Final = Shape(must_be="a text", convert=_note, kind=str)
PATH: Final = Shape(must_be="a path, not empty; ~ is your home folder", convert=_path, kind=Path)
LEDGER: Final = Shape(
    must_be="a path, or postgresql://USER@HOST/DATABASE without a password, which stands in ~/.pgpass or "
    "PGPASSWORD; the signs / ? # [ ] @ in a name are percent-encoded",
    convert=_ledger,
    kind=str,
)
HOSTS: Final = Shape(
    must_be='a list of texts, as ["one", "two"]', convert=_texts, kind=list[str], is_list=True
)
PARTS: Final = Shape(
    must_be="COLUMN=VALUE, as org=acme, or a list of these",
    convert=_parts,
    kind=list[str],
    is_list=True,
)
ADDRESS: Final = Shape(
    must_be="an address, as http://proxy.example.com:3128", convert=_secret, kind=str
)
ON_DOUBT: Final = Shape(must_be='"resend" or "hold"', convert=_on_doubt, kind=OnDoubt)
FAILURES: Final = Shape(
    must_be="a number of rows, as 20, or a share of them, as 5%", convert=_failures, kind=str
)
