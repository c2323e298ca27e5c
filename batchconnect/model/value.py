"""
The values of the house: frozen, slotted, keyword-only, equal and hashed by their fields.

They are msgspec's structs, which are made in C: a dataclass compiles its methods anew at every import, which was
a sixth of a short command, and one that is frozen when it runs sets each field by a call. Whoever asks by way of
`dataclasses` (`replace`, `fields`, `asdict`) is answered as by a dataclass.
"""

import dataclasses
from collections.abc import Set as AbstractSet
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from msgspec import NODEFAULT, Struct, StructMeta, field
from msgspec.structs import fields as _fields, replace as _replace

if TYPE_CHECKING:
    from dataclasses import replace  # whose changes mypy holds against the fields
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A value with some of its fields changed, as `copy.replace` of Python 3.13 does; also of a dataclass."""
        of = _replace if isinstance(value, Struct) else dataclasses.replace
        return of(value, **changes)


__all__ = ["Value", "by_name", "field", "has_fields", "names_of", "replace"]


class _Kind(StructMeta):
    """Says once what all values are."""

    hidden: frozenset[str] = frozenset()
    """Names of the fields that a class's `repr` does not show."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        kw_only: bool = True,
        hidden: AbstractSet[str] = frozenset(),
        **options: Any,
    ) -> Any:
        kind: Any = super().__new__(mcs, name, bases, namespace, kw_only=kw_only, **options)
        if hidden:
            assert hidden <= {*names_of(kind)}, f"{name} has not all of {sorted(hidden)}"
            kind.hidden |= hidden
            kind.__repr__, kind.__rich_repr__ = _told, _shown
        return kind


class _AsDataclass:
    """The fields as `dataclasses` wants them, made when somebody asks: at the import none does."""

    def __get__(self, value: Any, kind: type) -> dict[str, "dataclasses.Field[Any]"]:
        return _dataclass_fields(kind)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Value(Struct, metaclass=_Kind, frozen=True):
    """
    What every value of ours derives from.

    A class may say `kw_only=False`, and `hidden`: names of fields that no `repr` shows, those of a secret's
    surroundings or of a service's own words. Of `msgspec.Struct` it may have `dict` (for a `cached_property`)
    and `weakref`.
    """

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, "dataclasses.Field[Any]"]]
    else:
        __dataclass_fields__ = _AsDataclass()


def names_of(value: Any) -> tuple[str, ...]:
    """The names of the fields of a value or a dataclass, or of a class of such, in their order."""
    names: tuple[str, ...] | None = getattr(value, "__struct_fields__", None)
    return names if names is not None else tuple(one.name for one in dataclasses.fields(value))


def has_fields(kind: type) -> bool:
    """Whether a class is one of values or a dataclass."""
    return issubclass(kind, Value) or dataclasses.is_dataclass(kind)


def by_name(value: Any) -> dict[str, Any]:
    """
    The fields of a value as they are, by name: for a writer of JSON that does not know values.

    Raises:
        TypeError: It is none.
    """
    return {name: getattr(value, name) for name in names_of(value)}


def _shown(value: Value) -> list[tuple[str, Any]]:
    return [
        (name, getattr(value, name)) for name in names_of(value) if name not in type(value).hidden
    ]


def _told(value: Value) -> str:
    told = ", ".join(f"{name}={part!r}" for name, part in _shown(value))
    return f"{type(value).__name__}({told})"


@cache
def _dataclass_fields(kind: Any) -> dict[str, "dataclasses.Field[Any]"]:
    """
    Of a dataclass with the same fields.

    Its functions are compiled as any dataclass's are, a fifth of a millisecond and more: for tests and for those
    who work with outcomes and events in a program of their own.
    """
    if kind is Value:
        return {}
    parts = []
    for one in _fields(kind):
        said: dict[str, Any] = {"repr": one.name not in kind.hidden}
        if one.default is not NODEFAULT:
            said["default"] = one.default
        elif one.default_factory is not NODEFAULT:
            said["default_factory"] = one.default_factory
        parts.append((one.name, one.type, dataclasses.field(**said)))
    made: Any = dataclasses.make_dataclass(kind.__name__, parts, kw_only=True)
    fields: dict[str, dataclasses.Field[Any]] = made.__dataclass_fields__
    return fields
