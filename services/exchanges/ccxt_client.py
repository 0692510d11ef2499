"""A line to an exchange: one ccxt client, with what keeps it to spot pairs, to its pace and to its time."""

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

PACE = 1.1
"""The history is asked for a tenth slower than permitted: the ticks have requests of their own."""


_SPOT_ONLY = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
_NO_WEB_PAGES = {"webApiEnable": False}
_OPTIONS: Mapping[str, Mapping[str, object]] = {
    # One request in place of three to eleven.
    **dict.fromkeys(("binance", "bybit", "okx", "kucoin", "gate", "bitget", "hyperliquid"), _SPOT_ONLY),
    "gemini": {"fetchMarkets": _NO_WEB_PAGES, "fetchCurrencies": _NO_WEB_PAGES},
}


class CcxtClient:
    """One ccxt client, which one thread may use at a time, with the adapter its requests leave by."""

    def __init__(self, market: str, base_url: str | None, timer: Timer = time, least_gap: float = 0.0) -> None:
        self.client: Any = getattr(ccxt, market)({"enableRateLimit": True, "options": dict(_OPTIONS.get(market, {}))})
        self.transport = Transport(market, base_url, timer)
        for scheme in ("https://", "http://"):
            self.client.session.mount(scheme, self.transport)
        self.client.throttle = Throttle(PACE * self.client.rateLimit, self.transport, least_gap, timer).wait
        self.unreadable: list[str] = []
        """The symbols whose tickers ccxt could not read, as far as they are known."""
        self._market = market
        self._timer = timer
        self._lock = Lock()
        self._parse = self.client.parse_ticker
        # One pair's unreadable figures would otherwise cost the prices of all.
        self.client.parse_ticker = self._parse_or_note
        self.client.safe_ticker = _keep_what_was_told
        self._read_fast = self.client.on_json_response
        self.client.on_json_response = self._read_json

    @contextmanager
    def held(self, ends_at: float) -> Iterator[Any]:
        """The client, for one thread alone and with requests that end by then. Raises Unavailable when it is taken."""
        if not self._lock.acquire(timeout=max(0.0, ends_at - self._timer.monotonic())):
            raise Unavailable(self._market, "is busy with an earlier request")
        try:
            self.transport.ends_at = ends_at
            yield self.client
        finally:
            self._lock.release()

    def _read_json(self, body: str) -> Any:
        """Raises BadPayload where a success is no JSON, which ccxt takes for an answer without anything in it."""
        try:
            return self._read_fast(body)
        except ValueError:
            try:
                return json.loads(body)  # knows a bare NaN, which is one pair's and must not cost the others
            except ValueError:
                if (self.transport.status or 0) >= 400:
                    raise
                raise BadPayload(self._market, "sent something broken where JSON belongs") from None

    def _parse_or_note(self, ticker: Mapping[str, object], market: Mapping[str, Any] | None = None) -> object:
        try:
            return self._parse(ticker, market)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
            symbol = _symbol_of(ticker, self.client.markets_by_id or {}) if market is None else market["symbol"]
            if symbol is not None:
                self.unreadable.append(symbol)
            return {"symbol": None}


def _symbol_of(ticker: object, markets_by_id: Mapping[str, Any]) -> str | None:
    """The symbol of a ticker that cannot be read: whatever it calls the field, one of them is the market's id."""
    fields = ticker.values() if isinstance(ticker, Mapping) else ()
    known = next((one for one in fields if isinstance(one, str) and one in markets_by_id), None)
    return None if known is None else str(markets_by_id[known][0]["symbol"])


def _keep_what_was_told(ticker: Mapping[str, object], market: object = None) -> dict[str, object]:  # noqa: ARG001
    """Takes the place of ccxt's safe_ticker, which computes a missing last price from yesterday's and the change."""
    last = ticker.get("last")
    return {
        "symbol": ticker.get("symbol"),
        "last": ticker.get("close") if last is None else last,
        "baseVolume": ticker.get("baseVolume"),
        "timestamp": ticker.get("timestamp"),
    }
