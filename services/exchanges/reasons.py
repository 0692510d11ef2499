"""Turns errors of requests to exchanges into reasons in plain English, with advice."""

import errno
import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from urllib.parse import urlsplit

import ccxt
import requests
import urllib3  # type: ignore[import-untyped,unused-ignore]  # typed from version 2 on

from services.market.errors import FailureKind
from services.market.text import one_line

MAX_COMPLAINT = 120
"""Characters of an exchange's own error text that are shown."""

RETRIED = "It is tried again each period"
CHECK_NETWORK = "Check the network and the proxy settings (HTTPS_PROXY), or try python app.py --demo"

_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)
_REFUSED_HERE = (HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS)
_TOO_MANY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.IM_A_TEAPOT,
)  # binance sends the latter while it bans an address
_TOO_LATE = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Reason:
    """`text` says what happened and `advice` what to do, both without markup; `kind` is for programs.

    `advice` consists of whole sentences, without the last full stop.
    """

    kind: FailureKind
    text: str
    advice: str = ""


def explain(market: str, error: BaseException, status: int | None = None) -> Reason:
    """The reason why a request ended in `error`; `status` is the HTTP status of the response, None without a response.

    Finds the operating system's error below those of ccxt, requests and urllib3. Pure.
    """
    found = list(_chain(error))
    if status is not None and status >= 400:
        return _by_status(market, error, status)
    return _by_connection(found) or _by_complaint(market, error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all its causes, outermost first."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def _by_connection(found: list[BaseException]) -> Reason | None:
    """The reason why no complete response arrived; None when one did."""
    host = _host(found)
    if any(isinstance(one, urllib3.exceptions.ProxyError) or type(one).__module__ == "socks" for one in found):
        return Reason("proxy", f"the proxy {_proxy_trouble(found)}", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    if any("SOCKS support" in str(one) for one in found):
        return Reason("proxy", "a SOCKS proxy needs the package PySocks", "Install it, or set another proxy")
    if any(isinstance(one, requests.exceptions.InvalidProxyURL) for one in found):
        return Reason("proxy", "the proxy's URL is invalid", "Check HTTPS_PROXY and HTTP_PROXY")
    for one in found:
        if isinstance(one, ssl.SSLError):
            return _by_tls(one, host)
        if type(one) is OSError and "CA certificate bundle" in str(one):
            return Reason("tls", "the CA certificates cannot be read", "Check REQUESTS_CA_BUNDLE")
    if any(isinstance(one, socket.gaierror | urllib3.exceptions.NameResolutionError) for one in found):
        return Reason("dns", f"cannot resolve the host name {host}", CHECK_NETWORK)
    if any(isinstance(one, ConnectionRefusedError) for one in found):
        return Reason("refused", f"{host} refused the connection", CHECK_NETWORK)
    if any(isinstance(one, OSError) and one.errno in _NO_ROUTE for one in found):
        return Reason("network", f"no route to {host}", CHECK_NETWORK)
    if any(isinstance(one, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError) for one in found):
        return Reason("timeout", f"timed out: {host} did not answer in time", CHECK_NETWORK)
    broken = (requests.ConnectionError, urllib3.exceptions.ProtocolError, ConnectionError)
    if any(isinstance(one, broken) for one in found):
        return Reason("broken", f"the connection to {host} broke off", RETRIED)
    return None


def _host(found: list[BaseException]) -> str:
    for one in found:
        request = getattr(one, "request", None)
        name = urlsplit(getattr(request, "url", None) or "").hostname
        if name:
            return name
    return "its host"


def _proxy_trouble(found: list[BaseException]) -> str:
    text = " ".join(str(one) for one in found)
    if "Tunnel connection failed: 407" in text:
        return "requires a user name and password (HTTP 407)"
    refused = re.search(r"Tunnel connection failed: (\d{3})", text)
    if refused:
        return f"refuses to forward the request (HTTP {refused[1]})"
    if any(isinstance(one, ssl.SSLError) for one in found):
        return "does not use TLS, contrary to its URL"
    if any(isinstance(one, socket.gaierror) for one in found):
        return "cannot be found: its host name cannot be resolved"
    if any(isinstance(one, ConnectionRefusedError) for one in found):
        return "refused the connection"
    return "cannot be reached"


def _by_tls(error: ssl.SSLError, host: str) -> Reason:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = one_line(error.verify_message.rstrip("."), MAX_COMPLAINT) if error.verify_message else "not accepted"
        return Reason(
            "tls",
            f"the TLS certificate of {host} is not accepted: {why}",
            "Check this machine's clock; if a proxy intercepts TLS, set REQUESTS_CA_BUNDLE to its certificates",
        )
    why = (error.reason or "handshake failed").replace("_", " ").lower()
    return Reason("tls", f"no TLS connection to {host}: {why}", CHECK_NETWORK)


def _by_status(market: str, error: BaseException, status: int) -> Reason:
    # Errors of other libraries come from parsing the response.
    complaint = _complaint(market, error, status) if isinstance(error, ccxt.BaseError) else ""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return Reason("proxy", "the proxy requires a user name and password (HTTP 407)", "Set them in HTTPS_PROXY")
    if status in _TOO_MANY:
        return _rate_limit(f"HTTP {status}{complaint}")
    if status in _REFUSED_HERE:
        text = f"refuses requests from this address (HTTP {status}{complaint}); it may not serve your region"
        return Reason("blocked", text, "Track another exchange, or check what the proxy permits")
    if status == HTTPStatus.SERVICE_UNAVAILABLE or isinstance(error, ccxt.OnMaintenance):
        return _maintenance(f"HTTP {status}{complaint}")
    if status in _TOO_LATE:
        return Reason("timeout", f"had an internal time-out (HTTP {status}{complaint})", RETRIED)
    if status >= 500:
        return Reason("server", f"has an internal error (HTTP {status}{complaint})", RETRIED)
    if status == HTTPStatus.NOT_FOUND:
        return Reason(
            "server", f"has nothing at this address (HTTP 404{complaint})", "Check EXCHANGE_BASE_URL, if it is set"
        )
    return Reason("other", f"refused the request (HTTP {status}{complaint})", RETRIED)


def _by_complaint(market: str, error: BaseException) -> Reason:
    """The reason for an error that the exchange reports in a successful response."""
    complaint = _complaint(market, error, None).removeprefix(": ")
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return _rate_limit(complaint)
    if isinstance(error, ccxt.OnMaintenance | ccxt.ExchangeNotAvailable):
        return _maintenance(complaint)
    if isinstance(error, ccxt.RequestTimeout):
        return Reason("timeout", f"timed out: {complaint or 'no answer in time'}", RETRIED)
    name = type(error).__name__
    return Reason("other", f"{name}: {complaint}" if complaint else name)


def _rate_limit(complaint: str) -> Reason:
    return Reason(
        "rate limit",
        f"received too many requests (rate limit{': ' + complaint if complaint else ''})",
        f"{RETRIED}. If it lasts, increase PERIOD_SECONDS, or find other programs that use this address",
    )


def _maintenance(complaint: str) -> Reason:
    return Reason("maintenance", f"is down, or in maintenance{' (' + complaint + ')' if complaint else ''}", RETRIED)


def _complaint(market: str, error: BaseException, status: int | None) -> str:
    """`: ` and the beginning of the exchange's own error text, as one printable line without markup; or nothing."""
    text = re.sub(r"^(GET|POST) \S+ ?", "", str(error).partition("<")[0].removeprefix(f"{market} "))
    text = re.sub(r"https?://\S+", lambda found: found[0].partition("?")[0], text)
    if status is not None:
        text = text.removeprefix(f"{status} ").removeprefix(responses.get(status, ""))
    text = one_line(_texts_in(text), MAX_COMPLAINT)
    return f": {text}" if text else ""


def _texts_in(answer: str) -> str:
    """The texts in a JSON answer, joined; any other answer unchanged."""
    try:
        queue = [json.loads(answer)]
    except (ValueError, RecursionError):
        return answer
    texts = []
    while queue:
        value = queue.pop(0)
        if isinstance(value, dict):
            queue += value.values()
        elif isinstance(value, list):
            queue += value
        elif isinstance(value, str):
            texts.append(value)
    return ", ".join(texts)
