"""
Where a secret stands when it does not stand in the cell: `env:NAME`, `file:PATH`, `STORE:NAME`, `literal:TEXT`.

A foreign sheet could read the operator's secrets that way and have them sent, so in a sheet a
reference works only when it was allowed, a file only below one folder, and a store only where the settings
open it to sheets. In the settings, which are the operator's own, all of them work. Here is the grammar, and
what this machine itself holds; the values of a run's rows are looked up through a `Resolver`.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from itertools import accumulate
from pathlib import Path, PurePath
from typing import Final

from batchconnect.model.column import Column
from batchconnect.model.errors import SettingsError
from batchconnect.model.outcome import Problem
from batchconnect.model.reference import (
    ENV,
    FILE,
    LITERAL,
    OWN_WORDS,
    Reference,
    StoredSecret,
    place_of,
)
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreProfile
from batchconnect.validation.finding import error
from batchconnect.validation.secret_file import ReferenceFileError, read_below, read_secret_file

_ENV: Final = f"{ENV}:"
_FILE: Final = f"{FILE}:"
_LITERAL: Final = f"{LITERAL}:"
PREFIXES: Final = (_ENV, _FILE, _LITERAL)
OWN_VARIABLES: Final = "BATCHCONNECT_"
"""Variables with this beginning are the operator's settings; a sheet never reads them."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_reference(text: str) -> bool:
    """Whether a text refers to this machine, or is marked as one that does not; letter case counts."""
    return text.startswith(PREFIXES)


class References:
    """
    What the references of a sheet may be, and what this machine holds for them.

    Args:
        allow: Whether `--allow-refs` was given.
        refs_dir: The folder of `--refs-dir`, below which files may lie; None: no file may be read.
        environ: The variables that `env:` reads.
        stores: The stores of the settings.
        are_needed: Whether a row has to have a key at all; not so where none is sent.
    """

    def __init__(
        self,
        *,
        allow: bool,
        refs_dir: Path | None,
        environ: Mapping[str, str],
        stores: Iterable[StoreProfile] = (),
        are_needed: bool = True,
    ) -> None:
        self.are_needed = are_needed
        self._allow = allow
        self._refs_dir = refs_dir
        self._environ = environ
        self._stores = {store.name: store for store in stores}
        self._open = tuple(store.name for store in self._stores.values() if store.is_open)

    def unneeded(self) -> "References":
        """The same, where no key is sent: a row may be without one."""
        return References(
            allow=self._allow,
            refs_dir=self._refs_dir,
            environ=self._environ,
            stores=self._stores.values(),
            are_needed=False,
        )

    def form(self, text: str) -> Secret | Reference | Problem:
        """
        What a cell is by its form; nothing is read, and nobody asked.

        Cases, by the word before the first colon, in order:
            1. `literal`: the rest is the secret.
            2. `env` or `file`: a reference, where they are allowed.
            3. A store of the settings: a reference, where it is open to sheets and the name is in its prefix.
            4. Another word: where a store is open to sheets, a slip; else the secret, which may have colons.

        Args:
            text: The cell as typed.

        Returns:
            The secret where it stands in the cell, else what names it, or why that may not be used; a
            refused cell's text is not repeated.
        """
        word, colon, rest = text.partition(":")
        if not colon:
            return Secret(text)
        if word == LITERAL:
            return Secret(rest)
        if word in {ENV, FILE}:
            refused = self._refused_by_form(text)
        elif word in self._stores:
            refused = _refused_by_store(self._stores[word], rest)
        elif self._open:
            refused = self._unknown(word, len(text))
        else:
            return Secret(text)
        return Reference(text) if refused is None else refused

    def resolve(self, reference: Reference) -> StoredSecret | Problem:
        """
        The secret that this machine holds.

        Args:
            reference: To a variable or a file, its form judged.

        Returns:
            The secret, or why there is none; the reference's text is not repeated.
        """
        if reference.store == ENV:
            return self._variable(reference.text.removeprefix(_ENV))
        assert self._refs_dir is not None, "its form was judged"
        return self._file(self._refs_dir, reference.text.removeprefix(_FILE))

    def _unknown(self, word: str, length: int) -> Problem:
        near = get_close_matches(word.lower(), (*self._open, *OWN_WORDS), n=1)
        meant = f"Did you mean `{near[0]}:`? " if near else ""
        return _refused(
            "reference_unknown_store",
            f"the cell of {length} characters has a colon, and what stands before it is no store of the settings",
            f"{meant}Name one of {', '.join(self._open)}, or put `literal:` before a real secret.",
        )

    def _refused_by_form(self, text: str) -> Problem | None:
        if not self._allow:
            return _refused(
                "reference_not_allowed",
                f"the cell of {len(text)} characters looks like a reference (`env:` or `file:`), "
                "and references are off",
                "Trust this sheet with `--allow-refs`, or put `literal:` before a real secret.",
            )
        if text.startswith(_FILE):
            return self._refused_file(text.removeprefix(_FILE))
        name = text.removeprefix(_ENV)
        if not _VARIABLE.fullmatch(name):
            what = "what follows `env:` is not the name of a variable"
            fix = "Write `env:NAME`, or put `literal:` before a real secret."
            return _refused("reference_invalid", what, fix)
        if name.upper().startswith(OWN_VARIABLES):
            what = (
                f"the variable of {len(name)} characters belongs to our own settings (`{OWN_VARIABLES}…`),"
                " no sheet may read it"
            )
            return _refused("reference_forbidden", what, "Use a variable with another name.")
        return None

    def _refused_file(self, path: str) -> Problem | None:
        if self._refs_dir is None:
            what = "a `file:` reference needs the folder below which files may be read"
            return _refused("reference_no_folder", what, "Name it with `--refs-dir DIR`.")
        # By its spelling alone: where links lead is seen when the file is opened.
        depths = accumulate(-1 if part == ".." else 1 for part in PurePath(path).parts)
        if min(depths, default=0) < 0:
            return _file_refused("does not lie below the folder of `--refs-dir`")
        return None

    def _variable(self, name: str) -> StoredSecret | Problem:
        value = self._environ.get(name)
        if value is None:
            # Its name is not told: a secret in its place would be one, too.
            what = (
                f"the environment variable that the cell names ({len(name)} characters) is not set"
            )
            return _refused("reference_unset", what, "Set the variable, or correct the cell.")
        return StoredSecret(value=Secret(value))

    def _file(self, folder: Path, path: str) -> StoredSecret | Problem:
        try:
            return StoredSecret(value=read_below(folder, path))
        except ReferenceFileError as refusal:
            return _file_refused(str(refusal))


def _file_refused(why: str) -> Problem:
    what = f"the file of the reference {why}"
    fix = "Name a file below the folder of `--refs-dir`, as `file:acme/key.txt`."
    return _refused("reference_file", what, fix)


def _refused_by_store(store: StoreProfile, rest: str) -> Problem | None:
    if not store.is_open:
        return _refused(
            "store_not_open",
            f"the store `{store.name}` is not open to sheets",
            f"Open it with `sheets = true` in [stores.{store.name}] of the settings, or put `literal:`"
            " before a real secret.",
        )
    place = place_of(rest)
    if place is None:
        return _refused(
            "reference_invalid",
            f"what follows `{store.name}:` ({len(rest)} characters) does not name a secret",
            f"Write `{store.name}:NAME`, with `@VERSION` and `#FIELD` behind it where they are wanted, or put"
            " `literal:` before a real secret.",
        )
    if not place.name.startswith(store.prefix):
        return _refused(
            "reference_outside_prefix",
            f"a sheet may name secrets of the store `{store.name}` only where they begin with `{store.prefix}`",
            "Name such a secret, or change `prefix` in the settings.",
        )
    return None


def check_text(text: str, called: str) -> None:
    """
    See that a value was text: Python takes a byte that is no UTF-8 as half a character, which nothing can send.

    Raises:
        SettingsError: It was not.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingsError(
            f"{called} is no text in UTF-8",
            hint="Set it again in a terminal or a file that is UTF-8.",
        ) from None


def resolve_setting(
    text: str, environ: Mapping[str, str], *, setting: str, base: Path | None = None
) -> Secret:
    """
    The secret that a setting means; `env:` and `file:` always work here.

    Args:
        text: The setting's value; what is no reference is the secret itself.
        environ: The variables that `env:` reads.
        setting: How the setting is called, for the message, as `orgs.acme.client_secret`.
        base: The settings file's folder, to which a relative path is relative; None: where we are.

    Raises:
        SettingsError: The variable is not set, empty or no text, or the file cannot be used.
    """
    if text.startswith(_ENV):
        name = text.removeprefix(_ENV)
        value = environ.get(name)
        if value is None:
            # Its name is not told: a secret in its place would be one, too.
            raise SettingsError(
                f"{setting}: the environment variable that it names ({len(name)} characters) is not set",
                hint="Behind `env:` stands the name of a variable, not its value: set the variable, or"
                " correct the name.",
            )
        if not value:
            raise SettingsError(
                f"{setting}: the environment variable `{name}` is empty",
                hint=f"Set `{name}`, or correct {setting}.",
            )
        check_text(value, f"{setting}: the environment variable `{name}`")
        return Secret(value)
    if text.startswith(_FILE):
        path = Path(text.removeprefix(_FILE))
        with suppress(RuntimeError):  # nobody's home: the file will not exist
            path = path.expanduser()
        return read_secret_file(path if base is None else base / path, setting=setting)
    return Secret(text.removeprefix(_LITERAL))


def _refused(code: str, what: str, remedy: str) -> Problem:
    return error(Column.SERVICE_PRINCIPAL_KEY, code, what, remedy)
