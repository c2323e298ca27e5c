"""Names what a value is that is no text, and shows it as a person would, for carried columns."""

import datetime as dt
from numbers import Integral, Real


def kind_and_text(value: object) -> tuple[str, str]:
    """
    Kind and text of a value of a workbook or of a program.

    Returns:
        The kind as in `NotText.kind`, and a text: whole numbers without `.0`, dates in ISO 8601.
        `error` and no text for a value that no sheet can show.
    """
    kind, text = "error", ""
    match value:
        case bool():
            kind, text = "boolean", str(value).upper()
        case Integral():
            kind, text = "number", str(int(value))
        case Real():
            kind, text = "number", repr(float(value)).removesuffix(".0")
        case dt.datetime() if value.time() == dt.time():
            kind, text = "date", value.date().isoformat()
        case dt.datetime() | dt.date() | dt.time():
            kind, text = "date", value.isoformat()
        case dt.timedelta():
            kind, text = "date", str(value)
        case _:
            pass
    return kind, text
