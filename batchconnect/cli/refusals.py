"""What kept a command from looking, said once for each cause, with its remedy: orgs share one network."""

from collections import Counter
from collections.abc import Iterable, Iterator

from batchconnect.model.remedies import look_hint_for, title_for
from batchconnect.reports.terminal_summary import hint_lines


def refusal_lines(
    codes: Iterable[str], *, what: str = "sandbox", whats: str = "sandboxes"
) -> Iterator[str]:
    """
    The lines of each cause: its headline, then what to do.

    Args:
        codes: Of each place that could not be looked at; "" counts as none.
        what: One such place.
        whats: Several.
    """
    for code, count in Counter(filter(None, codes)).most_common():
        yield f"! {title_for(code)} ({code}): {count} {what if count == 1 else whats}"
        yield from hint_lines(look_hint_for(code))
