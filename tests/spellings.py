"""
How a service may repeat a secret: spellings that let it be read back, and how they are looked for.

The first 24 are those that were once found in reports; nobody can list them all, so a test of them shows
that no list of spellings is what holds them back.
"""

import base64
import codecs
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import quote

SPELLINGS: dict[str, Callable[[str], str]] = {
    "java_url": lambda key: quote(key, safe="*-._").replace("%20", "+"),
    "html": html.escape,
    "html_dec": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "gson": lambda key: "".join(
        f"\\u{ord(char):04x}" if char in "<>&='" else char for char in json.dumps(key)[1:-1]
    ),
    "u_all": lambda key: "".join(f"\\u{ord(char):04X}" for char in key),
    "json2": lambda key: json.dumps(json.dumps(key)),
    "hex": lambda key: key.encode().hex(),
    "reversed": lambda key: key[::-1],
    "b64_shift1": lambda key: base64.b64encode(b"x" + key.encode()).decode()[2:],
    "b64_utf16": lambda key: base64.b64encode(key.encode("utf-16-le")).decode(),
    "b64_wrapped": lambda key: "\n".join(
        re.findall(".{1,16}", base64.b64encode(key.encode()).decode())
    ),
    "b64_twice": lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
    "pct_every": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "pct2": lambda key: quote(quote(key, safe=""), safe=""),
    "spaced": " ".join,
    "quoted_list": lambda key: ", ".join(f'"{char}"' for char in key),
    "upper": str.upper,
    "lower": str.lower,
    "head7": lambda key: key[:7],
    "tail": lambda key: key[8:],
    "middle": lambda key: key[4:-4],
    "rot13": lambda key: codecs.encode(key, "rot13"),
    "nfd": lambda key: unicodedata.normalize("NFD", key),
    "linewrap": lambda key: "\n".join(re.findall(".{1,9}", key)),
    # Five that nobody listed.
    "code points": lambda key: " and ".join(str(ord(char)) for char in key),
    "octal": lambda key: "".join(f"\\{byte:03o}" for byte in key.encode()),
    "base32": lambda key: base64.b32encode(key.encode()).decode(),
    "dotted": ".".join,
    "words the other way round": lambda key: " ".join(reversed(re.split(r"[ ~.-]", key))),
}


_PIECE_OF_KEY, _PIECE_OF_SPELLING = 6, 10
"""Characters in a row that are looked for; ten, so that no digest holds them by chance."""


def squeezed(text: str) -> str:
    """Letters and digits alone, in lower case, however they were escaped, quoted or set apart."""
    unescaped = re.sub(r"\\[nrt]", " ", html.unescape(text))
    return re.sub(r"[\W_]+", "", unescaped.lower())


def pieces(key: str) -> set[str]:
    """What tells that a key was repeated: parts of it, to and fro, and of each of its spellings."""
    found = set(_windows(key, _PIECE_OF_KEY)) | set(_windows(key[::-1], _PIECE_OF_KEY))
    for spell in SPELLINGS.values():
        found.update(_windows(spell(key), _PIECE_OF_SPELLING))
    return found


def _windows(text: str, size: int) -> Iterator[str]:
    text = squeezed(text)
    for start in range(len(text) - size + 1):
        yield text[start : start + size]
