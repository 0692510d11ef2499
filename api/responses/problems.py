"""Errors as `application/problem+json`, for the paths that belong to programs."""

import logging
from http import HTTPStatus

import orjson
from flask import Flask, Response, request
from werkzeug import Request
from werkzeug.exceptions import HTTPException

from services.market.alerting.rules import BadRule, TooManyRules
from services.market.errors import Abandoned, Busy, StoreUnavailable, Unfinished, UnknownMetric, UnknownRecord
from services.market.failures import Failures

NOT_FOUND = "Resource not found"

NEED_NO_DATABASE = ("healthz", "openapi.json")


def problem(status: int, detail: str, reason: str | None = None) -> Response:
    """RFC 9457, plus `reason`, by which the clients of the original service tell errors apart."""
    title = HTTPStatus(status).phrase
    body = {"title": title, "status": status, "detail": detail, "reason": reason or detail}
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status, headers, mimetype="application/problem+json")


def database_away(asked: Request, error: StoreUnavailable, failures: Failures, name: str) -> Response:
    """That `asked` cannot be answered now. The log has among the `failures` of this `name` why; who asks is not told,
    for a driver's words name hosts, ports and files."""
    failures.failed(name, f"{asked.path!r} is not answered: {error}", reason=str(error), level=logging.ERROR)
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the database is away", "Database unavailable")


class BadQuery(ValueError):
    """A value of a query or a body that cannot be used; the text names it."""


def handle_problems(server: Flask, owns: tuple[str, ...]) -> None:
    """Answer errors under the first path segments in `owns` as problems, and leave the rest to the dashboard."""

    failures = Failures()

    def is_ours() -> bool:
        return request.path.split("/")[1] in owns

    @server.after_request
    def note_answer(response: Response) -> Response:
        if response.status_code < 400 and is_ours() and request.path.split("/")[1] not in NEED_NO_DATABASE:
            failures.ended(request.method, "requests are answered again")
        return response

    @server.errorhandler(UnknownRecord)
    @server.errorhandler(UnknownMetric)
    def unknown_metric(error: UnknownMetric | UnknownRecord) -> Response:
        return problem(HTTPStatus.NOT_FOUND, str(error), NOT_FOUND)

    @server.errorhandler(TooManyRules)
    def too_many(error: TooManyRules) -> Response:
        return problem(HTTPStatus.CONFLICT, str(error))

    @server.errorhandler(Busy)
    def busy(error: Busy) -> Response:
        answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "Busy")
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    @server.errorhandler(Unfinished)
    @server.errorhandler(Abandoned)  # which nobody reads
    def unfinished(error: Unfinished | Abandoned) -> Response:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "Unfinished")

    @server.errorhandler(BadRule)
    @server.errorhandler(BadQuery)
    def bad_query(error: BadQuery | BadRule) -> Response:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @server.errorhandler(StoreUnavailable)
    def store_unavailable(error: StoreUnavailable) -> Response:
        # A database that can be read but not written answers one kind of request, and not the other.
        return database_away(request, error, failures, request.method)

    @server.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | HTTPException:
        if not is_ours() or error.code is None:
            return error
        reason = NOT_FOUND if error.code == HTTPStatus.NOT_FOUND else None
        answer = problem(error.code, error.description or error.name, reason)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                answer.headers[name] = value
        return answer
