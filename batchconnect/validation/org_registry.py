"""
Which org a cell means: a settings key, an org id or an alias, in any letter case.

`SimulatedOrgRegistry` is the same book for `--simulate`, where any text is an org of the simulator and no
real credential is ever handed out.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from hashlib import sha256
from unicodedata import normalize

from batchconnect.model.errors import SettingsError
from batchconnect.model.org import ORG_ID_SUFFIX, Org
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.validation.damage import clean

SIMULATED = "simulated"
"""The org of a blank cell under `--simulate` where the settings know none."""
SIMULATED_SECRET = "simulated-secret"  # noqa: S105  # said openly: the simulator's own, no secret

_ORG_ID = re.compile(r"[0-9a-f]{24}@adobeorg", re.IGNORECASE)
_MOST_GUESSES = 1000
"""Distinct unknown names for which the nearest one is looked up; a sheet may hold a million."""
_LONGEST_GUESS = 100


class OrgRegistry:
    """
    The orgs that the settings know.

    Args:
        orgs: In the order of the settings.
        make: Makes an org of a name that is not known, spelled as in its first cell; None: such a
            name is nobody's.

    Raises:
        SettingsError: A key or alias names two orgs.
    """

    def __init__(self, orgs: Iterable[Org], *, make: Callable[[str], Org] | None = None) -> None:
        self.all: tuple[Org, ...] = tuple(orgs)
        self._make = make
        self._by_name: dict[str, Org] = {}
        self._spellings: dict[str, str] = {}
        self._guesses: dict[str, str | None] = {}
        for org in self.all:
            for name in (org.key, *org.aliases):
                self._enter(name, org)
        # Two profiles may share an org id (two credentials of one org): then the id names neither,
        # unless one of them has it as its key.
        ids = [_folded(org.org_id) for org in self.all]
        for org, org_id in zip(self.all, ids, strict=True):
            if ids.count(org_id) == 1:
                self._enter(org.org_id, org)

    @property
    def only(self) -> Org | None:
        """The org of a blank cell: the one org, where the settings know exactly one."""
        if len(self.all) == 1:
            return self.all[0]
        return None if self.all else self._made(SIMULATED)

    def find(self, text: str) -> Org | None:
        """The org that a cell or an option names, None where it names none."""
        # Most cells are spelled as the settings are, so folding them comes second.
        known = self._by_name.get(text.casefold())
        return known or self._by_name.get(_folded(text)) or self._made(clean(text)[0])

    def nearest(self, text: str) -> str | None:
        """The known name most like a text, spelled as in the settings; None: none is like it."""
        folded = _folded(text)
        if len(folded) > _LONGEST_GUESS:
            return None
        if folded not in self._guesses:
            if len(self._guesses) >= _MOST_GUESSES:
                return None
            close = get_close_matches(folded, self._spellings, n=1)
            self._guesses[folded] = self._spellings[close[0]] if close else None
        return self._guesses[folded]

    def _made(self, name: str) -> Org | None:
        if self._make is None:
            return None
        known = self._by_name.get(_folded(name))
        if known is None:
            known = self._make(name)
            self._enter(name, known)
            self._by_name.setdefault(_folded(known.org_id), known)
        return known

    def _enter(self, name: str, org: Org) -> None:
        folded = _folded(name)
        known = self._by_name.setdefault(folded, org)
        if known is not org:
            raise SettingsError(
                f"the name `{name}` means two orgs, [orgs.{known.key}] and [orgs.{org.key}]",
                hint="Give each key and alias to one org only; letter case does not count.",
            )
        self._spellings.setdefault(folded, name)


class SimulatedOrgRegistry(OrgRegistry):
    """
    The orgs of the simulator: those of the settings without their credentials, and any other text.

    Args:
        orgs: Of the settings; key, org id, default sandbox, rate and aliases are kept.
        url: Root of the simulator, which is both gateway and IMS.
        rate: Of the orgs that the settings do not know, as `--rate`.
    """

    def __init__(self, orgs: Iterable[Org] = (), *, url: str, rate: float | None = None) -> None:
        root = url.rstrip("/")
        super().__init__(
            [_simulated(org, root) for org in orgs],
            make=lambda name: replace(_simulated(_invented(name), root), rate=rate),
        )


def _invented(name: str) -> Org:
    digest = sha256(_folded(name).encode()).hexdigest()
    org_id = name if _ORG_ID.fullmatch(name) else digest[:24].upper() + ORG_ID_SUFFIX
    return Org(key=name, org_id=org_id, client_id="")


def _simulated(org: Org, root: str) -> Org:
    return replace(
        org,
        client_id=f"sim-{org.org_id.partition('@')[0].lower()}",
        client_secret=Secret(SIMULATED_SECRET),
        access_token=None,
        platform_url=root,
        ims_url=root,
    )


def _folded(text: str) -> str:
    """A name as names are found: without what `clean` takes off, in NFC, in no letter case."""
    return normalize("NFC", clean(text)[0].casefold())
