"""
HashiCorp Vault and OpenBao: the key-value engine of version 2, with a token, AppRole or Kubernetes.

The client is asked for bare responses: its exceptions hold what the server sent, and do not tell a token that
ran out from a policy that forbids one path, which a look at the token itself does. A token without the `default`
policy may not look at itself: whether it is good is told by what it may know of the mount.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from threading import Lock
from typing import Any, Final, final
from urllib.parse import urlsplit

import hvac
import requests
from hvac.adapters import RawAdapter

from batchconnect.model.errors import SettingsError
from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.store import StoreProfile
from batchconnect.stores.daemon import in_daemon
from batchconnect.stores.field import ends_at_ms, field_of
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

_UNREACHABLE: Final = Trouble(kind=TroubleKind.DOWN, detail="Its server could not be reached.")
_NO_JSON: Final = Trouble(
    kind=TroubleKind.DOWN, detail="It answered with something else than JSON."
)
_RAN_OUT: Final = Trouble(
    kind=TroubleKind.SIGNED_OUT,
    detail="Its token is not valid, has run out, or has no right there.",
    remedy="Renew the token: it is read anew at the next try.",
)
_REPLACED: Final = Trouble(kind=TroubleKind.DOWN, detail="Its tokens ran out while it was asked.")
_ROUNDS: Final = 4
"""Tokens with which one secret is asked for, where others take the place of each."""
_FORBIDDEN: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED})
_STANDBY: Final = frozenset({412, 472, 473})
"""Of a node that does not answer for the cluster just now."""


@final
class Vault:
    """
    One mount of one server.

    Args:
        profile: Of the settings.
        network: The way out.
    """

    batch = 1

    def __init__(self, profile: StoreProfile, network: Network) -> None:
        self._profile = profile
        session = requests.Session()
        session.trust_env = False
        session.verify = str(network.authorities) if network.authorities else True
        if network.proxy is not None and not is_loopback(urlsplit(profile.url).hostname):
            session.proxies = dict.fromkeys(("http", "https"), network.proxy.reveal())
        self._session = session
        self._client = hvac.Client(
            url=profile.url,
            token="",  # none of the environment's, nor of the home folder's
            session=session,
            timeout=REQUEST_S,
            allow_redirects=False,  # a header with our token would go along
            namespace=profile.words.get("namespace"),
            adapter=RawAdapter,
            ignore_exceptions=True,
        )
        self._signing_in = Lock()

    async def fetch(self, places: Sequence[Place]) -> Mapping[Place, Answer] | Trouble:
        """As of `Store`."""
        (place,) = places
        found = await in_daemon(lambda: self._fetch(place))
        return found if isinstance(found, Trouble) else {place: found}

    async def check(self) -> Trouble | None:
        """As of `Store`."""
        return await in_daemon(self._check)

    async def close(self) -> None:
        """As of `Store`."""
        self._client.adapter.token = ""
        self._session.close()

    # In a thread ----------------------------------------------------------------------------------

    def _fetch(self, place: Place) -> Answer | Trouble:
        if place.version is not None and not place.version.isdecimal():
            return Refusal.NO_VERSION  # its versions are numbers
        trouble = None if self._client.adapter.token else self._sign_in("")
        answer = trouble or self._read_by_one_token(place)
        return answer if isinstance(answer, Trouble) else _judged(answer, place, self._profile.path)

    def _read_by_one_token(self, place: Place) -> requests.Response | Trouble:
        """What a read is answered; where that is forbidden, it is so to a token that is good."""
        is_new = False
        for _ in range(_ROUNDS):
            used = self._client.adapter.token
            answer = self._read(place)
            if not _is_forbidden(answer):
                return answer
            # Either the token ran out, or its policy forbids this path: the token knows.
            trouble = None if is_new else self._check_token()
            if self._client.adapter.token != used:
                continue  # another thread signed in meanwhile: the answers may be about two tokens
            if trouble is not None and trouble.kind is TroubleKind.SIGNED_OUT:
                trouble, is_new = self._sign_in(used), True
                if trouble is None:
                    continue
            return trouble or answer
        return _REPLACED

    def _read(self, place: Place) -> requests.Response | Trouble:
        return self._ask(
            lambda: self._client.secrets.kv.v2.read_secret_version(
                path=place.name,
                version=place.version,
                mount_point=self._profile.path,
                raise_on_deleted_version=False,
            )
        )

    def _check(self) -> Trouble | None:
        before = self._client.adapter.token
        trouble = (None if before else self._sign_in(before)) or self._check_token()
        is_signed_in = not before and self._profile.auth != "token"
        if trouble is _RAN_OUT and is_signed_in:
            return Trouble(
                kind=TroubleKind.UNUSABLE,
                detail=f"It signs us in, and lets us read nothing at `{self._profile.path}`.",
                remedy="Give the identity a policy with `read` below its `data/`, or correct the mount in `uri`.",
            )
        return trouble

    def _check_token(self) -> Trouble | None:
        """Whether the token is good, whatever single paths are forbidden to it."""
        answer = self._ask(self._client.auth.token.lookup_self)
        if _is_forbidden(answer):
            # As `vault kv` asks before each of its calls: it is told to whoever may do anything there.
            mount = f"/v1/sys/internal/ui/mounts/{self._profile.path}"
            answer = self._ask(lambda: self._client.adapter.get(mount))
        if isinstance(answer, Trouble):
            return answer
        return None if answer.status_code == HTTPStatus.OK else _gone(answer) or _RAN_OUT

    def _sign_in(self, before: str) -> Trouble | None:
        """Get a token in place of *before*; where another thread was quicker, that one's will do."""
        with self._signing_in:
            if self._client.adapter.token != before:
                return None
            token = self._new_token()
            if isinstance(token, Trouble):
                return token
            if token == before:
                return _RAN_OUT
            self._client.adapter.token = token
            return None

    def _new_token(self) -> str | Trouble:
        try:
            answer = self._log_in()
        except SettingsError as error:
            detail, remedy = f"{error.message}.", error.hint or ""
            return Trouble(kind=TroubleKind.SIGNED_OUT, detail=detail, remedy=remedy)
        if isinstance(answer, str | Trouble):
            return answer
        auth = _json(answer).get("auth")
        token = auth.get("client_token") if isinstance(auth, dict) else None
        if answer.status_code == HTTPStatus.OK and isinstance(token, str):
            return token
        return _gone(answer) or Trouble(
            kind=TroubleKind.SIGNED_OUT,
            detail=f"The sign-in by {self._profile.auth} was answered with {answer.status_code}.",
            remedy="Check the credentials in its section of the settings.",
        )

    def _log_in(self) -> requests.Response | Trouble | str:
        words, secrets, auth = self._profile.words, self._profile.secrets, self._client.auth
        mount = words.get("auth_mount", self._profile.auth)
        match self._profile.auth:
            case "approle":
                role_id, secret_id = secrets["role_id"]().reveal(), secrets["secret_id"]().reveal()
                return self._ask(
                    lambda: auth.approle.login(
                        role_id, secret_id, use_token=False, mount_point=mount
                    )
                )
            case "kubernetes":
                role, jwt = words["role"], secrets["jwt"]().reveal().strip()
                return self._ask(
                    lambda: auth.kubernetes.login(role, jwt, use_token=False, mount_point=mount)
                )
            case _:
                return secrets["token"]().reveal().strip()

    def _ask(self, request: Callable[[], Any]) -> requests.Response | Trouble:
        try:
            answer = request()
        except requests.exceptions.SSLError:
            return Trouble(
                kind=TroubleKind.DOWN,
                detail="Its certificate is not trusted.",
                remedy="Name its authority with --ca-bundle FILE.",
            )
        except (requests.RequestException, OSError, ValueError, hvac.exceptions.VaultError):
            # What it says may hold the request, our token with it.
            return _UNREACHABLE
        except Exception as error:  # noqa: BLE001 - foreign errors end here, those of Python's own too
            return not_understood(error)
        return answer if isinstance(answer, requests.Response) else _NO_JSON


def _judged(answer: requests.Response, place: Place, mount: str) -> Answer | Trouble:
    """What the answer to a read says."""
    body = _json(answer)
    data = _dict(body.get("data"))
    metadata = _dict(data.get("metadata"))
    match answer.status_code:
        case HTTPStatus.OK:
            return _secret_in(data, metadata, place)
        case HTTPStatus.FORBIDDEN:
            return Refusal.FORBIDDEN
        case HTTPStatus.NOT_FOUND if any("no handler for route" in one for one in _errors(body)):
            return Trouble(
                kind=TroubleKind.UNUSABLE,
                detail=f"Nothing is mounted at `{mount}`.",
                remedy="Correct the mount in `uri`.",
            )
        case HTTPStatus.NOT_FOUND:
            is_deleted = metadata.get("deletion_time") or metadata.get("destroyed")
            missing = Refusal.NOT_FOUND if place.version is None else Refusal.NO_VERSION
            return Refusal.DISABLED if is_deleted else missing
        case _:
            return _gone(answer) or Refusal.INVALID


def _secret_in(
    data: Mapping[str, Any], metadata: Mapping[str, Any], place: Place
) -> Answer | Trouble:
    fields, version = data.get("data"), metadata.get("version")
    if not isinstance(fields, dict):
        return _NO_JSON
    value = field_of(fields, place.field)
    if isinstance(value, Refusal):
        return value
    return StoredSecret(
        value=value,
        version=None if version is None else str(version),
        expires_at_ms=ends_at_ms(metadata.get("deletion_time")),
    )


def _is_forbidden(answer: requests.Response | Trouble) -> bool:
    return isinstance(answer, requests.Response) and answer.status_code in _FORBIDDEN


def _gone(answer: requests.Response) -> Trouble | None:
    if answer.status_code in _STANDBY:
        return Trouble(kind=TroubleKind.DOWN, detail=f"It answered {answer.status_code}.")
    return gone_by(answer.status_code, answer.headers.get("Retry-After"))


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _dict(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _errors(body: Mapping[str, Any]) -> list[str]:
    found = body.get("errors")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
