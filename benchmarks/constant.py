"""The least that Flask can do: `/<size>` answers a JSON body of so many bytes, made once."""

from functools import cache

from flask import Flask, Response


def create_app() -> Flask:
    """A server with nothing else on it."""
    server = Flask(__name__, static_folder=None)

    @server.get("/<int:size>")
    def constant(size: int) -> Response:
        return Response(_body(size), mimetype="application/json")

    return server


@cache
def _body(size: int) -> bytes:
    return b'"' + b"x" * max(size - 2, 0) + b'"'
