"""`orgs`: signs in to each org, and says what is refused and why."""

import pytest

from batchconnect.simulator.decision import Decision, Instead
from batchconnect.simulator.exchange import Answer
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice
from tests.command_line import CommandLine


def use_two_orgs(batchconnect: CommandLine, practice: Practice) -> None:
    """The settings of two orgs instead of the one of the environment."""
    batchconnect.setenv(**dict.fromkeys(practice.environment(), ""), **SECRETS_OF_TWO)
    batchconnect.write("batchconnect.toml", practice.two_orgs())


def test_an_org_that_is_in_order(batchconnect: CommandLine, practice: Practice) -> None:
    """Signed in, spec and listing read; nothing is created, no ledger is made."""
    done = batchconnect("orgs", "--sandbox", "dev")

    assert done.code == 0
    assert "signed in, connection spec and listing readable" in done.out
    assert ACME in done.out
    assert practice.creates() == []
    assert not (batchconnect.folder / "reports").exists()


def test_without_a_sandbox_only_the_credential_is_tried(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """And that is said, with what to do."""
    done = batchconnect("orgs")

    assert done.code == 0
    assert "name one with" in done.out
    assert [one.path for one in practice.journal()] == ["/ims/token/v3"]


def test_one_of_two_orgs_is_refused(batchconnect: CommandLine, practice: Practice) -> None:
    """Something stands in the way: exit 4; the other one is in order."""
    use_two_orgs(batchconnect, practice)
    practice.ask(lambda simulator: simulator.deny(BETA, "403025"))

    done = batchconnect("orgs", "--sandbox", "dev", "--json")

    by_org = {one["org"]: one for one in done.json["orgs"]}
    assert done.code == 4
    assert by_org["acme"]["ok"]
    assert not by_org["beta"]["ok"]
    assert "403025" in by_org["beta"]["refusal"]


def test_every_org_is_refused(batchconnect: CommandLine, practice: Practice) -> None:
    """Exit 7, and the reason that IMS gives."""
    practice.ask(lambda simulator: simulator.deny(ACME, "invalid_client"))

    done = batchconnect("orgs", "--sandbox", "dev")

    assert done.code == 7
    assert "sign-in: invalid_client" in done.out


@pytest.mark.parametrize("option", [("--org", "beta"), ("--only", "org=beta")])
def test_only_the_orgs_that_were_chosen_are_tried(
    batchconnect: CommandLine, practice: Practice, option: tuple[str, str]
) -> None:
    """The others are not spoken to."""
    use_two_orgs(batchconnect, practice)

    done = batchconnect("orgs", "--sandbox", "dev", "--json", *option)

    assert [one["org"] for one in done.json["orgs"]] == ["beta"]
    assert practice.journal(ACME) == []


def test_an_unknown_org_is_a_mistake(batchconnect: CommandLine, practice: Practice) -> None:
    """Nothing is tried."""
    done = batchconnect("orgs", "--org", "nobody")

    assert done.code == 2
    assert "no org has this name" in done.err


def test_only_a_sandbox_leaves_out_the_orgs_with_another(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """Then there may be none, which is said."""
    done = batchconnect("orgs", "--sandbox", "dev", "--only", "sandbox=prod")

    assert done.code == 0
    assert "no org of the settings is chosen by sandbox=prod" in done.out


def test_a_spec_that_cannot_be_read(batchconnect: CommandLine, practice: Practice) -> None:
    """The reason names what was asked for."""
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=Answer(status=404, headers=(), body=b"")))
        if "connectionSpecs" in request.path
        else None
    )

    done = batchconnect("orgs", "--sandbox", "dev")

    assert done.code == 7
    assert "connection spec: " in done.out


def test_a_listing_that_cannot_be_read(batchconnect: CommandLine, practice: Practice) -> None:
    """Signing in and the spec are not enough."""
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=Answer(status=404, headers=(), body=b"")))
        if request.path.endswith("/connections")
        else None
    )

    done = batchconnect("orgs", "--sandbox", "dev")

    assert done.code == 7
    assert "listing: " in done.out


def test_a_spec_without_our_authentication_is_a_warning(
    batchconnect: CommandLine, practice: Practice
) -> None:
    """`--strict` makes it stand in the way."""
    body = (
        b'{"items":[{"id":"0479cc14-7651-4354-b233-7480606c2ac3","authSpec":[{"name":"Another"}]}]}'
    )
    answer = Answer(status=200, headers=(("Content-Type", "application/json"),), body=body)
    practice.script = lambda request: (
        Decision(apply_after_s=None, reply=Instead(answer=answer))
        if "connectionSpecs" in request.path
        else None
    )

    done = batchconnect("orgs", "--sandbox", "dev")
    strict = batchconnect("orgs", "--sandbox", "dev", "--strict")

    assert (done.code, strict.code) == (0, 4)
    assert "warning: the connection spec does not offer" in done.out


def test_in_the_simulator_any_name_is_an_org(batchconnect: CommandLine) -> None:
    """Without settings there is none to begin with; naming one makes it."""
    none = batchconnect("orgs", "--simulate")
    named = batchconnect("orgs", "--simulate", "--org", "acme", "--sandbox", "dev")

    assert "in the simulator any `org` cell is an org" in none.out
    assert (none.code, named.code) == (0, 0)
    assert named.out.startswith("acme ")


def test_options_of_a_run_are_taken_and_said_to_be_idle(batchconnect: CommandLine) -> None:
    """One set of options serves all commands; what has no effect is not passed over in silence."""
    done = batchconnect(
        "orgs", "--simulate", "--max-rows", "5", "--max-failures", "3", "--note", "CHG-1"
    )

    assert "without effect here, for nothing is created: --max-rows, --max-failures, --note" in (
        done.err
    )
    assert batchconnect("orgs", "--simulate").err == ""


def test_quiet_leaves_what_is_refused(batchconnect: CommandLine, practice: Practice) -> None:
    """Of an org that is fine nothing is said, on neither stream."""
    fine = batchconnect("orgs", "--simulate", "--quiet", "--note", "CHG-1")
    practice.ask(lambda simulator: simulator.deny(ACME, "invalid_client"))
    refused = batchconnect("orgs", "--quiet")

    assert (fine.code, fine.out, fine.err) == (0, "", "")
    assert (refused.code, refused.err) == (7, "")
    assert "! The client id or client secret is refused (invalid_client): 1 org" in refused.out
