"""
How a table of the settings file is declared, and filled in from what was set; all that is wrong is found at once.

A class of settings is a dataclass whose fields are made by `setting`, `sections` and `texts_by_name`. What a value must be is
said as of a run's options, by its `Shape`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from typing import Any, Final, TypeVar

from batchconnect.options.shape import Shape
from batchconnect.settings.source import KeyPath

Table = TypeVar("Table")

_DECLARED: Final = "setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One word of a table."""

    shape: Shape
    form: type[Any] | None = None
    """Of the sections that stand under it, each by its name; None: none do."""
    is_needed: bool = False


class Wrong(Enum):
    """What may be wrong in a table."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    """The word is none of the table's."""
    UNFIT = "unfit"
    """The value cannot be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong; its value is not told, for it may be a secret."""

    what: Wrong
    place: KeyPath
    is_quoted: bool = False
    """Whether a text stands in a number's place."""


def setting(shape: Shape, *, default: Any = MISSING) -> Any:
    """Declare a word of a table; without a default it is needed."""
    said = Setting(shape=shape, is_needed=default is MISSING)
    return field(default=default, metadata={_DECLARED: said})


def texts_by_name(*, must_be: str) -> Any:
    """Declare a section whose words are a person's own."""
    shape = Shape(must_be=must_be, convert=_texts_by_name, kind=dict)
    return field(default_factory=dict, metadata={_DECLARED: Setting(shape=shape)})


def sections(form: type[Any], *, must_be: str) -> Any:
    """Declare a word under which sections of this form stand, each by its name."""
    shape = Shape(must_be=must_be, convert=_table, kind=dict)
    return field(default_factory=dict, metadata={_DECLARED: Setting(shape=shape, form=form)})


def settings_of(form: Any) -> Mapping[str, Setting]:
    """The words of a table, in the order of their declaration."""
    return {one.name: one.metadata[_DECLARED] for one in fields(form)}


def filled(form: type[Table], values: object, findings: list[Finding], at: KeyPath = ()) -> Table:
    """
    A table of what was set.

    Args:
        form: Its class.
        values: What was set, by its words.
        findings: What is wrong is added here, and then what is returned is not to be used.
        at: Where the table stands.
    """
    known = settings_of(form)
    # What is needed has something in its place, so that the rest is looked at as well.
    found: dict[str, Any] = {name: None for name, one in known.items() if one.is_needed}
    given = _table(values)
    if given is None:
        findings.append(Finding(what=Wrong.UNFIT, place=at))
        return form(**found)
    for name, one in known.items():
        place = (*at, name)
        if name not in given:
            if one.is_needed:
                findings.append(Finding(what=Wrong.MISSING, place=place))
            continue
        value = one.shape.convert(given[name])
        if value is None:
            is_quoted = one.shape.kind is float and isinstance(given[name], str)
            findings.append(Finding(what=Wrong.UNFIT, place=place, is_quoted=is_quoted))
        elif one.form is not None:
            found[name] = {
                key: filled(one.form, section, findings, (*place, key))
                for key, section in value.items()
            }
        else:
            found[name] = value
    unknown = (name for name in given if name not in known)
    findings += [Finding(what=Wrong.UNKNOWN, place=(*at, name)) for name in unknown]
    return form(**found)


def _table(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


def _texts_by_name(value: object) -> Mapping[str, str] | None:
    found = _table(value)
    is_whole = found is not None and all(isinstance(one, str) and one for one in found.values())
    return found if is_whole else None
