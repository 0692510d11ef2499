"""Who may come in."""

import hmac
from base64 import b64encode

from flask import Flask, Response, request

from api.problems import problem

OPEN_PATHS = frozenset({"/healthz", "/readyz"})


def require_basic_auth(server: Flask, username: str, password: str) -> None:
    """Ask for HTTP basic credentials before every route of `server`, whoever added it, but OPEN_PATHS."""
    expected = b64encode(f"{username}:{password}".encode())

    @server.before_request
    def check() -> Response | None:
        if request.path in OPEN_PATHS:
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(), expected):
            return None
        answer = problem(401, "user name and password are needed")
        answer.headers["WWW-Authenticate"] = 'Basic realm="Data Tracker", charset="UTF-8"'
        return answer
