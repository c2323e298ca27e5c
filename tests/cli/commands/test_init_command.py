"""`init`: writes the settings, never a secret into them, and says of each new org what is refused."""

import io
import stat
import sys
from pathlib import Path

import pytest

from batchconnect.cli.commands import init
from batchconnect.cli.options import Given, OutputOptions
from batchconnect.cli.screen.asking import Terminal
from batchconnect.cli.screen.new_orgs import Wish
from batchconnect.model.errors import UsageError
from batchconnect.settings import load_settings
from tests.acceptance.practice import ACME, BETA, SECRETS_OF_TWO, Practice
from tests.command_line import CLIENT_SECRET, CommandLine

FLAGS = (
    *("--org", "acme", "--org-id", ACME, "--client-id", "client-acme"),
    *("--client-secret", "env:ACME_SECRET", "--sandbox", "dev"),
)


@pytest.fixture
def service(batchconnect: CommandLine, practice: Practice) -> Practice:
    """Both hosts are the practice's; no org is set."""
    batchconnect.setenv(**dict.fromkeys(practice.environment(), ""), **SECRETS_OF_TWO)
    batchconnect.setenv(BATCHCONNECT_PLATFORM_URL=practice.url, BATCHCONNECT_IMS_URL=practice.url)
    for name in ("BATCHCONNECT_ORG_ID", "BATCHCONNECT_CLIENT_ID", "BATCHCONNECT_CLIENT_SECRET"):
        batchconnect.delenv(name)
    return practice


class Answers:
    """A person with everything on a slip of paper."""

    def __init__(self, *answers: str) -> None:
        self._left = list(answers)
        self.said: list[str] = []

    def ask(self, question: str) -> str:
        self.said.append(question)
        return self._left.pop(0)

    def ask_secret(self, question: str) -> str:
        return self.ask(question)

    def say(self, text: str) -> None:
        self.said.append(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_org_by_flags(batchconnect: CommandLine, service: Practice) -> None:
    """Written for the owner alone, with a reference where the secret would be; signed in, and what comes next."""
    done = batchconnect("init", *FLAGS)

    written = batchconnect.folder / "batchconnect.toml"
    assert done.code == 0, done
    assert mode(written) == 0o600
    assert 'client_secret = "env:ACME_SECRET"' in written.read_text()
    assert CLIENT_SECRET not in written.read_text() + done.out + done.err
    assert "signed in, connection spec and listing readable" in done.out
    assert "next:   batchconnect template clients.xlsx" in done.out
    assert [path.name for path in batchconnect.folder.iterdir()] == ["batchconnect.toml"]
    assert batchconnect("orgs").code == 0
    assert service.creates() == []


def test_a_secret_on_the_command_line_is_refused(
    batchconnect: CommandLine, service: Practice
) -> None:
    """It would stay in the shell's history: nothing is written, and it is not repeated."""
    done = batchconnect("init", *FLAGS[:6], "--client-secret", "p8e-canary~secret", "--json")

    assert done.code == 2
    assert "env:NAME or file:PATH" in done.json["hint"]
    assert "canary" not in done.out + done.err
    assert [*batchconnect.folder.iterdir()] == []
    assert service.journal() == []


def test_what_is_missing_is_named_where_nobody_can_be_asked(batchconnect: CommandLine) -> None:
    """A script gets its flags, not a prompt that waits for ever."""
    done = batchconnect("init", "--org", "acme")

    assert done.code == 2
    assert "--org-id, --client-id, --client-secret missing" in done.err
    assert [*batchconnect.folder.iterdir()] == []


@pytest.mark.usefixtures("service")
def test_orgs_by_question(batchconnect: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong answer is asked again; a typed secret goes into a file of its own that no repository takes."""
    person = Answers(
        *("acme", "AAAA", ACME, "client-acme", "", CLIENT_SECRET, "dev", "y"),
        *("beta", BETA, "client-beta", "env:BETA_SECRET", "Prod!", "", "n"),
    )
    path = Path("batchconnect.toml")

    code = init.run(OutputOptions(), Given(), path=path, wish=Wish(), asker=person)

    told = capsys.readouterr()
    settings = load_settings(path=path, environ=SECRETS_OF_TWO | {})
    stored = [one for one in Path("secrets").iterdir() if one.name.startswith("acme-")]
    assert code == 0, told
    assert [(org.key, org.sandbox) for org in settings.orgs] == [("acme", "dev"), ("beta", None)]
    assert settings.orgs[0].client_secret is not None
    assert settings.orgs[0].client_secret.reveal() == CLIENT_SECRET
    assert (len(stored), mode(stored[0]), mode(Path("secrets"))) == (1, 0o600, 0o700)
    assert Path("secrets/.gitignore").read_text() == "*\n"
    assert CLIENT_SECRET not in path.read_text() + told.out + told.err + "".join(person.said)
    assert [said for said in person.said if "must end in @AdobeOrg" in said]
    assert [said for said in person.said if "the sandbox: " in said]


def test_a_typed_secret_goes_with_what_was_not_written(batchconnect: CommandLine) -> None:
    """The person gives up, or the file cannot be meant: no secret is left behind that nobody refers to."""
    person = Answers("acme", ACME, "client-acme", "", CLIENT_SECRET)

    with pytest.raises(IndexError):
        init.run(
            OutputOptions(), Given(), path=Path("batchconnect.toml"), wish=Wish(), asker=person
        )

    assert [one.name for one in (batchconnect.folder / "secrets").iterdir()] == [".gitignore"]
    assert not (batchconnect.folder / "batchconnect.toml").exists()


@pytest.mark.usefixtures("service")
def test_an_org_is_added_to_a_file_that_is_there(batchconnect: CommandLine) -> None:
    """What a person wrote stays as it is, byte for byte; the same org twice is refused."""
    before = (
        '# mine\nrate = 3\n\n[orgs.beta]  # the client\norg_id = "'
        + BETA
        + '"\n'
        + ('client_id = "client-beta"\nclient_secret = "env:BETA_SECRET"\n')
    )
    batchconnect.write("batchconnect.toml", before)

    done = batchconnect("init", *FLAGS, "--json")
    again = batchconnect("init", *FLAGS)

    text = (batchconnect.folder / "batchconnect.toml").read_text()
    assert (done.code, done.json["written"]) == (0, ["acme"])
    assert text.startswith(before)
    assert [org["org"] for org in done.json["orgs"]] == ["acme"]
    assert again.code == 2
    assert "nothing was written" in again.err
    assert (batchconnect.folder / "batchconnect.toml").read_text() == text


def test_an_org_that_is_refused(batchconnect: CommandLine, service: Practice) -> None:
    """The file stands, the reason and the remedy are told; exit 4."""
    service.ask(lambda simulator: simulator.deny(ACME, "403027"))

    done = batchconnect("init", *FLAGS)

    assert done.code == 4
    assert "403027" in done.out
    assert "product profile" in " ".join(done.out.split())
    assert "next:   batchconnect doctor" in done.out
    assert (batchconnect.folder / "batchconnect.toml").exists()


@pytest.mark.usefixtures("service")
def test_a_reference_that_leads_nowhere_yet(batchconnect: CommandLine) -> None:
    """Written, said, and exit 2: no command could use these settings now."""
    batchconnect.delenv("ACME_SECRET")

    done = batchconnect("init", *FLAGS)

    assert done.code == 2
    assert "no sign-in was tried: client_secret in [orgs.acme]" in " ".join(done.out.split())
    assert (batchconnect.folder / "batchconnect.toml").exists()
    assert not done.out.rstrip().endswith("clients.xlsx")


@pytest.mark.usefixtures("service")
def test_a_ledger_that_has_no_place(batchconnect: CommandLine) -> None:
    """Signed in, and yet no run could begin: exit 5."""
    (batchconnect.folder / "reports").write_text("in the way")

    done = batchconnect("init", *FLAGS)

    assert done.code == 5
    assert "reports" in done.out


def test_offline_nobody_is_asked(batchconnect: CommandLine, service: Practice) -> None:
    """The file is all that comes of it."""
    done = batchconnect("init", *FLAGS, "--offline")

    assert done.code == 0
    assert service.journal() == []


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--org-id", "AAAA"), "the org id must end in @AdobeOrg"),
        (("--client-id", "two words"), "the client id must be one word"),
        (("--sandbox", "Prod!"), "the sandbox: "),
        (("--org", ""), "the org's name must be a short word"),
        (("--proxy", "http://user:canary~pw@proxy.example:8080"), "--proxy holds a password"),
        (("--ca-bundle", "not-there.pem"), ""),
    ],
)
def test_what_cannot_be_meant_is_not_written(
    batchconnect: CommandLine, changed: tuple[str, str], said: str
) -> None:
    """Said with its flag's matter, and no file is left."""
    done = batchconnect("init", *FLAGS, *changed)

    assert done.code == 2
    assert said in done.err
    assert "canary" not in done.out + done.err
    if said:
        assert [*batchconnect.folder.iterdir()] == []


@pytest.mark.usefixtures("service")
def test_a_proxy_and_a_bundle_are_written_down(batchconnect: CommandLine, tmp_path: Path) -> None:
    """So that the next command need not be told."""
    batchconnect.setenv(CORP_PROXY="http://user:pw@proxy.example:8080")

    done = batchconnect("init", *FLAGS, "--offline", "--proxy", "env:CORP_PROXY")

    settings = load_settings(
        path=batchconnect.folder / "batchconnect.toml",
        environ={"CORP_PROXY": "http://user:pw@proxy.example:8080", **SECRETS_OF_TWO},
    )
    assert done.code == 0
    assert settings.options.proxy is not None


def test_a_file_that_others_may_write(batchconnect: CommandLine) -> None:
    """Nothing is added to what somebody else may have put there."""
    batchconnect.write("batchconnect.toml", "rate = 1\n").chmod(0o666)

    done = batchconnect("init", *FLAGS)

    assert done.code == 2
    assert "may be written by others" in done.err


def test_a_folder_that_is_not_there(batchconnect: CommandLine) -> None:
    """Said before anybody is asked for a secret."""
    done = batchconnect("init", "nowhere/batchconnect.toml", *FLAGS)

    assert done.code == 2
    assert "there is no folder nowhere" in done.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose person types one line, and then ends."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(" acme \n"))
    return Terminal()


def test_a_terminal_that_ends(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-D is an end with a sentence."""
    assert terminal.ask("Name") == "acme"
    with pytest.raises(UsageError, match="nothing was written"):
        terminal.ask("Next")
    assert capsys.readouterr().err == "Name: Next: "


@pytest.mark.parametrize(("typed", "answer"), [(" p8e-typed \n", "p8e-typed"), (None, None)])
def test_a_secret_is_typed_unseen(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str | None,
    answer: str | None,
) -> None:
    """The terminal's echo is off meanwhile; Ctrl-D is an end with a sentence here, too."""
    asked: list[str] = []

    def getpass(prompt: str, stream: object) -> str:
        asked.append(prompt)
        assert stream is sys.stderr
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setattr("getpass.getpass", getpass)
    if answer is None:
        with pytest.raises(UsageError, match="nothing was written"):
            Terminal().ask_secret("Client secret")
    else:
        assert Terminal().ask_secret("Client secret") == answer
    assert asked == ["Client secret (not shown): "]
    assert "p8e" not in capsys.readouterr().err


def test_what_is_said_between_the_questions_steers_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It may repeat what a person typed."""
    Terminal().say("one\nesc \x1b[2J")

    said = capsys.readouterr().err
    assert said.splitlines()[0] == "one"
    assert "\x1b" not in said


@pytest.mark.usefixtures("service")
def test_a_reference_that_leads_nowhere_is_noted_while_a_person_answers(
    batchconnect: CommandLine,
) -> None:
    """It may be set later; until then nobody can sign in. What is no yes and no no is asked again."""
    person = Answers(
        *("acme", ACME, "client-acme", "env:NOT_SET_YET", "dev", "perhaps", "yes"),
        *("beta", BETA, "client-beta", "file:nowhere", "", "no"),
    )

    code = init.run(
        OutputOptions(), Given(), path=Path("batchconnect.toml"), wish=Wish(), asker=person
    )

    assert code == 2
    assert "  note: that variable is not set. Until then nobody can sign in." in person.said
    assert "  note: there is no such file. Until then nobody can sign in." in person.said
    assert "  y or n, please; nothing else is taken here." in person.said


def test_what_was_given_by_flags_is_not_asked_for(batchconnect: CommandLine) -> None:
    """All of it, or a part: a person answers the rest."""
    batchconnect.setenv(ACME_SECRET=CLIENT_SECRET)
    whole = {"key": "acme", "org_id": ACME, "client_id": "c", "client_secret": "env:ACME_SECRET"}
    nobody, person = Answers(), Answers("n")
    paths = (Path("a.toml"), Path("b.toml"))

    init.run(
        OutputOptions(), Given(), path=paths[0], wish=Wish(**whole, offline=True), asker=nobody
    )
    part = Wish(**{**whole, "client_id": None}, sandbox="dev", offline=True)
    person = Answers("client-acme", "n")
    init.run(OutputOptions(), Given(), path=paths[1], wish=part, asker=person)

    assert nobody.said == []
    assert [said for said in person.said if said == "Client id"] == ["Client id"]
    assert not [said for said in person.said if "sandbox" in said]
    assert 'sandbox = "dev"' in paths[1].read_text()


def test_a_secret_that_cannot_be_kept_is_asked_for_as_a_reference(
    batchconnect: CommandLine,
) -> None:
    (batchconnect.folder / "secrets").write_text("in the way")
    person = Answers("acme", ACME, "client-acme", "", "", CLIENT_SECRET, "dev", "n")

    with pytest.raises(UsageError, match="secrets cannot be made") as refused:
        init.run(
            OutputOptions(), Given(), path=Path("batchconnect.toml"), wish=Wish(), asker=person
        )

    assert refused.value.hint is not None
    assert "env:NAME or file:PATH" in refused.value.hint
    assert CLIENT_SECRET not in str(refused.value)
    assert not (batchconnect.folder / "batchconnect.toml").exists()
