"""Measures computed from the running sums: standard deviation, volatility, changes, coverage, drift and ranks."""

import numpy as np
import numpy.typing as npt

from services.market.stats.metric_stats import MetricStats, lookback
from services.market.times import DAY, HOUR
from services.market.types import Floats

YEAR = 365 * DAY

FROZEN_PERIODS = 10
"""A metric is not ranked after its exchange has answered this often in a row without a price for it."""

DRIFT_LIMIT = 1_000.0
"""Largest ratio of a sum's former peak to its present value. It leaves 12 of float64's 15 digits."""

CHANGE_FIELDS = {DAY: ("before_24h", "edge_24h"), HOUR: ("before_1h", "edge_1h")}
"""By length of a change, longest first: the field of the price it starts from, and the field of the price that the
change will start from when the next price arrives."""


def population_stdev(weight: Floats, total: Floats, squares: Floats) -> Floats:
    """Population standard deviation of each metric, shape (metrics,), in its quote currency.

    The sums are of width, width x (price - anchor) and width x (price - anchor)^2. 0.0 for a flat
    series, NaN where the weight is 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total * total / weight) / weight
    return np.sqrt(np.maximum(variance, 0.0))


def has_drifted(
    weight: Floats, total: Floats, total_peak: Floats, squares: Floats, squares_peak: Floats
) -> npt.NDArray[np.bool_]:
    """Where the variance from these sums may have lost too many digits, shape (metrics,).

    The sums are those of `population_stdev`; the peaks are the largest |total| and squares since the last
    recomputation. Also true where there is no variance: leave out metrics without samples.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        limit = DRIFT_LIMIT * (squares - total * total / weight)
        found: npt.NDArray[np.bool_] = ~((squares_peak <= limit) & (total_peak * np.abs(total) / weight <= limit))
    return found


def price_before(statistics: MetricStats, length: int, period_seconds: int) -> Floats:
    """The price that each metric's change over `length` seconds (HOUR or DAY) starts from.

    It is the last price at least `length` older than the latest price; NaN where that is beyond the lookback. It is
    relative to the latest price, not to the tick: the change stays the same until the next price.
    """
    field, _ = CHANGE_FIELDS[length]
    near = statistics[field + "_at"] > statistics["priced_at"] - length - lookback(period_seconds)
    return np.where(near, statistics[field], np.nan)


def coverage(statistics: MetricStats, window: int) -> Floats:
    """The share of `window`, in seconds, that each metric's prices stand for, 0 to 1.

    `window` is that of the standard deviation, which `statistics` was computed with.
    """
    return np.minimum(statistics["weight"] / max(window, 1), 1.0)


def log_volatility(statistics: MetricStats) -> Floats:
    """Annualised standard deviation of each metric's log returns over the window, a fraction a year; NaN without any.

    sqrt(sum r^2 / sum dt * seconds of 365 days), where r = ln(price / price before) and dt is the time
    between the two. A return belongs to the time of its later price. The mean return is taken as zero,
    as is usual over such short steps.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = statistics["log_squares"] / statistics["log_seconds"] * YEAR
    found: Floats = np.sqrt(np.maximum(variance, 0.0))
    return found


def frozen(statistics: MetricStats) -> npt.NDArray[np.bool_]:
    """The metrics that have had no price for FROZEN_PERIODS although their exchange answers: they seem not to trade."""
    found: npt.NDArray[np.bool_] = statistics["absent"] >= FROZEN_PERIODS
    return found


def rank(statistics: MetricStats, active: npt.NDArray[np.bool_]) -> None:
    """Set the ranks: 1 for the largest standard deviation, ties by smaller id.

    Metrics that are not `active`, are frozen, or have no standard deviation get 0.
    """
    ranked = np.flatnonzero(active & ~frozen(statistics) & ~np.isnan(statistics["stdev"]))
    order = ranked[np.argsort(-statistics["stdev"][ranked], kind="stable")]
    statistics["rank"] = 0
    statistics["rank"][order] = np.arange(1, len(order) + 1)
