"""What can be done at a path of the interface, the dashboard's page for every path aside."""

from collections.abc import Sequence

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def own_methods(server: Flask, path: str) -> Sequence[str]:
    """The methods that a route of the interface answers at `path`, and OPTIONS; none where there is no route."""
    adapter = server.url_map.bind_to_environ(request.environ)
    found = [method for method in METHODS if _is_own(adapter, path, method)]
    return [*found, "OPTIONS"] if found else []


def _is_own(adapter: MapAdapter, path: str, method: str) -> bool:
    try:
        endpoint, _ = adapter.match(path, method)
    except HTTPException:
        return False
    return "." in endpoint  # of a blueprint
