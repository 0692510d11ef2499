"""The guard: WSGI middleware that checks every request before any route, callback, file or cached response.

It stands before Flask and checks what a request is, not where it goes, so that it also protects what is added later.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug import Request, Response

from api.environ import BODY, BUSY, LATE, TOO_LARGE, UNREADABLE_ADDRESS, VISITOR
from api.middleware.access import ANYBODY, Access
from api.middleware.hosts import Hosts
from api.middleware.rate_limits import Limits, is_this_machine, place_of
from api.responses.problems import database_away, problem
from services.market.errors import StoreUnavailable
from services.market.failures import Failures
from services.market.ports import Clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Open to monitors, which use an address and have no password; the answers reveal nothing."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})

STATIC = ("/assets/", "/_dash-component-suites/")
"""Not counted as requests: a first visit fetches dozens, which the browser then caches."""

MAX_QUERY_BYTES = 8_000
MAX_BODY_BYTES = 2_000_000  # a callback that gets the chart of a day sends some hundred thousand

BUSY_SECONDS = 5
"""The `Retry-After` of a request for which no thread was free."""

QUIET_SECONDS = 60.0
"""A failure of the guard that has not recurred for so long counts as ended."""


def guarded(
    application: "WSGIApplication", access: Access, hosts: Hosts, limits: Limits, clock: Clock
) -> "WSGIApplication":
    """`application`, open to visitors whom `access` lets in; OPEN_PATHS to all.

    While a request's BODY is AWAITED, the answer for a visitor who is let in is 100, with VISITOR set.
    """

    failures = Failures(quiet_seconds=QUIET_SECONDS)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = environ.get(BODY)
        refusal = _without_body(body)
        if refusal is None and VISITOR not in environ and environ["PATH_INFO"] not in OPEN_PATHS:
            request = Request(environ)
            try:
                refusal = _refusal(request, access, hosts, limits, clock)
            except StoreUnavailable as error:
                refusal = database_away(request, error, failures, "access")
            except Exception as error:  # noqa: BLE001 - a bug here lets nobody in, and reveals nothing
                failures.crashed("access", error, f"the guard has failed at {request.method} {request.path!r}")
                refusal = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; see its log")
        if refusal is not None:
            return refusal(environ, start_response)
        if body is None:
            return application(environ, start_response)
        environ.setdefault(VISITOR, ANYBODY)
        start_response("100 Continue", [])
        return ()

    return answer


def _without_body(body: str | None) -> Response | None:
    """The refusal of a request whose body is not received, whatever the request is."""
    if body == LATE:
        return problem(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time")
    if body == TOO_LARGE:
        return _too_large()
    if body == BUSY:
        answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "the server is busy", "Busy")
        answer.headers["Retry-After"] = str(BUSY_SECONDS)
        return answer
    return None


def _too_large() -> Response:
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MAX_BODY_BYTES} bytes")


def _refusal(request: Request, access: Access, hosts: Hosts, limits: Limits, clock: Clock) -> Response | None:
    """The refusal of `request`; None if it may pass, with VISITOR set in its environment. Raises StoreUnavailable."""
    host = request.environ.get("HTTP_HOST", "")
    if not hosts.include(host):
        detail = f"this server does not answer to {host[:100]!r}; its operator can add it to ALLOWED_HOSTS"
        return problem(HTTPStatus.MISDIRECTED_REQUEST, detail, "Unknown host")
    if len(request.query_string) > MAX_QUERY_BYTES:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"the query is longer than {MAX_QUERY_BYTES} bytes")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return _too_large()
    address, credential = request.remote_addr or "", request.headers.get("Authorization", "")
    place = place_of(address)
    if credential:
        wait = limits.wait_for_login(place, credential)
        if wait:
            return _too_many(wait, "too many wrong passwords or tokens from this address")
    visitor = access.visitor(request, clock())
    if visitor is None:
        if credential:
            limits.failed(place)
        answer = problem(HTTPStatus.UNAUTHORIZED, "a user name and password, or a token, is required")
        answer.headers["WWW-Authenticate"] = access.challenge
        return answer
    if credential:
        limits.succeeded(place, credential)
    is_exempt = is_this_machine(address) and UNREADABLE_ADDRESS not in request.environ
    if not is_exempt and not request.path.startswith(STATIC):
        wait = limits.wait_for_request(visitor.counted_as or place)
        if wait:
            return _too_many(wait, "too many requests; RATE_LIMIT sets how many a minute are allowed")
    if request.method not in READING and _is_cross_site(request):
        return problem(HTTPStatus.FORBIDDEN, "the request comes from a page of another site", "Another site's request")
    if not visitor.may_write and request.method not in READING:
        return problem(HTTPStatus.FORBIDDEN, f"{visitor.name} may only read")
    request.environ[VISITOR] = visitor
    return None


def _too_many(seconds: int, detail: str) -> Response:
    answer = problem(HTTPStatus.TOO_MANY_REQUESTS, detail)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _is_cross_site(request: Request) -> bool:
    """True if a browser reports a page of another site as the sender; programs report nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    if origin is None:
        return False
    try:
        own: bool = urlsplit(origin).netloc.lower() == request.environ.get("HTTP_HOST", "").lower()
    except ValueError:  # no address at all
        own = False
    return not own
