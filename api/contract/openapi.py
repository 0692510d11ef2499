"""The OpenAPI 3.1 document of all routes that have an operation.

Pydantic writes the JSON Schemas of queries and answers. Its dialect is that of OpenAPI 3.1, so they need no conversion.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from api.contract.identifiers import MAX_KEY_LENGTH, MAX_RECORD_ID
from api.contract.operations import JSON, Operation, operation_of
from api.contract.queries import Query
from api.contract.schemas import Problem

Document = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
DESCRIPTION = """\
Prices of crypto markets, ranked by how much they move: what the dashboard shows, for programs.

Times are UTC. Unknown values are `null`. Answers carry an `ETag` that changes with the data (send it back as
`If-None-Match`) and a `max-age` that ends when the next tick may land. Errors are `application/problem+json`.
"""
COMMON_PROBLEMS = {
    HTTPStatus.METHOD_NOT_ALLOWED: "A method that `Allow` does not list.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error in the program.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away.",
}
WRITE_PROBLEMS = {HTTPStatus.FORBIDDEN: "A token with read scope, or a request from a page of another site."}
BODY_PROBLEMS = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "A body that is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "A body whose media type is not JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "An invalid value; the text begins with the name of its field.",
}
TAGS = ("Metrics", "Alerts", "State", "Description")
PATH_VALUES: Mapping[str, Document] = {
    "id": {
        "description": "The metric's number, or its key, in any case.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "examples": ["kraken:BTC-USD", "1"]},
    },
    "number": {
        "description": "The number that the lists give.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_RECORD_ID, "examples": [1]},
    },
    "name": {
        "description": "The channel's name.",
        "schema": {"type": "string", "minLength": 1, "examples": ["ops"]},
    },
}
RETRY_AFTER: Document = {
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}
}
PATH_NAMES = {"wanted": "id"}
"""Names of path values in the document, if the code has other ones."""


def openapi(server: Flask, version: str, root: str) -> Document:
    """The document of all operations that `server` has now, with `root` as the start of their addresses."""
    operations = sorted(_operations(server), key=lambda found: found[:2])
    types = {(each.name, media): answer for _, _, each in operations for media, answer in each.answers.items()}
    adapters = [(key, "serialization", TypeAdapter(answer)) for key, answer in types.items()]
    sent = [
        ((each.name, "body"), "validation", TypeAdapter(each.body))
        for _, _, each in operations
        if each.body is not None
    ]
    adapters += sent
    adapters.append(("problem", "serialization", TypeAdapter(Problem)))  # type: ignore[arg-type]
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)  # type: ignore[arg-type]
    answers = {key: schema for (key, _), schema in schemas.items()}
    paths: Document = {}
    for path, method, each in operations:
        paths.setdefault(path, {})[method] = _described(path, method, each, answers)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Data Tracker",
            "version": version,
            "summary": "The JSON interface of one installation.",
            "description": DESCRIPTION,
        },
        "servers": [{"url": root}],
        "tags": [{"name": name} for name in TAGS],
        "paths": paths,
        "components": {"schemas": dict(sorted(shared["$defs"].items()))},
    }


def operation_rules(server: Flask) -> Iterator[tuple[Rule, Operation]]:
    """The URL rules of the interface, each with its operation."""
    for rule in server.url_map.iter_rules():
        found = operation_of(server.view_functions[rule.endpoint])
        if found is not None:
            yield rule, found


def _operations(server: Flask) -> Iterator[tuple[str, str, Operation]]:
    """Path, method and operation."""
    for rule, found in operation_rules(server):
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield _path(rule), method.lower(), found


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:>]+:)?(\w+)>", lambda found: f"{{{PATH_NAMES.get(found[1], found[1])}}}", rule.rule)


def _described(path: str, method: str, operation: Operation, answers: Mapping[Any, Document]) -> Document:
    named = re.findall(r"{(\w+)}", path)
    parameters = [{"name": name, "in": "path", "required": True, **PATH_VALUES[name]} for name in named]
    parameters += _parameters(operation.query)
    headers = _headers(operation)
    responses: Document = {
        str(operation.status.value): {
            "description": operation.summary,
            "headers": headers,
        }
    }
    if operation.answers:
        content = {media: {"schema": answers[(operation.name, media)]} for media in operation.answers}
        responses[str(operation.status.value)]["content"] = content
    if operation.cached:
        responses["304"] = {
            "description": "The answer with the tag in `If-None-Match` is still current.",
            "headers": headers,
        }
    for status, description in sorted(_problems(named, method, operation).items()):
        responses[str(status.value)] = {
            "description": description,
            "content": {"application/problem+json": {"schema": answers["problem"]}},
        }
        if status == HTTPStatus.SERVICE_UNAVAILABLE and status in operation.problems:
            responses[str(status.value)]["headers"] = RETRY_AFTER
    described = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": parameters,
        "requestBody": _body(operation, answers),
        "responses": responses,
    }
    return {name: value for name, value in described.items() if value not in ([], None)}


def _body(operation: Operation, schemas: Mapping[Any, Document]) -> Document | None:
    if operation.body is None:
        return None
    return {"required": operation.body_required, "content": {JSON: {"schema": schemas[(operation.name, "body")]}}}


def _problems(named: Sequence[str], method: str, operation: Operation) -> Mapping[HTTPStatus, str]:
    problems = (
        COMMON_PROBLEMS
        | (WRITE_PROBLEMS if method != "get" else {})
        | (BODY_PROBLEMS if operation.body is not None else {})
    )
    if "id" in named:
        problems |= {HTTPStatus.NOT_FOUND: "No such metric."}
    if operation.query is not None:
        problems |= {HTTPStatus.UNPROCESSABLE_ENTITY: "An invalid query value; the text begins with its name."}
    return problems | dict(operation.problems)


def _headers(operation: Operation) -> Document:
    descriptions = dict(operation.headers)
    if operation.cached:
        descriptions |= {"ETag": "Changes with the answer.", "Cache-Control": "How long the answer stays valid."}
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in descriptions.items()}


def _parameters(query: type[Query] | None) -> list[Document]:
    if query is None:
        return []
    properties = query.model_json_schema()["properties"]
    return [_parameter(name, schema) for name, schema in properties.items()]


def _parameter(name: str, schema: Document) -> Document:
    chosen = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    schema.pop("title")
    description = schema.pop("description")
    if schema.get("default", ...) is None:
        del schema["default"]
    if len(chosen) == 1:
        schema = chosen[0] | schema
    elif chosen:
        schema["anyOf"] = chosen
    parameter = {"name": name, "in": "query", "description": description, "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return parameter
