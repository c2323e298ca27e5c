"""What stands in the way of a command that looks, said once for each cause, with its remedy: orgs share one network."""

from collections import Counter
from collections.abc import Iterable, Iterator

from batchconnect.model.remedies import look_hint_for, title_for
from batchconnect.reports.terminal_summary import hint_lines


def refusal_lines(
    codes: Iterable[str], *, what: str = "sandbox", whats: str = "sandboxes", width: int = 80
) -> Iterator[str]:
    """
    The lines of each cause: its headline, then what to do.

    Args:
        codes: Of each place that could not be looked at, or each row that nothing is done to; "" counts as none.
        what: One such place.
        whats: Several.
        width: Columns of the terminal.
    """
    for code, count in Counter(filter(None, codes)).most_common():
        yield f"! {title_for(code)} ({code}): {count} {what if count == 1 else whats}"
        yield from hint_lines(look_hint_for(code), width=width)
