"""
The forms in which other clients send a request, brought into the one that the guides have.

aepp and Adobe's collections for Postman, and the OpenAPI file that the latter were made of, write some calls
otherwise: v2 of IMS, its parameters in the query, `if-match` in the query, empty parameters, tokens of a page
that are encoded twice, one patch instruction without an array, operations in other letters. Our own engine sends
none of them, so a simulator takes them only where it is asked to serve foreign clients.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlencode

import orjson

from batchconnect.simulator.exchange import TOKEN_PATH, Request

TOKEN_PATHS = frozenset({"/ims/token/v2", TOKEN_PATH})
FORM = "application/x-www-form-urlencoded"


def as_documented(request: Request) -> Request:
    """A request in the guides' form, whatever form it came in."""
    if request.path.rstrip("/") in TOKEN_PATHS:
        return _sign_in(request)
    query = tuple(_parameter(name, value) for name, value in request.query if value)
    headers = dict(request.headers)
    for name, value in query:
        if name.lower() == "if-match":
            headers.setdefault("if-match", value)
    kept = tuple(pair for pair in query if pair[0].lower() != "if-match")
    if request.path.rstrip("/").endswith("/explore") and "objecttype" not in map(
        str.lower, dict(kept)
    ):
        kept = (*kept, ("objectType", "root"))
    body = _patch(request) if request.method == "PATCH" else request.body
    return replace(request, query=kept, headers=headers, body=body)


def _sign_in(request: Request) -> Request:
    body = b"&".join(part for part in (request.body, urlencode(request.query).encode()) if part)
    headers = {"content-type": FORM, **({} if request.query else request.headers)}
    return replace(request, path=TOKEN_PATH, query=(), headers=headers, body=body)


def _parameter(name: str, value: str) -> tuple[str, str]:
    # aepp cuts the token out of a link, where it is encoded, and encodes it again.
    return name, unquote(value) if name == "continuationToken" else value


def _patch(request: Request) -> bytes:
    body: Any = request.json
    instructions = [body] if isinstance(body, dict) else body
    if not isinstance(instructions, list):
        return request.body
    return orjson.dumps([_instruction(one) for one in instructions])


def _instruction(instruction: Any) -> Any:
    if not isinstance(instruction, dict) or not isinstance(instruction.get("op"), str):
        return instruction
    return {**instruction, "op": instruction["op"].lower()}
