"""Answers to requests that no route of the interface takes, where the dashboard would answer with its page."""

from collections.abc import Collection, Sequence
from http import HTTPStatus

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from api.responses.problems import NOT_FOUND, problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def answer_unknown_paths(server: Flask, below: Collection[str]) -> None:
    """Answer 404 and 405 as problems for paths whose first segment is in `below`.

    The dashboard answers GET at every path without a route with its page. These paths are not its own, and the methods
    that it allows are not theirs.
    """

    @server.before_request
    def keep_from_the_dashboard() -> Response | None:
        is_dashboard = request.endpoint is not None and request.blueprint is None
        is_answered = not is_dashboard and request.routing_exception is None and request.method != "OPTIONS"
        if is_answered or request.path.split("/")[1] not in below:
            return None
        methods = _allowed_methods(current_app, request.path)
        if not methods:
            return problem(HTTPStatus.NOT_FOUND, f"nothing at {request.path}", NOT_FOUND)
        response = Response()
        if request.method != "OPTIONS":
            response = problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} allows {', '.join(methods)}")
        response.headers["Allow"] = ", ".join(methods)
        return response


def _allowed_methods(server: Flask, path: str) -> Sequence[str]:
    """The methods that a route of the interface answers at `path`, and OPTIONS; none where there is no route."""
    adapter = server.url_map.bind_to_environ(request.environ)
    found = [method for method in METHODS if _has_route(adapter, path, method)]
    return [*found, "OPTIONS"] if found else []


def _has_route(adapter: MapAdapter, path: str, method: str) -> bool:
    try:
        endpoint, _ = adapter.match(path, method)
    except HTTPException:
        return False
    return "." in endpoint  # of a blueprint; the dashboard's endpoints have none
