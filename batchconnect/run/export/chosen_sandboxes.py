"""
Which sandboxes a command without a sheet reads: those that were named, or each org's own.

Nothing is guessed: where several could be meant and none was named, nothing is read.
"""

from collections.abc import Iterable, Sequence
from itertools import product

from batchconnect.model.errors import UsageError
from batchconnect.model.org import Org
from batchconnect.model.value import Value
from batchconnect.validation.naming import check_sandbox
from batchconnect.validation.org_registry import OrgRegistry

Where = tuple[str, str]
"""An org's settings key, and the sandbox."""


class Chosen(Value):
    """What is to be read."""

    places: tuple[Where, ...]
    """Each once, in the order in which they were named."""
    without_default: tuple[str, ...] = ()
    """Orgs of `--all` that have no default sandbox where none was named: they cannot be read."""


def choose_sandboxes(
    registry: OrgRegistry, *, orgs: Sequence[str], sandboxes: Sequence[str], every: bool
) -> Chosen:
    """
    Choose by what was typed.

    Args:
        registry: The orgs that there are.
        orgs: As of `--org`; none: the only org of the settings.
        sandboxes: As of `--sandbox`, each in every chosen org; none: each org's default.
        every: `--all`: every org of the settings.

    Raises:
        UsageError: A name is nobody's or no sandbox's, or something has to be named and is not.
    """
    chosen = _orgs(registry, orgs, every=every)
    for name in sandboxes:
        for problem in check_sandbox(name):
            raise UsageError(f"--sandbox: {problem.what}", hint=problem.remedy)
    if sandboxes:
        return _once(product((org.key for org in chosen), sandboxes))
    without = tuple(org.key for org in chosen if org.sandbox is None)
    if without and not (every and len(without) < len(chosen)):
        raise UsageError(
            f"no sandbox is named, and the org {without[0]} has no default; nothing defaults to `prod`",
            hint="Name it with --sandbox NAME, or set `sandbox` for the org in the settings.",
        )
    return _once(((org.key, org.sandbox) for org in chosen if org.sandbox), without)


def _once(places: Iterable[Where], without: tuple[str, ...] = ()) -> Chosen:
    return Chosen(places=tuple(dict.fromkeys(places)), without_default=without)


def _orgs(registry: OrgRegistry, names: Sequence[str], *, every: bool) -> list[Org]:
    if every and names:
        raise UsageError(
            "--all and --org contradict each other",
            hint="--all is every org of the settings; name orgs with --org alone.",
        )
    if names:
        return [_found(registry, name) for name in names]
    if every and registry.all:
        return list(registry.all)
    if registry.only is None:
        raise UsageError(
            f"the settings know {len(registry.all)} orgs, and none is named",
            hint="Name one or more with --org NAME, or all of them with --all.",
        )
    return [registry.only]


def _found(registry: OrgRegistry, name: str) -> Org:
    org = registry.find(name)
    if org is None:
        nearest = registry.nearest(name)
        raise UsageError(
            "--org names no org of the settings",
            hint=f"Did you mean {nearest}?"
            if nearest is not None
            else "`batchconnect orgs` lists them.",
        )
    return org
