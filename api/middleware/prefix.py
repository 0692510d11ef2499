"""Serving under a path such as `/tracker/`, where a proxy gives the server a part of a site."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.utils import redirect

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def below(application: "WSGIApplication", prefix: str) -> "WSGIApplication":
    """`application`, served under `prefix`, which begins and ends with a slash.

    A proxy may strip the prefix or pass it on: it is stripped here if it is present. The addresses that the application
    makes begin with it (`SCRIPT_NAME`), whatever the server has set.
    """
    root = prefix.rstrip("/")

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if root and path == root:  # or relative addresses of the page would begin at its parent
            query = environ.get("QUERY_STRING", "")
            moved = redirect(f"{prefix}?{query}" if query else prefix, HTTPStatus.PERMANENT_REDIRECT)
            return moved(environ, start_response)
        if root and path.startswith(prefix):
            environ["PATH_INFO"] = path[len(root) :]
        environ["SCRIPT_NAME"] = root
        return application(environ, start_response)

    return answer
