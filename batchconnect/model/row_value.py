"""
Values of which some are made for every row, and thrown away: frozen to whoever reads or checks the code.

A dataclass that is frozen when it runs sets each field by a call, which takes three times as long: 8 us of the
30 in which a row was folded and laid out for its reports. So mypy alone refuses to change these; what a program
is handed (outcomes, events, options) is frozen as it says.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as row_value
else:
    from dataclasses import dataclass

    def row_value(*, frozen: bool, **options: Any) -> Any:
        """A dataclass that is equal and hashed by its fields, as a frozen one is."""
        assert frozen, "what may change is a dataclass as any other"
        return dataclass(**options, unsafe_hash=True)


__all__ = ["row_value"]
