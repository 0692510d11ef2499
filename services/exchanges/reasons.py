"""Why a request to an exchange failed, in plain English, and what to do about it."""

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

ASKED_AGAIN = "It is asked again each period"
CHECK_NETWORK = "Check the network and the proxy settings (HTTPS_PROXY), or try python app.py --demo"

_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)
_REFUSED_HERE = (HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS)
_TOO_MANY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.IM_A_TEAPOT,
)  # binance says by the latter that it bans for a while
_TOO_LATE = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)


@dataclass(frozen=True, slots=True)
class Reason:
    """`text` says what happened and `advice` what to do, both without markup; `kind` is for programs.

    `advice` is in whole sentences, without the last full stop.
    """

    kind: FailureKind
    text: str
    advice: str = ""


def explain(market: str, error: BaseException, status: int | None = None) -> Reason:
    """The reason why a request ended in `error`; `status` is the HTTP status of the response, None when there is none.

    Looks through the errors that ccxt, requests and urllib3 wrap around the operating system's. Pure.
    """
    found = list(_chain(error))
    if status is not None and status >= 400:
        return _by_status(market, error, status)
    return _by_connection(found) or _by_complaint(market, error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all its causes, the outermost first."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _by_connection(found: list[BaseException]) -> Reason | None:
    """The reason why no complete response came; None when one did."""
    host = _host(found)
    if any(isinstance(one, urllib3.exceptions.ProxyError) or type(one).__module__ == "socks" for one in found):
        return Reason("proxy", f"the proxy {_proxy_trouble(found)}", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    if any("SOCKS support" in str(one) for one in found):
        return Reason("proxy", "a SOCKS proxy is set, which needs the package PySocks", "Install it, or set another")
    if any(isinstance(one, requests.exceptions.InvalidProxyURL) for one in found):
        return Reason("proxy", "the address of the proxy is none", "Check HTTPS_PROXY and HTTP_PROXY")
    for one in found:
        if isinstance(one, ssl.SSLError):
            return _by_tls(one, host)
        if type(one) is OSError and "CA certificate bundle" in str(one):
            return Reason("tls", "the file of certificates cannot be read", "Check REQUESTS_CA_BUNDLE")
    if any(isinstance(one, socket.gaierror | urllib3.exceptions.NameResolutionError) for one in found):
        return Reason("dns", f"cannot resolve the host name {host}", CHECK_NETWORK)
    if any(isinstance(one, ConnectionRefusedError) for one in found):
        return Reason("refused", f"{host} refused the connection", CHECK_NETWORK)
    if any(isinstance(one, OSError) and one.errno in _NO_ROUTE for one in found):
        return Reason("network", f"no network leads to {host}", CHECK_NETWORK)
    if any(isinstance(one, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError) for one in found):
        return Reason("timeout", f"timed out: {host} did not answer in time", CHECK_NETWORK)
    broken = (requests.ConnectionError, urllib3.exceptions.ProtocolError, ConnectionError)
    if any(isinstance(one, broken) for one in found):
        return Reason("broken", f"the connection to {host} broke off", ASKED_AGAIN)
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
        return "asks for a user name and password (HTTP 407)"
    refused = re.search(r"Tunnel connection failed: (\d{3})", text)
    if refused:
        return f"refuses to pass the request on (HTTP {refused[1]})"
    if any(isinstance(one, ssl.SSLError) for one in found):
        return "does not speak TLS as its address says"
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
            "Check this machine's clock; behind a proxy that opens TLS, name its certificates in REQUESTS_CA_BUNDLE",
        )
    why = (error.reason or "handshake failed").replace("_", " ").lower()
    return Reason("tls", f"no TLS connection to {host}: {why}", CHECK_NETWORK)


def _by_status(market: str, error: BaseException, status: int) -> Reason:
    said = (
        _said(market, error, status) if isinstance(error, ccxt.BaseError) else ""
    )  # other errors come from parsing the response
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return Reason("proxy", "the proxy asks for a user name and password (HTTP 407)", "Put them into HTTPS_PROXY")
    if status in _TOO_MANY:
        return _rate_limit(f"HTTP {status}{said}")
    if status in _REFUSED_HERE:
        text = f"refuses requests from here (HTTP {status}{said}); it may not serve this place"
        return Reason("blocked", text, "Track another exchange, or check what the proxy lets through")
    if status == HTTPStatus.SERVICE_UNAVAILABLE or isinstance(error, ccxt.OnMaintenance):
        return _maintenance(f"HTTP {status}{said}")
    if status in _TOO_LATE:
        return Reason("timeout", f"timed out on its own side (HTTP {status}{said})", ASKED_AGAIN)
    if status >= 500:
        return Reason("server", f"has a fault on its own side (HTTP {status}{said})", ASKED_AGAIN)
    if status == HTTPStatus.NOT_FOUND:
        return Reason(
            "server", f"has nothing at this address (HTTP 404{said})", "Check EXCHANGE_BASE_URL, if it is set"
        )
    return Reason("other", f"refused the request (HTTP {status}{said})", ASKED_AGAIN)


def _by_complaint(market: str, error: BaseException) -> Reason:
    """The reason in an error that the exchange sent in a complete response."""
    said = _said(market, error, None).removeprefix(": ")
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return _rate_limit(said)
    if isinstance(error, ccxt.OnMaintenance | ccxt.ExchangeNotAvailable):
        return _maintenance(said)
    if isinstance(error, ccxt.RequestTimeout):
        return Reason("timeout", f"timed out: {said or 'no answer in time'}", ASKED_AGAIN)
    name = type(error).__name__
    return Reason("other", f"{name}: {said}" if said else name)


def _rate_limit(said: str) -> Reason:
    return Reason(
        "rate limit",
        f"wants fewer requests (rate limit{': ' + said if said else ''})",
        f"{ASKED_AGAIN}. If it lasts, raise PERIOD_SECONDS, or see what else asks it from this address",
    )


def _maintenance(said: str) -> Reason:
    return Reason("maintenance", f"is down, or in maintenance{' (' + said + ')' if said else ''}", ASKED_AGAIN)


def _said(market: str, error: BaseException, status: int | None) -> str:
    """`: ` and the beginning of the exchange's own text, as one printable line without markup; or nothing."""
    text = re.sub(r"^(GET|POST) \S+ ?", "", str(error).partition("<")[0].removeprefix(f"{market} "))
    text = re.sub(r"https?://\S+", lambda found: found[0].partition("?")[0], text)
    if status is not None:
        text = text.removeprefix(f"{status} ").removeprefix(responses.get(status, ""))
    text = one_line(_texts_in(text), MAX_COMPLAINT)
    return f": {text}" if text else ""


def _texts_in(answer: str) -> str:
    """The texts in a JSON answer, joined; any other answer as it is."""
    try:
        waiting = [json.loads(answer)]
    except (ValueError, RecursionError):
        return answer
    texts = []
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            texts.append(one)
    return ", ".join(texts)
