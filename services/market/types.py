"""Metrics, pairs, quotes, candles and series. Times are aware UTC datetimes; in arrays, epoch seconds (int64)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Pair(NamedTuple):
    """A trading pair: `base` is priced in units of `quote`."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


class HasMetricKey:
    """Base class of types with the market, base and quote of a metric."""

    __slots__ = ()
    market: str
    base: str
    quote: str

    @property
    def pair(self) -> Pair:
        return Pair(self.base, self.quote)

    @property
    def key(self) -> str:
        """The metric's name in addresses: `kraken:BTC-USD`."""
        return f"{self.market}:{self.base}-{self.quote}"


@dataclass(frozen=True, slots=True)
class Metric(HasMetricKey):
    """One tracked (market, base, quote). `reason` is why an inactive one is not ranked."""

    id: int
    market: str
    base: str
    quote: str
    active: bool = True
    reason: str | None = None
    new_at: datetime | None = None
    """When its exchange first listed it, if observed."""
    gone_at: datetime | None = None
    """When it ceased to trade there, if observed and still true."""


@dataclass(frozen=True)
class Catalogue:
    """The tracked metrics, ascending by id; each catalogue has another `number`."""

    number: int
    metrics: tuple[Metric, ...]

    @cached_property
    def ids(self) -> Ints:
        return np.array([metric.id for metric in self.metrics], dtype=np.int64)

    @cached_property
    def active(self) -> npt.NDArray[np.bool_]:
        return np.array([metric.active for metric in self.metrics], dtype=np.bool_)

    @cached_property
    def rows(self) -> Mapping[str, Mapping[Pair, int]]:
        """For each market, the index in `metrics` of each pair."""
        found: dict[str, dict[Pair, int]] = {}
        for row, metric in enumerate(self.metrics):
            found.setdefault(metric.market, {})[metric.pair] = row
        return found

    @cached_property
    def places(self) -> Mapping[str, Ints]:
        """For each market, the indices in `metrics` of all its pairs."""
        return {market: np.array(list(rows.values()), dtype=np.int64) for market, rows in self.rows.items()}


@dataclass(frozen=True, slots=True)
class Listing:
    """One spot pair of an exchange's market list; `active` is False if it does not trade.

    `fault` is why it cannot be tracked, None if it can; `aliases` are the exchange's own names of it, if different.
    """

    pair: Pair
    active: bool = True
    fault: str | None = None
    aliases: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Quotes:
    """One exchange's prices in one tick.

    `prices` (quote currency per base unit, finite and > 0) and `volumes` (base units of the last 24 h,
    NaN where the exchange reports none) are parallel to `pairs`. `refused` are the rejected values of
    trading pairs, with the reason of each. `pairs` includes those that the exchange lists as not
    trading; they are `idle` while their price is not known to move.
    """

    pairs: tuple[Pair, ...]
    prices: Floats
    volumes: Floats
    refused: Mapping[Pair, str] = field(default_factory=dict)
    idle: frozenset[Pair] = frozenset()

    @property
    def rejected(self) -> Mapping[str, int]:
        """The number of rejected values by reason."""
        return Counter(self.refused.values())


@dataclass(frozen=True, slots=True)
class CandlePage:
    """One request for candles of `width` seconds that close within (`since`, `until`]."""

    since: datetime
    until: datetime
    width: int


@dataclass(frozen=True, slots=True)
class Candles:
    """Finished candles of one pair, oldest first.

    `times` are epoch seconds of each candle's close, `closes` are finite and > 0. `rejected` counts
    rejected candles by reason.
    """

    width: int
    times: Ints
    closes: Floats
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """Stored samples of one metric, oldest first: epoch seconds, values, and the seconds that each stands for."""

    times: Ints
    values: Floats
    widths: Ints


@dataclass(frozen=True, slots=True)
class Hours:
    """One metric's history by the hour, oldest first, all of shape (hours,).

    `starts` are epoch seconds; prices are in quote currency; `mean` is weighted by width; `count` is the
    number of prices; `volume` is the last reported 24 h volume in base units, NaN if none was reported.
    """

    starts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    mean: Floats
    count: Ints
    volume: Floats
