"""
File, environment and options become one frozen `Settings`; nothing below the command line knows them.

Options win over the environment, which wins over the file. A credential is a `Secret` before pydantic
sees it and is resolved last; a message names the setting and its place, never its value.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from batchconnect.model.column import Column
from batchconnect.model.errors import SettingsError, UsageError
from batchconnect.model.ledger_address import LedgerAddress
from batchconnect.model.notice import NoticeProfile
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreProfile
from batchconnect.model.value import Value, replace
from batchconnect.options import OPTIONS, RunOptions, merge
from batchconnect.settings.notices import notice_profiles
from batchconnect.settings.org_profile import Credentials, org_profiles
from batchconnect.settings.origin import DEFAULT_FILE, NO_ORG, Origin
from batchconnect.settings.service_url import canonical_host
from batchconnect.settings.shown import without_values
from batchconnect.settings.source import (
    FILE_VARIABLE,
    FromEnvironment,
    FromFile,
    read_environment,
    read_file,
)
from batchconnect.settings.stores import store_profiles
from batchconnect.settings.tables import KEYS, Tables
from batchconnect.sheet.header_words import MEANINGS, letters_of
from batchconnect.validation.reference import is_reference


class Settings(Value):
    """What was set."""

    orgs: tuple[Org, ...] = ()
    """In the order of the file."""
    options: RunOptions = RunOptions()
    """What the settings say of a run's options; None: nowhere set. Hosts are in lower case."""
    stores: tuple[StoreProfile, ...] = ()
    """In the order of the file."""
    notices: tuple[NoticeProfile, ...] = ()
    """To whom `--notify` may tell how a run ended."""
    file: Path | None = None
    """The settings file that was read."""
    warnings: tuple[str, ...] = ()
    """What a person should know; one sentence each."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every credential in here, for the redactor to hold."""
        found = [secret for org in self.orgs for secret in (org.client_secret, org.access_token)]
        if isinstance(self.options.ledger, LedgerAddress):
            found += self.options.ledger.passwords
        return tuple(secret for secret in (*found, _password(self.options.proxy)) if secret)


def load_settings(
    *,
    path: Path | None,
    environ: Mapping[str, str],
    options: RunOptions | None = None,
    resolve_secrets: bool = True,
    flags: bool = False,
) -> Settings:
    """
    Read every source of settings, and judge them together.

    Args:
        path: The file of `--settings`; None: that of BATCHCONNECT_SETTINGS, else
            `batchconnect.toml` in the current folder where it exists. Relative paths in a file are
            relative to the file, so that every folder finds the same ledger; others to where we are.
        environ: The environment; the process's own is not looked at.
        options: What was given nearer than any settings, and wins over them.
        resolve_secrets: False where nothing will be sent: no reference is followed, no org holds a
            credential, and no org at all is needed.
        flags: Whether messages call *options* by their flags.

    Raises:
        SettingsError: A setting is missing or wrong; the message names it, its file and variable.
    """
    given = options or RunOptions()
    file = _find_file(path, environ)
    try:
        found = _loaded(file, environ, given, flags=flags, resolve_secrets=resolve_secrets)
        told_of = (without_values(warning, file, environ) for warning in found.warnings)
        return replace(found, warnings=tuple(told_of))
    except SettingsError as error:
        told, hint = without_values(error.message, file, environ), error.hint
    raise SettingsError(told, hint=hint and without_values(hint, file, environ))


def _loaded(
    file: FromFile,
    environ: Mapping[str, str],
    given: RunOptions,
    *,
    flags: bool,
    resolve_secrets: bool,
) -> Settings:
    environment = read_environment(environ, file.orgs)
    origin = Origin(given=_names(given, flags=flags), environment=environment, file=file)
    _refuse_both_ways(environment, file)
    problems: list[str] = []
    merged = merge(
        given, _options(environment.values, origin, problems), _from_file(file, origin, problems)
    )
    tables = _merged(origin, problems)
    merged = merge(merged, RunOptions(map=_headers(tables.columns)))
    if resolve_secrets and not tables.orgs:
        raise SettingsError("no org is set", hint=NO_ORG)
    hosts = tuple(
        canonical_host(host, setting=origin.name(("allow_hosts",)))
        for host in merged.allow_hosts or ()
    )
    warnings = list(environment.warnings)
    stores = store_profiles(tables.stores, origin=origin, environ=environ, allowed_hosts=hosts)
    credentials = Credentials(
        origin=origin,
        environ=environ,
        resolve=resolve_secrets,
        warnings=warnings,
        stores=tuple(store.name for store in stores),
    )
    orgs = org_profiles(tables, credentials, rate=merged.rate, allowed_hosts=hosts)
    proxy = _proxy(origin, merged.proxy, credentials)
    ledger = _ledger(origin, merged.ledger, credentials)
    return Settings(
        orgs=_with_rate(orgs, given.rate),
        options=replace(merged, allow_hosts=hosts or None, proxy=proxy, ledger=ledger),
        stores=stores,
        notices=notice_profiles(tables.notify, credentials),
        file=file.path,
        warnings=tuple(warnings),
    )


def _headers(columns: Mapping[str, str]) -> tuple[str, ...] | None:
    """What `[columns]` says that headers mean, as `--map` says it."""
    for header, word in columns.items():
        if letters_of(word) not in MEANINGS or not letters_of(header):
            raise SettingsError(
                f"[columns] {header}: what it should mean is no column of ours",
                hint=f'As "Kunde" = "name". The columns are {", ".join(Column)}.',
            )
    return tuple(f"{header}={word}" for header, word in columns.items()) or None


def settings_under(
    settings: Settings, options: RunOptions, *, environ: Mapping[str, str]
) -> Settings:
    """
    Settings that a program made or loaded itself, with options that win over them.

    Args:
        settings: Its orgs stay as they are, but for the rate.
        options: What was given nearer; a reference to a proxy is followed.
        environ: The environment, for that reference.

    Raises:
        SettingsError: The proxy cannot be meant.
    """
    merged = merge(options, settings.options)
    origin = Origin(
        given=_names(merged, flags=False), environment=FromEnvironment(), file=FromFile()
    )
    credentials = Credentials(
        origin=origin, environ=environ, resolve=not merged.simulate, warnings=[]
    )
    return replace(
        settings,
        orgs=_with_rate(settings.orgs, options.rate),
        options=replace(
            merged,
            proxy=_proxy(origin, merged.proxy, credentials),
            ledger=_ledger(origin, merged.ledger, credentials),
        ),
    )


def _with_rate(orgs: tuple[Org, ...], rate: float | None) -> tuple[Org, ...]:
    """A rate that was given for the run speaks for every org."""
    return orgs if rate is None else tuple(replace(org, rate=rate) for org in orgs)


def _find_file(path: Path | None, environ: Mapping[str, str]) -> FromFile:
    if path is not None:
        return read_file(path, named_by="--settings")
    if named := environ.get(FILE_VARIABLE):
        return read_file(Path(named), named_by=FILE_VARIABLE)
    # lexists: a broken link in the file's place is an error, not an absence.
    if DEFAULT_FILE.is_symlink() or DEFAULT_FILE.exists():
        return read_file(DEFAULT_FILE, named_by="found in the current folder")
    return FromFile()


def _names(given: RunOptions, *, flags: bool) -> Mapping[str, str]:
    """How a person knows the options that were given."""
    return {name: OPTIONS[name].flag if flags else name for name in given.given()}


def _options(source: Mapping[str, Any], origin: Origin, problems: list[str]) -> RunOptions:
    """The options that one source of settings has; what is wrong is added to the problems."""
    found: dict[str, Any] = {}
    for name, one in KEYS.items():
        if name in source:
            try:
                found[name] = one.converted(source[name], called=origin.name_in(source, (name,)))
            except UsageError as error:
                problems.append(error.message)
    return RunOptions(**found)


def _from_file(file: FromFile, origin: Origin, problems: list[str]) -> RunOptions:
    """The file's options; its relative paths are relative to the file."""
    options = _options(file.values, origin, problems)
    folder = file.path.parent if file.path else Path()
    paths: dict[str, Any] = {
        name: folder / value for name, value in options.given().items() if isinstance(value, Path)
    }
    return replace(options, **paths)


def _refuse_both_ways(environment: FromEnvironment, file: FromFile) -> None:
    """One org by the environment, and orgs by their key: nobody could say which is meant."""
    sections = [f"[orgs.{key}] of {file.path}" for key in file.orgs]
    many = (*sections, *environment.many_orgs)
    if environment.one_org and many:
        raise SettingsError(
            f"the environment sets one org ({', '.join(environment.one_org)}) "
            f"beside {', '.join(many)}",
            hint="Unset these variables, or override one field of one org as "
            "BATCHCONNECT_ORGS__ACME__CLIENT_SECRET.",
        )


def _merged(origin: Origin, problems: list[str]) -> Tables:
    """The tables of orgs and hosts; what is wrong, there and in *problems*, is told at once."""
    tables: Tables | None = None
    try:
        tables = Tables.model_validate(
            _over(_tables(origin.environment.values), _tables(origin.file.values))
        )
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        problems += [origin.wrong(problem["type"], problem["loc"]) for problem in found]
    if problems or tables is None:
        # Raised out here, so that it drags no pydantic error along, which holds all of the input.
        raise SettingsError("\n".join(dict.fromkeys(problems)))
    return tables


def _tables(source: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name not in KEYS}


def _over(nearer: dict[str, Any], farther: dict[str, Any]) -> dict[str, Any]:
    """Both together, table by table; where both set the same, the nearer wins."""
    merged = {**farther}
    for name, value in nearer.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[name] = _over(value, below)
        else:
            merged[name] = value
    return merged


def _ledger(
    origin: Origin, given: Path | LedgerAddress | str | None, credentials: Credentials
) -> Path | LedgerAddress | str | None:
    """A team's ledger is named by a reference where its address bears a password; who only looks needs it too."""
    if not isinstance(given, LedgerAddress) or not is_reference(given.url.reveal()):
        return given
    found = replace(credentials, resolve=True).resolved(("ledger",), given.url)
    address = LedgerAddress.of(found.reveal()) if found else None
    if address is None or not address.is_readable:
        raise SettingsError(
            f"{origin.name(('ledger',))} refers to what is no address of a ledger",
            hint="It is postgresql://USER:PASSWORD@HOST/DATABASE; in the password / ? # [ ] @ are "
            "percent-encoded.",
        )
    return address


def _proxy(origin: Origin, given: Secret | str | None, credentials: Credentials) -> Secret | None:
    secret = Secret(given) if isinstance(given, str) else given
    if secret is None or (is_reference(secret.reveal()) and not credentials.resolve):
        return None
    # An address is judged also where nothing will be sent: to read it, no reference is followed.
    proxy = replace(credentials, resolve=True).resolved(("proxy",), secret)
    assert proxy is not None, "it was resolved"
    setting = origin.name(("proxy",))
    try:
        parts = urlsplit(proxy.reveal())
        password, is_address = (
            parts.password,
            parts.scheme in {"http", "https"}
            and bool(parts.hostname and (parts.port or parts.port is None)),
        )
    except ValueError:
        password, is_address = None, False
    if not is_address:
        raise SettingsError(f"{setting} must be {OPTIONS['proxy'].shape.must_be}")
    if password:
        credentials.warn_if_written_out(("proxy",), secret)
    return proxy if credentials.resolve else None


def _password(proxy: Secret | str | None) -> Secret | None:
    try:
        password = urlsplit(proxy.reveal()).password if isinstance(proxy, Secret) else None
    except ValueError:
        return None
    return Secret(unquote(password)) if password else None
