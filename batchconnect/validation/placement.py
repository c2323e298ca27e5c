"""
Which org, which sandbox: a cell wins over an option, an option over the settings.

Nothing defaults to `prod`: where no place names a sandbox, the row is refused.
"""

import re
from difflib import get_close_matches

from batchconnect.model.column import Column
from batchconnect.model.errors import UsageError
from batchconnect.model.likely_name import is_likely_name
from batchconnect.model.org import Org
from batchconnect.model.value import replace
from batchconnect.validation.damage import clean
from batchconnect.validation.finding import NOTHING, Problems, error, note
from batchconnect.validation.naming import check_sandbox
from batchconnect.validation.org_registry import OrgRegistry

_MOST_NAMED = 10
"""Orgs that a message lists."""
_PLAIN = re.compile("[A-Za-z0-9@._-]+")


def check_options(org: str | None, sandbox: str | None, orgs: OrgRegistry) -> None:
    """
    Judge `--org` and `--sandbox` themselves, once, whether a blank cell needs them or not.

    Raises:
        UsageError: One of them can be meant by no row.
    """
    if org is not None and orgs.find(org) is None:
        near = orgs.nearest(org)
        known = ", ".join(one.key for one in orgs.all[:_MOST_NAMED])
        more = f" and {len(orgs.all) - _MOST_NAMED} more" if len(orgs.all) > _MOST_NAMED else ""
        raise UsageError(
            f"--org {_told(org)} names no org of the settings",
            hint=f"Did you mean --org {near}?" if near else f"The settings know: {known}{more}.",
        )
    if sandbox is not None and (problems := check_sandbox(sandbox)):
        near = _nearest_sandbox(sandbox, orgs)
        raise UsageError(
            f"--sandbox {_told(sandbox)}: {problems[0].what}",
            hint=f"Did you mean --sandbox {near}?" if near else problems[0].remedy,
        )


def _told(text: str) -> str:
    """An option as it was typed, where it may well be a name, and not a key in the wrong place."""
    return text if is_likely_name(text) else f"(of {len(text)} characters)"


def _nearest_sandbox(text: str, orgs: OrgRegistry) -> str | None:
    """A sandbox of the settings that is like it, or the text as it would be right."""
    plain = text.strip().lower()
    known = [one.sandbox for one in orgs.all if one.sandbox is not None]
    close = get_close_matches(plain, known, n=1)
    return (
        close[0] if close else plain if is_likely_name(text) and not check_sandbox(plain) else None
    )


def choose_org(
    cell: str | None, option: str | None, orgs: OrgRegistry
) -> tuple[Org | None, Problems]:
    """
    The org of a row.

    Args:
        cell: As typed; None: it was refused already, and nothing else takes its place.
        option: `--org`.
        orgs: The orgs that a row may name.

    Returns:
        The org, None where none can be meant; and what was found.
    """
    if cell is None:
        return None, NOTHING
    if cell and not cell.isspace():
        found, problems = orgs.find(cell), _org_note(cell)
        wrong = f"the cell of {len(cell)} characters names no org"
        return (found, problems) if found else (None, _unknown(wrong, cell, orgs))
    if option is not None:
        found = orgs.find(option)
        wrong = "the option `--org` names no org of the settings"
        return (found, NOTHING) if found else (None, _unknown(wrong, option, orgs))
    only = orgs.only
    what = "no org is named, and the settings do not know exactly one"
    fix = "Fill in the column `org`, give `--org NAME`, or keep one org in the settings."
    return only, NOTHING if only else (error(Column.ORG, "org_missing", what, fix),)


def choose_sandbox(cell: str | None, option: str | None, org: Org | None) -> tuple[str, Problems]:
    """
    The sandbox of a row.

    Args:
        cell: As typed; None: it was refused already, and nothing else takes its place.
        option: `--sandbox`.
        org: Of the row; None: it is unknown, so its default is too, which is no second problem.

    Returns:
        The sandbox, "" where there is none; and what was found.
    """
    if cell is None:
        return "", NOTHING
    if cell and not cell.isspace():
        return cell, check_sandbox(cell)
    if option is not None:
        return option, _from("the option `--sandbox`", check_sandbox(option))
    if org is None:
        return "", NOTHING
    if org.sandbox is not None:
        place = f"the setting `sandbox` of the org `{org.key}`"
        return org.sandbox, _from(place, check_sandbox(org.sandbox))
    what = "no sandbox is named, and nothing defaults to `prod`"
    fix = (
        f"Fill in the column `sandbox`, give `--sandbox NAME`, or set `sandbox` for the org "
        f"`{org.key}` in the settings."
    )
    return "", (error(Column.SANDBOX, "sandbox_missing", what, fix),)


def _unknown(what: str, text: str, orgs: OrgRegistry) -> Problems:
    nearest = orgs.nearest(text)
    fix = (
        f"Did you mean `{nearest}`?"
        if nearest is not None
        else "Use a settings key, an org id or an alias (`batchconnect orgs` lists them)."
    )
    return (error(Column.ORG, "org_unknown", what, fix),)


def _org_note(cell: str) -> Problems:
    _, removed = ("", "") if _PLAIN.fullmatch(cell) else clean(cell)
    what = f"the identifier was normalised, taken off: {removed}"
    return (note(Column.ORG, "id_normalised", what),) if removed else NOTHING


def _from(place: str, problems: Problems) -> Problems:
    return tuple(replace(problem, what=f"{place}: {problem.what}") for problem in problems)
