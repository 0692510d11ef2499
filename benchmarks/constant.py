"""The baseline for Flask: `/<size>` answers with a JSON body of that many bytes, built once."""

from functools import cache

from flask import Flask, Response


def create_app() -> Flask:
    """A server with this one route."""
    server = Flask(__name__, static_folder=None)

    @server.get("/<int:size>")
    def constant(size: int) -> Response:
        return Response(_body(size), mimetype="application/json")

    return server


@cache
def _body(size: int) -> bytes:
    return b'"' + b"x" * max(size - 2, 0) + b'"'
