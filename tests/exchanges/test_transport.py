"""Requests: by way of the mirror, and within their time whatever the other side does."""

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
from tests.exchanges import wire as say
from tests.exchanges.test_quotes import NOON
from tests.exchanges.wire import KRAKEN, SkippingTimer, serve


@contextmanager
def server(answer: Callable[[socket.socket, Event], None]) -> Iterator[tuple[str, Event]]:
    """A server on this machine that deals with each caller as `answer` does; its address, and when all is over."""
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


def never(_: socket.socket, over: Event) -> None:
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


PATIENCE = 2.0
"""Seconds: enough to begin to ask, however busy the machine is."""


@pytest.mark.parametrize("slowly", [never, drip, drip_headers, stall_in_the_middle])
def test_an_answer_that_does_not_come_whole_in_time_is_given_up_in_time(slowly):
    with server(slowly) as (address, _):
        exchange = CcxtExchange("kraken", address)
        started = time.monotonic()

        with pytest.raises(Unavailable, match="did not answer in time"):
            exchange.quotes(NOON, PATIENCE)

    # The servers stall or drip for as long as the test lasts.
    assert time.monotonic() - started >= PATIENCE


def test_an_abandoned_answer_is_hung_up_on_when_it_goes_on():
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


@pytest.mark.parametrize("breaking", [break_off, break_off_between_pieces])
def test_a_connection_that_breaks_in_the_middle_means_unavailable(breaking):
    with server(breaking) as (address, _), pytest.raises(Unavailable, match="broke off"):
        CcxtExchange("kraken", address).quotes(NOON, 5)


def test_nobody_at_home_means_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(Unavailable):
        CcxtExchange("kraken", address).quotes(NOON, 5)


@pytest.mark.parametrize("base_url", ["https://mirror.test/x", "https://mirror.test/x/"])
def test_with_a_mirror_each_request_goes_to_its_address_with_the_whole_original_behind_it(wire, timer, base_url):
    mirrored = f"https://mirror.test/x/{KRAKEN}"
    serve(wire, f"{mirrored}/Assets", say.kraken_assets())
    serve(wire, f"{mirrored}/AssetPairs", say.kraken_pairs())
    serve(wire, f"{mirrored}/Ticker", say.kraken_answer(say.KRAKEN_TICKERS))
    serve(wire, f"{mirrored}/OHLC", say.kraken_candles("XXBTZUSD", []))
    kraken = CcxtExchange("kraken", base_url, timer)

    assert len(kraken.listings()) == 4
    assert len(kraken.quotes(NOON, 10).pairs) == 4
    pages = kraken.pages(NOON.replace(hour=11), NOON, NOON)
    assert kraken.candles(kraken.quotes(NOON, 10).pairs[0], pages[0]).times.tolist() == []


def test_a_mirror_may_send_on_to_another_place_of_its_own(wire, timer):
    session = requests.Session()
    session.mount("https://", Transport("kraken", "https://mirror.test", timer))
    moved = {"Location": "https://mirror.test/elsewhere"}
    wire.get("https://mirror.test/https://api.test/time", status=302, headers=moved)
    wire.get("https://mirror.test/elsewhere", json={"time": 1})

    assert session.get("https://api.test/time").json() == {"time": 1}


def test_a_success_without_json_is_refused_and_a_failure_without_it_is_left_to_its_status(wire, timer):
    session = requests.Session()
    transport = Transport("kraken", None, timer)
    session.mount("https://", transport)
    serve(wire, "https://api.test/well", "<html></html>")
    serve(wire, "https://api.test/ill", "<html></html>", 502)

    with pytest.raises(BadPayload, match="a web page"):
        session.get("https://api.test/well")
    assert session.get("https://api.test/ill").status_code == 502
    assert transport.status == 502


def test_no_request_leaves_when_its_time_is_over(wire, timer):
    session = requests.Session()
    transport = Transport("kraken", None, timer)
    session.mount("https://", transport)
    transport.ends_at = timer.monotonic() - 1

    with pytest.raises(requests.exceptions.ReadTimeout):
        session.get("https://api.test/")

    assert len(wire.calls) == 0


def test_a_dear_request_leaves_a_long_gap_and_a_cheap_one_the_least(timer):
    pace = Throttle(1000, Transport("kraken", None, timer), 0.25, timer)
    for cost in (2, 0.1, None, 1):
        pace.wait(cost)

    assert timer.slept == pytest.approx([2.0, 0.25, 1.0], abs=0.05)


def test_a_wait_beyond_the_deadline_is_given_up_before_it_begins():
    timer = SkippingTimer()
    transport = Transport("kraken", None, timer)
    pace = Throttle(5000, transport, 0.0, timer)
    pace.wait()
    transport.ends_at = timer.monotonic() + 3

    with pytest.raises(ccxt.RequestTimeout):
        pace.wait()

    assert timer.slept == []
