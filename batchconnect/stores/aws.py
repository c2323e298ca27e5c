"""
AWS Secrets Manager: twenty secrets in one request, where the identity may ask so.

The session signs in by the one provider that the settings name. Its usual chain would try a dozen, and end at
the metadata address of a cloud that we may not be in.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeVar, final
from urllib.parse import urlsplit

import anyio
import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from typing_extensions import override

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.store import AT_ONCE, StoreProfile
from batchconnect.stores.daemon import in_daemon
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
from batchconnect.stores.quiet import hush
from batchconnect.transport.loopback import is_loopback

_PROVIDERS: Final = {
    "env": ("env",),
    "profile": (
        *("shared-credentials-file", "config-file", "assume-role", "sso", "custom-process"),
        "login",
    ),
    "workload": ("assume-role-with-web-identity",),
    "managed": ("container-role", "iam-role"),
}
"""By the settings' word: what botocore calls the providers that may be asked."""
_REFUSALS: Final = {
    "ResourceNotFoundException": Refusal.NOT_FOUND,
    "AccessDeniedException": Refusal.FORBIDDEN,
    "AccessDenied": Refusal.FORBIDDEN,
    "DecryptionFailure": Refusal.FORBIDDEN,
    "InvalidRequestException": Refusal.DISABLED,
    "InvalidParameterException": Refusal.INVALID,
    "ValidationException": Refusal.INVALID,
}
_THROTTLES: Final = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}
)
_SIGNED_OUT: Final = frozenset(
    {
        *("UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"),
        *(
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ),
        *("IncompleteSignatureException", "SignatureDoesNotMatch", "ExpiredToken", "OptInRequired"),
    }
)
_NOT_SIGNED_IN: Final = Trouble(
    kind=TroubleKind.SIGNED_OUT,
    detail="There are no credentials by the `auth` of its settings.",
    remedy="Set them up (as `aws sts get-caller-identity` shows), or name another `auth`.",
)
_LONGEST_S: Final = 4 * REQUEST_S
"""Seconds for a sign-in, of several requests or by a program that nobody else bounds, and for what is asked then."""
_T = TypeVar("_T")
_UUID_LENGTH: Final = 32
"""Characters of the shortest version id; what is shorter is a stage, as AWSPREVIOUS."""


@final
class SecretsManager:
    """
    The secrets of one account and region.

    Args:
        profile: Of the settings.
        network: The way out.
    """

    batch = 20

    def __init__(self, profile: StoreProfile, network: Network) -> None:
        self._profile = profile
        self._network = network
        self._making = Lock()
        self._made: Any = None

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """As of `Store`."""
        return await _in_time(lambda: self._fetch(places))

    async def check(self) -> Trouble | None:
        """As of `Store`."""
        return await _in_time(self._check)

    async def close(self) -> None:
        """As of `Store`."""
        if self._made is not None:
            self._made.close()

    # In a thread ----------------------------------------------------------------------------------

    def _check(self) -> Trouble | None:
        # It asks for nothing that a policy might forbid; what is signed wrongly is told before.
        found = self._ask(lambda client: client.describe_secret(SecretId="batchconnect-check"))
        return found if isinstance(found, Trouble) else None

    def _fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        found: dict[Place, Answer] = {}
        plain = [place for place in places if place.version is None]
        if len({place.name for place in plain}) > 1 and self.batch > 1:
            many = self._many(plain)
            if isinstance(many, Trouble):
                return many
            found.update(many)
        for place in places:
            if place not in found:
                one = self._one(place)
                if isinstance(one, Trouble):
                    return one
                found[place] = one
        return found

    def _many(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """What one request gives; what it does not answer for is asked for by itself."""
        names = [*dict.fromkeys(place.name for place in places)]
        answer = self._ask(lambda client: client.batch_get_secret_value(SecretIdList=names))
        if isinstance(answer, Refusal):
            # The right to ask for many is one of its own: without it, each is asked for.
            self.batch = 1
            return {}
        if isinstance(answer, Trouble):
            return answer
        held: dict[str, Mapping[str, Any]] = {}
        for value in answer.get("SecretValues", ()):
            held[value.get("Name", "")] = held[value.get("ARN", "")] = value
        return {place: _judged(held[place.name], place) for place in places if place.name in held}

    def _one(self, place: Place) -> Answer | Trouble:
        version: dict[str, str] = {}
        if place.version is not None:
            is_id = len(place.version) >= _UUID_LENGTH
            version = {"VersionId" if is_id else "VersionStage": place.version}
        answer = self._ask(lambda client: client.get_secret_value(SecretId=place.name, **version))
        if answer is Refusal.NOT_FOUND and version:
            return Refusal.NO_VERSION
        return answer if isinstance(answer, Refusal | Trouble) else _judged(answer, place)

    def _ask(self, request: Callable[[Any], Any]) -> Any | Refusal | Trouble:
        # What the library raises holds the answer: a few words of it are taken, and the rest is dropped.
        try:
            return request(self._client())
        except ClientError as error:
            return _told(error.response)
        except NoCredentialsError:
            return _NOT_SIGNED_IN
        except (BotoCoreError, OSError, ValueError) as error:
            kind = type(error).__name__
        except Exception as error:  # noqa: BLE001 - foreign errors end here: a few are no `BotoCoreError`
            return not_understood(error)
        is_sign_in = "Credential" in kind or "Token" in kind or "SSO" in kind or "Profile" in kind
        if is_sign_in:
            return _NOT_SIGNED_IN
        return Trouble(kind=TroubleKind.DOWN, detail=f"It could not be reached ({kind}).")

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._new_client()
                hush()  # the library loads most of itself only here
            return self._made

    def _new_client(self) -> Any:
        network = self._network
        proxy = network.proxy
        proxies = {} if proxy is None else dict.fromkeys(("http", "https"), proxy.reveal())
        session = _Session(profile=self._profile.words.get("profile"))
        # The clients that sign in are made by the library itself: they take the session's way out.
        session.set_default_client_config(
            Config(
                connect_timeout=REQUEST_S,
                read_timeout=REQUEST_S,
                retries={"total_max_attempts": 1},
                proxies=proxies,
            )
        )
        if network.authorities is not None:
            session.set_config_variable("ca_bundle", str(network.authorities))
        resolver = session.get_component("credential_provider")
        wanted = _PROVIDERS[self._profile.auth]
        resolver.providers = [one for one in resolver.providers if one.METHOD in wanted]
        return boto3.Session(botocore_session=session, region_name=self._profile.path).client(
            "secretsmanager",
            endpoint_url=self._profile.url or None,
            verify=str(network.authorities) if network.authorities else True,
            config=Config(
                max_pool_connections=AT_ONCE,
                ignore_configured_endpoint_urls=True,  # a variable's host was judged by nobody
            ),
        )


class _Session(botocore.session.Session):  # type: ignore[misc]  # the library has no types
    """Makes clients that ask nothing on this machine through a proxy."""

    @override
    def create_client(self, *args: Any, **options: Any) -> Any:
        client = super().create_client(*args, **options)
        # Where it leads is known only now: a variable or a profile may say where one signs in.
        if not is_loopback(urlsplit(client.meta.endpoint_url).hostname):
            return client
        client.close()
        config = (options.get("config") or Config()).merge(Config(proxies={}))
        return super().create_client(*args, **{**options, "config": config})


async def _in_time(work: Callable[[], _T | Trouble]) -> _T | Trouble:
    with anyio.move_on_after(_LONGEST_S):
        return await in_daemon(work)
    return Trouble(
        kind=TroubleKind.DOWN,
        detail=f"It took longer than {_LONGEST_S:g} seconds, its sign-in included.",
    )


def _judged(answer: Mapping[str, Any], place: Place) -> Answer:
    text = answer.get("SecretString")
    if not isinstance(text, str):
        return Refusal.NOT_TEXT
    value = value_of(text, place.field)
    if isinstance(value, Refusal):
        return value
    version = answer.get("VersionId")
    return StoredSecret(value=value, version=version if isinstance(version, str) else None)


def _told(response: Mapping[str, Any]) -> Refusal | Trouble:
    code = response.get("Error", {}).get("Code", "")
    about = response.get("ResponseMetadata", {})
    if code in _THROTTLES:
        return Trouble(kind=TroubleKind.THROTTLED, detail="It asks for fewer requests.")
    if code in _SIGNED_OUT:
        return Trouble(
            kind=TroubleKind.SIGNED_OUT,
            detail="It does not accept the credentials.",
            remedy="Renew them; `aws sts get-caller-identity` shows whether they are good.",
        )
    refusal = _REFUSALS.get(code)
    if refusal is not None:
        return refusal
    headers = about.get("HTTPHeaders", {})
    status = int(about.get("HTTPStatusCode", 0))
    return gone_by(status, headers.get("retry-after")) or Refusal.INVALID
