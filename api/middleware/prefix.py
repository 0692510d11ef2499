"""The path below which the server is reached: `/tracker/` where a proxy gives it a part of a site."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.utils import redirect

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def below(application: "WSGIApplication", prefix: str) -> "WSGIApplication":
    """`application`, reached below `prefix`, which begins and ends with a slash.

    A proxy may take the prefix from the path or pass it on: here it is taken off where it is there. What the
    application tells of its own paths begins with it (`SCRIPT_NAME`), whatever the server before has set.
    """
    root = prefix.rstrip("/")

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if root and path == root:  # relative addresses of the page would begin at its parent
            query = environ.get("QUERY_STRING", "")
            moved = redirect(f"{prefix}?{query}" if query else prefix, HTTPStatus.PERMANENT_REDIRECT)
            return moved(environ, start_response)
        if root and path.startswith(prefix):
            environ["PATH_INFO"] = path[len(root) :]
        environ["SCRIPT_NAME"] = root
        return application(environ, start_response)

    return answer
