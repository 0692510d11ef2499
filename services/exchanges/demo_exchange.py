"""A simulated exchange without a network. The price of a pair at a time is always the same.

Each coin's dollar price is its level times the exponential of value noise: random numbers on time lattices of several
widths, interpolated smoothly. It depends on coin and time alone, so history and live prices agree, before and after a
restart. A pair's price is rounded to its tick size, as on a real exchange.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from services.market.errors import BadPayload
from services.market.times import DAY, HOUR, MINUTE, to_epoch
from services.market.types import CandlePage, Candles, Floats, Ints, Listing, Pair, Quotes

CANDLE_SECONDS = 60
PAGE = timedelta(days=2)

SCALES = (3 * DAY, 6 * HOUR, HOUR, 10 * MINUTE, MINUTE)
"""Widths of the noise lattices, in seconds."""
SHARES = (4.0, 1.5, 0.6, 0.25, 0.08)
"""The amplitude of each lattice, in units of a coin's volatility."""

DIGITS = 6
"""Significant digits of a pair's price at its level."""

SPIKE_CYCLE = 7_200
SPIKE_SECONDS = 180
"""The spiking coin rises to a multiple for three minutes every two hours, at least one hour apart."""


@dataclass(frozen=True, slots=True)
class _Coin:
    name: str
    level: float  # US dollars
    volatility: float
    spikes: bool = False


_COINS = (
    _Coin("BTC", 61_000.0, 0.010),
    _Coin("ETH", 3_050.0, 0.013),
    _Coin("SOL", 148.0, 0.020),
    _Coin("XRP", 0.62, 0.016),
    _Coin("BNB", 585.0, 0.011),
    _Coin("ADA", 0.45, 0.018),
    _Coin("AVAX", 34.0, 0.022),
    _Coin("DOT", 6.9, 0.018),
    _Coin("LINK", 14.6, 0.018),
    _Coin("LTC", 82.0, 0.013),
    _Coin("NEAR", 6.2, 0.028),
    _Coin("FIL", 5.7, 0.024),
    _Coin("ETC", 26.5, 0.017),
    _Coin("ATOM", 8.1, 0.019),
    _Coin("UNI", 7.4, 0.026),
    _Coin("AAVE", 96.0, 0.024),
    _Coin("XMR", 131.0, 0.009),
    _Coin("DOGE", 0.151, 0.030),
    _Coin("SHIB", 0.0000231, 0.034),
    _Coin("PEPE", 0.0000112, 0.045, spikes=True),
    _Coin("WIF", 2.6, 0.055),
    _Coin("PAXG", 2_330.0, 0.003),
    _Coin("USDT", 1.0, 0.0002),
    _Coin("USDC", 1.0, 0.0),
    _Coin("EUR", 1.084, 0.001),
)
_QUOTES = {
    "EUR": ("BTC", "ETH", "SOL", "XRP", "USDT"),
    "BTC": ("ETH", "SOL", "XRP", "LTC", "XMR"),
    "USDT": ("BTC", "ETH", "SOL", "DOGE", "USDC"),
}
NAMED_PAIRS = len(_COINS) + sum(map(len, _QUOTES.values()))


class DemoExchange:
    """The market `demo` with `pairs` pairs: well-known names first, then invented ones."""

    name = "demo"
    requests_a_second = None

    def __init__(self, pairs: int = NAMED_PAIRS) -> None:
        invented = [
            _Coin(f"DEMO{number:05d}", 10.0 ** (number % 9 - 4), 0.002 * (1 + number % 25))
            for number in range(1, pairs - NAMED_PAIRS + 1)
        ]
        coins = [*_COINS, *invented]
        self._place = {coin.name: place for place, coin in enumerate(coins)}
        self._levels = np.array([coin.level for coin in coins])
        self._volatilities = np.array([coin.volatility for coin in coins])
        self._spikes = np.array([coin.spikes for coin in coins])
        self._pairs = tuple(
            [Pair(coin.name, "USD") for coin in _COINS]
            + [Pair(base, quote) for quote, bases in _QUOTES.items() for base in bases]
            + [Pair(coin.name, "USD") for coin in invented]
        )[:pairs]
        self._row = {pair: row for row, pair in enumerate(self._pairs)}
        self._bases = np.array([self._place[pair.base] for pair in self._pairs], dtype=np.int64)
        self._quotes = np.array([self._place.get(pair.quote, -1) for pair in self._pairs], dtype=np.int64)
        levels = self._levels[self._bases] / np.where(self._quotes >= 0, self._levels[self._quotes], 1.0)
        self._per_unit = np.array([_ticks_per_unit(level) for level in levels.tolist()])

    def listings(self) -> tuple[Listing, ...]:
        """All pairs, all trading."""
        return tuple(Listing(pair) for pair in self._pairs)

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:  # noqa: ARG002 - it takes no time
        """The prices at exactly `minute`."""
        coins = np.arange(len(self._levels), dtype=np.int64)
        at = np.full(len(coins), to_epoch(minute), dtype=np.int64)
        dollars = self._dollars(coins, at)
        prices = _to_tick(
            dollars[self._bases] / np.where(self._quotes >= 0, dollars[self._quotes], 1.0), self._per_unit
        )
        turnover = 5e8 / (1 + self._bases) * (1 + 0.3 * _noise(self._bases + 7_919, at[self._bases], 4 * HOUR))
        return Quotes(self._pairs, prices, turnover / dollars[self._bases])

    def pages(self, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:  # noqa: ARG002
        """Pages of two days, newest first."""
        pages = []
        while until > since:
            start = max(since, until - PAGE)
            pages.append(CandlePage(start, until, CANDLE_SECONDS))
            until = start
        return tuple(pages)

    def candles(self, pair: Pair, page: CandlePage) -> Candles:
        """The closes of every minute of the page, equal to `quotes` at that minute. Raises BadPayload."""
        if pair not in self._row:
            raise BadPayload(self.name, f"has no pair {pair}")
        row = self._row[pair]
        first = to_epoch(page.since) // CANDLE_SECONDS * CANDLE_SECONDS + CANDLE_SECONDS
        times = np.arange(first, to_epoch(page.until) + 1, CANDLE_SECONDS, dtype=np.int64)
        closes = self._dollars(np.full(len(times), self._bases[row]), times)
        if self._quotes[row] >= 0:
            closes = closes / self._dollars(np.full(len(times), self._quotes[row]), times)
        return Candles(CANDLE_SECONDS, times, _to_tick(closes, self._per_unit[row]))

    def _dollars(self, coins: Ints, times: Ints) -> Floats:
        """US dollar prices of `coins` (places) at `times` (epoch seconds), both of shape (n,)."""
        swing = np.zeros(len(coins))
        for scale, share in zip(SCALES, SHARES, strict=True):
            swing += share * _noise(coins, times, scale)
        prices: Floats = self._levels[coins] * np.exp(self._volatilities[coins] * swing)
        spiking = self._spikes[coins]
        if spiking.any():
            cycle = times // SPIKE_CYCLE
            begin = (_random(coins + 104_729, cycle) * (SPIKE_CYCLE // 2) // 60).astype(np.int64) * 60
            into = times - cycle * SPIKE_CYCLE - begin
            height = 3.7 + 0.8 * _random(coins + 15_485_863, cycle)
            prices = np.where(spiking & (into >= 0) & (into < SPIKE_SECONDS), prices * height, prices)
        return prices


def _ticks_per_unit(level: float) -> float:
    """The number of ticks in one unit of the quote currency: an exact power of ten."""
    exponent = int(f"{level:e}".partition("e")[2])
    return float(10 ** max(0, DIGITS - 1 - exponent))


def _to_tick(prices: Floats, per_unit: Floats) -> Floats:
    """Round to whole ticks. A whole number divided by a power of ten is the float nearest to the decimal."""
    rounded: Floats = np.rint(prices * per_unit) / per_unit
    return rounded


def _noise(seeds: Ints, times: Ints, scale: int) -> Floats:
    """Smooth noise in [-1, 1], shape (n,), of random values every `scale` seconds."""
    cell, into = np.divmod(times, scale)
    part = into / scale
    smooth = part * part * (3 - 2 * part)
    left, right = _random(seeds * 31 + scale, cell), _random(seeds * 31 + scale, cell + 1)
    noise: Floats = 2 * (left + (right - left) * smooth) - 1
    return noise


def _random(seeds: Ints, cells: Ints) -> Floats:
    """A number in [0, 1) for each seed and cell: splitmix64 (Steele, Lea, Flood 2014) of the two."""
    mixed: npt.NDArray[np.uint64] = seeds.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed ^ (cells.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
