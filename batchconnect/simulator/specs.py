"""`GET /connectionSpecs`, all of them and one: which sources there are, and how they authenticate."""

from collections.abc import Mapping
from typing import Any

from batchconnect.simulator import answers
from batchconnect.simulator.exchange import Answer, Request
from batchconnect.simulator.filters import OPERATORS

Specs = Mapping[str, Mapping[str, Any]]
FILTERED = ("id", "name", "version", "providerId")


def spec(spec_id: str, specs: Specs) -> Answer:
    """`GET /connectionSpecs/{id}`: the envelope of a listing, with one item."""
    found = specs.get(spec_id)
    if found is None:
        return answers.no_resource()
    return answers.json_answer(200, {"items": [found]})


def listing(request: Request, specs: Specs) -> Answer:
    """`GET /connectionSpecs`: on one page, for there are few."""
    found = list(specs.values())
    for text in request.every("property"):
        operator = OPERATORS.search(text)
        if operator is None or operator.group() != "==":
            return answers.invalid(
                "1453-400", f"Invalid query value {text} provided in query param."
            )
        field, values = text[: operator.start()], text[operator.end() :].split(",")
        if field not in FILTERED:
            return answers.invalid("1449-400", f"Invalid field {field} in filter params.")
        found = [one for one in found if one.get(field) in values]
    return answers.json_answer(200, {"items": found, "_links": {}})
