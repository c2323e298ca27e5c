"""
Tells a person which setting is meant, where it was given, and where it may be given.

A message about a setting never repeats its value: it names the flag, the variable, or the section of
the file, which the person can see for himself.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from batchconnect.model.value import Value
from batchconnect.settings.source import (
    FILE_VARIABLE,
    ONE_ORG,
    ORGS_PREFIX,
    PREFIX,
    SECRETS,
    FromEnvironment,
    FromFile,
    KeyPath,
)
from batchconnect.settings.tables import KEYS, NotifyTable, OrgTable, StoreTable, Tables

DEFAULT_FILE = Path("batchconnect.toml")
FIELD_DEPTH = 3
"""Parts of the place of a section's field: `orgs` or `stores`, its key, the field."""
_SECTIONS: Mapping[str, tuple[type[BaseModel], str]] = {
    "orgs": (OrgTable, "[orgs.acme]"),
    "stores": (StoreTable, "[stores.clients]"),
    "notify": (NotifyTable, "[notify.ops]"),
}
"""By the tables' first word: the form of a section, and how one is written."""


class Origin(Value):
    """Where each setting came from: options over environment over file."""

    given: Mapping[str, str]
    """What a person calls the options that were given, by name."""
    environment: FromEnvironment
    file: FromFile

    def is_from_file(self, place: KeyPath) -> bool:
        """Whether neither an option nor a variable gave the setting."""
        return place[0] not in self.given and place not in self.environment.variables

    def name(self, place: KeyPath) -> str:
        """The setting as a person finds it, as `rate in [orgs.acme] of batchconnect.toml`."""
        given = self.given.get(place[0])
        return given or self.environment.variables.get(place) or self._name_in_file(place)

    def name_in(self, source: Mapping[str, Any], place: KeyPath) -> str:
        """The setting as a person finds it in one of the sources, whatever wins over it."""
        is_variable = source is self.environment.values
        return self.environment.variables[place] if is_variable else self._name_in_file(place)

    def missing(self, place: KeyPath, *, instead: str = "") -> str:
        """That a setting of a section is missing, with each way of giving it."""
        table, key, setting = place
        if table != "orgs":
            return f"{setting} is missing in [{table}.{key}] of {self._file()}"
        also = f" (or …_{setting.upper()}_FILE{instead})" if setting in SECRETS else ""
        if key == ONE_ORG:
            return (
                f"{setting} is missing: set {PREFIX}{setting.upper()}{also}, or write a section "
                f"[orgs.NAME] into {self._file()} in place of the variables"
            )
        variable = f"{ORGS_PREFIX}{spelled(key)}__{setting.upper()}"
        known = ", ".join(f"[orgs.{name}]" for name in self.file.orgs)
        stray = f"; the file has {known}" if known and key not in self.file.orgs else ""
        return (
            f"{setting} is missing in [orgs.{key}] of {self._file()}: write it there, "
            f"or set {variable}{also}{stray}"
        )

    def wrong(self, kind: str, place: tuple[int | str, ...]) -> str:
        """
        One finding of pydantic's, in our words.

        Args:
            kind: The finding's `type`.
            place: The finding's `loc`.
        """
        texts = tuple(str(part) for part in place)
        form, example = _SECTIONS.get(texts[0], (Tables, ""))
        model = form if len(texts) >= FIELD_DEPTH else Tables
        at = texts[: 1 if model is Tables else FIELD_DEPTH]
        setting = at[-1]
        if kind == "missing":
            return self.missing(at)
        if kind == "extra_forbidden":
            known = [*model.model_fields, *(KEYS if model is Tables else ())]
            near = get_close_matches(setting.lower(), known, n=1, cutoff=0.5)
            meant = f"; {near[0]} is one" if near else ""
            return f"{self.name(at)} is not a setting{meant}"
        if example and model is Tables:
            what = ".".join(texts[:2])
            return f"{what} in {self._file()} must be a section, as {example}"
        unquoted = ", without quotes" if kind == "float_type" and self.is_from_file(at) else ""
        return f"{self.name(at)} must be {model.model_fields[setting].description}{unquoted}"

    def _name_in_file(self, place: KeyPath) -> str:
        section = f"[{place[0]}.{place[1]}] of " if len(place) == FIELD_DEPTH else ""
        return f"{place[-1]} in {section}{self._file()}"

    def _file(self) -> Path:
        return self.file.path or DEFAULT_FILE


NO_ORG = (
    f"`batchconnect init` asks for one and writes {DEFAULT_FILE}; or set {PREFIX}ORG_ID, {PREFIX}CLIENT_ID and "
    f"{PREFIX}CLIENT_SECRET_FILE (another file: --settings FILE or {FILE_VARIABLE})."
)
"""What to do where no org is set at all."""


def spelled(key: str) -> str:
    """A settings key as the variables spell it."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in key.upper())
