"""
File, environment and flags become one frozen `Settings`; nothing below the command line knows them.

Flags win over the environment, which wins over the file. A credential is a `Secret` before pydantic
sees it and is resolved last; a message names the setting and its place, never its value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource
from typing_extensions import override

from batchconnect.model.errors import SettingsError
from batchconnect.model.org import Org
from batchconnect.model.secret import Secret
from batchconnect.settings.options import OnDoubt, Overrides, Tables
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was set; None: nowhere set, the user of the value knows the default."""

    orgs: tuple[Org, ...] = ()
    """In the order of the file."""
    ledger: Path | None = None
    reports: Path | None = None
    skip_invalid: bool = False
    rate: float | None = None
    """Requests per second and lane; the orgs hold it already, where they have none of their own."""
    concurrency: int | None = None
    timeout: float | None = None
    """Seconds, as are *settle* and *patience*."""
    settle: float | None = None
    patience: float | None = None
    on_doubt: OnDoubt | None = None
    allow_refs: bool = False
    refs_dir: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    """In lower case."""
    proxy: Secret | None = None
    """An address that may bear a password."""
    ca_bundle: Path | None = None
    file: Path | None = None
    """The settings file that was read."""
    warnings: tuple[str, ...] = ()
    """What a person should know; one sentence each."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every credential in here, for the redactor to hold."""
        found = [secret for org in self.orgs for secret in (org.client_secret, org.access_token)]
        return tuple(secret for secret in (*found, _password(self.proxy)) if secret)


def load_settings(
    *,
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Overrides | None = None,
    resolve_secrets: bool = True,
) -> Settings:
    """
    Read every source of settings, and judge them together.

    Args:
        path: The file of `--settings`; None: that of BATCHCONNECT_SETTINGS, else
            `batchconnect.toml` in the current folder where it exists. Relative paths in a file are
            relative to the file, so that every folder finds the same ledger; others to where we are.
        environ: The environment; the process's own is not looked at.
        overrides: The flags that were given.
        resolve_secrets: False where nothing will be sent: no reference is followed, no org holds a
            credential, and no org at all is needed.

    Raises:
        SettingsError: A setting is missing or wrong; the message names it, its file and variable.
    """
    file = _find_file(path, environ)
    try:
        return _loaded(file, environ, overrides=overrides, resolve_secrets=resolve_secrets)
    except SettingsError as error:
        told, hint = without_values(error.message, file, environ), error.hint
    raise SettingsError(told, hint=hint and without_values(hint, file, environ))


def _loaded(
    file: FromFile,
    environ: Mapping[str, str],
    *,
    overrides: Overrides | None,
    resolve_secrets: bool,
) -> Settings:
    environment = read_environment(environ, file.orgs)
    origin = Origin(
        flags=_flags(overrides or Overrides(), file), environment=environment, file=file
    )
    _refuse_both_ways(environment, file)
    tables = _merged(origin)
    if resolve_secrets and not tables.orgs:
        raise SettingsError("no org is set", hint=NO_ORG)
    hosts = tuple(
        canonical_host(host, setting=origin.name(("allow_hosts",))) for host in tables.allow_hosts
    )
    warnings = list(environment.warnings)
    credentials = Credentials(
        origin=origin, environ=environ, resolve=resolve_secrets, warnings=warnings
    )
    return Settings(
        orgs=org_profiles(tables, credentials, allowed_hosts=hosts),
        ledger=_path(origin, tables, "ledger"),
        reports=_path(origin, tables, "reports"),
        skip_invalid=tables.skip_invalid,
        rate=tables.rate,
        concurrency=tables.concurrency,
        timeout=tables.timeout,
        settle=tables.settle,
        patience=tables.patience,
        on_doubt=tables.on_doubt,
        allow_refs=tables.allow_refs,
        refs_dir=_path(origin, tables, "refs_dir"),
        allow_hosts=hosts,
        proxy=_proxy(origin, tables.proxy, credentials),
        ca_bundle=_path(origin, tables, "ca_bundle"),
        file=file.path,
        warnings=tuple(warnings),
    )


def _find_file(path: Path | None, environ: Mapping[str, str]) -> FromFile:
    if path is not None:
        return read_file(path, named_by="--settings")
    if named := environ.get(FILE_VARIABLE):
        return read_file(Path(named), named_by=FILE_VARIABLE)
    # lexists: a broken link in the file's place is an error, not an absence.
    if DEFAULT_FILE.is_symlink() or DEFAULT_FILE.exists():
        return read_file(DEFAULT_FILE, named_by="found in the current folder")
    return FromFile()


def _flags(overrides: Overrides, file: FromFile) -> dict[str, object]:
    """The flags; allowed hosts are a union, for taking the file's away is no safety."""
    flags = dict(overrides.given())
    of_file = file.values.get("allow_hosts")
    if "allow_hosts" in flags and isinstance(of_file, list):
        flags["allow_hosts"] = [*overrides.allow_hosts, *of_file]
    return flags


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


def _merged(origin: Origin) -> Tables:
    class Merged(Tables):
        """The tables with the sources of this one call; nothing is global."""

        @classmethod
        @override
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = (origin.flags, origin.environment.values, origin.file.values)
            return tuple(InitSettingsSource(settings_cls, dict(source)) for source in sources)

    try:
        return Merged()
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
    # Raised out here, so that it drags no pydantic error along, which holds all of the input.
    problems = dict.fromkeys(origin.wrong(problem["type"], problem["loc"]) for problem in found)
    raise SettingsError("\n".join(problems))


def _path(origin: Origin, tables: Tables, setting: str) -> Path | None:
    text: str | None = getattr(tables, setting)
    if text is None:
        return None
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise SettingsError(
            f"{origin.name((setting,))} begins with the home folder of nobody"
        ) from None
    folder = origin.file.path.parent if origin.file.path else Path()
    return folder / path if origin.is_from_file((setting,)) else path


def _proxy(origin: Origin, secret: Secret | None, credentials: Credentials) -> Secret | None:
    if secret is None or not (proxy := credentials.resolved(("proxy",), secret)):
        return None
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
        raise SettingsError(f"{setting} must be an address, as http://proxy.example.com:3128")
    if password:
        credentials.warn_if_written_out(("proxy",), secret)
    return proxy


def _password(proxy: Secret | None) -> Secret | None:
    password = urlsplit(proxy.reveal()).password if proxy else None
    return Secret(unquote(password)) if password else None
