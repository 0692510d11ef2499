"""`/openapi.json`: the description of every route that says what it does, as OpenAPI 3.1.

Pydantic, which reads the query values, writes their JSON Schema too, and that of the answers; its dialect is OpenAPI
3.1's own, so nothing stands between the models and the document.
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

Times are UTC. What is not known is `null`. Answers carry an `ETag` that changes with the data (send it back as
`If-None-Match`) and a `max-age` that ends when the next tick may land. Errors are `application/problem+json`.
"""
ALWAYS = {
    HTTPStatus.METHOD_NOT_ALLOWED: "Another method than those in `Allow`.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of the program's own.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away.",
}
OF_WRITING = {HTTPStatus.FORBIDDEN: "A token that may only read, or a page of another site."}
OF_BODIES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "A body that is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "A body that is not called JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value that cannot be used, by the name of its field.",
}
TAGS = ("Metrics", "Alerts", "State", "Description")
PATH_VALUES: Mapping[str, Document] = {
    "id": {
        "description": "The metric's number, or its key, in any case.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "examples": ["kraken:BTC-USD", "1"]},
    },
    "number": {
        "description": "As the lists tell it.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_RECORD_ID, "examples": [1]},
    },
    "name": {
        "description": "The channel's name.",
        "schema": {"type": "string", "minLength": 1, "examples": ["ops"]},
    },
}
RETRY_AFTER: Document = {
    "Retry-After": {"description": "In how many seconds there may be a place.", "schema": {"type": "integer"}}
}
SPOKEN = {"wanted": "id"}
"""Where the description calls a value of a path otherwise than the code."""


def openapi(server: Flask, version: str, root: str) -> Document:
    """The document of all operations that `server` has at this moment, at addresses that begin with `root`."""
    told = sorted(_operations(server), key=lambda found: found[:2])
    types = {(each.name, media): answer for _, _, each in told for media, answer in each.answers.items()}
    adapters = [(key, "serialization", TypeAdapter(answer)) for key, answer in types.items()]
    sent = [((each.name, "body"), "validation", TypeAdapter(each.body)) for _, _, each in told if each.body is not None]
    adapters += sent
    adapters.append(("problem", "serialization", TypeAdapter(Problem)))  # type: ignore[arg-type]
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)  # type: ignore[arg-type]
    answers = {key: schema for (key, _), schema in schemas.items()}
    paths: Document = {}
    for path, method, each in told:
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
    return re.sub(r"<(?:[^:>]+:)?(\w+)>", lambda found: f"{{{SPOKEN.get(found[1], found[1])}}}", rule.rule)


def _described(path: str, method: str, told: Operation, answers: Mapping[Any, Document]) -> Document:
    named = re.findall(r"{(\w+)}", path)
    parameters = [{"name": name, "in": "path", "required": True, **PATH_VALUES[name]} for name in named]
    parameters += _parameters(told.query)
    headers = _headers(told)
    responses: Document = {
        str(told.status.value): {
            "description": told.summary,
            "headers": headers,
        }
    }
    if told.answers:
        content = {media: {"schema": answers[(told.name, media)]} for media in told.answers}
        responses[str(told.status.value)]["content"] = content
    if told.cached:
        responses["304"] = {"description": "What `If-None-Match` names is still so.", "headers": headers}
    for status, words in sorted(_problems(named, method, told).items()):
        responses[str(status.value)] = {
            "description": words,
            "content": {"application/problem+json": {"schema": answers["problem"]}},
        }
        if status == HTTPStatus.SERVICE_UNAVAILABLE and status in told.problems:
            responses[str(status.value)]["headers"] = RETRY_AFTER
    described = {
        "operationId": told.name,
        "summary": told.summary,
        "tags": [told.tag],
        "parameters": parameters,
        "requestBody": _body(told, answers),
        "responses": responses,
    }
    return {name: value for name, value in described.items() if value not in ([], None)}


def _body(told: Operation, schemas: Mapping[Any, Document]) -> Document | None:
    if told.body is None:
        return None
    return {"required": told.body_required, "content": {JSON: {"schema": schemas[(told.name, "body")]}}}


def _problems(named: Sequence[str], method: str, told: Operation) -> Mapping[HTTPStatus, str]:
    problems = ALWAYS | (OF_WRITING if method != "get" else {}) | (OF_BODIES if told.body is not None else {})
    if "id" in named:
        problems |= {HTTPStatus.NOT_FOUND: "No such metric."}
    if told.query is not None:
        problems |= {HTTPStatus.UNPROCESSABLE_ENTITY: "A query value that cannot be used, by its name."}
    return problems | dict(told.problems)


def _headers(told: Operation) -> Document:
    words = dict(told.headers)
    if told.cached:
        words |= {"ETag": "Changes with the answer.", "Cache-Control": "For how long the answer holds."}
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in words.items()}


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
