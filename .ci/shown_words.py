"""
Writes the list of the words that a foreign text may show: `batchconnect/model/shown_words.py`.

Its sources are the texts beside it: what the services are documented to say. Add a message there, run
this, and commit both. `--check` only says whether the list is theirs.
"""

import re
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
LIST = HERE.parent / "batchconnect" / "model" / "shown_words.py"
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:'[a-z]{1,2})?")
OPENING = '''"""
The words that a foreign text may show, and no other: made by `.ci/shown_words.py`, not by hand.

They are the words of the messages that Adobe and Microsoft publish, and of those that proxies, databases
and readers of workbooks are known for, in lower case.
"""

from typing import Final

_LISTED: Final = """
'''
CLOSING = '''"""
SHOWN_WORDS: Final = frozenset(_LISTED.split())
'''


def words() -> set[str]:
    """The words of every source; lines that begin with `#` say what a source is."""
    lines = [
        line
        for source in sorted((HERE / "shown_words").glob("*.txt"))
        for line in source.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    found = {word.lower() for line in lines for word in WORD.findall(line)}
    # A single letter says nothing, and a row of them spells anything.
    return {word for word in found if len(word) > 1 or word in {"a", "i"}}


def module() -> str:
    """The module's text."""
    listed = textwrap.fill(
        " ".join(sorted(words())),
        width=96,
        break_on_hyphens=False,
    )
    return f"{OPENING}{listed}\n{CLOSING}"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(
            0 if LIST.read_text(encoding="utf-8") == module() else "the list is not its sources'"
        )
    LIST.write_text(module(), encoding="utf-8")
