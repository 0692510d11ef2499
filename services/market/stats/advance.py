"""The statistics of a tick from those of the tick before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.stats import sums
from services.market.stats.measures import CHANGE_FIELDS
from services.market.stats.metric_stats import MetricStats, Windows
from services.market.stats.samples import Samples, joined, returns_of
from services.market.times import DAY, HOUR


@dataclass(frozen=True, slots=True)
class Movements:
    """The samples that enter and leave the windows between two ticks.

    `fresh` are the prices of the new tick, at most one per metric; `between` were stored for times strictly between the
    two ticks; `left_behind(length)` returns the stored samples with previous - length < time <= minute - length.
    """

    fresh: Samples
    between: Samples
    left_behind: Callable[[int], Samples]


def advance(statistics: MetricStats, previous: int, minute: int, movements: Movements, windows: Windows) -> MetricStats:
    """The statistics at `minute`, from those at `previous` (epoch seconds), without new ranks."""
    statistics = statistics.copy()
    fresh, between = movements.fresh, movements.between
    gone = {length: movements.left_behind(length) for length in {windows.main, windows.rule, HOUR, DAY}}

    for arrived in (fresh, between):
        first = arrived.where(np.isnan(statistics["anchor"][arrived.rows]))
        statistics["anchor"][first.rows] = first.prices

    for prefix, length, average in sums.sums_of(windows):
        leaving = gone[length]
        # After a downtime longer than the window: samples that came and went meanwhile were never added.
        sums.add(statistics, prefix, leaving.where((leaving.times <= previous) & (leaving.times < minute - length)), -1)
        sums.clear_emptied(statistics, prefix)
        sums.add(statistics, prefix, between.where(between.times >= minute - length), 1)
        sums.update_peaks(statistics, prefix)
        lost = None
        if average is not None:
            # Over [minute - length, minute): computed before the tick's own price is added, because adding and
            # subtracting it again would leave a rounding error.
            statistics[average] = sums.average_of(statistics, prefix)
            lost = sums.average_drifted(statistics, prefix)
        if prefix == "rule_":
            statistics["rule_count"] = statistics["rule_samples"]
        sums.add(statistics, prefix, leaving.where(leaving.times == minute - length), -1)
        sums.clear_emptied(statistics, prefix)
        sums.add(statistics, prefix, fresh, 1)
        sums.update_peaks(statistics, prefix)
        if lost is not None:
            statistics[prefix + "total_peak"][lost] = np.inf

    _advance_returns(statistics, previous, minute, movements, gone[windows.main], windows.main)
    for arrived in (between, fresh):  # ascending in time: the last one stays
        statistics["price"][arrived.rows] = arrived.prices
        statistics["priced_at"][arrived.rows] = arrived.times

    _move_change_starts(statistics, fresh, between, gone)
    sums.set_stdev_and_mean(statistics)
    return statistics


def _advance_returns(
    statistics: MetricStats, previous: int, minute: int, movements: Movements, left: Samples, length: int
) -> None:
    """Move the sums of log returns; `left` are the samples that have left their window of `length` seconds."""
    lost = returns_of(left, statistics["edge"], statistics["edge_at"])
    sums.add_returns(statistics, lost.where(lost.times <= previous), -1)
    sums.set_last(statistics, "edge", left)
    emptied = statistics["log_seconds"] == 0
    for field in ("log_squares", "log_peak"):
        statistics[field][emptied] = 0.0
    gained = returns_of(joined(movements.between, movements.fresh), statistics["price"], statistics["priced_at"])
    sums.add_returns(statistics, gained.where(gained.times > minute - length), 1)
    np.maximum(statistics["log_peak"], statistics["log_squares"], out=statistics["log_peak"])


def _move_change_starts(statistics: MetricStats, fresh: Samples, between: Samples, gone: Mapping[int, Samples]) -> None:
    """Move the prices that changes start from, for each metric with a new price. `gone` are the samples that have left
    each window since the last tick."""
    priced = np.zeros(len(statistics), dtype=np.bool_)
    priced[fresh.rows] = True
    filled_in = np.zeros(len(statistics), dtype=np.bool_)
    filled_in[between.rows] = True
    filled_in &= ~priced
    for length, (before, edge) in CHANGE_FIELDS.items():
        left = gone[length]
        if filled_in.any():
            _copy_field(statistics, edge, before, filled_in)
            by_then = left.times <= statistics["priced_at"][left.rows] - length
            sums.set_last(statistics, before, left.where(filled_in[left.rows] & by_then))
        sums.set_last(statistics, edge, left)
        _copy_field(statistics, edge, before, priced)


def _copy_field(statistics: MetricStats, source: str, target: str, rows: npt.NDArray[np.bool_]) -> None:
    """Copy a field and its time to another one, in `rows`."""
    for suffix in ("", "_at"):
        np.copyto(statistics[target + suffix], statistics[source + suffix], where=rows)
