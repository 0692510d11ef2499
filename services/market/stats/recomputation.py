"""The statistics of some metrics from their stored samples: for new metrics, filled gaps and sums that have drifted."""

from collections.abc import Iterator

import numpy as np

from services.market.stats import sums
from services.market.stats.measures import CHANGE_FIELDS
from services.market.stats.metric_stats import MAX_LOOKBACK_SECONDS, MetricStats, Windows
from services.market.stats.samples import Samples, returns_of
from services.market.types import Ints


def recompute(statistics: MetricStats, rows: Ints, history: Samples, minute: int, windows: Windows) -> None:
    """Compute `rows` of `statistics` as of `minute`, in place.

    `history` has all their samples in (`minute - windows.longest`, `minute`], and the earlier ones that
    `far_references` names. Samples of other rows are ignored.
    """
    chosen = np.zeros(len(statistics), dtype=np.bool_)
    chosen[rows] = True
    history = history.where(chosen[history.rows]).in_order()

    priced_at = statistics["priced_at"].copy()
    newest = _not_older(history, priced_at)
    statistics["price"][newest.rows] = newest.prices
    statistics["priced_at"][newest.rows] = newest.times
    statistics["anchor"][rows] = statistics["price"][rows]
    sums.anchor_near_mean(statistics, history.within(minute - windows.main, minute))
    for prefix, length, average in sums.sums_of(windows):
        if average is not None:
            sums.clear(statistics, prefix, rows)
            sums.add(statistics, prefix, history.within(minute - length - 1, minute - 1), 1)
            statistics[average][rows] = sums.average_of(statistics, prefix)[rows]
        if prefix == "rule_":
            statistics["rule_count"][rows] = statistics["rule_samples"][rows]
        sums.clear(statistics, prefix, rows)
        sums.add(statistics, prefix, history.within(minute - length, minute), 1)
        sums.update_peaks(statistics, prefix)

    for field in ("log_squares", "log_seconds", "edge_at"):
        statistics[field][rows] = 0
    statistics["edge"][rows] = np.nan
    returns = returns_of(history, statistics["edge"], statistics["edge_at"])
    sums.add_returns(statistics, returns.where(returns.times > minute - windows.main), 1)
    statistics["log_peak"][rows] = statistics["log_squares"][rows]
    sums.set_last(statistics, "edge", history.until(minute - windows.main))

    _recompute_change_starts(statistics, rows, history, minute, priced_at)
    sums.set_stdev_and_mean(statistics)


def far_references(
    statistics: MetricStats, rows: Ints, history: Samples, minute: int, windows: Windows
) -> Iterator[tuple[Ints, int, int]]:
    """Where to look for the prices that the changes of old prices start from, if they lie before `history`.

    `history` has all samples of `rows` in (`minute - windows.longest`, `minute`]. Yields rows with the span
    (after, until] to read for them; ascending in time for each row.
    """
    priced_at = statistics["priced_at"].copy()
    newest = _not_older(history, priced_at)
    priced_at[newest.rows] = newest.times
    begin = minute - windows.longest
    for length in CHANGE_FIELDS:
        for second in np.unique(priced_at[rows]).tolist():
            after = second - length - MAX_LOOKBACK_SECONDS
            if second and after < begin:
                yield rows[priced_at[rows] == second], after, min(second - length, begin)


def _recompute_change_starts(
    statistics: MetricStats, rows: Ints, history: Samples, minute: int, priced_at: Ints
) -> None:
    """Find the prices that changes start from; `priced_at` are the times of the latest prices before."""
    unchanged = rows[statistics["priced_at"][rows] == priced_at[rows]]
    for length, (before, edge) in CHANGE_FIELDS.items():
        known = {field: statistics[field][unchanged] for field in (before, before + "_at")}
        for field in (before, edge):
            statistics[field][rows] = np.nan
            statistics[field + "_at"][rows] = 0
        sums.set_last(
            statistics, before, history.where(history.times <= statistics["priced_at"][history.rows] - length)
        )
        sums.set_last(statistics, edge, history.until(minute - length))
        removed = np.isnan(statistics[before][unchanged])
        for field, values in known.items():  # a known start holds as long as its price is the latest
            statistics[field][unchanged[removed]] = values[removed]


def _not_older(history: Samples, priced_at: Ints) -> Samples:
    """The samples at or after the latest price of their row, which may be older than all of `history`, or newer."""
    return history.where(history.times >= priced_at[history.rows])
