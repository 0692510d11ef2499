"""Requests to URLs that a user entered: only to permitted addresses, without redirects, and within a time limit."""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Network, ip_address
from urllib.parse import quote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from services.concurrency.deadline import ThreadPerCall, result_within
from services.market.errors import DeliveryFailed

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_METADATA = frozenset((IPv4Address("168.63.129.16"), IPv4Address("192.0.0.192")))
"""Metadata services of clouds, which serve secrets, at addresses that look public; the others are link-local."""

Resolve = Callable[[str, int], Sequence[str]]
"""The IP addresses of a host name, for a connection to a port. Raises OSError."""


class BadUrl(ValueError):
    """A URL that cannot be requested; the text does not repeat it, as it may hold a secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL. `path` includes the query and is percent-encoded."""

    is_tls: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A response, whose body is not read."""

    status: int
    retry_after: str | None


def parse_target(url: str) -> Target:
    """The parts of an http or https URL. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadUrl("is not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise BadUrl("must start with http:// or https://")
    if not host or any(character.isspace() for character in host):
        raise BadUrl("has no host name")
    if parts.username is not None or parts.password is not None:
        raise BadUrl("must not hold a user name or password")
    is_tls = parts.scheme == "https"
    safe = "/%:@!$&'()*+,;=~?"
    path = quote(parts.path or "/", safe=safe) + (f"?{quote(parts.query, safe=safe)}" if parts.query else "")
    return Target(is_tls, host, port or (443 if is_tls else 80), path)


def is_public(address: str) -> bool:
    """True for an IP address of the public internet: not this machine, a private network, or a cloud's metadata."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found.is_global and not found.is_multicast and not found.is_reserved and found not in _METADATA
    # All other ways to embed an IPv4 address are outside this range.
    return found in _GLOBAL_UNICAST and found not in _SIX_TO_FOUR and found.is_global


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver finds. Raises OSError."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def send_request(
    target: Target,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    seconds: float,
    allow_private: bool,
    resolve: Resolve = resolve,
) -> HttpReply:
    """Send one request, a POST if it has a body, else a GET. Raises DeliveryFailed.

    `seconds` limits the whole: resolving the name, connecting, and reading. The name is resolved once, and the request
    goes to the address that was checked, so a name that later resolves to another address bypasses nothing.
    """
    connection = _Pinned(target, seconds, allow_private, resolve)

    def carry_out() -> HttpReply:
        connection.request("GET" if body is None else "POST", target.path, body, dict(headers))
        with connection.getresponse() as response:
            return HttpReply(response.status, response.headers.get("Retry-After"))

    try:
        return result_within(seconds, ThreadPerCall("http-request").submit(carry_out))
    except TimeoutError:
        raise DeliveryFailed(f"no answer within {seconds:g} s") from None
    except (OSError, HTTPException, UnicodeError) as error:
        raise DeliveryFailed(f"cannot be reached: {_name(error)}") from None
    finally:
        connection.abort()


class _Pinned(HTTPConnection):
    """A connection to a permitted address of the host name."""

    def __init__(self, target: Target, seconds: float, allow_private: bool, resolve: Resolve) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        self.default_port = 443 if target.is_tls else 80  # the port that the Host header omits
        self._target, self._allow_private, self._resolve = target, allow_private, resolve
        self._is_over = False

    def connect(self) -> None:
        found = self._resolve(self._target.host, self._target.port)
        allowed = [address for address in found if self._allow_private or is_public(address)]
        if found and not allowed:
            raise DeliveryFailed("the host is at a private address, which WEBHOOK_ALLOW_PRIVATE does not allow")
        failure = OSError("the host name has no address")
        for address in allowed:
            self._require_time()
            try:
                self.sock = socket.create_connection((address, self._target.port), self.timeout)
            except OSError as error:
                failure = error
                continue
            if self._target.is_tls:
                self.sock = _tls().wrap_socket(self.sock, server_hostname=self._target.host)
            self._require_time()  # an abort since the last check found no socket, or another one
            return
        raise failure

    def _require_time(self) -> None:
        if self._is_over:
            self.close()
            raise TimeoutError("given up")

    def abort(self) -> None:
        """Stop the request's thread: a request that has timed out must not be sent afterwards."""
        self._is_over = True
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
        self.close()


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)  # Python does not find the system's on every machine
    return context


def _name(error: Exception) -> str:
    """The cause of the error, without the URL, which a library's text may contain."""
    if isinstance(error, ssl.SSLError):  # its text contains the host name if the certificate is for another
        return error.reason or type(error).__name__
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
