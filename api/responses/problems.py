"""Errors as `application/problem+json`."""

import logging
from collections.abc import Collection, Mapping
from functools import partial
from http import HTTPStatus

import orjson
from flask import Flask, Response, request
from werkzeug import Request
from werkzeug.exceptions import HTTPException

from api.contract.errors import InvalidInput
from services.market.alerting.rules import BadRule, TooManyRules
from services.market.errors import (
    Abandoned,
    Busy,
    DeliveryFailed,
    NotFailed,
    StoreUnavailable,
    Unfinished,
    UnknownChannel,
    UnknownDelivery,
    UnknownMetric,
    UnknownRecord,
)
from services.market.failures import Failures

NOT_FOUND = "Resource not found"
"""The `reason` of a 404."""
NEED_NO_DATABASE = ("healthz", "openapi.json")
"""First segments of paths whose answers say nothing about the database."""

_PROBLEMS: Mapping[type[Exception], tuple[HTTPStatus, str | None]] = {
    UnknownMetric: (HTTPStatus.NOT_FOUND, NOT_FOUND),
    UnknownRecord: (HTTPStatus.NOT_FOUND, NOT_FOUND),
    UnknownChannel: (HTTPStatus.NOT_FOUND, NOT_FOUND),
    UnknownDelivery: (HTTPStatus.NOT_FOUND, NOT_FOUND),
    TooManyRules: (HTTPStatus.CONFLICT, None),
    NotFailed: (HTTPStatus.CONFLICT, "Not failed"),
    BadRule: (HTTPStatus.UNPROCESSABLE_ENTITY, None),
    InvalidInput: (HTTPStatus.UNPROCESSABLE_ENTITY, None),
    DeliveryFailed: (HTTPStatus.BAD_GATEWAY, "Not accepted"),
    Busy: (HTTPStatus.SERVICE_UNAVAILABLE, "Busy"),
    Unfinished: (HTTPStatus.SERVICE_UNAVAILABLE, "Unfinished"),
    Abandoned: (HTTPStatus.SERVICE_UNAVAILABLE, "Unfinished"),  # the client has gone, so nobody reads it
}
"""Status and `reason` of each error; without a reason, its text is sent as both."""


def problem(status: int, detail: str, reason: str | None = None) -> Response:
    """A problem of RFC 9457, with `reason`, by which clients of the original service tell errors apart."""
    title = HTTPStatus(status).phrase
    body = {"title": title, "status": status, "detail": detail, "reason": reason or detail}
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status, headers, mimetype="application/problem+json")


def database_away(asked: Request, error: StoreUnavailable, failures: Failures, name: str) -> Response:
    """The answer to `asked` while the database is away.

    The reason is logged, as a failure of this `name`, and not sent: a driver's message names hosts, ports and files.
    """
    failures.failed(name, f"{asked.path!r} is not answered: {error}", reason=str(error), level=logging.ERROR)
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the database is away", "Database unavailable")


def handle_problems(server: Flask, first_segments: Collection[str]) -> None:
    """Answer errors as problems; HTTP errors (404, 405 ...) only if the path begins with one of `first_segments`."""

    failures = Failures()

    def is_of_interface() -> bool:
        return request.path.split("/")[1] in first_segments

    @server.after_request
    def note_success(response: Response) -> Response:
        if response.status_code < 400 and is_of_interface() and request.path.split("/")[1] not in NEED_NO_DATABASE:
            failures.ended(request.method, "requests are answered again")
        return response

    def known_error(status: HTTPStatus, reason: str | None, error: Exception) -> Response:
        response = problem(status, str(error), reason)
        if isinstance(error, Busy):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    for kind, (status, reason) in _PROBLEMS.items():
        server.register_error_handler(kind, partial(known_error, status, reason))

    @server.errorhandler(StoreUnavailable)
    def store_unavailable(error: StoreUnavailable) -> Response:
        # By method: while the database can be read but not written, GET succeeds and POST fails.
        return database_away(request, error, failures, request.method)

    @server.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | HTTPException:
        if not is_of_interface() or error.code is None:
            return error
        reason = NOT_FOUND if error.code == HTTPStatus.NOT_FOUND else None
        response = problem(error.code, error.description or error.name, reason)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response
