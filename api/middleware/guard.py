"""The one door: every request comes through here before any route, callback, file or kept answer is looked at.

Whatever is added to the server later is behind it too, for it stands before Flask, and asks what a request is and not
where it goes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import flask
from werkzeug import Request, Response

from api.middleware.access import ANYBODY, Access, Visitor
from api.middleware.forwarded import UNREADABLE
from api.middleware.rate_limits import Limits, is_this_machine, place_of
from api.responses.problems import database_away, problem
from services.market.errors import StoreUnavailable
from services.market.failures import Failures
from services.market.ports import Clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""For whoever watches the server: they ask by address, have no password, and learn nothing."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})

STATIC = ("/assets/", "/_dash-component-suites/")
"""What one page's first visit asks for by the dozen, and a browser keeps."""

MAX_QUERY_LENGTH = 8_000  # bytes
MAX_BODY_BYTES = 2_000_000  # bytes; a callback that is handed a chart of a day sends some hundred thousand

VISITOR = "data_tracker.visitor"
"""Where a request's environment has the Visitor who sends it. Who has one was let in."""

BODY = "data_tracker.body"
"""Where a request's environment has what is to be known of its body, where that has not come."""
AWAITED, LATE, TOO_LARGE, BUSY = "awaited", "late", "too large", "busy"
"""Only whether it may come is asked; it did not come in time, and was no longer waited for; it is larger than any may
be; nobody has the time for it, or the room."""

BUSY_SECONDS = 5
"""After which one who found nobody with time for it may ask again."""

LOOPBACK_NAMES = ("localhost", ".localhost", "127.0.0.1", "[::1]")

QUIET_SECONDS = 60.0
"""A failure of the guard that was not repeated for so long has ended."""

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that this server answers to; one that begins with a dot stands for all below it, None for any.

    A page elsewhere can have its own name point here, and have its visitor's browser ask in that name. It cannot do so
    with an address: `any_address` answers to all of them.
    """

    names: tuple[str, ...] | None = None
    any_address: bool = False

    def include(self, host: str) -> bool:
        """Whether `host`, a Host header, is one of them."""
        if self.names is None:
            return True
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower().rstrip(".")
        if self.any_address and _is_address(name):
            return True
        return any(name == own or (own.startswith(".") and name.endswith(own)) for own in self.names)


ANY_HOST = Hosts()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def hosts_of(allowed: tuple[str, ...], machine: str, *, on_loopback: bool, is_closed: bool) -> Hosts:
    """The names that a server answers to: those that its operator allows, and always those of loopback.

    Where none are allowed, a closed server answers to any: a name of somebody else's comes with no password. An open
    one answers to the names that nobody else can have point here: those of loopback, and where others reach it also
    the name of its `machine` and addresses.
    """
    if allowed:
        return Hosts((*allowed, *LOOPBACK_NAMES))
    if is_closed:
        return ANY_HOST
    if on_loopback:
        return Hosts(LOOPBACK_NAMES)
    name = machine.lower()
    short = name.partition(".")[0]
    return Hosts((*LOOPBACK_NAMES, name, short, f"{short}.local"), any_address=True)


def guarded(
    application: "WSGIApplication", access: Access, hosts: Hosts, limits: Limits, clock: Clock
) -> "WSGIApplication":
    """`application`, behind the door: what it answers to any path but OPEN_PATHS is for whom `access` lets in.

    Where a request's BODY is AWAITED, whoever is let in is told to go on (100), and has a VISITOR.
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
            except Exception as error:  # noqa: BLE001 - a fault of ours keeps everybody out, and tells nobody more
                failures.crashed("access", error, f"the guard has failed at {request.method} {request.path!r}")
                refusal = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server has failed; its log tells more")
        if refusal is not None:
            return refusal(environ, start_response)
        if body is None:
            return application(environ, start_response)
        environ.setdefault(VISITOR, ANYBODY)
        start_response("100 Continue", [])
        return ()

    return answer


def _without_body(body: str | None) -> Response | None:
    """The refusal of a request whose body does not come, without a look at the request."""
    if body == LATE:
        return problem(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")
    if body == TOO_LARGE:
        return _too_large()
    if body == BUSY:
        answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "all that answer are busy", "Busy")
        answer.headers["Retry-After"] = str(BUSY_SECONDS)
        return answer
    return None


def _too_large() -> Response:
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MAX_BODY_BYTES} bytes")


def _refusal(request: Request, access: Access, hosts: Hosts, limits: Limits, clock: Clock) -> Response | None:
    """Why `request` may not pass; where it may, its environment names the visitor. Raises StoreUnavailable."""
    host = request.environ.get("HTTP_HOST", "")
    if not hosts.include(host):
        detail = f"this server does not answer to {host[:100]!r}; its operator may add that to ALLOWED_HOSTS"
        return problem(HTTPStatus.MISDIRECTED_REQUEST, detail, "Unknown host")
    if len(request.query_string) > MAX_QUERY_LENGTH:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"the query is longer than {MAX_QUERY_LENGTH} bytes")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return _too_large()
    address, shown = request.remote_addr or "", request.headers.get("Authorization", "")
    place = place_of(address)
    if shown:
        wait = limits.wait_for_login(place, shown)
        if wait:
            return _too_many(wait, "too many wrong passwords or tokens from this address")
    visitor = access.visitor(request, clock())
    if visitor is None:
        if shown:
            limits.failed(place)
        answer = problem(HTTPStatus.UNAUTHORIZED, "a user name and password, or a token, are needed")
        answer.headers["WWW-Authenticate"] = access.challenge
        return answer
    if shown:
        limits.succeeded(place, shown)
    is_exempt = is_this_machine(address) and UNREADABLE not in request.environ
    if not is_exempt and not request.path.startswith(STATIC):
        wait = limits.wait_for_request(visitor.counted_as or place)
        if wait:
            return _too_many(wait, "too many requests; RATE_LIMIT says how many a minute may be")
    if request.method not in READING and _is_another_sites(request):
        return problem(HTTPStatus.FORBIDDEN, "a page of another site sends this request", "Another site's request")
    if not visitor.may_write and request.method not in READING:
        return problem(HTTPStatus.FORBIDDEN, f"{visitor.name} may read, and change nothing")
    request.environ[VISITOR] = visitor
    return None


def visitor_name() -> str | None:
    """Who sends the present request, as they were let in; None where nobody is asked for a name."""
    visitor: Visitor = flask.request.environ.get(VISITOR, ANYBODY)
    return None if visitor is ANYBODY else visitor.name


def _too_many(seconds: int, detail: str) -> Response:
    answer = problem(HTTPStatus.TOO_MANY_REQUESTS, detail)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _is_another_sites(request: Request) -> bool:
    """Whether a browser says that a page from elsewhere has it send this; programs say nothing of the kind."""
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
