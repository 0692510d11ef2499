"""Requests use the proxy from the environment, and its failures are reported as such."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests

from services.exchanges.ccxt_exchange import CcxtExchange
from services.exchanges.reasons import explain
from services.market.errors import Unavailable
from tests.exchanges import wire as payloads
from tests.exchanges.test_quotes import NOON
from tests.receiver import CERTIFICATE

ANSWERS = {
    "Assets": payloads.kraken_assets(),
    "AssetPairs": payloads.kraken_pairs(),
    "Ticker": payloads.kraken_answer(payloads.KRAKEN_TICKERS),
}


@dataclass
class Proxy:
    """Answers in place of every server; a `tunnel_status` other than 200 refuses to open a tunnel."""

    port: int = 0
    tunnel_status: int = 200
    paths: list[str] = field(default_factory=list)
    passwords: list[str | None] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def proxying() -> Iterator[Proxy]:
    """A local proxy for plain requests and tunnels; the server in a tunnel is `receiver.test`."""
    proxy = Proxy()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            proxy.paths.append(f"CONNECT {self.path}")
            proxy.passwords.append(self.headers.get("Proxy-Authorization"))
            self.send_response(proxy.tunnel_status)
            self.end_headers()
            self.close_connection = proxy.tunnel_status != 200
            if not self.close_connection:
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")

        def do_GET(self) -> None:
            proxy.paths.append(self.path)
            body = ANSWERS[self.path.rpartition("/")[2].partition("?")[0]].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def finish(self) -> None:
            super().finish()
            self.connection.close()  # the tunnel's own

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is no fault."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxying() as proxy:
        yield proxy


def test_requests_to_a_mirror_use_the_proxy_for_the_mirrors_scheme(proxy, timer, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy.address)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    quotes = CcxtExchange("kraken", "http://mirror.test/x", timer).quotes(NOON, 10)

    assert len(quotes.pairs) == 4
    assert proxy.paths[0] == "http://mirror.test/x/https://api.kraken.com/0/public/Assets"
    assert len(proxy.paths) == 3


def test_requests_to_an_exchange_use_a_tunnel_and_the_configured_certificates(proxy, timer, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy.address.replace("//", "//me:secret@"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))

    quotes = CcxtExchange("kraken", "https://receiver.test", timer).quotes(NOON, 10)

    assert len(quotes.pairs) == 4
    assert proxy.paths[:2] == ["CONNECT receiver.test:443", "/https://api.kraken.com/0/public/Assets"]
    assert proxy.passwords[0] == "Basic bWU6c2VjcmV0"


def test_without_those_certificates_the_error_is_reported_with_advice(proxy, timer, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)

    with pytest.raises(Unavailable, match="certificate of receiver") as failed:
        CcxtExchange("kraken", "https://receiver.test", timer).quotes(NOON, 10)

    assert failed.value.kind == "tls"
    assert "REQUESTS_CA_BUNDLE" in failed.value.advice


def test_hosts_in_no_proxy_are_requested_directly(proxy, timer, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert len(CcxtExchange("kraken", proxy.address, timer).quotes(NOON, 10).pairs) == 4


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (407, "the proxy requires a user name and password (HTTP 407)"),
        (403, "the proxy refuses to forward the request (HTTP 403)"),
    ],
)
def test_a_proxy_that_refuses_a_tunnel_is_reported_instead_of_the_exchange(proxy, timer, monkeypatch, status, detail):
    proxy.tunnel_status = status
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)

    with pytest.raises(Unavailable) as failed:
        CcxtExchange("kraken", None, timer).quotes(NOON, 10)

    assert (failed.value.kind, failed.value.detail) == ("proxy", detail)
    assert "HTTPS_PROXY" in failed.value.advice
    assert proxy.paths == ["CONNECT api.kraken.com:443"]


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("http://me:secret@127.0.0.1:1", "the proxy refused the connection"),
        ("http://me:secret@proxy.invalid:3128", "the proxy cannot be found: its host name cannot be resolved"),
        ("http://", "the proxy's URL is invalid"),
        ("socks5://me:secret@127.0.0.1:1", "the proxy refused the connection"),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_reported_without_its_password(timer, monkeypatch, address, detail):
    monkeypatch.setenv("HTTPS_PROXY", address)

    with pytest.raises(Unavailable) as failed:
        CcxtExchange("kraken", None, timer).quotes(NOON, 10)

    assert (failed.value.kind, failed.value.detail) == ("proxy", detail)
    assert "secret" not in failed.value.explanation


def test_a_socks_proxy_without_the_required_package_is_reported():
    reason = explain("kraken", requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."))

    assert (reason.kind, reason.text) == ("proxy", "a SOCKS proxy needs the package PySocks")


def test_certificates_that_cannot_be_read_are_reported(timer, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/at-all.pem")

    with pytest.raises(Unavailable) as failed:
        CcxtExchange("kraken", None, timer).quotes(NOON, 10)

    assert (failed.value.kind, failed.value.detail) == ("tls", "the CA certificates cannot be read")
    assert "REQUESTS_CA_BUNDLE" in failed.value.advice
