"""Bends a true answer into one of the odd shapes that a client must not trip over."""

from typing import Any
from urllib.parse import quote

import orjson

from batchconnect.simulator import answers
from batchconnect.simulator.decision import Shape
from batchconnect.simulator.exchange import BASE_PATH, Answer, Request


def reshape(shape: Shape, answer: Answer, request: Request) -> Answer:
    """
    Bend an answer.

    Args:
        shape: Into what.
        answer: The service's own answer.
        request: What was asked; a repeated token comes from here.

    Returns:
        The bent answer, or the same one where the shape does not fit it.
    """
    match shape:
        case "repeat_token" | "no_items" | "foreign_item":
            return _listing(shape, answer, request) if answer.status == 200 else answer  # noqa: PLR2004  # HTTP's own number
        case "number_code":
            return _number_code(answer)
        case _:
            return _created(shape, answer) if answer.status == 201 else answer  # noqa: PLR2004  # HTTP's own number


def _created(shape: Shape, answer: Answer) -> Answer:
    body: dict[str, Any] = orjson.loads(answer.body)
    connection_id, etag = body["id"], body["etag"]
    here = answers.location(connection_id)
    url = f"https://platform.example{BASE_PATH}/connections/{connection_id}"
    odd = f"conn_{connection_id[:8]}"
    other = f"{connection_id[:-4]}{'ffff' if connection_id[-4:] != 'ffff' else '0000'}"
    page = b"<html>created</html>"
    bent: dict[Shape, Answer] = {
        "no_body": Answer(status=201),
        "location_only": Answer(status=201, headers=(here,)),
        "not_json": Answer(status=201, headers=(answers.HTML, here), body=page),
        "no_id": answers.json_answer(201, {"etag": etag}),
        "no_location": answers.json_answer(201, body),
        "location_url": answers.json_answer(201, body, ("Location", url)),
        "odd_id": answers.json_answer(201, {"id": odd, "etag": etag}, answers.location(odd)),
        "ids_differ": answers.json_answer(201, body, answers.location(other)),
        "no_etag": answers.json_answer(201, {"id": connection_id}, here),
        "as_200": answers.json_answer(200, body),
        "as_202": answers.json_answer(202, body, here),
        "as_204": Answer(status=204),
    }
    return bent.get(shape, answer)


def _listing(shape: Shape, answer: Answer, request: Request) -> Answer:
    body: Any = orjson.loads(answer.body)
    if not isinstance(body, dict) or "items" not in body:
        return answer
    match shape:
        case "no_items":
            del body["items"]
        case "foreign_item":
            body["items"] = [
                {**item, "imsOrgId": "FFFFFFFFFFFFFFFFFFFFFFFF@AdobeOrg"} if at == 0 else item
                for at, item in enumerate(body["items"])
            ]
        case _:
            # The first page has no token yet: its next link is repeated by the page it leads to.
            token = request.first("continuationToken")
            if token is not None:
                href = f"/connections?continuationToken={quote(token, safe='')}"
                body["_links"] = {"next": {"href": href}}
    return answers.json_answer(200, body)


def _number_code(answer: Answer) -> Answer:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return answer
    if not isinstance(body, dict) or not str(body.get("error_code", "")).isdigit():
        return answer
    bent = orjson.dumps({**body, "error_code": int(body["error_code"])})
    return Answer(status=answer.status, headers=answer.headers, body=bent)
