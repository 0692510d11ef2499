"""A real exchange, through ccxt, with every response checked."""

import difflib
import logging
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any

import ccxt
import numpy as np

from services.exchanges.candle_pages import DEFAULT_PAGE, MEASURED, CandleLimits, split
from services.exchanges.ccxt_client import CcxtClient
from services.exchanges.market_list import MarketList, read_list
from services.exchanges.reasons import explain
from services.exchanges.ticker_times import sort_out
from services.exchanges.transport import Timer, Transport
from services.market.errors import BadPayload, ExchangeError, Unavailable, UnknownExchange
from services.market.names import shown
from services.market.times import to_epoch
from services.market.types import CandlePage, Candles, Listing, Pair, Quotes

LISTING_SECONDS = 25.0
CANDLE_REQUEST_SECONDS = 15.0
MIN_CANDLE_GAP_SECONDS = 0.1
"""Some exchanges permit fifty requests a second, but ticks share that budget."""

_TIMEFRAMES = {60: "1m", 300: "5m", 900: "15m", 3600: "1h"}
MAX_NAMED = 3
"""The most excluded pairs that a log line names."""

log = logging.getLogger(__name__)


class CcxtExchange:
    """The exchange with the ccxt id `name`, whose prices are requested every `period_seconds`.

    The constructor sends no request. It raises UnknownExchange.
    """

    def __init__(
        self,
        name: str,
        base_url: str | None,
        timer: Timer = time,
        period_seconds: float = 60.0,
    ) -> None:
        if name not in ccxt.exchanges:
            close = difflib.get_close_matches(name.lower(), ["demo", *ccxt.exchanges], n=3)
            hint = f" (did you mean {', '.join(close)}?)" if close else ""
            raise UnknownExchange(name, f"no such exchange{hint}")
        self._name = name
        self._base_url = base_url
        self._timer = timer
        self._period_seconds = period_seconds
        self._quotes_client = CcxtClient(name, base_url, timer)
        if not self._quotes_client.client.has.get("fetchTickers"):
            raise UnknownExchange(name, "does not offer the prices of all its pairs in one request")
        self._candles_client = CcxtClient(name, base_url, timer, MIN_CANDLE_GAP_SECONDS)
        self._limits = _candle_limits(name, self._candles_client.client)
        self._listing_lock = Lock()
        self._market_list: MarketList | None = None
        self._excluded: frozenset[Pair] = frozenset()
        self._idle_prices: dict[Pair, float] = {}
        """The last prices of pairs that do not trade at present."""

    @property
    def name(self) -> str:
        """The ccxt id."""
        return self._name

    @property
    def requests_a_second(self) -> float | None:
        """The permitted rate of requests of cost 1, according to ccxt; None when it knows none."""
        gap_ms = self._quotes_client.client.rateLimit
        return 1e3 / gap_ms if gap_ms else None

    def listings(self) -> tuple[Listing, ...]:
        """The spot pairs. Raises Unavailable or BadPayload, also when the list is empty or has lost more than half of
        its pairs.

        They are fetched with a new client: a bad response would leave the used one without its list.
        """
        ends_at = self._timer.monotonic() + LISTING_SECONDS
        with self._listing_until(ends_at):
            return self._request_list(ends_at)

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:
        """The last price of every spot pair, by one request. Raises Unavailable or BadPayload."""
        ends_at = self._timer.monotonic() + deadline_seconds
        self._require_market_list(ends_at)
        quotes_client = self._quotes_client
        with quotes_client.held(ends_at) as client, self._translated(quotes_client.transport):
            market_list = self._share_markets(client)
            quotes_client.unreadable.clear()
            tickers = client.fetch_tickers()
            unreadable = list(quotes_client.unreadable)
        listed_tickers = {
            symbol: ticker
            for symbol, ticker in tickers.items()
            if symbol in market_list.pairs and ticker.get("symbol") is not None
        }
        faults = self._faults(listed_tickers, minute)
        faults |= dict.fromkeys(unreadable, "unreadable")
        refused = {
            market_list.pairs[symbol]: fault
            for symbol, fault in faults.items()
            if fault and symbol in market_list.trading
        }
        good = {symbol: ticker for symbol, ticker in listed_tickers.items() if faults[symbol] is None}
        if not good:
            reasons = _in_brackets(Counter(refused.values()))
            raise BadPayload(self._name, f"sent no usable price {reasons}".rstrip())
        prices = {market_list.pairs[symbol]: float(ticker["last"]) for symbol, ticker in good.items()}
        volumes = [ticker.get("baseVolume") for ticker in good.values()]
        untraded = {market_list.pairs[symbol] for symbol in good.keys() - market_list.trading}
        return Quotes(
            tuple(prices),
            np.array(list(prices.values()), dtype=np.float64),
            np.array([float(one) if _fault(one) in (None, "zero") else math.nan for one in volumes]),
            refused,
            self._idle({pair: prices[pair] for pair in untraded}),
        )

    def _faults(self, listed_tickers: Mapping[str, Mapping[str, Any]], minute: datetime) -> dict[str, str | None]:
        """The fault of each ticker; None when it has a current price."""
        times = np.array([_seconds(ticker.get("timestamp")) for ticker in listed_tickers.values()], dtype=np.float64)
        old, ahead = sort_out(times, minute.timestamp(), self._period_seconds)
        return {
            symbol: _fault(ticker["last"]) or ("out of date" if is_old else "from the future" if is_ahead else None)
            for (symbol, ticker), is_old, is_ahead in zip(
                listed_tickers.items(), old.tolist(), ahead.tolist(), strict=True
            )
        }

    def _idle(self, prices: dict[Pair, float]) -> frozenset[Pair]:
        """Those of `prices`, of pairs that do not trade, that are the same as in the previous response."""
        before, self._idle_prices = self._idle_prices, prices
        return frozenset(pair for pair, price in prices.items() if before.get(pair, price) == price)

    def pages(self, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
        """Pages of the exchange's finest candles, newest first; none when it has no candles."""
        return () if self._limits is None else split(self._limits, since, until, now)

    def candles(self, pair: Pair, page: CandlePage) -> Candles:
        """One page, at the permitted rate. Raises Unavailable or BadPayload."""
        ends_at = self._timer.monotonic() + CANDLE_REQUEST_SECONDS
        self._require_market_list(ends_at)
        width = page.width
        first, last = to_epoch(page.since), to_epoch(page.until)
        candles_client = self._candles_client
        with candles_client.held(ends_at) as client, self._translated(candles_client.transport):
            market_list = self._share_markets(client)
            if pair not in market_list.symbols:
                raise BadPayload(self._name, f"no longer has the pair {pair}")
            symbol = market_list.symbols[pair]
            count = (last - first) // width
            rows = client.fetch_ohlcv(symbol, _TIMEFRAMES[width], since=first * 1000, limit=count)
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

    def _require_market_list(self, ends_at: float) -> None:
        """Load the list of pairs if there is none yet. ccxt would otherwise load it in the middle of a request."""
        if self._market_list is None:
            with self._listing_until(ends_at):
                if self._market_list is None:
                    self._request_list(ends_at)

    @contextmanager
    def _listing_until(self, ends_at: float) -> Iterator[None]:
        if not self._listing_lock.acquire(timeout=max(0.0, ends_at - self._timer.monotonic())):
            raise Unavailable(self._name, "its list of pairs is still being requested")
        try:
            yield
        finally:
            self._listing_lock.release()

    def _request_list(self, ends_at: float) -> tuple[Listing, ...]:
        fresh = CcxtClient(self._name, self._base_url, self._timer)
        with fresh.held(ends_at) as client, client.session, self._translated(fresh.transport):
            client.load_markets()
            found = read_list(client)
        if not found.pairs:
            raise BadPayload(self._name, "its list of pairs is empty")
        before = 0 if self._market_list is None else len(self._market_list.pairs)
        if len(found.pairs) * 2 < before:
            raise BadPayload(self._name, f"its list of pairs shrank from {before} to {len(found.pairs)}")
        self._market_list = found
        self._log_excluded(found.listings)
        return found.listings

    def _log_excluded(self, listings: Iterable[Listing]) -> None:
        """Log the pairs that cannot be tracked, if there are new ones among them."""
        excluded = {listing.pair: listing.fault for listing in listings if listing.fault is not None}
        if excluded.keys() - self._excluded:
            named = "; ".join(f"{shown(pair)}, {fault}" for pair, fault in list(excluded.items())[:MAX_NAMED])
            log.info("%s: %d pairs cannot be tracked, such as %s", self._name, len(excluded), named)
        self._excluded = frozenset(excluded)

    def _share_markets(self, client: Any) -> MarketList:
        """Set the newest accepted list in `client`."""
        market_list = self._market_list
        assert market_list is not None  # _require_market_list has loaded it
        if client.markets is not market_list.client.markets:
            client.set_markets_from_exchange(market_list.client)
        return market_list

    @contextmanager
    def _translated(self, transport: Transport) -> Iterator[None]:
        transport.status = None
        try:
            yield
        except ExchangeError:
            raise
        except (
            ccxt.BaseError,
            OSError,  # among them those of requests
            ValueError,
            AttributeError,
            LookupError,
            TypeError,
            ArithmeticError,
            RecursionError,
        ) as error:
            raise _translate(self._name, error, transport.status) from error


def _translate(market: str, error: Exception, status: int | None) -> ExchangeError:
    reason = explain(market, error, status)
    # ccxt reports some responses of servers that are down as errors of the client, and a rejected certificate as a
    # response; the reason is more exact.
    if isinstance(error, ccxt.OperationFailed) or reason.kind != "other":
        return Unavailable(market, reason.text, reason.kind, reason.advice)
    if isinstance(error, (ccxt.BaseError, OSError)):
        return BadPayload(market, reason.text, reason.kind, reason.advice)
    return BadPayload(market, f"its response has an unexpected form: {reason.text}")


def _candle_limits(name: str, client: Any) -> CandleLimits | None:
    if name in MEASURED:
        return MEASURED[name]
    frames = client.timeframes or {}
    width = next((width for width, frame in _TIMEFRAMES.items() if frame in frames), None)
    if width is None or not client.has.get("fetchOHLCV"):
        return None
    spot = (client.features or {}).get("spot") or {}
    page = (spot.get("fetchOHLCV") or {}).get("limit") or DEFAULT_PAGE
    return CandleLimits(width, page)


def _in_brackets(rejected: Mapping[str, int]) -> str:
    """`(299 negative)`, or an empty text."""
    return f"({', '.join(f'{count} {reason}' for reason, count in rejected.items())})" if rejected else ""


def _seconds(value: Any) -> float:
    """A ticker's own time, given in milliseconds, in epoch seconds; NaN when it has none."""
    milliseconds = _number(value)
    return math.nan if milliseconds is None or milliseconds <= 0 else milliseconds / 1e3


def _number(value: Any) -> float | None:
    """A number, also from text; None when it is neither."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (ValueError, TypeError):
        return None


def _fault(value: object) -> str | None:
    """Why the value cannot be used as a price; None when it is finite and above zero."""
    if value is None:
        return "missing"
    number = _number(value)
    if number is None:
        return "not a number"
    if not math.isfinite(number):
        return "not finite"
    if number == 0:
        return "zero"
    return "negative" if number < 0 else None
