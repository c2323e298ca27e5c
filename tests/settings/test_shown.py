"""An error about settings shows no value: whatever stands in whichever place, in the file or a variable."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from batchconnect.model.errors import BatchConnectError
from batchconnect.settings import load_settings
from batchconnect.settings.source import ONE_ORG_VARIABLES, PLAIN_VARIABLES, SECRETS
from batchconnect.settings.tables import KEYS, OrgTable, Tables

CANARIES = (
    "Zx48Q~vR9mK2pLw7TnYc5BdFhJs0QeUiOaGt6xZ.",
    "canary-S3cret~value.42",
    "kanarie-Geheim-77aa",
    "canary With blanks 42",
    "canary/S3cret+value==",
    "canary\nS3cret\tvalue",
)
FORMS: tuple[Callable[[str], str], ...] = (
    str,
    "https://{}".format,
    "https://user:{}@platform.adobe.io".format,
    "https://platform.adobe.io/{}".format,
    "http://me:{}@127.0.0.1:99999".format,
    "env:{}".format,
    "file:{}".format,
    "{} ".format,
    "Bearer {}".format,
)
"""How a secret may come to stand in a setting."""
SPOKEN = [
    pytest.param(canary, form, marks=[pytest.mark.slow] if canary in CANARIES[2:] else [])
    for canary in CANARIES
    for form in FORMS
]
"""Each secret in each form; in the fast lane the first two."""
ORG = {
    "org_id": "5C1328435BF324E90A49402A@AdobeOrg",
    "client_id": "c1",
    "client_secret": "s3cret-of-c1",
}
ORG_SETTINGS = tuple(OrgTable.model_fields)
COMMON_SETTINGS = tuple(name for name in (*KEYS, *Tables.model_fields) if name != "orgs")
VARIABLES = (
    *ONE_ORG_VARIABLES,
    *PLAIN_VARIABLES,
    *(f"BATCHCONNECT_{name.upper()}_FILE" for name in SECRETS),
    *(f"BATCHCONNECT_ORGS__ACME__{name.upper()}" for name in ORG_SETTINGS),
)
ENVIRON = {f"BATCHCONNECT_{name.upper()}": value for name, value in ORG.items()}


def told(environ: dict[str, str]) -> str:
    """What a person is told of the settings; of good ones their warnings."""
    try:
        found = load_settings(path=None, environ=environ, flags=True)
    except BatchConnectError as error:
        return (
            f"{error.message}\n{error.hint}\n{error!r}\n{error.__cause__!r}\n{error.__context__!r}"
        )
    return "\n".join(found.warnings)


def file(text: str) -> None:
    """The settings file."""
    path = Path("batchconnect.toml")
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def toml(**changed: str) -> str:
    """A section `[orgs.acme]`; values become TOML strings."""
    return "[orgs.acme]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in {**ORG, **changed}.items()
    )


def shows(text: str, canary: str) -> bool:
    """Whether it, its beginning or its end stands in a text, in whatever letter case."""
    pieces = (canary, canary[:10], canary[-10:])
    return any(piece.strip().lower() in text.lower() for piece in pieces)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BATCHCONNECT_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("canary", "form"), SPOKEN)
def test_no_setting_of_the_file_is_shown(canary: str, form: Callable[[str], str]) -> None:
    """Each setting of an org and each that is common to all, and five at once."""
    value = form(canary)
    texts = [toml(**{name: value}) for name in ORG_SETTINGS]
    texts += [f"{name} = {json.dumps(value)}\n{toml()}" for name in COMMON_SETTINGS]
    five = [name for name in COMMON_SETTINGS if KEYS.get(name)][:5]
    texts.append("".join(f"{name} = {json.dumps(value)}\n" for name in five) + toml())
    for text in texts:
        file(text)
        said = told({})
        assert not shows(said, canary), (text, said)


@pytest.mark.parametrize(("canary", "form"), SPOKEN)
def test_no_variable_is_shown(canary: str, form: Callable[[str], str]) -> None:
    """Each variable there is, and five at once."""
    value = form(canary)
    for names in (*([name] for name in VARIABLES), list(PLAIN_VARIABLES)[:5]):
        said = told({**ENVIRON, **dict.fromkeys(names, value)})
        assert not shows(said, canary), (names, said)


@pytest.mark.parametrize("canary", CANARIES[:2])
def test_no_name_of_unlikely_form_is_shown(canary: str) -> None:
    """A section, a setting of an org or of all, a variable; a value that is no string."""
    quoted = json.dumps(canary)
    for text in (
        toml().replace("acme", quoted).replace("c1", ""),
        f"[{quoted}]\n{toml()}",
        f"{quoted} = 1\n{toml()}",
        f"{toml()}{quoted} = 1\n",
        f"rate = [{quoted}]\n{toml()}",
        f"rate = {{ {quoted} = 1 }}\n{toml()}",
        f"orgs = {quoted}\n",
        f"orgs = [{quoted}]\n",
        f"{toml()}aliases = [{quoted}, 3]\n",
        f"{toml()}client_secret = {quoted}\n",
        f"client_secret = {canary}\n",
        f"{toml()}[orgs.beta]\nclient_secret = {quoted}\n",
        f"[orgs.{quoted}]\nrate = 1\n",
    ):
        file(text)
        said = told({})
        assert said
        assert not shows(said, canary), (text, said)
    for name in (
        f"BATCHCONNECT_{canary}",
        f"BATCHCONNECT_ORGS__{canary}__RATE",
        f"BATCHCONNECT_ORGS__ACME__{canary}",
    ):
        file(toml())
        said = told({name: "x"})
        assert not shows(said, canary), said


def test_a_name_beside_one_of_unlikely_form_is_still_told() -> None:
    """Neither is a short odd name cut out of every word, nor an org's key with a setting that is none."""
    file(toml() + '[orgs.enterprises]\n"~" = 1\n')
    said = told({"BATCHCONNECT_ORGS__ENTERPRISES__canary-S3cret~value.42": "x"})

    assert "org_id is missing in [orgs.enterprises]" in said
    assert "BATCHCONNECT_ORGS__ENTERPRISES__ORG_ID" in said


@hypothesis_settings(
    max_examples=hypothesis_settings().max_examples * 3 // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    names=st.lists(st.sampled_from(VARIABLES), min_size=5, max_size=5, unique=True),
    values=st.lists(
        st.builds(
            lambda start, form, canary: start + form(canary),
            st.text(st.characters(min_codepoint=32, max_codepoint=300), max_size=3),
            st.sampled_from(FORMS),
            st.sampled_from(CANARIES),
        ),
        min_size=5,
        max_size=5,
    ),
)
def test_five_wrong_variables_show_none_of_their_values(
    names: list[str], values: list[str]
) -> None:
    """In whatever company, on top of whatever else."""
    said = told({**ENVIRON, **dict(zip(names, values, strict=True))})

    assert not any(shows(said, canary) for canary in CANARIES), said
