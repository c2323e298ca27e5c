"""
Azure Key Vault, by Microsoft's own client and one way to sign in.

`DefaultAzureCredential` is never used: off Azure its chain takes 8 to 25 seconds to fail, and in the end it signs
in by whatever it finds. A vault says which resource a token is for; only Key Vault's own is ever asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, final
from urllib.parse import urlsplit

import anyio
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import CredentialUnavailableError
from azure.identity.aio import (
    AzureCliCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.secrets.aio import SecretClient

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.store import StoreProfile
from batchconnect.stores.field import value_of
from batchconnect.stores.interface import (
    REQUEST_S,
    Answer,
    Network,
    Refusal,
    Trouble,
    TroubleKind,
    gone_by,
    not_understood,
)
from batchconnect.transport.loopback import is_loopback

_CLOUDS: Final = {
    "vault.azure.net": "login.microsoftonline.com",
    "vault.azure.cn": "login.chinacloudapi.cn",
    "vault.usgovcloudapi.net": "login.microsoftonline.us",
}
"""By the domain of a cloud's vaults: where one signs in to it."""
_NO_PLACE: Final = "vault.azure.net"
_LONGEST_NAME: Final = 127
_DISABLED: Final = "SecretDisabled"
_FIREWALL: Final = "ForbiddenByFirewall"


@final
class KeyVault:
    """
    One vault.

    Args:
        profile: Of the settings.
        network: The way out.
    """

    batch = 1

    def __init__(self, profile: StoreProfile, network: Network) -> None:
        self._profile = profile
        host = urlsplit(profile.url).hostname or ""
        domain = host.partition(".")[2]
        self._scope = f"https://{domain if domain in _CLOUDS else _NO_PLACE}/.default"
        options = _transport_options(network, host)
        sign_in = _transport_options(network, "")
        self._credential = _Credential(lambda: _credential(profile, domain, sign_in), self._scope)
        self._client = SecretClient(
            vault_url=profile.url,
            credential=self._credential,
            verify_challenge_resource=domain in _CLOUDS,
            retry_total=0,
            permit_redirects=False,
            **options,
        )

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """As of `Store`."""
        (place,) = places
        if self._credential.is_missing:
            return _NO_CREDENTIAL  # whether the vault answers or not
        name = place.name
        if not name.replace("-", "").isalnum() or len(name) > _LONGEST_NAME:
            return {place: Refusal.INVALID}  # its names have letters, digits and hyphens
        answer = await self._asked(place)
        return answer if isinstance(answer, Trouble) else {place: answer}

    async def check(self) -> Trouble | None:
        """As of `Store`."""
        try:
            with anyio.fail_after(REQUEST_S):
                await self._credential.get_token(self._scope)
        except Exception as error:  # noqa: BLE001 - foreign errors end here
            told = _told(error)
            return told if isinstance(told, Trouble) else None
        return None

    async def close(self) -> None:
        """As of `Store`."""
        await self._client.close()
        await self._credential.close()

    async def _asked(self, place: Place) -> Answer | Trouble:
        try:
            with anyio.fail_after(REQUEST_S):
                found = await self._client.get_secret(place.name, place.version)
        except Exception as error:  # noqa: BLE001 - foreign errors end here: they hold what was sent and received
            told = _told(error)
            is_version = told is Refusal.NOT_FOUND and place.version is not None
            return Refusal.NO_VERSION if is_version else told
        if found.value is None:
            return Refusal.NOT_TEXT
        value = value_of(found.value, place.field)
        if isinstance(value, Refusal):
            return value
        properties = found.properties
        return StoredSecret(
            value=value, version=properties.version, expires_at_ms=_at_ms(properties.expires_on)
        )


@final
class _Credential:
    """
    Signs in for Key Vault alone, whatever the server asks a token for.

    Args:
        made: Makes the library's own, which looks at the machine at once: off the cluster there is no workload.
        scope: Of Key Vault.
    """

    def __init__(self, made: Callable[[], Any], scope: str) -> None:
        self._inner: Any = None
        with suppress(Exception):  # what it says may hold what it found
            self._inner = made()
        self._scope = scope

    @property
    def is_missing(self) -> bool:
        """Whether this machine has nothing to sign in with."""
        return self._inner is None

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for Key Vault."""
        if scopes != (self._scope,):
            raise ClientAuthenticationError("a token for something else than Key Vault")
        if self.is_missing:
            raise CredentialUnavailableError("nothing to sign in with")
        options.pop("enable_cae", None)
        found: AccessToken = await self._inner.get_token(*scopes, **options)
        return found

    async def close(self) -> None:
        """Let go of its sockets."""
        if self._inner is not None:
            await self._inner.close()

    async def __aenter__(self) -> "_Credential":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def _credential(profile: StoreProfile, domain: str, options: dict[str, Any]) -> Any:
    words = profile.words
    login = words.get("authority") or _CLOUDS.get(domain, _CLOUDS[_NO_PLACE])
    # An authority of ours is told to nobody, so that nobody is asked whether it is one.
    if profile.auth != "managed":  # its metadata address is slow to wake up
        options["retry_total"] = 0
    known: dict[str, Any] = {"authority": login, "disable_instance_discovery": "authority" in words}
    found: Any
    match profile.auth:
        case "workload":
            known |= {name: words[name] for name in ("client_id", "tenant_id") if name in words}
            found = WorkloadIdentityCredential(**known, **options)
        case "managed":
            found = ManagedIdentityCredential(client_id=words.get("client_id"), **options)
        case "cli":
            found = AzureCliCredential(tenant_id=words.get("tenant_id", ""))
        case _:
            found = EnvironmentCredential(**known, **options)
    return found


def _transport_options(network: Network, host: str) -> dict[str, Any]:
    """Each client has a transport of its own, which it closes."""
    verify = str(network.authorities) if network.authorities else True
    proxied = network.proxy is not None and not is_loopback(host)
    return {
        "transport": AioHttpTransport(
            use_env_settings=False,
            connection_timeout=REQUEST_S,
            read_timeout=REQUEST_S,
            # NOTE: a client with a transport of its own passes over a `connection_verify` of its own.
            connection_verify=verify,
        ),
        "proxies": (
            dict.fromkeys(("http", "https"), network.proxy.reveal())
            if network.proxy is not None and proxied
            else None
        ),
    }


_NO_CREDENTIAL: Final = Trouble(
    kind=TroubleKind.SIGNED_OUT,
    detail="There is no credential by the `auth` of its settings.",
    remedy="Set it up on this machine, or name another `auth`.",
)
_REFUSED: Final = Trouble(
    kind=TroubleKind.SIGNED_OUT,
    detail="The sign-in was refused.",
    remedy="Check the identity, and that it belongs to the vault's tenant.",
)
_UNREACHABLE: Final = Trouble(kind=TroubleKind.DOWN, detail="It could not be reached.")


def _told(error: Exception) -> Refusal | Trouble:
    """What the client's error says, in our own words: it holds the whole answer, and none of it is kept."""
    match error:
        case ResourceNotFoundError():
            return Refusal.NOT_FOUND
        case CredentialUnavailableError():
            return _NO_CREDENTIAL
        case ClientAuthenticationError():
            return _UNREACHABLE if _is_unreachable(error) else _REFUSED
        case HttpResponseError(status_code=int() as status):
            return _of_status(error, status)
        case ServiceRequestError() | ServiceResponseError() | TimeoutError() | OSError():
            return _UNREACHABLE
        case _:
            # NOTE: an answer of another form ends in an error of Python's own, deep in the client.
            return not_understood(error)


def _is_unreachable(error: BaseException | None) -> bool:
    """Whether behind a refused sign-in there was nobody who refused it."""
    while error is not None:
        if isinstance(error, ServiceRequestError | ServiceResponseError | TimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _of_status(error: HttpResponseError, status: int) -> Refusal | Trouble:
    response: Any = error.response
    trouble = gone_by(status, response.headers.get("Retry-After") if response else None)
    if trouble is not None:
        return trouble
    inner = _inner_code(error)
    if inner == _FIREWALL:
        return Trouble(
            kind=TroubleKind.UNUSABLE,
            detail="Its firewall does not let this machine in.",
            remedy="Add this machine's address to the vault's network rules.",
        )
    if inner == _DISABLED:
        return Refusal.DISABLED
    return {401: Refusal.FORBIDDEN, 403: Refusal.FORBIDDEN}.get(status, Refusal.INVALID)


def _inner_code(error: HttpResponseError) -> str:
    """The code within the code, as `SecretDisabled`; a word to compare, never to show."""
    told: Any = error.error
    inner = getattr(told, "innererror", None)
    code = inner.get("code") if isinstance(inner, dict) else None
    return code if isinstance(code, str) else ""


def _at_ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
