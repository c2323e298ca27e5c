"""
Reads what was set, and remembers where: in the file, by which variable, by which flag.

Nothing is judged here but the file's own safety. Every credential becomes a `Secret` on the way, so
that pydantic, which keeps its input, never holds a readable one. The environment is handed in.
"""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any

from batchconnect.model.errors import SettingsError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value, field
from batchconnect.options import OPTIONS
from batchconnect.validation.reference import check_text

PREFIX = "BATCHCONNECT_"
ORGS_PREFIX = f"{PREFIX}ORGS__"
ONE_ORG = "(environment)"
"""Stands for the settings key while the environment is the settings; no TOML section is called so."""
SECRETS = ("client_secret", "access_token")
STORE_SECRETS = ("token", "role_id", "secret_id", "jwt")
"""Credentials of a store's sign-in."""
LARGEST_FILE = 1 << 20
"""Bytes. A thousand orgs need a tenth of it."""

ONE_ORG_VARIABLES: Mapping[str, str] = {
    f"{PREFIX}{name.upper()}": name
    for name in ("org_id", "client_id", "sandbox", "scopes", *SECRETS)
}
PLAIN_VARIABLES: Mapping[str, str] = {
    f"{PREFIX}{name.upper()}": name
    for name in (
        "platform_url",
        "ims_url",
        *(name for name, one in OPTIONS.items() if one.in_environment),
    )
}
FILE_VARIABLE = f"{PREFIX}SETTINGS"
_KNOWN = tuple(
    name.removeprefix(PREFIX)
    for name in (
        *ONE_ORG_VARIABLES,
        *(f"{PREFIX}{name.upper()}_FILE" for name in SECRETS),
        *PLAIN_VARIABLES,
        FILE_VARIABLE,
    )
)

KeyPath = tuple[str, ...]
"""Where a setting stands in the tables, as `("orgs", "acme", "rate")`."""


class FromFile(Value, hidden={"values"}):
    """The settings file; *path* is None where there is none."""

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    readable_by_others: bool = False

    @property
    def orgs(self) -> Mapping[str, Any]:
        """The sections `[orgs.*]`; empty where something else stands there, which pydantic tells."""
        orgs = self.values.get("orgs")
        return orgs if isinstance(orgs, dict) else {}


class FromEnvironment(Value, hidden={"values"}):
    """The variables `BATCHCONNECT_*`, as the settings file would hold them."""

    values: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[KeyPath, str] = field(default_factory=dict)
    """The name of the variable that set a place."""
    warnings: tuple[str, ...] = ()

    @property
    def one_org(self) -> tuple[str, ...]:
        """The one-org variables that are set."""
        return tuple(name for place, name in self.variables.items() if ONE_ORG in place)

    @property
    def many_orgs(self) -> tuple[str, ...]:
        """The variables that set a field of an org by its key."""
        return tuple(name for name in self.variables.values() if name.startswith(ORGS_PREFIX))


def read_file(path: Path, *, named_by: str) -> FromFile:
    """
    Read the settings file, unless somebody else could have written it.

    Args:
        path: The file.
        named_by: Who named it, for the message that it is missing, as `--settings`.

    Raises:
        SettingsError: It is missing, unreadable, unsafe, or not TOML.
    """
    try:
        # O_NONBLOCK: a FIFO in the file's place must not make us wait for a writer.
        flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, os.O_RDONLY | flags)
        try:
            # Of the open file, not of its name: what is judged is what is read.
            status = os.fstat(handle)
            _refuse_unsafe(path, status)
            with open(handle, "rb", closefd=False) as file:  # a descriptor
                raw = file.read(LARGEST_FILE + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise SettingsError(
            f"the settings file {path} ({named_by}) cannot be read: {error.strerror}",
            hint="Name another with --settings FILE, or correct its path or its permissions.",
        ) from None
    if len(raw) > LARGEST_FILE:
        raise SettingsError(f"the settings file {path} is larger than 1 MiB: not a settings file")
    values = _parsed(path, raw)
    sections = (_tables(values.get(name)) for name in ("orgs", "stores", "notify"))
    for table in (values, *chain.from_iterable(sections)):
        for name in (*SECRETS, *STORE_SECRETS, "proxy", "url"):
            if isinstance(table.get(name), str):
                table[name] = Secret(table[name])
    others_read = os.name == "posix" and bool(status.st_mode & 0o044)
    return FromFile(path=path, values=values, readable_by_others=others_read)


def read_environment(environ: Mapping[str, str], file_keys: Iterable[str]) -> FromEnvironment:
    """
    Read the variables `BATCHCONNECT_*`; an empty one counts as not set.

    Args:
        environ: The environment.
        file_keys: The settings keys of the file, one of which `BATCHCONNECT_ORGS__ACME__…` may mean:
            in any letter case, and with `_` for whatever a variable's name cannot hold.

    Raises:
        SettingsError: Two variables set the same secret, a variable's org is ambiguous, or it is no text.
    """
    keys = tuple(file_keys)
    found = _Found()
    warnings: list[str] = []
    for name in sorted(name for name in environ if name.startswith(PREFIX) and environ[name]):
        text = environ[name]
        check_text(text, f"the variable {name}")
        plain = name.removesuffix("_FILE")
        if name in PLAIN_VARIABLES:
            # An address may bear its password in a variable, and nowhere else in the open.
            value = Secret(text) if LedgerAddress.of(text) else text
            found.put((PLAIN_VARIABLES[name],), value, name)
        elif plain in ONE_ORG_VARIABLES and (plain == name or ONE_ORG_VARIABLES[plain] in SECRETS):
            found.put_field(ONE_ORG, ONE_ORG_VARIABLES[plain], text, name)
        elif name.startswith(ORGS_PREFIX):
            spelled, separator, last = name.removeprefix(ORGS_PREFIX).rpartition("__")
            if not separator or not spelled or not last:
                raise SettingsError(
                    f"the variable {name} names no field of an org",
                    hint=f"It is spelled as {ORGS_PREFIX}ACME__CLIENT_SECRET.",
                )
            setting = last.lower()
            if setting.removesuffix("_file") in SECRETS:
                setting = setting.removesuffix("_file")
            found.put_field(_key(spelled, keys, name), setting, text, name)
        elif name != FILE_VARIABLE:
            near = get_close_matches(name.removeprefix(PREFIX), _KNOWN, n=1)
            meant = f"; {PREFIX}{near[0]} is one" if near else ""
            warnings.append(f"the variable {name} is no setting and is ignored{meant}")
    return FromEnvironment(values=found.values, variables=found.variables, warnings=tuple(warnings))


class _Found:
    """What the environment has set so far."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.variables: dict[KeyPath, str] = {}

    def put(self, place: KeyPath, value: object, variable: str) -> None:
        if place in self.variables:
            raise SettingsError(
                f"the variables {self.variables[place]} and {variable} set the same",
                hint="Unset one of the two.",
            )
        self.variables[place] = variable
        table = self.values
        for part in place[:-1]:
            table = table.setdefault(part, {})
        table[place[-1]] = value

    def put_field(self, key: str, setting: str, text: str, variable: str) -> None:
        value: object = text
        if setting in SECRETS:
            value = Secret(f"file:{text}" if variable.endswith("_FILE") else text)
        elif setting == "rate":
            value = _number(text)
        elif setting == "aliases":
            value = _texts(text)
        self.put(("orgs", key, setting), value, variable)


def _refuse_unsafe(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"the settings file {path} is not a plain file")
    if os.name != "posix":  # pragma: no cover - Windows: who may write is not told by the mode
        return
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"the settings file {path} may be written by others, who could change where secrets go",
            hint=f"chmod go-w {path}",
        )
    if status.st_uid not in {0, os.geteuid()}:
        raise SettingsError(
            f"the settings file {path} belongs to another user, who could change where secrets go",
            hint="Make a copy of your own, and look through it.",
        )


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        wrong, hint = "is not UTF-8", "Save it with the encoding UTF-8."
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # Only the place leaves the parser's message: the rest may quote what was typed.
        place = re.search(r"line \d+, column \d+|end of document", str(error))
        wrong = f"is not TOML: see {place.group()}" if place else "is not TOML"
        hint = 'Texts stand in double quotes, as client_id = "…"; a name occurs once.'
    # Raised out here, so that it drags no foreign error along, which may hold the whole file.
    raise SettingsError(f"the settings file {path} {wrong}", hint=hint)


def _tables(orgs: object) -> list[dict[str, Any]]:
    tables = orgs.values() if isinstance(orgs, dict) else ()
    return [table for table in tables if isinstance(table, dict)]


def _key(spelled: str, keys: tuple[str, ...], variable: str) -> str:
    """The settings key that a variable means: one of the file's, or a new one in lower case."""
    meant = [key for key in keys if re.sub(r"[^A-Z0-9]", "_", key.upper()) == spelled.upper()]
    if len(meant) > 1:
        raise SettingsError(
            f"the variable {variable} means more than one org: {', '.join(meant)}",
            hint="Rename one of these sections.",
        )
    return meant[0] if meant else spelled.lower()


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _texts(text: str) -> object:
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return [part.strip() for part in text.split(",") if part.strip()]
