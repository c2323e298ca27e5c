"""Vault and OpenBao, asked by the real client at a real server: what each of their answers becomes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from batchconnect.model.reference import Place, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.stores.interface import Answer, Network, Refusal, Trouble, TroubleKind
from batchconnect.stores.vault import Vault
from tests.stores.bao import Bao
from tests.stores.one_answer import answering
from tests.stores.token_review import served_cluster

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

CANARY = "canary~S3cret.value-42"


def profile(bao: Bao, *, token: Callable[[], str] | str = "", **changes: Any) -> StoreProfile:
    read = token if callable(token) else lambda: token or bao.root
    found: dict[str, Any] = {
        "name": "kv",
        "kind": StoreKind.VAULT,
        "url": bao.url,
        "path": "secret",
        "auth": "token",
        "secrets": {"token": lambda: Secret(read())},
    }
    return StoreProfile(**{**found, **changes})


@asynccontextmanager
async def opened(one: StoreProfile) -> AsyncIterator[Vault]:
    store = Vault(one, Network())
    try:
        yield store
    finally:
        await store.close()


async def fetched(store: Vault, *place: Any) -> Answer | Trouble:
    asked = Place(*place)
    found = await store.fetch([asked])
    return found if isinstance(found, Trouble) else found[asked]


def app_role(bao: Bao, name: str, role: Mapping[str, Any]) -> dict[str, Callable[[], Secret]]:
    """What signs in as a new role."""
    if "approle/" not in bao("GET", "sys/auth")["data"]:
        bao("POST", "sys/auth/approle", {"type": "approle"})
    bao("POST", f"auth/approle/role/{name}", role)
    role_id = bao("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
    secret_id = bao("POST", f"auth/approle/role/{name}/secret-id")["data"]["secret_id"]
    return {"role_id": lambda: Secret(role_id), "secret_id": lambda: Secret(secret_id)}


async def test_a_field_comes_with_its_version(bao: Bao) -> None:
    """The newest, or the one that is named; the only field needs no name."""
    bao.put("acme/one", key="first~value")
    bao.put("acme/one", key=CANARY)
    bao.put("acme/two", key=CANARY, other="x")

    async with opened(profile(bao)) as store:
        newest = await fetched(store, "acme/one")
        first = await fetched(store, "acme/one", "1", "key")

        assert newest == StoredSecret(value=Secret(CANARY), version="2")
        assert first == StoredSecret(value=Secret("first~value"), version="1")
        assert await fetched(store, "acme/two", None, "other") == StoredSecret(
            value=Secret("x"), version="1"
        )


async def test_what_it_does_not_give_is_told_apart(bao: Bao) -> None:
    """Not there, no such version or field, deleted, forbidden: each has its own remedy."""
    bao.put("told/one", key=CANARY)
    bao.put("told/two", key=CANARY, other="x")
    bao.put("told/gone", key=CANARY)
    bao("DELETE", "secret/data/told/gone")
    bao.put("closed/one", key=CANARY)
    bao.policy("told", 'path "secret/data/told/*" { capabilities = ["read"] }')

    async with opened(profile(bao, token=bao.token("told"))) as store:
        found = {
            place: await fetched(store, *place)
            for place in [
                ("told/none",),
                ("told/one", "7"),
                ("told/one", "newest"),
                ("told/one", None, "none"),
                ("told/two",),
                ("told/gone",),
                ("closed/one",),
            ]
        }

    assert list(found.values()) == [
        Refusal.NOT_FOUND,
        Refusal.NO_VERSION,
        Refusal.NO_VERSION,
        Refusal.NO_FIELD,
        Refusal.FIELD_NEEDED,
        Refusal.DISABLED,
        Refusal.FORBIDDEN,
    ]


async def test_a_version_that_will_be_deleted_by_itself_tells_when(bao: Bao) -> None:
    """So that a run can say which keys end soon."""
    bao("POST", "secret/metadata/ending/one", {"delete_version_after": "240h"})
    bao.put("ending/one", key=CANARY)

    async with opened(profile(bao)) as store:
        found = await fetched(store, "ending/one")

    assert isinstance(found, StoredSecret)
    assert found.expires_at_ms is not None


async def test_a_token_that_ran_out_is_read_anew(bao: Bao) -> None:
    """A forbidden path and a dead token are both 403: the token itself knows which it is."""
    bao.put("renewed/one", key=CANARY)
    tokens = ["s.deadbeefdeadbeefdeadbeef", bao.root]

    async with opened(profile(bao, token=lambda: tokens.pop(0))) as store:
        assert isinstance(await fetched(store, "renewed/one"), StoredSecret)


@pytest.mark.parametrize("asked", ["/v1/secret/data/", "/v1/auth/token/lookup-self"])
async def test_a_token_that_another_row_renews_meanwhile_forbids_nothing(
    bao: Bao, asked: str
) -> None:
    """
    Two rows at once with a token that ran out, and the other is through before the one has its answer.

    Whichever answer that is, it speaks of the token of before: the one is read as well, and what is forbidden
    to the new token is forbidden still.
    """
    bao.put("both/one", key=CANARY)
    bao.put("both/other", key=CANARY)
    bao.put("closed/one", key=CANARY)
    bao.policy("both", 'path "secret/data/both/*" { capabilities = ["read"] }')
    credentials = app_role(bao, "both", {"token_policies": "both"})
    loop = asyncio.get_running_loop()

    async with opened(profile(bao, auth="approle", secrets=credentials)) as store:
        others: list[Answer | Trouble] = []

        def meanwhile(answer: requests.Response, **_options: Any) -> None:
            if answer.status_code == HTTPStatus.FORBIDDEN and asked in answer.url and not others:
                others.append(Refusal.INVALID)  # its own answers are not waited for
                other = asyncio.run_coroutine_threadsafe(fetched(store, "both/other"), loop)
                others[:] = [other.result(60)]

        for name, found in (("both/one", StoredSecret), ("closed/one", Refusal)):
            await fetched(store, "both/one")
            bao("POST", "auth/token/revoke", {"token": store._client.adapter.token})
            others.clear()
            store._session.hooks["response"] = [meanwhile]
            one = await fetched(store, name)
            store._session.hooks["response"] = []

            assert isinstance(one, found), one
            assert [type(other) for other in others] == [StoredSecret]


async def test_a_token_that_stays_dead_is_signed_out(bao: Bao) -> None:
    async with opened(profile(bao, token="s.deadbeefdeadbeefdeadbeef")) as store:
        found = await fetched(store, "acme/one")
        checked = await store.check()

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert checked is not None
    assert checked.kind is TroubleKind.SIGNED_OUT


@pytest.mark.parametrize("first", ["bare/one", "closed/one"])
async def test_a_token_that_may_not_look_at_itself_forbids_a_path_as_any_other(
    bao: Bao, first: str
) -> None:
    """Without the `default` policy: the row is refused, whether it comes first or later, and others go on."""
    bao.put("bare/one", key=CANARY)
    bao.put("closed/one", key=CANARY)
    bao.policy("bare", 'path "secret/data/bare/*" { capabilities = ["read"] }')
    body = {"policies": ["bare"], "no_default_policy": True, "no_parent": True}
    token = bao("POST", "auth/token/create", body)["auth"]["client_token"]

    async with opened(profile(bao, token=token)) as store:
        assert await store.check() is None
    async with opened(profile(bao, token=token)) as store:
        await fetched(store, first)
        assert await fetched(store, "closed/one") is Refusal.FORBIDDEN
        assert isinstance(await fetched(store, "bare/one"), StoredSecret)

        bao("POST", "auth/token/revoke", {"token": token})
        gone = await fetched(store, "bare/one")

    assert isinstance(gone, Trouble)
    assert gone.kind is TroubleKind.SIGNED_OUT


async def test_an_app_role_that_may_not_look_at_its_token_is_signed_in(bao: Bao) -> None:
    """What its policy forbids is its rows' matter; where it forbids all, a check says so."""
    bao.put("closed/one", key=CANARY)
    bao.policy("bare-role", 'path "secret/data/bare/*" { capabilities = ["read"] }')
    bao.policy("elsewhere", 'path "elsewhere/*" { capabilities = ["read"] }')
    bare, elsewhere = (
        app_role(bao, name, {"token_policies": name, "token_no_default_policy": True})
        for name in ("bare-role", "elsewhere")
    )

    async with opened(profile(bao, auth="approle", secrets=bare)) as store:
        assert await store.check() is None
        assert await fetched(store, "closed/one") is Refusal.FORBIDDEN
    async with opened(profile(bao, auth="approle", secrets=elsewhere)) as store:
        checked = await store.check()
        found = await fetched(store, "closed/one")

    assert checked is not None
    assert checked.kind is TroubleKind.UNUSABLE
    assert "signs us in" in checked.detail
    assert found is Refusal.FORBIDDEN


async def test_an_app_role_signs_in(bao: Bao) -> None:
    """With role id and secret id, and again when its token has been revoked."""
    bao.put("role/one", key=CANARY)
    bao.policy("role", 'path "secret/data/role/*" { capabilities = ["read"] }')
    credentials = app_role(bao, "bc", {"token_policies": "role"})

    async with opened(profile(bao, auth="approle", secrets=credentials)) as store:
        assert isinstance(await fetched(store, "role/one"), StoredSecret)
        bao("POST", "auth/token/revoke", {"token": store._client.adapter.token})
        assert isinstance(await fetched(store, "role/one"), StoredSecret)
        assert await store.check() is None

    wrong = {**credentials, "secret_id": lambda: Secret(CANARY)}
    async with opened(profile(bao, auth="approle", secrets=wrong)) as store:
        found = await fetched(store, "role/one")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.SIGNED_OUT
    assert CANARY not in repr(found)


async def test_a_mount_that_is_not_there_is_the_store_s_fault(bao: Bao) -> None:
    async with opened(profile(bao, path="nowhere")) as store:
        found = await fetched(store, "acme/one")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.UNUSABLE
    assert "nowhere" in found.detail


async def test_a_server_that_is_away_is_down(bao: Bao) -> None:
    async with opened(profile(bao, url="http://127.0.0.1:9")) as store:
        found = await fetched(store, "acme/one")

    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.DOWN


async def test_the_token_of_the_environment_is_not_taken_by_the_way(
    bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the settings name signs in."""
    monkeypatch.setenv("VAULT_TOKEN", bao.root)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")

    async with opened(profile(bao, token="s.deadbeefdeadbeefdeadbeef")) as store:
        assert isinstance(await fetched(store, "acme/one"), Trouble)


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, CANARY, TroubleKind.DOWN),
        (200, f'{{"data": "{CANARY}"}}', TroubleKind.DOWN),
        (400, f'{{"errors": ["{CANARY}"]}}', Refusal.INVALID),
        (403, CANARY, TroubleKind.SIGNED_OUT),
        (404, f'{{"errors": ["{CANARY}"]}}', Refusal.NOT_FOUND),
        (404, f'{{"errors": ["no handler for route {CANARY}"]}}', TroubleKind.UNUSABLE),
        (429, CANARY, TroubleKind.THROTTLED),
        (307, CANARY, TroubleKind.UNUSABLE),
        (473, CANARY, TroubleKind.DOWN),
        (503, f'{{"errors": ["{CANARY}"]}}', TroubleKind.DOWN),
    ],
)
async def test_what_a_server_says_is_repeated_nowhere(
    bao: Bao,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: str,
    found: Refusal | TroubleKind,
) -> None:
    """It may echo the token, or anything: each answer becomes one of a few words of ours."""
    caplog.set_level(logging.DEBUG)
    with answering(status, body) as url:
        async with opened(profile(bao, url=url, token=CANARY)) as store:
            answer = await fetched(store, "acme/one")

    assert (answer.kind if isinstance(answer, Trouble) else answer) is found
    assert CANARY not in repr(answer) + caplog.text


async def test_no_logger_tells_a_secret(bao: Bao, caplog: pytest.LogCaptureFixture) -> None:
    """Not at level DEBUG either."""
    caplog.set_level(logging.DEBUG)
    bao.put("logged/one", key=CANARY)

    async with opened(profile(bao)) as store:
        await fetched(store, "logged/one")
        await fetched(store, "logged/none")

    assert CANARY not in caplog.text
    assert bao.root not in caplog.text


async def test_a_pod_signs_in_by_its_service_account(bao: Bao, tmp_path: Path) -> None:
    """OpenBao's own Kubernetes auth, which asks a cluster for a TokenReview; one that it refuses is signed out."""
    bao.put("pods/one", key=CANARY)
    bao.policy("pods", 'path "secret/data/pods/*" { capabilities = ["read"] }')
    bao("POST", "sys/auth/k8s-test", {"type": "kubernetes"})
    with served_cluster(tmp_path) as cluster:
        config = {
            "kubernetes_host": f"https://127.0.0.1:{cluster.port}",
            "kubernetes_ca_cert": cluster.authority,
            "token_reviewer_jwt": cluster.token(),
            "disable_local_ca_jwt": True,
        }
        bao("POST", "auth/k8s-test/config", config)
        role = {
            "bound_service_account_names": [cluster.account],
            "bound_service_account_namespaces": [cluster.namespace],
            "token_policies": ["pods"],
        }
        bao("POST", "auth/k8s-test/role/clients", role)
        token = tmp_path / "token"
        token.write_text(cluster.token())
        one = profile(
            bao,
            auth="kubernetes",
            words={"role": "clients", "auth_mount": "k8s-test"},
            secrets={"jwt": lambda: Secret(token.read_text())},
        )

        async with opened(one) as store:
            assert await store.check() is None
            found = await fetched(store, "pods/one")
            other = await fetched(store, "acme/one")
        cluster.is_known = False
        async with opened(one) as store:
            refused = await fetched(store, "pods/one")

    assert found == StoredSecret(value=Secret(CANARY), version="1")
    assert other is Refusal.FORBIDDEN
    assert cluster.reviewed[0] == token.read_text()
    assert isinstance(refused, Trouble)
    assert refused.kind is TroubleKind.SIGNED_OUT
    assert token.read_text() not in repr(refused)
