"""Reasons for failures, from errors that the libraries really raise."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import ccxt
import pytest
import requests

from services.exchanges.ccxt_exchange import CcxtExchange
from services.exchanges.reasons import explain
from services.market.errors import BadPayload, ExchangeError, Unavailable
from tests.exchanges import wire as payloads
from tests.exchanges.test_quotes import NOON
from tests.exchanges.wire import KRAKEN, serve


def failure(base_url: str) -> ExchangeError:
    with pytest.raises(Unavailable) as failed:
        CcxtExchange("kraken", base_url).quotes(NOON, 3)
    return failed.value


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A local server that handles each connection with `answer`; its host and port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                with caller, suppress(OSError):
                    caller.recv(65_536)
                    answer(caller)

    Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_host_name_that_cannot_be_resolved_is_reported_with_advice():
    found = failure("http://exchange.invalid")

    assert (found.kind, found.detail) == ("dns", "cannot resolve the host name exchange.invalid")
    assert "network" in found.advice
    assert "HTTPS_PROXY" in found.advice
    assert "--demo" in found.advice
    assert found.explanation == f"{found.detail}. {found.advice}."


def test_a_refused_connection_is_reported_as_such():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    found = failure(f"https://127.0.0.1:{port}")

    assert (found.kind, found.detail) == ("refused", "127.0.0.1 refused the connection")


def test_a_server_without_tls_at_an_https_url_is_reported_as_such():
    with server(lambda caller: caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as place:
        found = failure(f"https://{place}")

    assert found.kind == "tls"
    assert found.detail.startswith("no TLS connection to 127.0.0.1: ")


def test_a_connection_that_is_closed_without_an_answer_is_reported_as_broken():
    with server(lambda _caller: None) as place:
        found = failure(f"http://{place}")

    assert (found.kind, found.detail) == ("broken", "the connection to 127.0.0.1 broke off")


def test_a_missing_response_is_reported_as_timed_out():
    over = Event()
    with server(lambda _caller: over.wait(10)) as place:
        with pytest.raises(Unavailable) as failed:
            CcxtExchange("kraken", f"http://{place}").quotes(NOON, 0.3)
        over.set()

    assert failed.value.kind == "timeout"
    assert failed.value.detail == "timed out: 127.0.0.1 did not answer in time"
    assert "HTTPS_PROXY" in failed.value.advice


def wrapped(cause: Exception) -> Exception:
    """As requests and ccxt wrap what urllib3 raises."""
    request = requests.Request("GET", "https://api.kraken.com/0/public/Time").prepare()
    outer = requests.exceptions.ConnectionError("Max retries exceeded", request=request)
    outer.__cause__ = cause
    error = ccxt.NetworkError("kraken GET https://api.kraken.com/0/public/Time")
    error.__cause__ = outer
    return error


@pytest.mark.parametrize(
    ("cause", "kind", "expected"),
    [
        (OSError(101, "Network is unreachable"), "network", "no route to api.kraken.com"),
        (OSError(113, "No route to host"), "network", "no route to api.kraken.com"),
        (TimeoutError("timed out"), "timeout", "timed out: api.kraken.com did not answer in time"),
        (ConnectionResetError(104, "reset"), "broken", "the connection to api.kraken.com broke off"),
        (socket.gaierror(-3, "Temporary failure"), "dns", "cannot resolve the host name api.kraken.com"),
    ],
)
def test_the_operating_systems_error_is_found_below_those_that_wrap_it(cause, kind, expected):
    reason = explain("kraken", wrapped(cause))

    assert (reason.kind, reason.text) == (kind, expected)
    assert reason.advice


@pytest.mark.parametrize(
    "why", ["certificate has expired", "self-signed certificate in certificate chain", "certificate is not yet valid"]
)
def test_a_certificate_that_is_not_accepted_is_reported_with_the_reason(why):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = why

    reason = explain("kraken", wrapped(error))

    assert (reason.kind, reason.text) == ("tls", f"the TLS certificate of api.kraken.com is not accepted: {why}")
    assert "clock" in reason.advice
    assert "REQUESTS_CA_BUNDLE" in reason.advice


@pytest.mark.parametrize(
    ("status", "kind", "part"),
    [
        (503, "maintenance", "is down, or in maintenance (HTTP 503)"),
        (429, "rate limit", "received too many requests (rate limit: HTTP 429)"),
        (418, "rate limit", "received too many requests (rate limit: HTTP 418)"),
        (403, "blocked", "refuses requests from this address (HTTP 403); it may not serve your region"),
        (451, "blocked", "refuses requests from this address (HTTP 451); it may not serve your region"),
        (407, "proxy", "the proxy requires a user name and password (HTTP 407)"),
        (404, "server", "has nothing at this address (HTTP 404)"),
        (500, "server", "has an internal error (HTTP 500)"),
        (502, "server", "has an internal error (HTTP 502)"),
        (520, "server", "has an internal error (HTTP 520)"),
        (504, "timeout", "had an internal time-out (HTTP 504)"),
    ],
)
def test_a_status_is_reported_in_plain_english(kraken, wire, status, kind, part):
    serve(wire, f"{KRAKEN}/Ticker", "<html>\n<body>Down</body></html>", status)

    with pytest.raises(Unavailable) as failed:
        kraken.quotes(NOON, 10)

    assert (failed.value.kind, failed.value.detail) == (kind, part)
    assert failed.value.advice


@pytest.mark.parametrize(
    ("complaint", "kind", "expected"),
    [
        (
            "EAPI:Rate limit exceeded",
            "rate limit",
            "received too many requests (rate limit: EAPI:Rate limit exceeded)",
        ),
        (
            "EGeneral:Too many requests",
            "rate limit",
            "received too many requests (rate limit: EGeneral:Too many requests)",
        ),
        ("EService:Unavailable", "maintenance", "is down, or in maintenance (EService:Unavailable)"),
        ("EService:Busy", "maintenance", "is down, or in maintenance (EService:Busy)"),
    ],
)
def test_an_error_in_a_successful_response_is_reported_with_its_own_text(kraken, wire, complaint, kind, expected):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": [complaint]}))

    with pytest.raises(Unavailable) as failed:
        kraken.quotes(NOON, 10)

    assert (failed.value.kind, failed.value.detail) == (kind, expected)


def test_a_web_page_instead_of_prices_is_reported_with_its_likely_sender(kraken, wire):
    kraken.listings()
    serve(wire, f"{KRAKEN}/Ticker", "<html>Log in to the hotel's network</html>")

    with pytest.raises(BadPayload, match="a web page") as failed:
        kraken.quotes(NOON, 10)

    assert "log-in page" in failed.value.advice
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(payloads.KRAKEN_TICKERS))
    assert len(kraken.quotes(NOON, 10).pairs) == 4
