"""The running sums in MetricStats: adding and subtracting samples, and finding sums that have lost digits.

The fields of each sum share a prefix: none for the standard deviation's window, `hour_` and `rule_` for the averages.
"""

import numpy as np
import numpy.typing as npt

from services.market.stats.measures import DRIFT_LIMIT, has_drifted, population_stdev
from services.market.stats.metric_stats import MetricStats, Windows
from services.market.stats.samples import Returns, Samples
from services.market.times import HOUR
from services.market.types import Floats, Ints


def sums_of(windows: Windows) -> tuple[tuple[str, int, str | None], ...]:
    """Of each sum: the prefix of its fields, the length of its window in seconds, and the field of its average."""
    return ("", windows.main, None), ("hour_", HOUR, "average_1h"), ("rule_", windows.rule, "rule_average")


def drifted(statistics: MetricStats) -> Ints:
    """The rows whose sums may have lost too many digits to prices that have since left the window."""
    lost = has_drifted(
        statistics["weight"], statistics["total"], statistics["total_peak"], statistics["squares"], statistics["peak"]
    )
    with np.errstate(invalid="ignore"):
        mean = np.abs(statistics["weight"] * statistics["anchor"] + statistics["total"])
        lost |= ~(statistics["total_peak"] <= DRIFT_LIMIT * mean)
    lost &= statistics["samples"] > 0
    for prefix in ("hour_", "rule_"):
        lost |= average_drifted(statistics, prefix)
    lost |= ~(statistics["log_peak"] <= DRIFT_LIMIT * statistics["log_squares"])
    return np.flatnonzero(lost).astype(np.int64)


def average_drifted(statistics: MetricStats, prefix: str) -> npt.NDArray[np.bool_]:
    """Where a sum of width x price has lost too many digits."""
    found: npt.NDArray[np.bool_] = ~(statistics[prefix + "total_peak"] <= DRIFT_LIMIT * statistics[prefix + "total"])
    return found


def add(statistics: MetricStats, prefix: str, samples: Samples, sign: float) -> None:
    """Add `samples` to a sum (`sign` 1.0), or subtract them (-1.0)."""
    if not len(samples.rows):
        return
    count = len(statistics)
    offset = samples.prices if prefix else samples.prices - statistics["anchor"][samples.rows]
    weighted = samples.widths * offset
    statistics[prefix + "samples"] += int(sign) * np.bincount(samples.rows, minlength=count)
    statistics[prefix + "weight"] += sign * np.bincount(samples.rows, samples.widths, minlength=count)
    statistics[prefix + "total"] += sign * np.bincount(samples.rows, weighted, minlength=count)
    if prefix == "":
        statistics["squares"] += sign * np.bincount(samples.rows, weighted * offset, minlength=count)


def clear(statistics: MetricStats, prefix: str, rows: Ints | npt.NDArray[np.bool_]) -> None:
    for field in ("samples", "weight", "total", "total_peak"):
        statistics[prefix + field][rows] = 0
    if prefix == "":
        for field in ("squares", "peak"):
            statistics[field][rows] = 0.0


def clear_emptied(statistics: MetricStats, prefix: str) -> None:
    """Set sums without samples to 0: subtraction may have left rounding errors in them."""
    clear(statistics, prefix, statistics[prefix + "samples"] == 0)


def update_peaks(statistics: MetricStats, prefix: str) -> None:
    peak = statistics[prefix + "total_peak"]
    np.maximum(peak, np.abs(statistics[prefix + "total"]), out=peak)
    if prefix == "":
        np.maximum(statistics["peak"], statistics["squares"], out=statistics["peak"])


def average_of(statistics: MetricStats, prefix: str) -> Floats:
    """Average price weighted by width, NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        average: Floats = statistics[prefix + "total"] / statistics[prefix + "weight"]
    return average


def anchor_near_mean(statistics: MetricStats, samples: Samples) -> None:
    """Set each row's anchor to its price in `samples` that is nearest to their mean.

    No other price gives a smaller sum of squares, and that of a flat series is exactly 0.
    """
    rows, count = samples.rows, len(statistics)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(rows, samples.widths * samples.prices, minlength=count) / np.bincount(
            rows, samples.widths, minlength=count
        )
    distance, least = np.abs(samples.prices - mean[rows]), np.full(count, np.inf)
    np.minimum.at(least, rows, distance)
    nearest = distance == least[rows]
    statistics["anchor"][rows[nearest]] = samples.prices[nearest]


def add_returns(statistics: MetricStats, returns: Returns, sign: float) -> None:
    """Add `returns` to the sums of log returns (`sign` 1.0), or subtract them (-1.0)."""
    if not len(returns.rows):
        return
    count = len(statistics)
    statistics["log_squares"] += sign * np.bincount(returns.rows, returns.squares, minlength=count)
    statistics["log_seconds"] += (sign * np.bincount(returns.rows, returns.seconds, minlength=count)).astype(np.int64)


def set_last(statistics: MetricStats, field: str, samples: Samples) -> None:
    """Set `field` and its time to the last of `samples` of each row."""
    statistics[field][samples.rows] = samples.prices
    statistics[field + "_at"][samples.rows] = samples.times


def set_stdev_and_mean(statistics: MetricStats) -> None:
    statistics["stdev"] = population_stdev(statistics["weight"], statistics["total"], statistics["squares"])
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics["mean"] = statistics["anchor"] + statistics["total"] / statistics["weight"]
