"""
Says why a workbook cannot be read, in words of ours.

A reader's own words may repeat what stands in the file, a key among it; so they are only looked at.
"""

import re
import zipfile
import zlib
from struct import error as StructError  # noqa: N812 - it is a class
from xml.parsers.expat import ExpatError

_READERS_WORDS = (
    (r"shared ?string|sharedstring", "its shared texts cannot be read"),
    (r"style|format", "its formats cannot be read"),
    (r"relationship|rels", "its parts do not say how they belong together"),
    (r"not found|missing|no such|unable to find", "a part of it is missing"),
    (r"password|encrypt", "it is encrypted"),
    (r"xml|unexpected|eof|end of file", "its XML is cut or damaged"),
    (r"zip|deflate|compress", "its zip is cut or damaged"),
    (r"cfb|ole|sector|stream", "its container is cut or damaged"),
)


def reason_of(error: Exception) -> str:
    """The reason for an error of a reader, as a clause; empty where there is none to tell."""
    match error:
        case zipfile.BadZipFile() | zlib.error() | EOFError() | NotImplementedError():
            return "its zip is cut or damaged; perhaps the file was not copied to its end"
        case KeyError():
            return "a part that every workbook has is missing"
        case ExpatError():
            return f"its XML is not well-formed (line {error.lineno}, column {error.offset + 1})"
        case StructError() | IndexError() | ValueError():
            return "a record in it is cut or damaged"
        case _:
            return _of_reader(str(error)) if type(error).__name__.endswith("Error") else ""


def _of_reader(words: str) -> str:
    for pattern, reason in _READERS_WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return reason
    return ""
