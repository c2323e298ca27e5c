"""Who lets us in: each store of the settings, and each org: sign-in, connection spec, sandbox, as far as reading tells."""

from collections.abc import Callable, Collection

from batchconnect.model.errors import BatchConnectError
from batchconnect.model.event import Event
from batchconnect.model.org import Org
from batchconnect.model.remedies import doctor_hint_for
from batchconnect.model.secret import Secret
from batchconnect.model.value import replace
from batchconnect.options import MergedOptions
from batchconnect.run.diagnosis.check import Check, Verdict
from batchconnect.run.diagnosis.org_check import OrgCheck, check_orgs
from batchconnect.run.diagnosis.store_check import CheckedStore
from batchconnect.settings import Settings

TOPIC = "sign-in"


async def look_at_orgs(
    settings: Settings,
    options: MergedOptions,
    *,
    sandbox: str | None,
    on_event: Callable[[Event], None],
    hold: Callable[[Secret], None],
    unreached: Collection[str],
    patience_s: float | None,
) -> list[Check]:
    """
    Sign in to each org whose hosts are reached, and read what a run reads first.

    Args:
        settings: The orgs.
        options: As of `check_orgs`.
        sandbox: As of `check_orgs`.
        on_event: As of `check_orgs`.
        hold: As of `check_orgs`.
        unreached: URLs of hosts that are not reached: what is behind them is told once, with them.
        patience_s: As of `check_orgs`.
    """
    skipped = [org for org in settings.orgs if {org.platform_url, org.ims_url} & set(unreached)]
    left = tuple(org for org in settings.orgs if org not in skipped)
    checks = [_skipped(org) for org in skipped]
    stores: list[CheckedStore] = []
    if left or settings.stores or options.simulate:
        try:
            found = await check_orgs(
                replace(settings, orgs=left),
                options,
                sandbox=sandbox,
                on_event=on_event,
                hold=hold,
                on_store=stores.append,
                patience_s=patience_s,
            )
        except BatchConnectError as error:
            return [
                *checks,
                Check(
                    topic=TOPIC,
                    verdict=Verdict.FAILED,
                    what=error.message,
                    remedy=error.hint or "",
                ),
            ]
        checks += [_told(one) for one in found]
    return [*(_of_store(store) for store in stores), *checks]


def _of_store(store: CheckedStore) -> Check:
    is_well = store.refusal is None
    return Check(
        topic="store",
        subject=store.name,
        verdict=Verdict.OK if is_well else Verdict.FAILED,
        code="" if is_well else "store",
        what=store.refusal or f"lets us in ({store.kind}, {store.auth})",
    )


def _skipped(org: Org) -> Check:
    what = "not tried: a host of it is not reached, see above"
    return Check(topic=TOPIC, subject=org.key, verdict=Verdict.SKIPPED, what=what)


def _told(one: OrgCheck) -> Check:
    subject = f"{one.org.key} {one.sandbox}" if one.sandbox else one.org.key
    if one.refusal is not None:
        return Check(
            topic=TOPIC,
            subject=subject,
            verdict=Verdict.FAILED,
            code=one.code,
            what=one.refusal,
            remedy=doctor_hint_for(one.code),
        )
    if one.sandbox is None:
        what = "signed in; no default sandbox, so that no right was looked at"
        remedy = "Name one with --sandbox, or as `sandbox` in the settings."
        return Check(topic=TOPIC, subject=subject, verdict=Verdict.NOTE, what=what, remedy=remedy)
    if one.is_odd:
        return Check(topic=TOPIC, subject=subject, verdict=Verdict.WARNING, what=one.note)
    return Check(
        topic=TOPIC,
        subject=subject,
        what="signed in, spec and listing readable; only a create tells whether it may create",
    )
