"""What a person may choose for a run, each option said once; this is the door to it."""

from batchconnect.options.declaration import Option
from batchconnect.options.run_options import (
    DEFAULTS,
    OPTIONS,
    MergedOptions,
    RunOptions,
    merge,
    options_from,
    with_defaults,
)

__all__ = [
    "DEFAULTS",
    "OPTIONS",
    "MergedOptions",
    "Option",
    "RunOptions",
    "merge",
    "options_from",
    "with_defaults",
]
