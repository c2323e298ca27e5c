"""AWS Secrets Manager: the real client against moto's server; what each answer becomes."""

import json
import logging
import os
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores import aws as aws_store
from batchconnect.stores.aws import SecretsManager, _told
from batchconnect.stores.interface import Answer, Network, Refusal, Trouble, TroubleKind
from batchconnect.stores.quiet import unheard
from tests.stores.door import door_to
from tests.stores.fake_key_vault import certificate
from tests.stores.one_answer import answering
from tests.stores.proxy import served_proxy

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

CANARY = "canary~S3cret.value-42"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The account, by the library itself; its environment signs in."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "FAKE~secret-access-key")
    return boto3.client("secretsmanager", region_name="eu-central-1", endpoint_url=address)


@asynccontextmanager
async def opened(
    address: str, *, network: Network | None = None, **changes: Any
) -> AsyncIterator[SecretsManager]:
    found: dict[str, Any] = {
        "name": "sm",
        "kind": StoreKind.AWS,
        "url": address,
        "path": "eu-central-1",
        "auth": "env",
    }
    store = SecretsManager(StoreProfile(**{**found, **changes}), network or Network())
    try:
        yield store
    finally:
        await store.close()


async def fetched(store: SecretsManager, *place: Any) -> Answer | Trouble:
    asked = Place(*place)
    with unheard():
        found = await store.fetch([asked])
    return found if isinstance(found, Trouble) else found[asked]


async def test_a_secret_comes_with_its_version(address: str, aws: Any) -> None:
    """A text, a field of a JSON, the version before."""
    first = aws.create_secret(Name="bc/one", SecretString="first~value")["VersionId"]
    newest = aws.put_secret_value(SecretId="bc/one", SecretString=CANARY)["VersionId"]
    aws.create_secret(Name="bc/many", SecretString=json.dumps({"key": CANARY, "other": "x"}))

    async with opened(address) as store:
        assert await fetched(store, "bc/one") == StoredSecret(value=Secret(CANARY), version=newest)
        for version in (first, "AWSPREVIOUS"):
            assert await fetched(store, "bc/one", version) == StoredSecret(
                value=Secret("first~value"), version=first
            )
        many = await fetched(store, "bc/many", None, "key")
        assert isinstance(many, StoredSecret)
        assert many.value == Secret(CANARY)
        assert await store.check() is None


async def test_many_are_asked_for_in_one_request(
    address: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it does not hold, and those of another version, are asked for by themselves."""
    for number in range(18):
        aws.create_secret(Name=f"batch/{number}", SecretString=f"value~number~{number:04d}")
    places = [*(Place(f"batch/{number}") for number in range(18)), Place("batch/none")]
    asked: list[str] = []

    async with opened(address) as store:
        client = store._client()
        client.meta.events.register(
            "before-call.secrets-manager", lambda model, **_: asked.append(model.name)
        )
        found = await store.fetch([*places, Place("batch/0", "AWSCURRENT")])

    assert not isinstance(found, Trouble)
    assert asked == ["BatchGetSecretValue", "GetSecretValue", "GetSecretValue"]
    assert found[Place("batch/none")] is Refusal.NOT_FOUND
    values = [found[place] for place in places[:-1]]
    assert [one.value for one in values if isinstance(one, StoredSecret)] == [
        Secret(f"value~number~{number:04d}") for number in range(18)
    ]


async def test_what_it_does_not_give_is_told_apart(address: str, aws: Any) -> None:
    aws.create_secret(Name="told/one", SecretString=CANARY)
    aws.create_secret(Name="told/many", SecretString=json.dumps({"key": CANARY, "other": "x"}))
    aws.create_secret(Name="told/bytes", SecretBinary=CANARY.encode())
    aws.create_secret(Name="told/gone", SecretString=CANARY)
    aws.delete_secret(SecretId="told/gone")

    async with opened(address) as store:
        found = [
            await fetched(store, *place)
            for place in [
                ("told/none",),
                ("told/one", "AWSPENDING"),
                ("told/gone",),
                ("told/many",),
                ("told/many", None, "none"),
                ("told/bytes",),
            ]
        ]

    assert found == [
        Refusal.NOT_FOUND,
        Refusal.NO_VERSION,
        Refusal.DISABLED,
        Refusal.FIELD_NEEDED,
        Refusal.NO_FIELD,
        Refusal.NOT_TEXT,
    ]


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("AccessDeniedException", 400, Refusal.FORBIDDEN),
        ("DecryptionFailure", 400, Refusal.FORBIDDEN),
        ("ThrottlingException", 400, TroubleKind.THROTTLED),
        ("ExpiredTokenException", 400, TroubleKind.SIGNED_OUT),
        ("UnrecognizedClientException", 400, TroubleKind.SIGNED_OUT),
        ("InternalServiceError", 500, TroubleKind.DOWN),
        ("SomethingNew", 400, Refusal.INVALID),
    ],
)
async def test_an_error_of_the_service_is_known_by_its_code(
    code: str, status: int, told: Refusal | TroubleKind
) -> None:
    """Its message, which may hold anything, is dropped."""
    error = ClientError(
        {
            "Error": {"Code": code, "Message": CANARY},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
        },
        "GetSecretValue",
    )

    found = _told(error.response)

    assert (found.kind if isinstance(found, Trouble) else found) is told
    assert CANARY not in repr(found)


async def test_only_the_way_to_sign_in_that_is_named_is_tried(
    address: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing in the environment no file and no metadata address is asked."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)

    async with opened(address) as store:
        found = await fetched(store, "bc/one")
        providers = store._client()._request_signer._credentials

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert providers is None


async def test_a_server_that_is_away_is_down(address: str, aws: Any) -> None:
    async with opened("http://127.0.0.1:9") as store:
        found = await fetched(store, "bc/one")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.DOWN


async def test_no_logger_tells_a_secret(
    address: str, aws: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The library logs whole bodies at level DEBUG; not while it works for us, and elsewhere it may."""
    aws.create_secret(Name="logged/one", SecretString=CANARY)
    caplog.set_level(logging.DEBUG)

    async with opened(address) as store:
        await fetched(store, "logged/one")
    ours = caplog.text
    caplog.clear()
    aws.get_secret_value(SecretId="logged/one")

    assert CANARY not in ours
    assert "FAKE~secret-access-key" not in ours
    assert CANARY in caplog.text


async def test_a_page_in_place_of_the_sign_in_is_down(
    address: str, aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy's, where STS answers with XML: the library's error for it is of no class that it documents."""
    token = tmp_path / "token"
    token.write_text("FAKE~web-identity-token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/bc")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    with answering(200, f"<html><p>{CANARY}</html>") as page:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", page)
        async with opened(address, auth="workload") as store:
            found, checked = await fetched(store, "bc/one"), await store.check()

    for one in (found, checked):
        assert isinstance(one, Trouble)
        assert one.kind is TroubleKind.DOWN
        assert "ResponseParserError" in one.detail
        assert CANARY not in repr(one)


@pytest.mark.parametrize("auth", ["workload", "profile"])
async def test_the_sign_in_takes_the_same_way_out_as_the_store(
    address: str, aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, auth: str
) -> None:
    """
    The clients that sign in are made by the library: they go through the proxy, and trust our authority alone.

    A variable's proxy is nobody's way out, as for the store itself.
    """
    name = f"way/{auth}"
    aws.create_secret(Name=name, SecretString=CANARY)
    role = "arn:aws:iam::123456789012:role/bc"
    if auth == "workload":
        token = tmp_path / "token"
        token.write_text("FAKE~web-identity-token")
        monkeypatch.setenv("AWS_ROLE_ARN", role)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        words = {}
    else:
        files = tmp_path / "config"
        files.write_text(
            f"[profile bc]\nrole_arn = {role}\nsource_profile = base\n"
            "[profile base]\naws_access_key_id = testing\naws_secret_access_key = FAKE~secret\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(files))
        words = {"profile": "bc"}
    hosts = [f"{one}.eu-central-1.amazonaws.com" for one in ("sts", "secretsmanager")]
    authority, chain = certificate(tmp_path, *hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with door_to(urlsplit(address).port or 0, tls=context) as door, served_proxy() as proxy:
        proxy.goal = door.port
        trusting = Network(proxy=Secret(proxy.url), authorities=authority)
        async with opened("", network=trusting, auth=auth, words=words) as store:
            found = await fetched(store, name)
        asked = [*proxy.asked]
        untrusting = Network(proxy=Secret(proxy.url))
        async with opened("", network=untrusting, auth=auth, words=words) as store:
            refused = await fetched(store, name)

    assert isinstance(found, StoredSecret), found
    assert found.value == Secret(CANARY)
    assert asked == [f"{host}:443" for host in hosts]
    assert isinstance(refused, Trouble)
    assert refused.kind is TroubleKind.DOWN


async def test_nothing_on_this_machine_is_asked_through_the_proxy(
    address: str, aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the store nor where one signs in, though a variable alone says where that is."""
    aws.create_secret(Name="here/one", SecretString=CANARY)
    token = tmp_path / "token"
    token.write_text("FAKE~web-identity-token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/bc")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", address)
    with served_proxy() as proxy:
        network = Network(proxy=Secret(proxy.url))
        async with opened(address, network=network, auth="workload") as store:
            found = await fetched(store, "here/one")

    assert isinstance(found, StoredSecret), found
    assert not proxy.asked


async def test_a_sign_in_that_does_not_end_is_down(
    address: str, aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program of the profile's, which the library waits for without a limit: the store is tried again."""
    monkeypatch.setattr(aws_store, "_LONGEST_S", 0.3)
    ended, files = tmp_path / "ended", tmp_path / "config"
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib, time\n"
        f"until = time.monotonic() + 60\nwhile time.monotonic() < until and not pathlib.Path({str(ended)!r}).exists():\n"
        "    time.sleep(0.05)\n"
    )
    files.write_text(f"[profile bc]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(files))
    try:
        async with opened(address, auth="profile", words={"profile": "bc"}) as store:
            found, checked = await fetched(store, "bc/one"), await store.check()
    finally:
        ended.touch()

    for one in (found, checked):
        assert isinstance(one, Trouble)
        assert one.kind is TroubleKind.DOWN
        assert "took longer" in one.detail
