"""What is said of an option beside its type: once, for Python, the command line and the settings file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final

from batchconnect.model.errors import UsageError
from batchconnect.options.shape import Shape

_DECLARED: Final = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option, by the name of its field."""

    name: str
    shape: Shape
    default: Any
    """What holds where nobody chose; None: what its user makes of that is told in the field."""
    help: str
    metavar: str | None
    panel: str
    """Under which heading the command line's help shows it."""
    flag: str
    in_file: bool
    """Whether the settings file may say it, under its name."""
    in_environment: bool
    """Whether `BATCHCONNECT_NAME` may."""
    is_joined: bool
    """Whether what is said in several places holds together."""

    def converted(self, value: object, *, called: str) -> Any:
        """
        The value as it is used.

        Args:
            value: As it was given; what was converted before stays as it is.
            called: How a person knows the option here, as `--rate`.

        Raises:
            UsageError: It cannot be meant. The message names the option and never the value.
        """
        found = self.shape.convert(value)
        if found is None:
            raise UsageError(f"{called} must be {self.shape.must_be}{self._unquoted(value)}")
        return found

    def read(self, text: str) -> Any:
        """
        The value as it is used, from the text of a command line.

        Raises:
            UsageError: It cannot be meant, as of `converted`.
        """
        found = self.shape.convert(self.shape.read(text))
        if found is None:
            raise UsageError(f"{self.flag} must be {self.shape.must_be}")
        return found

    def _unquoted(self, value: object) -> str:
        is_quoted = isinstance(value, str) and self.shape.kind in {bool, int, float}
        return ", without quotes" if is_quoted else ""


def option(
    shape: Shape,
    *,
    help: str,  # noqa: A002 - as Typer calls it
    panel: str,
    default: object = None,
    metavar: str | None = None,
    flag: str | None = None,
    in_file: bool = False,
    in_environment: bool = False,
    is_joined: bool = False,
) -> Any:
    """Declare a field of a class of options; its own value is None until somebody chooses."""
    said = {
        "shape": shape,
        "default": default,
        "help": help,
        "metavar": "" if shape.kind is bool else metavar,
        "panel": panel,
        "flag": flag,
        "in_file": in_file,
        "in_environment": in_environment,
        "is_joined": is_joined,
    }
    return field(default=None, metadata={_DECLARED: said})


def options_of(declaring: type[Any]) -> dict[str, Option]:
    """The options of a class, by name, in the order of their declaration."""
    found = {}
    for one in fields(declaring):
        said = dict(one.metadata[_DECLARED])
        said["flag"] = said["flag"] or f"--{one.name.replace('_', '-')}"
        found[one.name] = Option(name=one.name, **said)
    return found


def converted(
    options: Mapping[str, Option],
    given: Mapping[str, object],
    *,
    called: Callable[[Option], str],
) -> dict[str, Any]:
    """
    Convert what was given; None is left out, for it means that nothing was chosen.

    Raises:
        UsageError: A value cannot be meant, or a name is no option; the nearest one is told.
    """
    refuse_unknown(options, given)
    return {
        name: options[name].converted(value, called=called(options[name]))
        for name, value in given.items()
        if value is not None
    }


def refuse_unknown(options: Mapping[str, Option], names: Iterable[str]) -> None:
    """
    See that each name is that of an option.

    Raises:
        UsageError: One is not; the nearest that is one is told.
    """
    for name in names:
        if name not in options:
            near = get_close_matches(name, options, n=1, cutoff=0.5)
            raise UsageError(f"{name} is not an option{f'; {near[0]} is one' if near else ''}")
