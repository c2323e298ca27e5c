"""
What may be set, once for every way of setting it: the tables of the file, and the flags that win.

The models only say which words exist and which shape their values have. Each description is the
second half of a sentence, "rate must be …", so that a wrong value is told without being repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from batchconnect.model.org import ORG_ID_SUFFIX
from batchconnect.model.secret import Secret

OnDoubt = Literal["resend", "hold"]
"""What becomes of a row that is proven absent after its settle window."""

Text = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1)]

A_TEXT = "a text in double quotes, not empty"
A_CREDENTIAL = "a text in double quotes: env:NAME, file:PATH, or the value itself"
A_LIST = 'a list of texts, as ["one", "two"]'
A_SWITCH = "true or false, without quotes"
A_POSITIVE = "a number above 0, without quotes"
A_DURATION = "seconds, a number of at least 0, without quotes"


class OrgTable(BaseModel):
    """The section `[orgs.NAME]`, or the one-org variables."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    org_id: Text = Field(description=f"a text that ends in {ORG_ID_SUFFIX}")
    client_id: Text = Field(description=A_TEXT)
    client_secret: Secret | None = Field(default=None, description=A_CREDENTIAL)
    access_token: Secret | None = Field(default=None, description=A_CREDENTIAL)
    sandbox: Text | None = Field(default=None, description=A_TEXT)
    aliases: list[Text] = Field(default=[], description=A_LIST)
    scopes: Text | None = Field(default=None, description="a text of scopes with commas between")
    platform_url: Text | None = Field(default=None, description=A_TEXT)
    ims_url: Text | None = Field(default=None, description=A_TEXT)
    rate: Positive | None = Field(default=None, description=A_POSITIVE)


class Tables(BaseSettings):
    """The whole of the settings: the file with everything that wins over it."""

    model_config = SettingsConfigDict(extra="forbid", arbitrary_types_allowed=True)

    orgs: dict[str, OrgTable] = Field(default={}, description="sections, one [orgs.NAME] per org")
    platform_url: Text | None = Field(default=None, description=A_TEXT)
    ims_url: Text | None = Field(default=None, description=A_TEXT)
    ledger: Text | None = Field(default=None, description=A_TEXT)
    reports: Text | None = Field(default=None, description=A_TEXT)
    skip_invalid: Flag = Field(default=False, description=A_SWITCH)
    rate: Positive | None = Field(default=None, description=A_POSITIVE)
    concurrency: Count | None = Field(default=None, description="a whole number of at least 1")
    timeout: Positive | None = Field(default=None, description=f"seconds, {A_POSITIVE}")
    settle: Seconds | None = Field(default=None, description=A_DURATION)
    patience: Seconds | None = Field(default=None, description=A_DURATION)
    on_doubt: OnDoubt | None = Field(default=None, description='"resend" or "hold"')
    allow_refs: Flag = Field(default=False, description=A_SWITCH)
    refs_dir: Text | None = Field(default=None, description=A_TEXT)
    allow_hosts: list[Text] = Field(default=[], description=A_LIST)
    proxy: Secret | None = Field(default=None, description="a text in double quotes")
    ca_bundle: Text | None = Field(default=None, description=A_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The flags of one command; None (or no host): the flag was not given."""

    ledger: Path | None = None
    reports: Path | None = None
    skip_invalid: bool | None = None
    rate: float | None = None
    """Requests per second; it also wins over the rate of every org."""
    concurrency: int | None = None
    timeout: float | None = None
    """Seconds, as are *settle* and *patience*."""
    settle: float | None = None
    patience: float | None = None
    on_doubt: OnDoubt | None = None
    allow_refs: bool | None = None
    refs_dir: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    """Joined to the hosts of the file, not instead of them."""
    proxy: str | Secret | None = None
    """A `Secret` where it comes from somewhere safer than a command line: it may bear a password."""
    ca_bundle: Path | None = None

    def given(self) -> Mapping[str, Any]:
        """The flags that were given, as the settings file would hold them."""
        found: dict[str, Any] = {}
        for field in fields(self):
            match getattr(self, field.name):
                case None | ():
                    continue
                case Path() as path:
                    found[field.name] = str(path)
                case tuple() as texts:
                    found[field.name] = list(texts)
                case str() as url if field.name == "proxy":
                    found[field.name] = Secret(url)
                case value:
                    found[field.name] = value
        return found
