"""Rows that are looked at together pass where each of them passes by itself."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from batchconnect.model import possessive
from batchconnect.model.column import Column
from batchconnect.model.row import Row
from batchconnect.model.secret import Secret
from batchconnect.validation import valid_block
from batchconnect.validation.valid_block import is_plain, odd_rows
from batchconnect.validation.valid_pattern import valid_texts
from tests.validation.test_valid_pattern import TEXTS, nearby, odd

KEYS = (
    "redacted-1234",
    "abc_x0041_defgh",
    "prodprod",
    "telemetry",
    "Telemetry-1",
    "acme-eu1",
    "x" * 8,
)
"""As placeholders begin, an escape, and keys that may stand in another cell."""
Texts = dict[Column, str]


@st.composite
def texts_of(draw: st.DrawFn) -> Texts:
    """A healthy row with a few cells near the border, its key in one of them now and then."""
    texts = dict(TEXTS)
    for column in draw(st.sets(st.sampled_from(Column), max_size=2)):
        others = KEYS if column is Column.SERVICE_PRINCIPAL_KEY else ("SÃ¼d", "NOT SENT - x", *KEYS)
        around = st.tuples(nearby, st.just(texts[column]), nearby).map("".join)
        texts[column] = draw(st.one_of(odd, around, st.sampled_from(others)))
    return {column: text.replace("\0", "") for column, text in texts.items()}


def by_itself(texts: Texts) -> bool:
    """Whether a row passes the fast check of one row; the template's own are none."""
    key = Column.SERVICE_PRINCIPAL_KEY
    row = Row(number=2, cells={**texts, key: Secret(texts[key])})
    return valid_texts(row) is not None and "NOT SENT - " not in texts[Column.NAME]


def together(rows: Sequence[Texts]) -> list[bool]:
    """Whether each passes, of all at once."""
    cells = {column: [texts[column] for texts in rows] for column in Column}
    odd_ones = odd_rows(cells)
    assert odd_ones == sorted(set(odd_ones))
    return [
        at not in odd_ones
        and all(is_plain(column, texts[column]) for column in (Column.ORG, Column.SANDBOX))
        for at, texts in enumerate(rows)
    ]


@pytest.mark.parametrize("is_sound", [True, False])
@given(rows=st.lists(texts_of(), min_size=1, max_size=12))
def test_a_row_passes_among_others_where_it_passes_by_itself(
    rows: list[Texts], *, is_sound: bool
) -> None:
    """Whatever stands above and below it, with a Python whose possessive patterns err, too."""
    with pytest.MonkeyPatch.context() as patch:
        if not is_sound:
            patch.setattr(possessive, "IS_SOUND", False)
            patch.setattr(valid_block, "_pattern", valid_block._pattern.__wrapped__)

        assert together(rows) == [by_itself(texts) for texts in rows]
