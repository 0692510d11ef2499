"""The statistics of all metrics as one structured array, and the windows they are computed over."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.times import DAY, HOUR
from services.market.types import Floats, Ints

LOOKBACK = 900
"""How many seconds before a window's start a price still counts as the price at its start; see `lookback`."""

MAX_LOOKBACK_SECONDS = HOUR
"""The largest value of `lookback`, and of RETURN_GAP: no period is longer than an hour."""

MetricStats = npt.NDArray[np.void]
"""One row per metric, ascending by id, of dtype METRIC_STATS."""

METRIC_STATS = np.dtype(
    [
        ("id", "<i8"),
        ("anchor", "<f8"),  # the price that `total` and `squares` are relative to; NaN before the first
        ("samples", "<i8"),  # number of prices in the window
        ("weight", "<f8"),  # sum of their widths, in seconds
        ("total", "<f8"),
        ("total_peak", "<f8"),  # largest |total| since the sums were last recomputed
        ("squares", "<f8"),
        ("peak", "<f8"),  # largest `squares` since then
        ("log_squares", "<f8"),  # of the log returns that end in the window
        ("log_seconds", "<i8"),  # sum of the times between the prices of each return
        ("log_peak", "<f8"),  # largest `log_squares` since then
        ("edge", "<f8"),  # the last price that has left the window: the first return starts there
        ("edge_at", "<i8"),  # its time
        ("hour_samples", "<i8"),
        ("hour_weight", "<f8"),
        ("hour_total", "<f8"),  # sum of width x price
        ("hour_total_peak", "<f8"),  # infinite where the average has lost digits
        ("rule_samples", "<i8"),  # over the window of the built-in rule
        ("rule_weight", "<f8"),
        ("rule_total", "<f8"),
        ("rule_total_peak", "<f8"),
        ("price", "<f8"),  # the latest, NaN before the first
        ("priced_at", "<i8"),  # its time, 0 before the first
        ("absent", "<i8"),  # answers of the exchange since then without a price for the metric
        ("volume", "<f8"),  # reported with the latest price, NaN for none
        ("told_volume", "<f8"),  # the last one reported
        ("before_1h", "<f8"),  # last price at least 1 h older than `priced_at`, however old: see `price_before`
        ("before_1h_at", "<i8"),  # its time, 0 for none
        ("before_24h", "<f8"),
        ("before_24h_at", "<i8"),
        ("edge_1h", "<f8"),  # last price at least 1 h older than the tick
        ("edge_1h_at", "<i8"),
        ("edge_24h", "<f8"),
        ("edge_24h_at", "<i8"),
        ("stdev", "<f8"),
        ("mean", "<f8"),
        ("average_1h", "<f8"),  # over the hour before the tick, without the tick's own price
        ("rule_average", "<f8"),  # the same over the built-in rule's window
        ("rule_count", "<i8"),  # number of prices in that average
        ("alerted_at", "<i8"),  # time of the last alert, 0 for never
        ("rank", "<i8"),  # 0 for unranked
        ("rank_1h_ago", "<i8"),  # 0 for unranked and unknown
        ("running_1h", "<f8", (2,)),  # extremes of the current block, see services.market.extremes
        ("ended_1h", "<f8", (2,)),  # extremes of the blocks before it
        ("running_24h", "<f8", (2,)),
        ("ended_24h", "<f8", (2,)),
    ]
)

_NAN_FIELDS = (
    "anchor",
    "edge",
    "price",
    "volume",
    "told_volume",
    "before_1h",
    "before_24h",
    "edge_1h",
    "edge_24h",
    "stdev",
    "mean",
    "average_1h",
    "rule_average",
    "running_1h",
    "ended_1h",
    "running_24h",
    "ended_24h",
)


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in seconds: `main` of the standard deviation, `rule` of the built-in rule's average."""

    main: int
    rule: int

    @property
    def longest(self) -> int:
        """How far back a recomputation has to read."""
        return max(self.main, self.rule, DAY) + MAX_LOOKBACK_SECONDS


def lookback(period_seconds: int) -> int:
    """How many seconds before a moment its price may lie. At least a period, so that a tick lies within."""
    return max(LOOKBACK, period_seconds)


def empty(ids: Ints) -> MetricStats:
    """Statistics of the metrics `ids` (ascending) before their first price."""
    statistics = np.zeros(len(ids), dtype=METRIC_STATS)
    statistics["id"] = ids
    for name in _NAN_FIELDS:
        statistics[name] = np.nan
    return statistics


def align(statistics: MetricStats, ids: Ints) -> tuple[MetricStats, Ints]:
    """`statistics` for exactly the metrics `ids` (ascending), and the rows of the metrics that are new and empty."""
    if np.array_equal(statistics["id"], ids):
        return statistics, np.empty(0, dtype=np.int64)
    aligned = empty(ids)
    _, target, source = np.intersect1d(ids, statistics["id"], assume_unique=True, return_indices=True)
    aligned[target] = statistics[source]
    new = np.setdiff1d(np.arange(len(ids)), target)
    return aligned, new.astype(np.int64)


def set_volumes(statistics: MetricStats, rows: Ints, volumes: Floats) -> None:
    """Set the 24 h volumes that came with the latest prices of `rows`, NaN for none."""
    statistics["volume"][rows] = volumes
    reported = ~np.isnan(volumes)
    statistics["told_volume"][rows[reported]] = volumes[reported]


def rows_of(statistics: MetricStats, ids: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """The row of each metric in `ids`, and a mask of those that have one. The row of the others means nothing."""
    if not len(statistics):
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
    first, last = int(statistics["id"][0]), int(statistics["id"][-1])
    row_of = np.full(last - first + 2, -1, dtype=np.int64)  # the last place is for all numbers beyond
    row_of[statistics["id"] - first] = np.arange(len(statistics))
    rows = row_of[np.where((ids >= first) & (ids <= last), ids - first, -1)]
    return rows, rows >= 0
