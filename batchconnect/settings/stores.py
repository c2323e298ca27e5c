"""
From the settings' tables to the profiles of the stores: which server, how one signs in, who may refer to it.

A wrong address would hand the sign-in, and whatever is asked for, to a stranger: each host is judged here,
long before a socket opens, by the same list as Adobe's. Which words a kind of store knows stands in one table.
"""

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

from batchconnect.model.errors import SettingsError
from batchconnect.model.reference import OWN_WORDS
from batchconnect.model.secret import Secret
from batchconnect.model.store import RATE, StoreKind, StoreProfile
from batchconnect.model.value import Value, field
from batchconnect.settings.origin import Origin
from batchconnect.settings.service_url import split_host
from batchconnect.settings.source import STORE_SECRETS, KeyPath
from batchconnect.settings.tables import StoreTable
from batchconnect.transport.loopback import is_loopback
from batchconnect.validation.reference import resolve_setting

Environ = Mapping[str, str]

_STORE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_/+=.-]{0,200}")
_MOUNT: Final = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+)*")
_VAULT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_AZURE: Final = re.compile(
    r"[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.(?:azure\.net|azure\.cn|usgovcloudapi\.net)"
    r"|login\.(?:microsoftonline\.com|microsoftonline\.us|chinacloudapi\.cn)"
)
_AMAZON: Final = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?")
_NOBODYS: Final = re.compile(r"(?!)")

_OF_POD: Final = "file:/var/run/secrets/kubernetes.io/serviceaccount/token"
"""Where Kubernetes puts a pod's own."""


class _Auth(Value):
    """One way to sign in."""

    needs: tuple[str, ...] = ()
    """Settings that must be there."""
    takes: tuple[str, ...] = ()
    """Those that may be."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """References of credentials that need not be said."""


class _Kind(Value):
    """What the settings of one kind of store look like."""

    uri: str
    """How its address is written, for the message about one that is not."""
    hosts: re.Pattern[str] = _NOBODYS
    """Its own public hosts, which need no permission."""
    auths: Mapping[str, _Auth] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    """Settings that it knows whatever the sign-in."""


_KINDS: Final[Mapping[StoreKind, _Kind]] = {
    StoreKind.AZURE: _Kind(
        uri="akv://VAULT, with the name of the vault",
        hosts=_AZURE,
        auths={
            "workload": _Auth(takes=("client_id", "tenant_id", "authority")),
            "managed": _Auth(takes=("client_id",)),
            "cli": _Auth(takes=("tenant_id",)),
            "env": _Auth(takes=("authority",)),
        },
    ),
    StoreKind.VAULT: _Kind(
        uri="vault://HOST[:PORT]/MOUNT",
        auths={
            "token": _Auth(takes=("token",), defaults={"token": "env:VAULT_TOKEN"}),
            "approle": _Auth(needs=("role_id", "secret_id"), takes=("auth_mount",)),
            "kubernetes": _Auth(
                needs=("role",), takes=("jwt", "auth_mount"), defaults={"jwt": _OF_POD}
            ),
        },
        takes=("namespace", "tls"),
    ),
    StoreKind.AWS: _Kind(
        uri="aws-sm://REGION, as aws-sm://eu-central-1",
        hosts=_AMAZON,
        auths={
            "env": _Auth(),
            "profile": _Auth(takes=("profile",)),
            "workload": _Auth(),
            "managed": _Auth(),
        },
        takes=("endpoint",),
    ),
    StoreKind.EXEC: _Kind(uri="exec:", takes=("command",)),
}
_COMMON: Final = frozenset({"uri", "auth", "sheets", "prefix", "rate"})
_WORDS: Final = (*("client_id", "tenant_id", "role", "auth_mount", "namespace", "profile"),)


def store_profiles(
    tables: Mapping[str, StoreTable],
    *,
    origin: Origin,
    environ: Environ,
    allowed_hosts: Collection[str],
) -> tuple[StoreProfile, ...]:
    """
    The profiles of all stores, in the order of the settings.

    Args:
        tables: The sections `[stores.NAME]`.
        origin: Where each setting came from.
        environ: The variables that credentials may name.
        allowed_hosts: Hosts of `--allow-host`, in lower case.

    Raises:
        SettingsError: A value cannot be meant, or a host is neither the cloud's own nor allowed.
    """
    seen: dict[str, str] = {}
    found = []
    for name, table in tables.items():
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise SettingsError(
                f"[stores.{twin}] and [stores.{name}] differ in letter case alone",
                hint="Give one of them another name.",
            )
        one = _Profile(
            name=name, table=table, origin=origin, environ=environ, allowed=allowed_hosts
        )
        found.append(one.store())
    return tuple(found)


class _Profile(Value):
    """One store on its way from table to profile."""

    name: str
    table: StoreTable
    origin: Origin
    environ: Environ
    allowed: Collection[str]

    def store(self) -> StoreProfile:
        if _STORE_NAME.fullmatch(self.name) is None or self.name.lower() in OWN_WORDS:
            raise SettingsError(
                f"[stores.{self.name}] cannot be the name of a store",
                hint="A name has letters, digits, `-` and `_`, and is none of env, file, literal.",
            )
        scheme, _, rest = self.table.uri.partition(":")
        if scheme not in set(StoreKind):
            known = ", ".join(one.uri.partition(",")[0] for one in _KINDS.values())
            raise SettingsError(f"{self._name('uri')} must be one of {known}")
        kind = StoreKind(scheme)
        auth = self._auth(kind)
        if _PREFIX.fullmatch(self.table.prefix) is None:
            raise SettingsError(
                f"{self._name('prefix')} must be the beginning of a secret's name, as bc-"
            )
        url, path = self._address(kind, rest)
        return StoreProfile(
            name=self.name,
            kind=kind,
            url=url,
            path=path,
            auth=self.table.auth or "",
            is_open=self.table.sheets,
            prefix=self.table.prefix,
            rate=self.table.rate or RATE,
            words=self._words(),
            secrets=self._secrets(auth),
            command=self._command() if kind is StoreKind.EXEC else (),
            hosts=frozenset(self.allowed),
        )

    def _auth(self, kind: StoreKind) -> _Auth:
        known, auth = _KINDS[kind], self.table.auth
        if known.auths and auth not in known.auths:
            words = ", ".join(f'"{word}"' for word in known.auths)
            state = "is missing" if auth is None else "is another word"
            raise SettingsError(
                f"{self._name('auth')} must be one of {words} for {kind}:, and {state}",
                hint="Say how one signs in: a whole chain of ways is never tried.",
            )
        how = known.auths[auth] if auth is not None and known.auths else _Auth()
        allowed = {*_COMMON, *known.takes, *how.needs, *how.takes} - (
            set() if known.auths else {"auth"}
        )
        for name in self.table.model_fields_set - allowed:
            beside = f' with auth = "{auth}"' if auth and known.auths else ""
            raise SettingsError(
                f"{self._name(name)} is no setting of {kind}:{beside}", hint="Take it out."
            )
        for name in how.needs:
            if getattr(self.table, name) is None:
                raise SettingsError(
                    f'{name} is missing in [stores.{self.name}]: auth = "{auth}" needs it'
                )
        return how

    def _words(self) -> Mapping[str, str]:
        found = {name: text for name in _WORDS if (text := getattr(self.table, name))}
        if self.table.authority is not None:
            # Who signs us in gets the credential: it is judged as every other host.
            url = self._url(
                StoreKind.AZURE,
                self.table.authority.removeprefix("https://"),
                tls=True,
                setting="authority",
            )
            found["authority"] = url
        return found

    def _secrets(self, auth: _Auth) -> Mapping[str, Callable[[], Secret]]:
        found: dict[str, Callable[[], Secret]] = {}
        for name in STORE_SECRETS:
            given: Secret | None = getattr(self.table, name)
            text = given.reveal() if given is not None else auth.defaults.get(name)
            if text is not None:
                path = self.origin.file.path
                found[name] = partial(
                    resolve_setting,
                    text,
                    self.environ,
                    setting=self._name(name),
                    base=path.parent if path is not None else None,
                )
        return found

    def _command(self) -> tuple[str, ...]:
        if not self.table.command:
            raise SettingsError(
                f"command is missing in [stores.{self.name}]",
                hint='Write program and arguments, as command = ["op-secret", "--vault", "acme"].',
            )
        return tuple(self.table.command)

    def _address(self, kind: StoreKind, rest: str) -> tuple[str, str]:
        """The URL of its server, and what else its address says."""
        text = rest.removeprefix("//")
        match kind:
            case StoreKind.EXEC:
                if rest:
                    raise self._wrong(kind)
                return "", ""
            case StoreKind.AWS:
                if not rest.startswith("//") or _REGION.fullmatch(text) is None:
                    raise self._wrong(kind)
                return self._endpoint(), text
            case StoreKind.AZURE:
                host = f"{text}.vault.azure.net" if _VAULT_NAME.fullmatch(text) else text
                return self._url(kind, host, tls=True), ""
            case StoreKind.VAULT:  # the last case
                address, _, mount = text.partition("/")
                if _MOUNT.fullmatch(mount) is None:
                    raise self._wrong(kind)
                return self._url(kind, address, tls=self.table.tls), mount

    def _endpoint(self) -> str:
        endpoint = self.table.endpoint
        if endpoint is None:
            return ""
        scheme, separator, address = endpoint.partition("://")
        if not separator or scheme not in {"https", "http"}:
            raise SettingsError(f"{self._name('endpoint')} must be an address, as https://host")
        return self._url(StoreKind.AWS, address, tls=scheme == "https", setting="endpoint")

    def _url(self, kind: StoreKind, address: str, *, tls: bool | None, setting: str = "uri") -> str:
        found = split_host(address)
        if found is None:
            raise self._wrong(kind)
        host, port = found
        is_here = is_loopback(host)
        if tls is False and not is_here:
            raise SettingsError(
                f"{self._name(setting)} must be reached by TLS",
                hint="Plain http is for this machine alone.",
            )
        if not is_here and _KINDS[kind].hosts.fullmatch(host) is None and host not in self.allowed:
            raise SettingsError(
                f"{self._name(setting)} names a host that is not allowed: credentials would go there",
                hint="If that is meant, say so with --allow-host HOST, or allow_hosts in the settings.",
            )
        has_tls = (not is_here) if tls is None else tls
        shown = f"[{host}]" if ":" in host else host
        return f"http{'s' * has_tls}://{shown}{'' if port is None else f':{port}'}"

    def _wrong(self, kind: StoreKind) -> SettingsError:
        return SettingsError(f"{self._name('uri')} must be {_KINDS[kind].uri}")

    def _place(self, setting: str) -> KeyPath:
        return ("stores", self.name, setting)

    def _name(self, setting: str) -> str:
        return self.origin.name(self._place(setting))
