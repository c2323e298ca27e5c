"""
The rules of every column, said once: what surely is fine, how a cell is judged, how two are compared.

`model/column.py` has the columns; the rules stand with what they are about: `naming`, `kusto`, `entra`.
"""

from collections.abc import Callable, Mapping

from batchconnect.model.column import Column
from batchconnect.model.identity import canonical_id, canonical_name
from batchconnect.model.target import TARGET_COLUMNS, Target
from batchconnect.model.value import Value
from batchconnect.validation.entra import check_principal_id, check_tenant
from batchconnect.validation.finding import Problems
from batchconnect.validation.kusto import canonical_endpoint, check_database, check_endpoint
from batchconnect.validation.naming import check_description, check_name

Check = Callable[[str], tuple[str | None, Problems]]
"""Takes a cell as typed; gives what is made of it, None where it may not be sent, and what was found."""


class Rule(Value):
    """What holds for the cells of one column."""

    plain: str
    """A pattern, narrower than `check` and never wider: it finds nothing in what matches, and changes nothing."""
    check: Check | None = None
    """None: the cell alone cannot be judged (`placement` needs the settings, `reference` its sources)."""
    canonical: Callable[[str], str] = str
    """A text as two are compared, wherever it comes from, a listing of the service too."""


def _kept(check: Callable[[str], Problems]) -> Check:
    """Of a rule that changes nothing."""
    return lambda text: (text, check(text))


_GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
LETTERS = "\u00c0-\u017e"
"""Latin letters in one piece: NFC changes none of them while no combining character follows."""

RULES: Mapping[Column, Rule] = {
    Column.NAME: Rule(
        # Without `~`, which every client secret of Entra has: nothing of that shape passes.
        plain=rf"[A-Za-z{LETTERS}](?:[ ->@-}}{LETTERS}]{{0,253}}[!-}}{LETTERS}])?",
        check=_kept(check_name),
        canonical=canonical_name,
    ),
    Column.DESCRIPTION: Rule(
        plain=rf"(?:[A-Za-z{LETTERS}][ ->@-}}{LETTERS}]{{0,223}})?",
        check=check_description,
    ),
    Column.ENDPOINT: Rule(
        plain=r"https://(?!ingest-)[a-z][a-z0-9]{3,21}\.[a-z][a-z0-9]{1,40}\.kusto\.windows\.net",
        check=check_endpoint,
        canonical=canonical_endpoint,
    ),
    Column.DATABASE: Rule(
        plain="[A-Za-z](?:[A-Za-z0-9 ._-]{0,253}[A-Za-z0-9])?",
        check=_kept(check_database),
        canonical=str.lower,
    ),
    Column.TENANT: Rule(
        plain=rf"{_GUID}|[a-z][a-z0-9]{{2,60}}\.onmicrosoft\.com",
        check=check_tenant,
        canonical=canonical_id,
    ),
    Column.SERVICE_PRINCIPAL_ID: Rule(
        plain=_GUID,
        check=check_principal_id,
        canonical=canonical_id,
    ),
    # No colon, so no reference; no GUID, no number rewritten by a spreadsheet, no mask, no ellipsis.
    # What begins as placeholders do is looked at besides: a pattern of so many words is slow.
    Column.SERVICE_PRINCIPAL_KEY: Rule(
        plain=r"(?!.?[0-9A-Fa-f]{8}-|[0-9.,Ee+-]+(?:[\x1f\0]|\Z))"
        r"[A-Za-z0-9~_.-][!-)+-9;-~]{7,9999}(?<!\.\.\.)",
    ),
    Column.ORG: Rule(plain="(?:[A-Za-z0-9][A-Za-z0-9@._-]{0,254})?"),
    Column.SANDBOX: Rule(plain="(?:[a-z0-9][a-z0-9-]{0,254})?"),
}
"""In the order of the columns."""


def canonical_target(target: Target) -> Target:
    """A target of any texts as two are compared; see `Target.compared` for one that was judged."""
    return Target(
        *(
            RULES[column].canonical(text)
            for column, text in zip(TARGET_COLUMNS, target, strict=True)
        )
    )
