"""
From the settings' tables to the profiles of the orgs: parse, don't validate.

Here the contract's sections 1 and 7, its rules for a credential, are applied, and here
the references to secrets are followed, so that every `Org` can sign in where it says it can.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from batchconnect.model.errors import SettingsError
from batchconnect.model.org import IMS_URL, ORG_ID_SUFFIX, PLATFORM_URL, SCOPES, Org
from batchconnect.model.reference import ENV, FILE, Reference, place_of
from batchconnect.model.secret import Secret
from batchconnect.model.value import Value
from batchconnect.settings.origin import Origin
from batchconnect.settings.service_url import ServiceHost, service_url
from batchconnect.settings.source import ONE_ORG, KeyPath
from batchconnect.settings.tables import OrgTable, Tables
from batchconnect.validation.naming import check_sandbox
from batchconnect.validation.org_registry import OrgRegistry
from batchconnect.validation.reference import resolve_setting

_USUAL_ORG = re.compile(r"[0-9A-F]{24}")
_ONE_WORD = re.compile(r"[!-~]+")
"""Goes into a header as it is."""


class Credentials(Value):
    """Follows the references of the settings, or leaves them alone where nothing will be sent."""

    origin: Origin
    environ: Mapping[str, str]
    resolve: bool
    warnings: list[str]
    """Filled on the way."""
    stores: Collection[str] = ()
    """Names of the stores of the settings."""

    def resolved(self, place: KeyPath, secret: Secret) -> Secret | None:
        """
        The secret itself; None where references are not followed.

        Raises:
            SettingsError: The reference leads nowhere, or to nothing.
        """
        setting = self.origin.name(place)
        if self.reference(place, secret) is not None:
            raise SettingsError(
                f"{setting} names a store, and is needed before one can be asked",
                hint="Only a client_secret may stand in a store; write env:NAME or file:PATH here.",
            )
        if not self.resolve:
            return None
        found = resolve_setting(
            secret.reveal(), self.environ, setting=setting, base=self._folder(place)
        )
        if not found:
            raise SettingsError(f"{setting} is empty", hint="Give it a value, or take it out.")
        return found

    def reference(self, place: KeyPath, secret: Secret) -> Reference | None:
        """
        The reference to a store of the settings; None where there is none.

        Raises:
            SettingsError: It does not name a secret.
        """
        word, _, rest = secret.reveal().partition(":")
        if word not in self.stores:
            return None
        if place_of(rest) is None:
            raise SettingsError(
                f"{self.origin.name(place)}: what follows `{word}:` ({len(rest)} characters) does not name a"
                " secret",
                hint=f"Write {word}:NAME, with @VERSION and #FIELD behind it where they are wanted.",
            )
        return Reference(secret.reveal())

    def warn_if_written_out(self, place: KeyPath, secret: Secret) -> None:
        """Note a secret that stands in the file itself, where backups and colleagues see it."""
        is_reference = secret.reveal().partition(":")[0] in {ENV, FILE, *self.stores}
        if is_reference or not self.origin.is_from_file(place):
            return
        file = self.origin.file
        others = (
            f"; others may read the file: chmod go-r {file.path}" if file.readable_by_others else ""
        )
        self.warnings.append(
            f"{self.origin.name(place)} is written out; env:NAME or file:PATH in its place keeps "
            f"it out of the file{others}"
        )

    def _folder(self, place: KeyPath) -> Path | None:
        """What a relative `file:` is relative to: the settings file, where it stands in there."""
        path = self.origin.file.path
        return path.parent if path is not None and self.origin.is_from_file(place) else None


def check_org_id(text: str, called: str) -> None:
    """
    See that a text is the id of an organization.

    Args:
        text: It.
        called: How a person calls the setting.

    Raises:
        SettingsError: It is none.
    """
    _check_one_word(text, called)
    left, suffix, rest = text.partition(ORG_ID_SUFFIX)
    if not left or not suffix or rest:
        raise SettingsError(
            f"{called} must end in {ORG_ID_SUFFIX}",
            hint="It is the organization id of the Adobe Developer Console, with its ending.",
        )


def check_client_id(text: str, called: str) -> None:
    """As `check_org_id`, of a client id."""
    _check_one_word(text, called)


def _check_one_word(text: str, called: str) -> None:
    if _ONE_WORD.fullmatch(text) is None:
        raise SettingsError(
            f"{called} must be one word of letters, digits and signs",
            hint="Copy it again from the Adobe Developer Console, without white space.",
        )


def org_profiles(
    tables: Tables,
    credentials: Credentials,
    *,
    rate: float | None,
    allowed_hosts: Collection[str],
) -> tuple[Org, ...]:
    """
    The profiles of all orgs, in the order of the settings.

    Args:
        tables: What was set.
        credentials: Follows references, and gathers warnings.
        rate: Of orgs that have none of their own.
        allowed_hosts: Hosts of `--allow-host`, in lower case.

    Raises:
        SettingsError: A value cannot be meant, a reference leads nowhere, or two orgs are the same.
    """
    profiles = [
        _Profile(key=key, table=table, tables=tables, credentials=credentials).org(
            rate, allowed_hosts
        )
        for key, table in tables.orgs.items()
    ]
    seen: dict[tuple[str, str], Org] = {}
    spelled: dict[str, Org] = {}
    for org in profiles:
        other = spelled.setdefault(org.org_id.casefold(), org)
        if other.org_id != org.org_id:
            # One row under each would be two identities, and two connections in one org.
            raise SettingsError(
                f"[orgs.{other.key}] and [orgs.{org.key}] write one org_id in two ways",
                hint="Write both as the one under which rows were sent: by that spelling they are known.",
            )
        twin = seen.setdefault((org.org_id.casefold(), org.client_id), org)
        if twin is not org:
            raise SettingsError(
                f"[orgs.{twin.key}] and [orgs.{org.key}] have the same org_id and client_id",
                hint="Keep one, and give it the other's names as aliases.",
            )
    OrgRegistry(profiles)  # knows which keys, aliases and ids would name two orgs, and refuses them
    return tuple(profiles)


class _Profile(Value):
    """One org on its way from table to profile."""

    key: str
    table: OrgTable
    tables: Tables
    credentials: Credentials

    def org(self, rate: float | None, allowed_hosts: Collection[str]) -> Org:
        table = self.table
        self._check_ids()
        if table.sandbox and (problems := check_sandbox(table.sandbox)):
            raise SettingsError(
                f"{self._name('sandbox')}: {problems[0].what}", hint=problems[0].remedy
            )
        token, secret, kept_at = self._token(), None, None
        if table.access_token is None:
            secret = self._client_secret()
            kept_at = self._kept_at()
        return Org(
            key=table.org_id if self.key == ONE_ORG else self.key,
            org_id=table.org_id,
            client_id=table.client_id,
            client_secret=secret,
            client_secret_at=kept_at,
            access_token=token,
            sandbox=table.sandbox,
            aliases=tuple(table.aliases),
            scopes=self._scopes(),
            platform_url=self._url(
                "platform_url", ServiceHost.PLATFORM, PLATFORM_URL, allowed_hosts
            ),
            ims_url=self._url("ims_url", ServiceHost.IMS, IMS_URL, allowed_hosts),
            rate=table.rate or rate,
        )

    def _check_ids(self) -> None:
        check_org_id(self.table.org_id, self._name("org_id"))
        check_client_id(self.table.client_id, self._name("client_id"))
        if _USUAL_ORG.fullmatch(self.table.org_id.removesuffix(ORG_ID_SUFFIX)) is None:
            self.credentials.warnings.append(
                f"{self._name('org_id')} is unusual: before {ORG_ID_SUFFIX} most often stand 24 digits "
                "and letters A to F"
            )

    def _token(self) -> Secret | None:
        secret = self.table.access_token
        if secret is None:
            return None
        self.credentials.warn_if_written_out(self._place("access_token"), secret)
        token = self.credentials.resolved(self._place("access_token"), secret)
        if token is not None and _ONE_WORD.fullmatch(token.reveal()) is None:
            raise SettingsError(
                f"{self._name('access_token')} must be one word of letters, digits and signs",
                hint="Give the token alone: without `Bearer`, quotes and white space.",
            )
        if self.table.client_secret is not None:
            self.credentials.warnings.append(
                f"{self._name('access_token')} is used, {self._name('client_secret')} is not: "
                "a ready token stands in place of the secret"
            )
        return token

    def _kept_at(self) -> Reference | None:
        """Where the client secret stands, if a store holds it."""
        given = self.table.client_secret
        if given is None or not self.credentials.resolve:
            return None
        return self.credentials.reference(self._place("client_secret"), given)

    def _client_secret(self) -> Secret | None:
        given, place = self.table.client_secret, self._place("client_secret")
        if given is None:
            if not self.credentials.resolve:
                return None
            raise SettingsError(
                self.credentials.origin.missing(place, instead=", or an access_token")
            )
        self.credentials.warn_if_written_out(place, given)
        if self.credentials.reference(place, given) is not None:
            return None
        secret = self.credentials.resolved(place, given)
        if secret is not None and secret.reveal() != secret.reveal().strip():
            self.credentials.warnings.append(
                f"{self._name('client_secret')} begins or ends with white space, and is used so"
            )
        return secret

    def _scopes(self) -> str:
        if self.table.scopes is None:
            return SCOPES
        scopes = [scope.strip() for scope in self.table.scopes.split(",") if scope.strip()]
        if not scopes or not all(_ONE_WORD.fullmatch(scope) for scope in scopes):
            raise SettingsError(f"{self._name('scopes')} must be scopes with commas between")
        return ",".join(scopes)

    def _url(
        self, setting: str, service: ServiceHost, default: str, allowed_hosts: Collection[str]
    ) -> str:
        # The nearest word wins, the environment's before the file's:
        #
        # 1. BATCHCONNECT_ORGS__ACME__PLATFORM_URL   2. BATCHCONNECT_PLATFORM_URL
        # 3. [orgs.acme] of the file                 4. the top of the file
        own, common = self._place(setting), (setting,)
        values = {own: getattr(self.table, setting), common: getattr(self.tables, setting)}
        variables = self.credentials.origin.environment.variables
        for place in sorted(values, key=lambda place: place not in variables):
            if (text := values[place]) is not None:
                return service_url(
                    text,
                    service,
                    setting=self.credentials.origin.name(place),
                    allowed=allowed_hosts,
                )
        return default

    def _place(self, setting: str) -> KeyPath:
        return ("orgs", self.key, setting)

    def _name(self, setting: str) -> str:
        return self.credentials.origin.name(self._place(setting))
