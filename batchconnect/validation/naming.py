"""What people call things: the connection's name, its description, the sandbox."""

import re
from collections.abc import Iterator
from unicodedata import is_normalized

from batchconnect.model.column import Column
from batchconnect.model.identity import DESCRIPTION_LIMIT, MARKER_LENGTH, fits, split_marker
from batchconnect.model.outcome import Problem
from batchconnect.validation.damage import has_control, has_misleading, looks_rounded
from batchconnect.validation.finding import AS_TYPED, NOTHING, Problems, error, note, warning
from batchconnect.validation.garbled import has_lost_letter, is_garbled

LONGEST_NAME = 255
"""Characters; the service names no limit, so a longer name is a warning only."""

_HEALTHY_NAME = re.compile(r"[!-~](?:[ ->@-~]{0,253}[!-~])?")
_SANDBOX = re.compile(r"[a-z0-9][a-z0-9-]*")
_RETYPE = "Type the name again in one line."


def check_name(text: str) -> Problems:
    """
    Judge a connection's name, which is sent exactly as typed.

    Args:
        text: The cell as typed; not blank.
    """
    if _HEALTHY_NAME.fullmatch(text):
        return (_rounded(),) if looks_rounded(text) else NOTHING
    problems = []
    if has_control(text):
        what = f"the name of {len(text)} characters has a control character or a line break"
        problems.append(error(Column.NAME, "name_control", what, _RETYPE))
    if len(text) > LONGEST_NAME:
        what = f"the name has {len(text)} characters; the service names no limit and may cut it"
        problems.append(warning(Column.NAME, "name_long", what, f"Stay within {LONGEST_NAME}."))
    if has_misleading(text):
        what = "the name has invisible or direction-changing characters"
        problems.append(warning(Column.NAME, "name_invisible", what, _RETYPE, then=AS_TYPED))
    if text != text.strip():
        what = "the name begins or ends with white space"
        fix = "Remove it; two names that differ in outer white space count as the same."
        problems.append(warning(Column.NAME, "name_outer_space", what, fix, then=AS_TYPED))
    problems += _changed(Column.NAME, text)
    if not is_normalized("NFC", text):
        what = "the name has letters made of parts (not NFC)"
        then = f"{AS_TYPED}, compared in NFC"
        problems.append(note(Column.NAME, "name_not_nfc", what, then=then))
    return tuple(problems)


def check_description(text: str) -> tuple[str, Problems]:
    """
    Judge a description.

    Args:
        text: The cell as typed; may be blank.

    Returns:
        The user's own text, without a marker copied from elsewhere; and what was found.
    """
    if not text or text.isspace():
        return "", NOTHING
    own, marker = split_marker(text)
    problems = []
    if marker is not None:
        what = "a marker (`bc1-…`) copied from another connection was taken off the end"
        problems.append(note(Column.DESCRIPTION, "description_marker_removed", what))
    if has_control(own.replace("\r\n", "").replace("\n", "")):  # it may have several lines
        what = f"the text of {len(text)} characters has a control character"
        fix = "Type the description again; it may have several lines, but no tab."
        problems.append(error(Column.DESCRIPTION, "description_control", what, fix))
    problems += _changed(Column.DESCRIPTION, own)
    if not fits(own):
        what = f"with its marker the text grows beyond {DESCRIPTION_LIMIT} characters and is cut"
        fix = f"Shorten the text; the marker needs {MARKER_LENGTH + 1} of the characters."
        problems.append(warning(Column.DESCRIPTION, "description_cut", what, fix))
    return own, tuple(problems)


def check_sandbox(text: str) -> Problems:
    """
    Judge a sandbox's name (contract, section 1).

    Args:
        text: The cell, option or setting as typed; not blank.
    """
    if _SANDBOX.fullmatch(text):
        return NOTHING
    cases = (
        (text != text.strip(), "it begins or ends with white space"),
        (text != text.lower(), "it has upper-case letters"),
        (any(map(str.isspace, text.strip())), "it has white space inside"),
        ("*" in text, "`*` stands for all sandboxes, a connection lives in one"),
    )
    seen = [words for is_so, words in cases if is_so] or ["it has special characters"]
    what = f"this is not a sandbox's name: {' and '.join(seen)}"
    fix = "Use the sandbox's `Name` (not its title): lower-case letters, digits and hyphens."
    return (error(Column.SANDBOX, "sandbox_invalid", what, fix),)


def _changed(column: Column, text: str) -> Iterator[Problem]:
    """What a wrong encoding did to a text that people read."""
    fix = "Export the sheet again as `CSV UTF-8`, or type the text again."
    if is_garbled(text):
        what = "letters look converted once too often, as in `SÃ¼d`"
        yield warning(column, "text_garbled", what, fix, then="they are sent as typed")
    if has_lost_letter(text):
        what = "a letter was lost in a conversion, it seems (U+FFFD, or `?` in a word)"
        yield warning(column, "text_letter_lost", what, fix, then=AS_TYPED)


def _rounded() -> Problem:
    what = "the name looks like a number that a spreadsheet has rewritten"
    fix = "Format the column as text before typing it again."
    return warning(Column.NAME, "name_looks_rounded", what, fix, then=AS_TYPED)
