"""Whether a request that changes something comes from our own pages or a program, and not from somebody else's page.

A browser tells the page's origin with every such request, and asks beforehand whether JSON may be sent to another one;
programs tell no origin.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Request, Response

from api.problems import problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
JSON = "application/json"


def refusal(request: Request) -> Response | None:
    """Why `request` may change nothing; None where it may, or only reads."""
    if request.method in SAFE_METHODS:
        return None
    if not _is_own(request):
        return problem(HTTPStatus.FORBIDDEN, "changes are taken from this server's own pages and from programs only")
    has_body = bool(request.content_length) or request.content_type is not None
    if has_body and request.mimetype != JSON:
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body has to be {JSON}")
    return None


def _is_own(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in OWN_SITES
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host
