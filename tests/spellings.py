"""
How a service may repeat a secret: spellings that let it be read back, and how they are looked for.

The first 24 are those that were once found in reports; nobody can list them all, so a test of them shows
that no list of spellings is what holds them back.
"""

import base64
import binascii
import codecs
import html
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote


def _in_base58(key: str) -> str:
    letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, found = int.from_bytes(key.encode()), ""
    while number:
        number, rest = divmod(number, 58)
        found = letters[rest] + found
    return found


def _in_base36(key: str) -> str:
    number, found = int.from_bytes(key.encode()), ""
    while number:
        number, rest = divmod(number, 36)
        found = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + found
    return found


_ALOUD = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        [
            "alfa",
            "bravo",
            "charlie",
            "delta",
            "echo",
            "foxtrot",
            "golf",
            "hotel",
            "india",
            "juliett",
            "kilo",
            "lima",
            "mike",
            "november",
            "oscar",
            "papa",
            "quebec",
            "romeo",
            "sierra",
            "tango",
            "uniform",
            "victor",
            "whiskey",
            "xray",
            "yankee",
            "zulu",
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
        ],
        strict=True,
    )
)

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
    # And some that were tried since.
    "base58": _in_base58,
    "base85": lambda key: base64.b85encode(key.encode()).decode(),
    "uuencode": lambda key: binascii.b2a_uu(key.encode()).decode(),
    "quoted-printable": lambda key: "".join(f"={byte:02X}" for byte in key.encode()),
    "punycode": lambda key: f"{key}ü".encode("punycode").decode(),
    "zero width between": "\u200b".join,
    "mathematical letters": lambda key: "".join(
        chr(ord(char) + 0x1D41A - 97) if "a" <= char <= "z" else char for char in key
    ),
    "surrogates in JSON": lambda key: json.dumps(SPELLINGS["mathematical letters"](key)),
    "full width": lambda key: "".join(chr(0xFEE0 + ord(c)) if "!" <= c <= "~" else c for c in key),
    "caesar": lambda key: "".join(
        chr((ord(char) - 92) % 26 + 97) if "a" <= char <= "z" else char for char in key
    ),
    "packed": lambda key: base64.b64encode(zlib.compress(key.encode())).decode(),
    "EBCDIC": lambda key: key.encode("cp500").hex(),
    "numbers between words": lambda key: " ".join(f"line {ord(char)}" for char in key),
    "large numbers between words": lambda key: " request ".join(
        str(int.from_bytes(key[at : at + 2].encode())) for at in range(0, len(key), 2)
    ),
    "GUIDs of hex": lambda key: " ".join(
        re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", part)
        for part in re.findall(".{32}", key.encode().hex() * 3)
    ),
    # And eleven more.
    "hex dump": lambda key: " ".join(f"{byte:02x}" for byte in key.encode()),
    "nibbles": lambda key: " ".join(f"{byte >> 4:04b} {byte & 15:04b}" for byte in key.encode()),
    "read aloud": lambda key: " ".join(_ALOUD.get(char.lower(), char) for char in key),
    "code points by name": lambda key: " ".join(f"U+{ord(char):04X}" for char in key),
    "escape of JavaScript": lambda key: "".join(f"%u{ord(char):04X}" for char in key),
    "case swapped": str.swapcase,
    "base36": _in_base36,
    "ascii85": lambda key: base64.a85encode(key.encode(), adobe=True).decode(),
    "base64 of URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "doubled": lambda key: "".join(2 * char for char in key),
    "GUIDs of the reverse": lambda key: SPELLINGS["GUIDs of hex"](key[::-1]),
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
        spelled = spell(key)
        # Ten bits are in any ledger by chance.
        are_bits = {*squeezed(spelled)} <= {"0", "1"}
        found.update(_windows(spelled, _PIECE_OF_SPELLING * (4 if are_bits else 1)))
    return found


def _windows(text: str, size: int) -> Iterator[str]:
    text = squeezed(text)
    for start in range(len(text) - size + 1):
        yield text[start : start + size]
