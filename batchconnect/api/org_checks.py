"""`orgs`: does each org of the settings let us in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchconnect.api.call import OnEvent, SettingsLike, begin, checked
from batchconnect.api.one_error import with_one_error
from batchconnect.api.shown import Shown, counted, frame
from batchconnect.options import RunOptions
from batchconnect.run.diagnosis.org_check import OrgCheck, check_orgs, exit_code_of
from batchconnect.run.diagnosis.store_check import CheckedStore
from batchconnect.run.selection import as_part

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OrgChecks(Shown):
    """What the orgs answered, and the stores of the settings; iterating gives one check for each org."""

    checks: tuple[OrgCheck, ...]
    exit_code: int
    """As of the command line: 0 all let us in, 4 some orgs refuse, or a store does, 7 all orgs do."""
    stores: tuple[CheckedStore, ...] = ()
    """What each store of the settings said when it was signed in to; `refusal` is None where all is well."""

    def __iter__(self) -> Iterator[OrgCheck]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def to_pandas(self) -> "pd.DataFrame":
        """One line for each org."""
        return frame(*self._table())

    def _line(self) -> str:
        refused = sum(check.refusal is not None for check in self.checks)
        shut = sum(store.refusal is not None for store in self.stores)
        counts = [
            ("ok", len(self.checks) - refused),
            ("refused", refused),
            ("of the stores refused", shut),
        ]
        return counted(counts) or "no org is set"

    def _table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        lines = (
            (one.org.key, one.org.org_id, one.sandbox, one.refusal is None, one.refusal, one.note)
            for one in self.checks
        )
        return ("org", "org_id", "sandbox", "ok", "refusal", "note"), lines

    def _where(self) -> str | None:
        said = [*(one.refusal for one in self.checks), *(one.refusal for one in self.stores)]
        refusals = [refusal for refusal in said if refusal is not None]
        return refusals[0] if refusals else None


@with_one_error
async def orgs(
    *,
    settings: SettingsLike = None,
    on_event: OnEvent | None = None,
    options: RunOptions | None = None,
) -> OrgChecks:
    """
    Sign in to each org of the settings; read its connection spec and a page of its sandbox. As `batchconnect orgs`.

    The stores of the settings are signed in to as well, and nothing is read there.

    Args:
        settings: As of `onboard`.
        on_event: As of `onboard`; here it hears of pauses alone.
        options: As of `onboard`; `org` and `only` choose orgs, `sandbox` is read in place of each org's default.

    Raises:
        BatchConnectError: The settings are wrong; what an org refuses is in the result.
    """
    given = as_part(checked(options))
    call = begin(settings=settings, options=given, on_event=on_event)
    call.warn_of_settings()
    stores: list[CheckedStore] = []
    checks = await check_orgs(
        call.settings,
        call.options,
        sandbox=None if options is None else options.sandbox,
        on_event=call.listener.on_event,
        hold=call.listener.redactor.hold,
        on_store=stores.append,
        patience_s=None if options is None else options.patience,
    )
    is_odd = bool(call.settings.warnings) or any(check.is_odd for check in checks)
    code = exit_code_of(checks, stores, is_odd=call.options.strict and is_odd)
    return OrgChecks(checks=tuple(checks), exit_code=int(code), stores=tuple(stores))
