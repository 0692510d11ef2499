"""The ranking: every tracked metric with its statistics and its rank."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from services.market.types import Floats, HasMetricKey, Ints


@dataclass(frozen=True, slots=True)
class RankedMetric(HasMetricKey):
    """One row of the ranking, as of the last tick.

    Prices, `stdev`, `mean` and `average_1h` are in quote currency; `change_1h`, `change_24h`,
    `volatility` (stdev / mean) and the ranges ((high - low) / low) are fractions, 0.01 meaning one per
    cent; `log_volatility` is the standard deviation of the window's log returns as a fraction a year of
    365 days; `volume_24h` is in base units. The changes start from the prices an hour and a day before
    `updated_at`: they stay the same until the next price. `coverage` is the share of the window that the
    `samples` stand for, 0 to 1. A `stale` price is not of the present, see services.market.present. For
    the windows of highs and lows, see services.market.extremes. `rank_1h_ago` is the rank at the tick an
    hour ago. None means unknown: no price yet, or too short a history. A metric that is not `active` has
    no rank and a `reason`: `delisted`, `halted` (listed without trading), or `frozen` (its exchange
    answers without a price for it).
    """

    id: int
    market: str
    base: str
    quote: str
    rank: int | None
    rank_1h_ago: int | None
    price: float | None
    stdev: float | None
    mean: float | None
    volatility: float | None
    log_volatility: float | None
    average_1h: float | None
    change_1h: float | None
    change_24h: float | None
    range_1h: float | None
    range_24h: float | None
    high_24h: float | None
    low_24h: float | None
    volume_24h: float | None
    samples: int
    coverage: float
    active: bool
    reason: str | None
    updated_at: datetime | None
    stale: bool
    alerted_at: datetime | None = None
    """Time of its last alert, if within the last hour of ticks."""
    new_at: datetime | None = None
    """When its exchange first listed it, if observed and within the last day of ticks."""
    rule_average: float | None = None
    """The average that the built-in rule compares the price with: over that rule's window, without the latest price."""

    def gone_stale(self) -> "RankedMetric":
        """The same row after its tick has become stale, and its price with it."""
        return replace(self, stale=True)


@dataclass(frozen=True, slots=True)
class Ranking:
    """All tracked metrics in rank order, those without prices last, as of one tick."""

    revision: int
    minute: datetime | None
    metrics: tuple[RankedMetric, ...]

    def gone_stale(self) -> "Ranking":
        """The same ranking after its tick has become stale, and all its prices with it."""
        return replace(self, metrics=tuple(row.gone_stale() for row in self.metrics))


@dataclass(frozen=True, slots=True)
class Sparklines:
    """The last 24 h of some metrics, for thumbnails.

    `points` is uint8 of shape (metrics, 24), one point per hour, oldest first, the last one at `minute` (the last tick;
    None before the first): 0 is the lowest and 100 the highest of the metric's own points, 255 is no price. `low` and
    `high` are the prices of 0 and 100 in quote currency, NaN without a price.
    """

    minute: datetime | None
    metric_ids: Ints
    points: npt.NDArray[np.uint8]
    low: Floats
    high: Floats
