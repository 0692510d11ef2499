"""One ccxt client, limited to spot pairs, the permitted request rate and a deadline."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

import ccxt

from services.exchanges.throttle import Throttle
from services.exchanges.transport import Timer, Transport
from services.market.errors import BadPayload, Unavailable

GAP_FACTOR = 1.1
"""Gaps between requests are a tenth longer than the exchange demands."""

_SPOT_ONLY = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
_NO_WEB_PAGES = {"webApiEnable": False}
_OPTIONS: Mapping[str, Mapping[str, object]] = {
    # One request instead of three to eleven.
    **dict.fromkeys(("binance", "bybit", "okx", "kucoin", "gate", "bitget", "hyperliquid"), _SPOT_ONLY),
    "gemini": {"fetchMarkets": _NO_WEB_PAGES, "fetchCurrencies": _NO_WEB_PAGES},
}


class CcxtClient:
    """A ccxt client, for one thread at a time, and the transport of its requests."""

    def __init__(self, market: str, base_url: str | None, timer: Timer = time, min_gap_seconds: float = 0.0) -> None:
        self.client: Any = getattr(ccxt, market)({"enableRateLimit": True, "options": dict(_OPTIONS.get(market, {}))})
        self.transport = Transport(market, base_url, timer)
        for scheme in ("https://", "http://"):
            self.client.session.mount(scheme, self.transport)
        gap_ms = GAP_FACTOR * self.client.rateLimit
        self.client.throttle = Throttle(gap_ms, self.transport, min_gap_seconds, timer).wait
        self.unreadable: list[str] = []
        """The symbols, where known, of tickers that ccxt could not parse."""
        self._market = market
        self._timer = timer
        self._lock = Lock()
        self._parse = self.client.parse_ticker
        # Otherwise one ticker that cannot be parsed would lose the prices of all pairs.
        self.client.parse_ticker = self._parse_or_record
        self.client.safe_ticker = _reported_fields
        self._read_fast = self.client.on_json_response
        self.client.on_json_response = self._read_json

    @contextmanager
    def held(self, ends_at: float) -> Iterator[Any]:
        """The client, for this thread alone; its requests end by `ends_at`, in seconds of the timer.

        Raises Unavailable when another thread holds it until then.
        """
        if not self._lock.acquire(timeout=max(0.0, ends_at - self._timer.monotonic())):
            raise Unavailable(self._market, "an earlier request is still running")
        try:
            self.transport.ends_at = ends_at
            yield self.client
        finally:
            self._lock.release()

    def _read_json(self, body: str) -> Any:
        """Raises BadPayload when a successful response is not JSON, which ccxt would treat as an empty answer."""
        try:
            return self._read_fast(body)
        except ValueError:
            try:
                return json.loads(body)  # accepts a bare NaN, which is wrong for one pair and must not lose the others
            except ValueError:
                if (self.transport.status or 0) >= 400:
                    raise
                raise BadPayload(self._market, "sent malformed JSON") from None

    def _parse_or_record(self, ticker: Mapping[str, object], market: Mapping[str, Any] | None = None) -> object:
        try:
            return self._parse(ticker, market)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
            symbol = _symbol_of(ticker, self.client.markets_by_id or {}) if market is None else market["symbol"]
            if symbol is not None:
                self.unreadable.append(symbol)
            return {"symbol": None}


def _symbol_of(ticker: object, markets_by_id: Mapping[str, Any]) -> str | None:
    """The symbol of a ticker that cannot be parsed: one of its fields, whatever its name, holds the market's id."""
    fields = ticker.values() if isinstance(ticker, Mapping) else ()
    market_id = next((field for field in fields if isinstance(field, str) and field in markets_by_id), None)
    return None if market_id is None else str(markets_by_id[market_id][0]["symbol"])


def _reported_fields(ticker: Mapping[str, object], market: object = None) -> dict[str, object]:  # noqa: ARG001
    """Replaces ccxt's safe_ticker, which computes a missing last price from yesterday's price and the change."""
    last = ticker.get("last")
    return {
        "symbol": ticker.get("symbol"),
        "last": ticker.get("close") if last is None else last,
        "baseVolume": ticker.get("baseVolume"),
        "timestamp": ticker.get("timestamp"),
    }
