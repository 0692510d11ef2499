"""Requests: through the mirror, and within their deadline whatever the server does."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import ccxt
import pytest
import requests

from services.exchanges.ccxt_exchange import CcxtExchange
from services.exchanges.throttle import Throttle
from services.exchanges.transport import Transport
from services.market.errors import BadPayload, Unavailable
from tests.exchanges import wire as payloads
from tests.exchanges.test_quotes import NOON
from tests.exchanges.wire import KRAKEN, SkippingTimer, serve


@contextmanager
def server(answer: Callable[[socket.socket, Event], None]) -> Iterator[tuple[str, Event]]:
    """A local server that handles each connection with `answer`; its URL, and an event that is set at the end."""
    over = Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one(caller: socket.socket) -> None:
        with caller, suppress(OSError):
            caller.recv(65_536)
            answer(caller, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()

    Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", over
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def never_respond(_: socket.socket, over: Event) -> None:
    over.wait()


def drip(caller: socket.socket, over: Event) -> None:
    caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{")
    while not over.wait(0.02):
        caller.sendall(b" ")


def drip_headers(caller: socket.socket, over: Event) -> None:
    caller.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.02):
        caller.sendall(b"x")


def stall_in_the_middle(caller: socket.socket, over: Event) -> None:
    caller.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"error":[],')
    over.wait()


def break_off(caller: socket.socket, _: Event) -> None:
    caller.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"error":[],')


def break_off_between_pieces(caller: socket.socket, _: Event) -> None:
    caller.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"err')


TIMEOUT = 2.0
"""Seconds: enough to send a request on a busy machine."""


@pytest.mark.parametrize("behaviour", [never_respond, drip, drip_headers, stall_in_the_middle])
def test_a_response_that_is_not_complete_in_time_is_abandoned_at_the_deadline(behaviour):
    with server(behaviour) as (address, _):
        exchange = CcxtExchange("kraken", address)
        started = time.monotonic()

        with pytest.raises(Unavailable, match="did not answer in time"):
            exchange.quotes(NOON, TIMEOUT)

    # The servers stall or drip until the test ends.
    assert time.monotonic() - started >= TIMEOUT


def test_the_connection_of_an_abandoned_response_is_closed():
    gone = Event()

    def pour(caller: socket.socket, over: Event) -> None:
        caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{")
        try:
            while not over.wait(0.01):
                caller.sendall(b" " * 4096)
        except OSError:
            gone.set()

    with server(pour) as (address, _):
        with pytest.raises(Unavailable):
            CcxtExchange("kraken", address).quotes(NOON, 0.2)
        assert gone.wait(10)


@pytest.mark.parametrize("behaviour", [break_off, break_off_between_pieces])
def test_a_connection_that_breaks_off_raises_unavailable(behaviour):
    with server(behaviour) as (address, _), pytest.raises(Unavailable, match="broke off"):
        CcxtExchange("kraken", address).quotes(NOON, 5)


def test_a_closed_port_raises_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(Unavailable):
        CcxtExchange("kraken", address).quotes(NOON, 5)


@pytest.mark.parametrize("base_url", ["https://mirror.test/x", "https://mirror.test/x/"])
def test_with_a_mirror_each_request_goes_to_its_url_followed_by_the_original_one(wire, timer, base_url):
    mirrored = f"https://mirror.test/x/{KRAKEN}"
    serve(wire, f"{mirrored}/Assets", payloads.kraken_assets())
    serve(wire, f"{mirrored}/AssetPairs", payloads.kraken_pairs())
    serve(wire, f"{mirrored}/Ticker", payloads.kraken_answer(payloads.KRAKEN_TICKERS))
    serve(wire, f"{mirrored}/OHLC", payloads.kraken_candles("XXBTZUSD", []))
    kraken = CcxtExchange("kraken", base_url, timer)

    assert len(kraken.listings()) == 4
    assert len(kraken.quotes(NOON, 10).pairs) == 4
    pages = kraken.pages(NOON.replace(hour=11), NOON, NOON)
    assert kraken.candles(kraken.quotes(NOON, 10).pairs[0], pages[0]).times.tolist() == []


def test_a_mirror_may_redirect_to_another_of_its_urls(wire, timer):
    session = requests.Session()
    session.mount("https://", Transport("kraken", "https://mirror.test", timer))
    moved = {"Location": "https://mirror.test/elsewhere"}
    wire.get("https://mirror.test/https://api.test/time", status=302, headers=moved)
    wire.get("https://mirror.test/elsewhere", json={"time": 1})

    assert session.get("https://api.test/time").json() == {"time": 1}


def test_a_success_without_json_is_refused_and_a_failure_without_json_is_returned(wire, timer):
    session = requests.Session()
    transport = Transport("kraken", None, timer)
    session.mount("https://", transport)
    serve(wire, "https://api.test/well", "<html></html>")
    serve(wire, "https://api.test/ill", "<html></html>", 502)

    with pytest.raises(BadPayload, match="a web page"):
        session.get("https://api.test/well")
    assert session.get("https://api.test/ill").status_code == 502
    assert transport.status == 502


def test_no_request_is_sent_after_the_deadline(wire, timer):
    session = requests.Session()
    transport = Transport("kraken", None, timer)
    session.mount("https://", transport)
    transport.ends_at = timer.monotonic() - 1

    with pytest.raises(requests.exceptions.ReadTimeout):
        session.get("https://api.test/")

    assert len(wire.calls) == 0


def test_an_expensive_request_is_followed_by_a_long_gap_and_a_cheap_one_by_the_minimum(timer):
    throttle = Throttle(1000, Transport("kraken", None, timer), 0.25, timer)
    for cost in (2, 0.1, None, 1):
        throttle.wait(cost)

    assert timer.slept == pytest.approx([2.0, 0.25, 1.0], abs=0.05)


def test_a_wait_beyond_the_deadline_fails_at_once():
    timer = SkippingTimer()
    transport = Transport("kraken", None, timer)
    throttle = Throttle(5000, transport, 0.0, timer)
    throttle.wait()
    transport.ends_at = timer.monotonic() + 3

    with pytest.raises(ccxt.RequestTimeout):
        throttle.wait()

    assert timer.slept == []
