"""Exchanges whose responses the test writes."""

from collections.abc import Iterator

import pytest
import responses

from services.exchanges.ccxt_exchange import CcxtExchange
from tests.exchanges.wire import SkippingTimer, serve_binance, serve_kraken


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests do not depend on this machine's proxy settings."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Replaces the network: no request leaves this process."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def timer() -> SkippingTimer:
    return SkippingTimer()


@pytest.fixture
def kraken(wire: responses.RequestsMock, timer: SkippingTimer) -> CcxtExchange:
    serve_kraken(wire)
    return CcxtExchange("kraken", None, timer)


@pytest.fixture
def binance(wire: responses.RequestsMock, timer: SkippingTimer) -> CcxtExchange:
    serve_binance(wire)
    return CcxtExchange("binance", None, timer)
