"""The service that one command talks to: the real one or the simulator, with a lane per org."""

import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from batchconnect.model.defaults import SETTLE_S
from batchconnect.model.errors import UsageError
from batchconnect.model.event import Event, LanePaused
from batchconnect.model.org import Org
from batchconnect.model.reference import Reference, StoredSecret
from batchconnect.model.secret import Secret
from batchconnect.model.store import StoreKind, StoreProfile
from batchconnect.options import MergedOptions, RunOptions, with_defaults
from batchconnect.run.opening.service import SIMULATED_HOST, ConnectedService, connected, host_of
from batchconnect.settings import Settings


def org(key: str, url: str = "https://platform.adobe.io") -> Org:
    return Org(key=key, org_id=f"{key}@AdobeOrg", client_id=key, platform_url=url)


def looked_at(settings: Settings, options: MergedOptions) -> ConnectedService:
    """The service as it was while it was connected."""

    async def work() -> ConnectedService:
        async with connected(
            settings,
            options,
            on_event=lambda _event: None,
            hold=lambda _secret: None,
            in_memory=True,
        ) as service:
            return service

    return anyio.run(work)


def test_a_ledger_accounts_for_one_host() -> None:
    """OrgRegistry on two hosts need a settings file and a ledger each; both are named."""
    settings = Settings(orgs=(org("acme"), org("beta", "https://platform-va7.adobe.io")))

    with pytest.raises(UsageError, match=r"beta on platform-va7\.adobe\.io") as caught:
        host_of(settings)

    assert "--ledger for each" in str(caught.value.hint)


def test_the_host_is_that_of_the_orgs() -> None:
    """Without any org it is the public one."""
    assert host_of(Settings(orgs=(org("a", "https://one.test"), org("b", "https://one.test")))) == (
        "one.test"
    )
    assert host_of(Settings()) == "platform.adobe.io"


def test_the_real_service_settles_within_the_agreed_window() -> None:
    """D + L, unless it was chosen otherwise; zero is a choice."""
    real = Settings(orgs=(org("acme"),))

    assert looked_at(real, with_defaults()).settle_s == SETTLE_S
    assert looked_at(real, with_defaults(RunOptions(settle=0.0))).settle_s == 0.0
    assert looked_at(real, with_defaults()).host == "platform.adobe.io"


def test_the_simulator_settles_within_what_its_profile_needs() -> None:
    """A few seconds; its host is its own, so that no ledger is taken for a real one."""
    service = looked_at(Settings(), with_defaults(RunOptions(simulate=True)))

    assert service.host == SIMULATED_HOST
    assert service.settle_s < 10


def test_the_rate_is_kept_for_orgs_that_only_the_simulator_knows() -> None:
    """`--rate` has its effect without any settings, too."""
    service = looked_at(
        Settings(options=RunOptions(rate=7.0)), with_defaults(RunOptions(simulate=True))
    )

    assert service.lane_of("anybody").org.rate == 7.0


def test_an_org_has_one_lane() -> None:
    """It is made when it is first asked for."""
    service = looked_at(Settings(orgs=(org("acme"),)), with_defaults())

    assert service.lane_of("acme") is service.lane_of("acme")


def test_whoever_listens_later_hears_of_the_lanes() -> None:
    """The listener may be set after a lane was made."""
    service = looked_at(Settings(orgs=(org("acme"),)), with_defaults())
    heard: list[Event] = []
    service.lane_of("acme")

    service.on_event = heard.append
    event = LanePaused(org="acme", host="here", pause_s=1.0, reason="throttled")
    service._tell(event)

    assert [event] == heard


def test_the_simulator_keeps_its_state_private(tmp_path: Path) -> None:
    """Among what is simulated, readable to nobody else."""

    async def work() -> None:
        options = with_defaults(RunOptions(simulate=True, reports=tmp_path))
        async with connected(
            Settings(), options, on_event=lambda _event: None, hold=lambda _secret: None
        ):
            pass

    anyio.run(work)

    state = tmp_path / "simulated" / "simulator.sqlite3"
    assert state.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoiled", ["a folder that is none", "no database"])
def test_a_simulator_that_cannot_be_is_told(tmp_path: Path, spoiled: str) -> None:
    """With place and remedy, not as an unexpected error."""
    options = with_defaults(RunOptions(simulate=True, reports=tmp_path / "r"))
    if spoiled == "a folder that is none":
        (tmp_path / "r").write_text("a file")
    else:
        (tmp_path / "r" / "simulated").mkdir(parents=True)
        (tmp_path / "r" / "simulated" / "simulator.sqlite3").write_text("no database at all")

    async def work() -> None:
        async with connected(
            Settings(), options, on_event=lambda _event: None, hold=lambda _secret: None
        ):
            raise AssertionError("it is not to be had")

    with pytest.raises(UsageError) as caught:
        anyio.run(work)

    assert caught.value.hint


def test_whoever_connects_is_told_of_each_secret_of_the_settings() -> None:
    """Those that stand there at once, and one that a store holds when a lane asks for it, before anybody has it."""
    say = 'print(\'{"secrets": [{"name": "acme", "value": "canary~of-a-store"}]}\')'
    store = StoreProfile(name="own", kind=StoreKind.EXEC, command=(sys.executable, "-c", say))
    plain = replace(org("beta"), client_secret=Secret("canary~of-the-settings"))
    reference = Reference("own:acme")
    settings = Settings(orgs=(plain,), stores=(store,))
    held: list[Secret] = []

    async def work() -> tuple[list[Secret], object]:
        async with connected(
            settings, with_defaults(), on_event=lambda _event: None, hold=held.append
        ) as service:
            at_first = [*held]
            found = await service.secrets.resolve([reference])
            return at_first, found[reference]

    at_first, found = anyio.run(work)

    assert at_first == [*settings.secrets] == [Secret("canary~of-the-settings")]
    assert found == StoredSecret(value=Secret("canary~of-a-store"))
    assert held[len(at_first) :] == [Secret("canary~of-a-store")]
