"""Statistics that are kept, not recomputed: a tick costs O(metrics), however long the window.

For each metric the sums of width, width x (price - anchor) and width x (price - anchor)^2 over the
window are carried from tick to tick: what arrives is added, what leaves is taken away. Anchored near
the prices, the sums lose no digits to cancellation. The averages of prices need no anchor: their sums have
positive terms alone. Of every sum the largest magnitude it has had is kept: where a spike has passed through and
left its rounding behind, `drifted` says so and the metric is computed anew from its samples.

A sample's width is the number of seconds it stands for: the period for a live one, the candle's
for one that was filled in. Windows are (end - length, end].
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.times import DAY as DAY
from services.market.times import HOUR as HOUR
from services.market.types import Floats, Ints

LOOKBACK = 900
"""Seconds before a window's start in which a price still passes for the price at its start; see `lookback`."""

RETURN_GAP = HOUR
"""Prices that lie further apart, in seconds, make no return: what happened between them is not known."""

MAX_LOOKBACK_SECONDS = HOUR
"""What `lookback` and RETURN_GAP come to at the most: no period is longer than an hour."""

YEAR = 365 * DAY

FROZEN_PERIODS = 10
"""A metric whose exchange has answered so often in a row without a price for it is not ranked."""

_AGO = {DAY: ("before_24h", "edge_24h"), HOUR: ("before_1h", "edge_1h")}
"""Of each length that a change is told over, the fields of the price that it is counted from, and of the one that it
is counted from when the next price comes; the longest first."""

DRIFT_LIMIT = 1_000.0
"""Largest ratio of what a sum once was to what is told of it now: leaves 12 of float64's 15 digits."""

MetricStats = npt.NDArray[np.void]
"""One row a metric, ascending by id, of dtype METRIC_STATS."""

METRIC_STATS = np.dtype(
    [
        ("id", "<i8"),
        ("anchor", "<f8"),  # the price that `total` and `squares` are relative to; NaN before the first
        ("samples", "<i8"),  # prices in the window
        ("weight", "<f8"),  # their widths, summed, in seconds
        ("total", "<f8"),
        ("total_peak", "<f8"),  # the largest |total| since the sums were last computed anew
        ("squares", "<f8"),
        ("peak", "<f8"),  # the same of `squares`
        ("log_squares", "<f8"),  # of the log returns that end in the window
        ("log_seconds", "<i8"),  # the time between the prices of each, summed
        ("log_peak", "<f8"),  # as `peak`
        ("edge", "<f8"),  # the last price that has left the window, from which its first return is counted
        ("edge_at", "<i8"),  # its time
        ("hour_samples", "<i8"),
        ("hour_weight", "<f8"),
        ("hour_total", "<f8"),  # of width x price
        ("hour_total_peak", "<f8"),  # infinite where the average has lost digits
        ("rule_samples", "<i8"),  # the alert rule's window
        ("rule_weight", "<f8"),
        ("rule_total", "<f8"),
        ("rule_total_peak", "<f8"),
        ("price", "<f8"),  # the latest, NaN before the first
        ("priced_at", "<i8"),  # its time, 0 before the first
        ("absent", "<i8"),  # answers of its exchange since then that had no price for it
        ("volume", "<f8"),  # told with the latest price, NaN where none was
        ("told_volume", "<f8"),  # the last that was told
        ("before_1h", "<f8"),  # the last one an hour before `priced_at` or earlier, however old: see `price_before`
        ("before_1h_at", "<i8"),  # its time, 0 where there is none
        ("before_24h", "<f8"),
        ("before_24h_at", "<i8"),
        ("edge_1h", "<f8"),  # the last one an hour before the tick or earlier
        ("edge_1h_at", "<i8"),
        ("edge_24h", "<f8"),
        ("edge_24h_at", "<i8"),
        ("stdev", "<f8"),
        ("mean", "<f8"),
        ("average_1h", "<f8"),  # of the hour before the tick, the tick's own price left out
        ("rule_average", "<f8"),  # the same over the rule's window
        ("rule_count", "<i8"),  # the prices behind it
        ("alerted_at", "<i8"),  # when it last fired, 0 for never
        ("rank", "<i8"),  # 0 for unranked
        ("rank_1h_ago", "<i8"),  # 0 for unranked and unknown
        ("running_1h", "<f8", (2,)),  # the extremes of the block under way, see services.market.extremes
        ("ended_1h", "<f8", (2,)),  # those of the blocks before it
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


def lookback(period_seconds: int) -> int:
    """How many seconds before a moment its price is looked for: a tick lies in any whole period before it."""
    return max(LOOKBACK, period_seconds)


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in seconds: `main` of the standard deviation, `rule` of the alert rule's average."""

    main: int
    rule: int

    @property
    def longest(self) -> int:
        """How far back the exact computation has to read."""
        return max(self.main, self.rule, DAY) + MAX_LOOKBACK_SECONDS


@dataclass(frozen=True, slots=True)
class Samples:
    """Prices of many metrics, ascending in time: parallel arrays of row in MetricStats, epoch second, price, width."""

    rows: Ints
    times: Ints
    prices: Floats
    widths: Ints

    def where(self, mask: npt.NDArray[np.bool_]) -> "Samples":
        return self if mask.all() else self._part(mask)

    def within(self, after: int, until: int) -> "Samples":
        """Those with `after` < time <= `until`, not copied."""
        first, end = np.searchsorted(self.times, (after, until), side="right").tolist()
        return self._part(slice(first, end))

    def until(self, second: int) -> "Samples":
        """Those with time <= `second`, not copied."""
        return self._part(slice(int(np.searchsorted(self.times, second, side="right"))))

    def in_order(self) -> "Samples":
        """The same ascending in time, where only those of each row were."""
        if (self.times[1:] >= self.times[:-1]).all():
            return self
        return self._part(np.argsort(self.times, kind="stable"))

    def _part(self, places: slice | Ints | npt.NDArray[np.bool_]) -> "Samples":
        return Samples(self.rows[places], self.times[places], self.prices[places], self.widths[places])


NO_SAMPLES = Samples(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class _Returns:
    """Log returns as parallel arrays: row in MetricStats, time of the later price, square, seconds between the two."""

    rows: Ints
    times: Ints
    squares: Floats
    seconds: Ints

    def where(self, mask: npt.NDArray[np.bool_]) -> "_Returns":
        return _Returns(self.rows[mask], self.times[mask], self.squares[mask], self.seconds[mask])


def empty(ids: Ints) -> MetricStats:
    """Rows without a single price, for metrics `ids` (ascending)."""
    statistics = np.zeros(len(ids), dtype=METRIC_STATS)
    statistics["id"] = ids
    for name in _NAN_FIELDS:
        statistics[name] = np.nan
    return statistics


def align(statistics: MetricStats, ids: Ints) -> tuple[MetricStats, Ints]:
    """`statistics` for exactly the metrics `ids` (ascending), and the rows among them that are new and still empty."""
    if np.array_equal(statistics["id"], ids):
        return statistics, np.empty(0, dtype=np.int64)
    aligned = empty(ids)
    _, target, source = np.intersect1d(ids, statistics["id"], assume_unique=True, return_indices=True)
    aligned[target] = statistics[source]
    new = np.setdiff1d(np.arange(len(ids)), target)
    return aligned, new.astype(np.int64)


def tell_volumes(statistics: MetricStats, rows: Ints, volumes: Floats) -> None:
    """The 24 h volumes that came with the prices of `rows`, NaN for none."""
    statistics["volume"][rows] = volumes
    told = ~np.isnan(volumes)
    statistics["told_volume"][rows[told]] = volumes[told]


def rows_of(statistics: MetricStats, ids: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """The row of each metric in `ids`, and which of them have one (where not, the row means nothing)."""
    if not len(statistics):
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
    first, last = int(statistics["id"][0]), int(statistics["id"][-1])
    row_of = np.full(last - first + 2, -1, dtype=np.int64)  # the last place is for all numbers beyond
    row_of[statistics["id"] - first] = np.arange(len(statistics))
    rows = row_of[np.where((ids >= first) & (ids <= last), ids - first, -1)]
    return rows, rows >= 0


def advance(
    statistics: MetricStats,
    previous: int,
    minute: int,
    fresh: Samples,
    between: Samples,
    left_behind: Callable[[int], Samples],
    windows: Windows,
) -> MetricStats:
    """The statistics at `minute`, from those at `previous`.

    `fresh` are the prices at `minute`, at most one a metric; `between` what was stored for times
    strictly between the two; `left_behind(length)` gives the stored samples with
    `previous - length < time <= minute - length`. Nothing is ranked yet.
    """
    statistics = statistics.copy()
    gone = {length: left_behind(length) for length in {windows.main, windows.rule, HOUR, DAY}}

    for arrived in (fresh, between):
        first = arrived.where(np.isnan(statistics["anchor"][arrived.rows]))
        statistics["anchor"][first.rows] = first.prices

    for prefix, length, average in _sums(windows):
        leaving = gone[length]
        # A downtime longer than the window: what came and went meanwhile was never added.
        _add(statistics, prefix, leaving.where((leaving.times <= previous) & (leaving.times < minute - length)), -1.0)
        _forget_emptied(statistics, prefix)
        _add(statistics, prefix, between.where(between.times >= minute - length), 1.0)
        _note_peaks(statistics, prefix)
        lost = None
        if average is not None:
            # Of [minute - length, minute): before the tick's own price comes, for what is added and taken away again
            # leaves its rounding behind.
            statistics[average] = _plain_mean(statistics, prefix)
            lost = _mean_drifted(statistics, prefix)
        if prefix == "rule_":
            statistics["rule_count"] = statistics["rule_samples"]
        _add(statistics, prefix, leaving.where(leaving.times == minute - length), -1.0)
        _forget_emptied(statistics, prefix)
        _add(statistics, prefix, fresh, 1.0)
        _note_peaks(statistics, prefix)
        if lost is not None:
            statistics[prefix + "total_peak"][lost] = np.inf

    left = _returns(gone[windows.main], statistics["edge"], statistics["edge_at"])
    _add_returns(statistics, left.where(left.times <= previous), -1.0)
    _remember(statistics, "edge", gone[windows.main])
    unmoved = statistics["log_seconds"] == 0
    for field in ("log_squares", "log_peak"):
        statistics[field][unmoved] = 0.0
    came = _returns(joined(between, fresh), statistics["price"], statistics["priced_at"])
    _add_returns(statistics, came.where(came.times > minute - windows.main), 1.0)
    np.maximum(statistics["log_peak"], statistics["log_squares"], out=statistics["log_peak"])

    for arrived in (between, fresh):  # ascending in time: the last one stays
        statistics["price"][arrived.rows] = arrived.prices
        statistics["priced_at"][arrived.rows] = arrived.times

    _move_references(statistics, fresh, between, gone)
    _describe(statistics)
    return statistics


def recompute(statistics: MetricStats, rows: Ints, history: Samples, minute: int, windows: Windows) -> None:
    """Compute `rows` of `statistics` anew, in place, as of `minute`, from all their samples in
    (`minute - windows.longest`, `minute`], and before that in what `far_references` names. Whatever `history` has of
    other rows is not looked at."""
    chosen = np.zeros(len(statistics), dtype=np.bool_)
    chosen[rows] = True
    history = history.where(chosen[history.rows]).in_order()

    priced_at = statistics["priced_at"].copy()
    newest = _not_older(history, priced_at)
    statistics["price"][newest.rows] = newest.prices
    statistics["priced_at"][newest.rows] = newest.times
    statistics["anchor"][rows] = statistics["price"][rows]
    _anchor_near_mean(statistics, history.within(minute - windows.main, minute))
    for prefix, length, average in _sums(windows):
        if average is not None:
            _clear(statistics, prefix, rows)
            _add(statistics, prefix, history.within(minute - length - 1, minute - 1), 1.0)
            statistics[average][rows] = _plain_mean(statistics, prefix)[rows]
        if prefix == "rule_":
            statistics["rule_count"][rows] = statistics["rule_samples"][rows]
        _clear(statistics, prefix, rows)
        _add(statistics, prefix, history.within(minute - length, minute), 1.0)
        _note_peaks(statistics, prefix)

    for field in ("log_squares", "log_seconds", "edge_at"):
        statistics[field][rows] = 0
    statistics["edge"][rows] = np.nan
    returns = _returns(history, statistics["edge"], statistics["edge_at"])
    _add_returns(statistics, returns.where(returns.times > minute - windows.main), 1.0)
    statistics["log_peak"][rows] = statistics["log_squares"][rows]
    _remember(statistics, "edge", history.until(minute - windows.main))

    stays = rows[statistics["priced_at"][rows] == priced_at[rows]]
    for length, (before, edge) in _AGO.items():
        known = {field: statistics[field][stays] for field in (before, before + "_at")}
        for field in (before, edge):
            statistics[field][rows] = np.nan
            statistics[field + "_at"][rows] = 0
        _remember(statistics, before, history.where(history.times <= statistics["priced_at"][history.rows] - length))
        _remember(statistics, edge, history.until(minute - length))
        removed = np.isnan(statistics[before][stays])
        for field, values in known.items():  # what was known when the price came goes for as long as it is the last
            statistics[field][stays[removed]] = values[removed]
    _describe(statistics)


def far_references(
    statistics: MetricStats, rows: Ints, history: Samples, minute: int, windows: Windows
) -> Iterator[tuple[Ints, int, int]]:
    """Where the prices lie that the changes of old prices are counted from, as far as that is before `history`, all
    samples of `rows` in (`minute - windows.longest`, `minute`]: those of `rows` concerned, `after` and `until`, as
    `after` < time <= `until`; ascending in time for each row."""
    priced_at = statistics["priced_at"].copy()
    newest = _not_older(history, priced_at)
    priced_at[newest.rows] = newest.times
    begin = minute - windows.longest
    for length in _AGO:
        for second in np.unique(priced_at[rows]).tolist():
            after = second - length - MAX_LOOKBACK_SECONDS
            if second and after < begin:
                yield rows[priced_at[rows] == second], after, min(second - length, begin)


def _not_older(history: Samples, priced_at: Ints) -> Samples:
    """Those that are as new as the last price of their row, which may be older than all of `history`, or newer."""
    return history.where(history.times >= priced_at[history.rows])


def drifted(statistics: MetricStats) -> Ints:
    """The rows whose sums may have lost too many digits to what has since left the window."""
    lost = has_drifted(
        statistics["weight"], statistics["total"], statistics["total_peak"], statistics["squares"], statistics["peak"]
    )
    with np.errstate(invalid="ignore"):
        mean = np.abs(statistics["weight"] * statistics["anchor"] + statistics["total"])
        lost |= ~(statistics["total_peak"] <= DRIFT_LIMIT * mean)
    lost &= statistics["samples"] > 0
    for prefix in ("hour_", "rule_"):
        lost |= _mean_drifted(statistics, prefix)
    lost |= ~(statistics["log_peak"] <= DRIFT_LIMIT * statistics["log_squares"])
    return np.flatnonzero(lost).astype(np.int64)


def has_drifted(
    weight: Floats, total: Floats, total_peak: Floats, squares: Floats, squares_peak: Floats
) -> npt.NDArray[np.bool_]:
    """Where the variance that these sums give may have lost too many digits: the sums are those of
    `population_stdev`, the peaks the largest |total| and squares since they were computed anew, all of shape
    (metrics,). True as well where they give none; what has no samples is to be left out."""
    with np.errstate(invalid="ignore", divide="ignore"):
        limit = DRIFT_LIMIT * (squares - total * total / weight)
        found: npt.NDArray[np.bool_] = ~((squares_peak <= limit) & (total_peak * np.abs(total) / weight <= limit))
    return found


def population_stdev(weight: Floats, total: Floats, squares: Floats) -> Floats:
    """Population standard deviation of each metric, shape (metrics,), in its quote currency.

    The sums are of width, width x (price - anchor) and width x (price - anchor)^2. 0.0 for a flat
    series, NaN where the weight is 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total * total / weight) / weight
    return np.sqrt(np.maximum(variance, 0.0))


def price_before(statistics: MetricStats, length: int, period_seconds: int) -> Floats:
    """The price that each metric's change over `length` seconds (HOUR or DAY) is counted from: the last one at least so
    long before its latest price, NaN where the lookback reaches none.

    It goes with the latest price, not with the tick: while no price comes, the change stays as it was.
    """
    field, _ = _AGO[length]
    near = statistics[field + "_at"] > statistics["priced_at"] - length - lookback(period_seconds)
    return np.where(near, statistics[field], np.nan)


def coverage(statistics: MetricStats, window: int) -> Floats:
    """How much of its `window`, in seconds, each metric's prices stand for, from 0 to 1: that of the standard
    deviation, which `statistics` was kept for."""
    return np.minimum(statistics["weight"] / max(window, 1), 1.0)


def log_volatility(statistics: MetricStats) -> Floats:
    """Annualised standard deviation of each metric's log returns over the window, a fraction a year; NaN without any.

    sqrt(sum r^2 / sum dt * seconds of 365 days), where r = ln(price / price before) and dt is the time
    between the two. A return belongs to the time of its later price, and the mean return counts as nothing,
    as is usual over such short steps.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = statistics["log_squares"] / statistics["log_seconds"] * YEAR
    found: Floats = np.sqrt(np.maximum(variance, 0.0))
    return found


def frozen(statistics: MetricStats) -> npt.NDArray[np.bool_]:
    """Which rows have had no price for so long, although their exchange answers, that they seem not to trade."""
    still: npt.NDArray[np.bool_] = statistics["absent"] >= FROZEN_PERIODS
    return still


def rank(statistics: MetricStats, active: npt.NDArray[np.bool_]) -> None:
    """Number the active rows that have a stdev and are not frozen from 1, largest first, ties by smaller id;
    0 for the others."""
    ranked = np.flatnonzero(active & ~frozen(statistics) & ~np.isnan(statistics["stdev"]))
    order = ranked[np.argsort(-statistics["stdev"][ranked], kind="stable")]
    statistics["rank"] = 0
    statistics["rank"][order] = np.arange(1, len(order) + 1)


def _sums(windows: Windows) -> tuple[tuple[str, int, str | None], ...]:
    """Of each kept sum the prefix of its fields, the seconds of its window, and the average that is told of it."""
    return ("", windows.main, None), ("hour_", HOUR, "average_1h"), ("rule_", windows.rule, "rule_average")


def _add(statistics: MetricStats, prefix: str, samples: Samples, sign: float) -> None:
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


def _clear(statistics: MetricStats, prefix: str, rows: Ints | npt.NDArray[np.bool_]) -> None:
    for field in ("samples", "weight", "total", "total_peak"):
        statistics[prefix + field][rows] = 0
    if prefix == "":
        for field in ("squares", "peak"):
            statistics[field][rows] = 0.0


def _forget_emptied(statistics: MetricStats, prefix: str) -> None:
    """What nothing is left of is nothing, whatever rounding has made of it."""
    _clear(statistics, prefix, statistics[prefix + "samples"] == 0)


def _note_peaks(statistics: MetricStats, prefix: str) -> None:
    peak = statistics[prefix + "total_peak"]
    np.maximum(peak, np.abs(statistics[prefix + "total"]), out=peak)
    if prefix == "":
        np.maximum(statistics["peak"], statistics["squares"], out=statistics["peak"])


def _mean_drifted(statistics: MetricStats, prefix: str) -> npt.NDArray[np.bool_]:
    """Where a sum of width x price has lost too many digits."""
    found: npt.NDArray[np.bool_] = ~(statistics[prefix + "total_peak"] <= DRIFT_LIMIT * statistics[prefix + "total"])
    return found


def _plain_mean(statistics: MetricStats, prefix: str) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = statistics[prefix + "total"] / statistics[prefix + "weight"]
    return mean


def _anchor_near_mean(statistics: MetricStats, samples: Samples) -> None:
    """Have the sums of the rows in `samples` be relative to that price among them which lies nearest to their mean: no
    sum of squares is smaller but the variance itself, and that of a flat series is exactly 0."""
    rows, count = samples.rows, len(statistics)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(rows, samples.widths * samples.prices, minlength=count) / np.bincount(
            rows, samples.widths, minlength=count
        )
    distance, least = np.abs(samples.prices - mean[rows]), np.full(count, np.inf)
    np.minimum.at(least, rows, distance)
    nearest = distance == least[rows]
    statistics["anchor"][rows[nearest]] = samples.prices[nearest]


def _returns(samples: Samples, price: Floats, priced_at: Ints) -> _Returns:
    """The return that ends at each of `samples` from the one before it of its row, the first of a row's from `price`
    at `priced_at`, given by row; without those from no price, and from one that is too old."""
    rows, times, prices = samples.rows, samples.times, samples.prices
    if np.bincount(rows).max(initial=0) > 1:
        order = np.argsort(rows, kind="stable")
        rows, times, prices = rows[order], times[order], prices[order]
    first = np.flatnonzero(np.append(True, rows[1:] != rows[:-1])[: len(rows)])
    before, since = np.roll(prices, 1), np.roll(times, 1)
    before[first], since[first] = price[rows[first]], priced_at[rows[first]]
    seconds = times - since
    known = ~np.isnan(before) & (seconds <= RETURN_GAP)
    if not known.all():
        rows, times, seconds = rows[known], times[known], seconds[known]
        prices, before = prices[known], before[known]
    with np.errstate(divide="ignore", over="ignore"):
        moved = (prices - before) / before
        # The logarithms of nearly equal prices have lost the digits that their difference still has; those of distant
        # ones have them.
        logs = np.where(np.abs(moved) < 0.5, np.log1p(moved), np.log(prices) - np.log(before))
    return _Returns(rows, times, logs * logs, seconds)


def _add_returns(statistics: MetricStats, returns: _Returns, sign: float) -> None:
    if not len(returns.rows):
        return
    count = len(statistics)
    statistics["log_squares"] += sign * np.bincount(returns.rows, returns.squares, minlength=count)
    statistics["log_seconds"] += (sign * np.bincount(returns.rows, returns.seconds, minlength=count)).astype(np.int64)


def joined(first: Samples, second: Samples) -> Samples:
    """Both in one, `first` before `second`; ascending in time for each row where they follow each other."""
    if not len(first.rows) or not len(second.rows):
        return second if not len(first.rows) else first
    names = ("rows", "times", "prices", "widths")
    return Samples(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names))


def _remember(statistics: MetricStats, field: str, past: Samples) -> None:
    """Keep the last of `past` and its time."""
    statistics[field][past.rows] = past.prices
    statistics[field + "_at"][past.rows] = past.times


def _move_references(statistics: MetricStats, fresh: Samples, between: Samples, gone: Mapping[int, Samples]) -> None:
    """Have the changes of what has a new price be counted from what has left their windows by then; `gone` are the
    samples that have left each window since the last tick."""
    priced = np.zeros(len(statistics), dtype=np.bool_)
    priced[fresh.rows] = True
    filled_in = np.zeros(len(statistics), dtype=np.bool_)
    filled_in[between.rows] = True
    filled_in &= ~priced
    for length, (before, edge) in _AGO.items():
        left = gone[length]
        if filled_in.any():
            _adopt(statistics, before, edge, filled_in)
            by_then = left.times <= statistics["priced_at"][left.rows] - length
            _remember(statistics, before, left.where(filled_in[left.rows] & by_then))
        _remember(statistics, edge, left)
        _adopt(statistics, before, edge, priced)


def _adopt(statistics: MetricStats, field: str, other: str, rows: npt.NDArray[np.bool_]) -> None:
    """Have `rows` of `field` and its time be what they are of the `other` field."""
    for end in ("", "_at"):
        np.copyto(statistics[field + end], statistics[other + end], where=rows)


def _describe(statistics: MetricStats) -> None:
    statistics["stdev"] = population_stdev(statistics["weight"], statistics["total"], statistics["squares"])
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics["mean"] = statistics["anchor"] + statistics["total"] / statistics["weight"]
