"""
Which lines a question is about, in the words that SQLite and PostgreSQL share.

Made of the list of kinds, so that a new kind is found by every store.
"""

from collections.abc import Iterable
from typing import Final

import orjson

from batchconnect.ledger.codec import ENDS, PROVISIONAL, STANDS, USUAL
from batchconnect.ledger.entry import (
    Deleted,
    Deleting,
    RowPlanned,
    RunOpened,
    Sending,
    Settled,
    Tested,
)
from batchconnect.ledger.kind import BY_ENTRY, KINDS, Kind
from batchconnect.ledger.run_lanes import STEPS
from batchconnect.model.outcome import Works


def _is_one_of(kinds: Iterable[Kind]) -> str:
    return f"kind IN ({', '.join(repr(kind.word) for kind in kinds)})"


IS_CREATE: Final = f"kind = '{BY_ENTRY[Sending].word}'"
IS_INTENT: Final = _is_one_of(kind for kind in KINDS if kind.is_intent)
IS_DELETION: Final = _is_one_of(BY_ENTRY[entry] for entry in (Deleting, Deleted))
IS_OPENING: Final = f"kind = '{BY_ENTRY[RunOpened].word}'"
IS_STEP: Final = _is_one_of(BY_ENTRY[entry] for entry in STEPS)
IS_UNUSUAL: Final = f"kind NOT IN ({', '.join(sorted(map(repr, USUAL)))})"
"""Of the lines of most rows, none is."""
IS_PLANNED: Final = f"kind = '{BY_ENTRY[RowPlanned].word}'"
IS_OUTCOME: Final = f"kind = '{BY_ENTRY[Settled].word}'"
IS_OPEN: Final = _is_one_of(kind for kind in KINDS if kind.is_open)
_OF_IDENTITY = "marker IS NOT NULL AND kind <> 'row'"
OF_MARKER: Final = f"{_OF_IDENTITY} AND {_is_one_of(kind for kind in KINDS if kind.of_marker)}"
# Each of the two indexes of the identities (`migrations`) finds its own condition in this one.
OF_CREATE: Final = f"{_OF_IDENTITY} AND {_is_one_of(kind for kind in KINDS if kind.of_create)}"
TESTED: Final = BY_ENTRY[Tested].word
IS_TEST: Final = f"kind = '{TESTED}'"
SAYS_NO: Final = b'"works":' + orjson.dumps(Works.NO)
"""In the text of a test's line, as `codec` writes it."""
STANDS_ALWAYS: Final = f"kind IN ({', '.join(sorted(map(repr, STANDS)))})"
ENDS_AS_IT_SAYS: Final = f"kind IN ({', '.join(sorted(map(repr, ENDS)))})"
PROVISIONAL_ENDINGS: Final = tuple(ending.decode() for ending in PROVISIONAL)
"""Together as of `codec.settles`: what leaves nothing to do for its row."""
INTENTS: Final = tuple(kind.entry for kind in KINDS if kind.is_intent)
"""The entries by which something is about to be sent."""
