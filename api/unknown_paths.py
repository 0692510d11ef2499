"""Errors for paths of the interface without a route, which the dashboard would otherwise answer with its page."""

from collections.abc import Collection, Sequence
from http import HTTPStatus

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from api.responses.problems import NOT_FOUND, problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def answer_unknown_paths(server: Flask, below: Collection[str]) -> None:
    """Answer 404 and 405 as problems for paths whose first segment is in `below`.

    At every path without a route, the dashboard allows GET and answers with its page.
    """

    @server.before_request
    def refuse_unknown_path() -> Response | None:
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
    """The methods of the interface's routes at `path`, and OPTIONS; empty without a route."""
    adapter = server.url_map.bind_to_environ(request.environ)
    found = [method for method in METHODS if _has_route(adapter, path, method)]
    return [*found, "OPTIONS"] if found else []


def _has_route(adapter: MapAdapter, path: str, method: str) -> bool:
    try:
        endpoint, _ = adapter.match(path, method)
    except HTTPException:
        return False
    return "." in endpoint  # of a blueprint; the dashboard's endpoints have none
