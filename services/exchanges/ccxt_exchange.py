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
from threading import Lock
from typing import Any

import ccxt
import numpy as np

from services.exchanges.candle_pages import DEFAULT_PAGE, MEASURED, CandleLimits, split
from services.exchanges.line import Line
from services.exchanges.reasons import explain
from services.exchanges.transport import Timer, Transport
from services.market.errors import BadPayload, ExchangeError, Unavailable, UnknownExchange
from services.market.types import CandlePage, Candles, Listing, Pair, Quotes
from services.market.words import one_line

LISTING_SECONDS = 25.0
CANDLE_REQUEST_SECONDS = 15.0
LEAST_CANDLE_GAP = 0.1
"""Seconds. Some permit fifty requests a second, of a budget that the ticks share."""

_TIMEFRAMES = {60: "1m", 300: "5m", 900: "15m", 3600: "1h"}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._$]{0,29}")
"""What a currency may be called: the names go into addresses, pages and files."""

MOST_SHOWN, LONGEST_SHOWN = 3, 40
"""How many odd names are told when a list comes, and how many characters of each."""


log = logging.getLogger(__name__)


class CcxtExchange:
    """The exchange that ccxt knows as `name`. Making one sends no request."""

    def __init__(self, name: str, base_url: str | None, timer: Timer = time) -> None:
        if name not in ccxt.exchanges:
            close = difflib.get_close_matches(name.lower(), ["demo", *ccxt.exchanges], n=3)
            hint = f" (did you mean {', '.join(close)}?)" if close else ""
            raise UnknownExchange(name, f"no such exchange{hint}")
        self._name = name
        self._base_url = base_url
        self._timer = timer
        self._quoting = Line(name, base_url, timer)
        if not self._quoting.client.has.get("fetchTickers"):
            raise UnknownExchange(name, "does not tell the prices of all its pairs in one request")
        self._history = Line(name, base_url, timer, LEAST_CANDLE_GAP)
        self._limits = _candle_limits(name, self._history.client)
        self._listing = Lock()
        self._markets: Any = None
        self._listed = 0

    @property
    def name(self) -> str:
        """The ccxt id."""
        return self._name

    @property
    def requests_a_second(self) -> float | None:
        """As ccxt knows it, of requests of the usual cost."""
        gap_ms = self._quoting.client.rateLimit
        return 1e3 / gap_ms if gap_ms else None

    def listings(self) -> tuple[Listing, ...]:
        """The spot pairs, asked for on a fresh client: a bad answer would leave a used one without its list.

        Raises Unavailable; BadPayload also where the list is empty or has lost more than half.
        """
        ends_at = self._timer.monotonic() + LISTING_SECONDS
        with self._listing_until(ends_at):
            return self._list(ends_at)

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:  # noqa: ARG002 - it tells the present only
        """The last price of every spot pair that trades, by one request. Raises Unavailable, BadPayload."""
        ends_at = self._timer.monotonic() + deadline_seconds
        self._know_pairs(ends_at)
        line = self._quoting
        with line.held(ends_at) as client, self._translated(line.transport):
            self._share_markets(client)
            line.unreadable = 0
            tickers = client.fetch_tickers()
            markets = client.markets
        pairs: list[Pair] = []
        prices: list[float] = []
        volumes: list[float] = []
        rejected: Counter[str] = Counter()
        for symbol, ticker in tickers.items():
            market = markets.get(symbol)
            if market is None or ticker.get("symbol") is None or not _trades(market):
                continue
            if not _is_named_sanely(market):
                rejected["oddly named"] += 1
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
        ends_at = self._timer.monotonic() + CANDLE_REQUEST_SECONDS
        self._know_pairs(ends_at)
        width = page.width
        first, last = int(page.since.timestamp()), int(page.until.timestamp())
        line = self._history
        with line.held(ends_at) as client, self._translated(line.transport):
            self._share_markets(client)
            if str(pair) not in client.markets:
                raise BadPayload(self._name, f"has no pair {pair} any more")
            count = (last - first) // width
            rows = client.fetch_ohlcv(str(pair), _TIMEFRAMES[width], since=first * 1000, limit=count)
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

    def _know_pairs(self, ends_at: float) -> None:
        """Without a list of its own a client would fetch it in the middle of the request."""
        if self._markets is None:
            with self._listing_until(ends_at):
                if self._markets is None:
                    self._list(ends_at)

    @contextmanager
    def _listing_until(self, ends_at: float) -> Iterator[None]:
        if not self._listing.acquire(timeout=max(0.0, ends_at - self._timer.monotonic())):
            raise Unavailable(self._name, "is busy with its list of pairs")
        try:
            yield
        finally:
            self._listing.release()

    def _list(self, ends_at: float) -> tuple[Listing, ...]:
        fresh = Line(self._name, self._base_url, self._timer)
        with fresh.held(ends_at) as client, client.session, self._translated(fresh.transport):
            client.load_markets()
            spot = [market for market in client.markets.values() if _is_spot(market)]
            found = tuple(
                Listing(Pair(market["base"], market["quote"]), market.get("active") is not False)
                for market in spot
                if _is_named_sanely(market)
            )
            odd = [market for market in spot if not _is_named_sanely(market)]
            if odd:
                shown = ", ".join(ascii(one_line(str(market["symbol"]), LONGEST_SHOWN)) for market in odd[:MOST_SHOWN])
                log.info("%s: left out %d pairs with odd names, as %s", self._name, len(odd), shown)
        if not found:
            raise BadPayload(self._name, "its list of pairs is empty")
        if len(found) * 2 < self._listed:
            raise BadPayload(self._name, f"its list of pairs shrank from {self._listed} to {len(found)}")
        self._markets, self._listed = client, len(found)
        return found

    def _share_markets(self, client: Any) -> None:
        """Let `client` know the newest list that was accepted."""
        if self._markets is not None and client.markets is not self._markets.markets:
            client.set_markets_from_exchange(self._markets)

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
    # ccxt takes some answers of servers that are down for errors of ours, and a certificate that is not accepted for
    # an answer; the reason knows better.
    if isinstance(error, ccxt.OperationFailed) or reason.kind != "other":
        return Unavailable(market, reason.words, reason.kind, reason.advice)
    if isinstance(error, (ccxt.BaseError, OSError)):
        return BadPayload(market, reason.words, reason.kind, reason.advice)
    return BadPayload(market, f"its answer makes no sense: {reason.words}")


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


def _is_spot(market: Mapping[str, Any]) -> bool:
    # A symbol that says more than its pair is a second market of it.
    return bool(market.get("spot")) and market["symbol"] == f"{market['base']}/{market['quote']}"


def _is_named_sanely(market: Mapping[str, Any]) -> bool:
    return bool(_CODE.fullmatch(str(market["base"])) and _CODE.fullmatch(str(market["quote"])))


def _trades(market: Mapping[str, Any]) -> bool:
    return _is_spot(market) and market.get("active") is not False


def _list(rejected: Mapping[str, int]) -> str:
    """`(299 negative)`, or nothing."""
    return f"({', '.join(f'{count} {reason}' for reason, count in rejected.items())})" if rejected else ""


def _number(told: Any) -> float | None:
    """A figure as told, in digits or as text; None where it is neither."""
    try:
        return None if isinstance(told, bool) else float(told)
    except (ValueError, TypeError):
        return None


def _fault(told: object) -> str | None:
    """What is wrong with a figure that has to be finite and above zero."""
    if told is None:
        return "missing"
    value = _number(told)
    if value is None:
        return "not a number"
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "zero"
    return "negative" if value < 0 else None
