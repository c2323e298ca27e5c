"""
Which lanes of a run are one worker's, beside others: told by who is at work, and by each worker for itself.

A lane that somebody is pinned to is nobody else's. The rest is shared out by number: each works its share while
somebody has too few, and what nobody wants, whoever comes first.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from batchconnect.ledger.team import WorkerRow
from batchconnect.model.value import Value


class Share(Value):
    """What is one worker's of the lanes that are open, by their numbers."""

    lanes: frozenset[int]
    """Those that it may take."""
    wanted: frozenset[int]
    """Of these: those that somebody else may take, who has too few."""
    most: int
    """So many of all it may have while it has one of those that are wanted."""
    least: int
    """With fewer it has too few."""

    def may_take(self, lane: int, *, has: int) -> bool:
        """Whether it may take one more, and has so many."""
        return lane in self.lanes and (lane not in self.wanted or has < self.most)

    def to_give(self, held: Sequence[int], *, ending: Collection[int] = ()) -> list[int]:
        """
        Which lanes are to be handed back.

        Args:
            held: What it has, in the order in which it was taken: what was begun last is given first.
            ending: Of these, what is through sooner than another one would have begun: it is given to nobody who
                takes any.
        """
        others = [lane for lane in held if lane not in self.lanes]
        own = [lane for lane in held if lane in self.lanes]
        too_many = max(0, len(own) - self.most)
        wanted = [lane for lane in own if lane in self.wanted and lane not in ending]
        return [*others, *wanted[len(wanted) - min(too_many, len(wanted)) :]]


def share_of(
    name: str,
    holders: Mapping[int, str],
    pins: Collection[int] | None,
    others: Sequence[WorkerRow],
) -> Share:
    """
    Share them out.

    Args:
        name: Of this worker.
        holders: Who has each lane of the run that is not through, "" where nobody does.
        pins: Those that this worker takes alone; None: it takes any.
        others: Who else is at work on the run.
    """
    of_others = frozenset[int]().union(*(one.pins for one in others if one.pins is not None))
    lanes = frozenset(holders) - of_others if pins is None else frozenset(pins) & holders.keys()
    rivals = [(one, lanes & (lanes if one.pins is None else one.pins)) for one in others]
    # Whoever is pinned leaves nothing to those who take any lane, and they have nothing that it may take.
    rivals = [(one, both) for one, both in rivals if both and (one.pins is None) == (pins is None)]
    wanted = frozenset[int]().union(*(both for one, both in rivals if one.wants))
    least, over = divmod(len(lanes), 1 + len(rivals))
    has = Counter(holders[lane] for lane in lanes)
    # What cannot be shared evenly stays with those who have most: else some had two more, and others none.
    before_us = sum(
        has[one.name] > least and (-has[one.name], one.name) < (-has[name], name)
        for one, _both in rivals
    )
    return Share(
        lanes=lanes,
        wanted=wanted,
        most=least + (before_us < over),
        least=max(1, least) if lanes else 0,
    )
