"""The data of a metric's chart: candles, volumes and rolling volatility."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.times import DAY, HOUR
from services.market.types import Floats, Hours, Ints, Series

MIN_COVERAGE = 0.5
"""The share of its window that a volatility must cover."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Candles with the last reported volume of each, oldest first, all of shape (bars,).

    `starts` are epoch seconds; a price at t belongs to the bar (start, start + `seconds`] that contains it. Prices are
    in quote currency, `volume` is the 24 h volume in base units, NaN where none was reported.
    """

    seconds: int
    starts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @property
    def middles(self) -> Ints:
        middles: Ints = self.starts + self.seconds // 2
        return middles

    def where(self, mask: npt.NDArray[np.bool_]) -> "Bars":
        return Bars(
            self.seconds,
            self.starts[mask],
            self.open[mask],
            self.high[mask],
            self.low[mask],
            self.close[mask],
            self.volume[mask],
        )


@dataclass(frozen=True, slots=True)
class ChartHistory:
    """The history of (`since`, `until`], epoch seconds, as a chart shows it.

    `volatility` is standard deviation / mean over the `window_seconds` before each of `volatility_at`, a fraction; NaN
    where less than MIN_COVERAGE of that window is covered.
    """

    since: int
    until: int
    known: Series | Hours
    """`history`, and at least `window_seconds` before it."""
    history: Series | Hours
    bars: Bars
    window_seconds: int
    volatility_at: Ints
    volatility: Floats
    begins: int | None = None
    """The time of the metric's first stored price, if within the span."""

    @property
    def edge(self) -> int:
        """The start of the current bar. Earlier bars are not expected to change."""
        return (self.until - 1) // self.bars.seconds * self.bars.seconds

    def samples(self, since: int, until: int) -> int:
        """The number of known prices in (`since`, `until`]; of whole hours in history by the hour."""
        known = self.known
        if isinstance(known, Hours):
            return int(known.count[(known.starts >= since) & (known.starts < until)].sum())
        return int(((known.times > since) & (known.times <= until)).sum())

    def newest(self) -> int | None:
        """The end of the history, None if it is empty."""
        if isinstance(self.history, Hours):
            return min(int(self.history.starts[-1]) + HOUR, self.until) if len(self.history.starts) else None
        return int(self.history.times[-1]) if len(self.history.times) else None


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """What a chart shows: the last `seconds`, in bars of `bar_seconds`, with the volatility over `window_seconds`."""

    seconds: int
    bar_seconds: int
    window_seconds: int

    @property
    def by_sample(self) -> bool:
        """True if every sample is drawn; spans longer than a day have one point an hour."""
        return self.seconds <= DAY


def chart_history(
    history: Series | Hours, volumes: Series | None, span: ChartSpan, until: int, period_seconds: int
) -> ChartHistory:
    """The chart of `span` up to epoch second `until`, from a `history` that starts at least its `window_seconds`
    earlier.

    Hours have their own volumes; a history of samples takes them from `volumes`.
    """
    since, bar_seconds, window_seconds = until - span.seconds, span.bar_seconds, span.window_seconds
    if isinstance(history, Hours):
        bars = bars_of_hours(history, bar_seconds)
        times, values = np.minimum(history.starts + HOUR, until), history.close
        widths = np.full(len(times), HOUR, dtype=np.int64)
        shown: Series | Hours = hours_from(history, since)
    else:
        assert volumes is not None
        bars = bars_of_samples(history, volumes, bar_seconds, period_seconds)
        times, values, widths = history.times, history.values, history.widths
        inside = times > since
        shown = Series(times[inside], values[inside], widths[inside])
    bars = bars.where(bars.middles > since)
    ends = np.minimum(bars.starts + bar_seconds, until)
    volatility = rolling_volatility(times, values, widths, ends, window_seconds)
    return ChartHistory(since, until, history, shown, bars, window_seconds, ends, volatility)


def hours_from(hours: Hours, since: int) -> Hours:
    """The hours that start at or after `since`."""
    inside = hours.starts >= since
    return Hours(
        hours.starts[inside],
        hours.open[inside],
        hours.high[inside],
        hours.low[inside],
        hours.close[inside],
        hours.mean[inside],
        hours.count[inside],
        hours.volume[inside],
    )


def bars_of_samples(prices: Series, volumes: Series, seconds: int, period_seconds: int) -> Bars:
    """Candles of `seconds` that have a price.

    A candle opens with the last price of the candle before, or with its own first price if that one is too old: more
    than two periods, and more than twice the width of the first price.
    """
    number, first = np.unique((prices.times - 1) // seconds, return_index=True)
    starts = number * seconds
    empty = np.empty(0)
    if not len(starts):
        return Bars(seconds, starts, empty, empty, empty, empty, empty)
    last = np.append(first[1:], len(prices.times)) - 1
    before = np.maximum(first - 1, 0)
    reach = np.maximum(2 * period_seconds, 2 * prices.widths[first])
    open_ = prices.values[np.where(prices.times[first] - prices.times[before] <= reach, before, first)]
    at = np.searchsorted(volumes.times, starts + seconds, side="right") - 1
    reported = np.zeros(len(starts), dtype=np.bool_)
    reported[at >= 0] = volumes.times[at[at >= 0]] > starts[at >= 0]
    volume = np.full(len(starts), np.nan)
    volume[reported] = volumes.values[at[reported]]
    return Bars(
        seconds=seconds,
        starts=starts,
        open=open_,
        high=np.maximum(np.maximum.reduceat(prices.values, first), open_),
        low=np.minimum(np.minimum.reduceat(prices.values, first), open_),
        close=prices.values[last],
        volume=volume,
    )


def bars_of_hours(hours: Hours, seconds: int) -> Bars:
    """Candles of `seconds`, a multiple of an hour, from the existing hours."""
    number, first = np.unique(hours.starts // seconds, return_index=True)
    starts = number * seconds
    if not len(starts):
        return Bars(seconds, starts, hours.open, hours.high, hours.low, hours.close, hours.volume)
    last = np.append(first[1:], len(hours.starts)) - 1
    return Bars(
        seconds=seconds,
        starts=starts,
        open=hours.open[first],
        high=np.maximum.reduceat(hours.high, first),
        low=np.minimum.reduceat(hours.low, first),
        close=hours.close[last],
        volume=hours.volume[last],
    )


def rolling_volatility(times: Ints, values: Floats, widths: Ints, ends: Ints, window_seconds: int) -> Floats:
    """Population standard deviation / mean of the values in the `window_seconds` before each of `ends`, shape (ends,).

    Values are weighted by width. Each window is computed separately, so that a spike leaves no rounding error behind;
    NaN where less than MIN_COVERAGE of it is covered.
    """
    first = np.searchsorted(times, ends - window_seconds, side="right").tolist()
    after_last = np.searchsorted(times, ends, side="right").tolist()
    found = np.full(len(ends), np.nan)
    for place, (begin, end) in enumerate(zip(first, after_last, strict=True)):
        weights = widths[begin:end]
        weight = weights.sum()
        if end - begin < 2 or weight < MIN_COVERAGE * window_seconds:
            continue
        offsets = values[begin:end] - values[begin]
        mean = weights.dot(offsets) / weight
        found[place] = np.sqrt(weights.dot((offsets - mean) ** 2) / weight) / (values[begin] + mean)
    return found


def hourly(prices: Series, volumes: Series) -> Hours:
    """The hours of one metric that have a price. A sample at t belongs to the hour (start, start + 1 h]."""
    return folded(prices, volumes, HOUR)


def folded(prices: Series, volumes: Series, seconds: int) -> Hours:
    """As `hourly`, for spans of `seconds`."""
    starts, first, place = np.unique((prices.times - 1) // seconds, return_index=True, return_inverse=True)
    last = np.append(first[1:], len(prices.times)) - 1
    volume = np.full(len(starts), np.nan)
    slots = (volumes.times - 1) // seconds
    at = np.searchsorted(starts, slots)
    known = at < len(starts)
    known[known] = starts[at[known]] == slots[known]
    volume[at[known]] = volumes.values[known]  # ascending in time: the last one stays
    weights = prices.widths.astype(np.float64)
    if not len(starts):
        empty = np.empty(0)
        return Hours(starts, empty, empty, empty, empty, empty, starts, empty)
    return Hours(
        starts=starts * seconds,
        open=prices.values[first],
        high=np.maximum.reduceat(prices.values, first),
        low=np.minimum.reduceat(prices.values, first),
        close=prices.values[last],
        mean=np.bincount(place, prices.values * weights) / np.bincount(place, weights),
        count=np.bincount(place).astype(np.int64),
        volume=volume,
    )
