"""A real exchange, spoken to through ccxt, and all that ccxt lets through brought to order."""

import difflib
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import RLock
from typing import Any

import ccxt
import numpy as np
import requests

from services.exchanges.candle_pages import DEFAULT_PAGE, NEWEST_ONLY, CandleLimits, split
from services.exchanges.transport import Transport
from services.market.errors import BadPayload, ExchangeError, Unavailable, UnknownExchange
from services.market.types import CandlePage, Candles, Listing, Pair, Quotes

LISTING_SECONDS = 25.0
CANDLE_REQUEST_SECONDS = 15.0
PACE = 1.1
"""The history is asked for a tenth slower than permitted: the ticks have requests of their own."""

_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}},  # one request in place of three
    "bybit": {"defaultType": "spot"},
}
_TIMEFRAMES = {60: "1m", 300: "5m", 900: "15m", 3600: "1h"}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._$]{0,29}")
"""What a currency may be called: the names go into addresses, pages and files."""

log = logging.getLogger(__name__)


class _Line:
    """One ccxt client, which one thread may use at a time, with the adapter its requests leave by."""

    def __init__(self, market: str, base_url: str | None) -> None:
        self.client: Any = getattr(ccxt, market)({"enableRateLimit": True, "options": dict(_OPTIONS.get(market, {}))})
        self.transport = Transport(market, base_url)
        for scheme in ("https://", "http://"):
            self.client.session.mount(scheme, self.transport)
        self.unreadable = 0
        self.lock = RLock()
        self._parse = self.client.parse_ticker
        # One pair's unreadable figures would otherwise cost the prices of all.
        self.client.parse_ticker = self._parse_or_count

    def _parse_or_count(self, ticker: object, market: Mapping[str, object] | None = None) -> object:
        try:
            return self._parse(ticker, market)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
            self.unreadable += 1
            return {"symbol": None}


class CcxtExchange:
    """The exchange that ccxt knows as `name`. Making one sends no request."""

    def __init__(self, name: str, base_url: str | None) -> None:
        if name not in ccxt.exchanges:
            close = difflib.get_close_matches(name, ccxt.exchanges, n=3)
            hint = f" (did you mean {', '.join(close)}?)" if close else ""
            raise UnknownExchange(name, f"no such exchange{hint}")
        self._name = name
        self._base_url = base_url
        self._quoting = _Line(name, base_url)
        if not self._quoting.client.has.get("fetchTickers"):
            raise UnknownExchange(name, "does not tell the prices of all its pairs in one request")
        self._history = _Line(name, base_url)
        self._history.client.rateLimit *= PACE
        self._limits = _candle_limits(name, self._history.client)
        self._listing = RLock()
        self._listed = 0

    @property
    def name(self) -> str:
        """The ccxt id."""
        return self._name

    def listings(self) -> tuple[Listing, ...]:
        """The spot pairs, asked for on a fresh client: a bad answer would leave a used one without its list.

        Raises Unavailable; BadPayload also where the list is empty or has lost more than half.
        """
        with self._listing:
            fresh = _Line(self._name, self._base_url)
            with self._translated():
                fresh.transport.give(LISTING_SECONDS)
                markets = fresh.client.load_markets()
            found = [
                Listing(Pair(market["base"], market["quote"]), market.get("active") is not False)
                for market in markets.values()
                if _is_spot(market)
            ]
            if not found:
                raise BadPayload(self._name, "its list of pairs is empty")
            if len(found) * 2 < self._listed:
                raise BadPayload(self._name, f"its list of pairs shrank from {self._listed} to {len(found)}")
            for line in (self._quoting, self._history):
                with line.lock:
                    line.client.set_markets(list(markets.values()), fresh.client.currencies)
            self._listed = len(found)
            return tuple(found)

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:  # noqa: ARG002 - it tells the present only
        """The last price of every spot pair that trades, by one request. Raises Unavailable, BadPayload."""
        ends_at = time.monotonic() + deadline_seconds
        self._know_pairs()
        line = self._quoting
        with line.lock, self._translated():
            line.transport.ends_at = ends_at
            line.unreadable = 0
            tickers = line.client.fetch_tickers()
            markets = line.client.markets
        pairs: list[Pair] = []
        prices: list[float] = []
        volumes: list[float] = []
        rejected: Counter[str] = Counter()
        for symbol, ticker in tickers.items():
            market = markets.get(symbol)
            if market is None or ticker.get("symbol") is None or not _is_spot(market) or market.get("active") is False:
                continue
            price = ticker.get("last")
            reason = _fault(price)
            if reason is not None:
                rejected[reason] += 1
                continue
            volume = ticker.get("baseVolume")
            pairs.append(Pair(market["base"], market["quote"]))
            prices.append(float(price))
            volumes.append(float(volume) if _fault(volume) in (None, "zero") else math.nan)
        if line.unreadable:
            rejected["unreadable"] = line.unreadable
        if not pairs:
            raise BadPayload(self._name, f"sent no price that can be used {_list(rejected)}".rstrip())
        return Quotes(tuple(pairs), np.array(prices, dtype=np.float64), np.array(volumes, dtype=np.float64), rejected)

    def pages(self, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
        """As finely as the exchange keeps it, newest first; nothing where it keeps no candles."""
        return () if self._limits is None else split(self._limits, since, until, now)

    def candles(self, pair: Pair, page: CandlePage) -> Candles:
        """One page, at the permitted pace. Raises Unavailable, BadPayload."""
        self._know_pairs()
        width = page.width
        first, last = int(page.since.timestamp()), int(page.until.timestamp())
        line = self._history
        with line.lock, self._translated():
            if str(pair) not in line.client.markets:
                raise BadPayload(self._name, f"has no pair {pair} any more")
            line.transport.give(CANDLE_REQUEST_SECONDS)
            count = (last - first) // width
            rows = line.client.fetch_ohlcv(str(pair), _TIMEFRAMES[width], since=first * 1000, limit=count)
            closes: dict[int, float] = {}
            rejected: Counter[str] = Counter()
            for opened, _open, _high, _low, close, *_ in rows:
                reason = "unreadable" if not isinstance(opened, int) else _fault(close)
                if reason is not None:
                    rejected[reason] += 1
                elif first < opened // 1000 + width <= last:
                    closes[opened // 1000 + width] = float(close)
        times = sorted(closes)
        return Candles(
            width,
            np.array(times, dtype=np.int64),
            np.array([closes[second] for second in times], dtype=np.float64),
            rejected,
        )

    def _know_pairs(self) -> None:
        """Without a list of its own a client would fetch it in the middle of the request."""
        with self._listing:
            if not self._listed:
                self.listings()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ExchangeError:
            raise
        except ccxt.NetworkError as error:
            raise Unavailable(self._name, _tell(self._name, error)) from error
        except (ccxt.BaseError, requests.RequestException) as error:
            raise BadPayload(self._name, _tell(self._name, error)) from error
        except (ValueError, AttributeError, LookupError, TypeError, ArithmeticError) as error:
            raise BadPayload(self._name, f"its answer makes no sense: {_tell(self._name, error)}") from error


def _candle_limits(name: str, client: Any) -> CandleLimits | None:
    if name in NEWEST_ONLY:
        return NEWEST_ONLY[name]
    frames = client.timeframes or {}
    width = next((width for width, frame in _TIMEFRAMES.items() if frame in frames), None)
    if width is None or not client.has.get("fetchOHLCV"):
        return None
    spot = (client.features or {}).get("spot") or {}
    page = (spot.get("fetchOHLCV") or {}).get("limit") or DEFAULT_PAGE
    return CandleLimits(width, page)


def _is_spot(market: Mapping[str, Any]) -> bool:
    if not market.get("spot"):
        return False
    named = bool(_CODE.fullmatch(str(market["base"])) and _CODE.fullmatch(str(market["quote"])))
    return named and market["symbol"] == f"{market['base']}/{market['quote']}"


def _list(rejected: Mapping[str, int]) -> str:
    """`(299 negative)`, or nothing."""
    return f"({', '.join(f'{count} {reason}' for reason, count in rejected.items())})" if rejected else ""


def _fault(value: object) -> str | None:
    """What is wrong with a figure that has to be finite and above zero."""
    if value is None:
        return "missing"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "not a number"
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "zero"
    return "negative" if value < 0 else None


def _tell(name: str, error: BaseException) -> str:
    """One line without markup: the kind of error, and the beginning of what it says."""
    text = str(error).partition("<")[0].removeprefix(f"{name} ")
    text = re.sub(r"https?://\S+", lambda found: found[0].partition("?")[0], text)
    text = " ".join(text.split())[:160]
    status = re.search(r"\b(403|404|451)\b", text)
    hint = "; it may not serve this place" if status and status[1] in ("403", "451") else ""
    return f"{type(error).__name__}: {text}{hint}" if text else type(error).__name__
