"""The figures of one metric in /metrics, computed from its stored prices by their definitions."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from services.market.stats.measures import YEAR
from services.market.stats.metric_stats import Windows, lookback
from services.market.stats.samples import RETURN_GAP
from services.market.times import DAY, HOUR
from services.market.types import Series

Sample = tuple[int, float, int]
"""Time in epoch seconds, price, width in seconds."""

FIGURES = (
    "price",
    "updated_at",
    "stale",
    "samples",
    "coverage",
    "stdev",
    "mean",
    "volatility",
    "log_volatility",
    "average_1h",
    "rule_average",
    "change_1h",
    "change_24h",
    "range_1h",
    "range_24h",
    "high_24h",
    "low_24h",
)


def figures(
    series: Series, now: int, windows: Windows, period_seconds: int
) -> dict[str, float | int | datetime | None]:
    """The FIGURES as of epoch second `now`.

    The prices must reach back an hour beyond the longest window, and a day and an hour before the last price.
    """
    columns = (series.times.tolist(), series.values.tolist(), series.widths.tolist())
    samples = [sample for sample in zip(*columns, strict=True) if sample[0] <= now]
    main = [sample for sample in samples if sample[0] > now - windows.main]
    mean, stdev = _mean(main), _stdev(main)
    price = samples[-1][1] if samples else None
    range_1h, _, _ = _extremes(samples, now, HOUR, 300)
    range_24h, high, low = _extremes(samples, now, DAY, 900)
    return {
        "price": price,
        "updated_at": datetime.fromtimestamp(samples[-1][0], UTC) if samples else None,
        "stale": not samples or now - samples[-1][0] > 2 * period_seconds,
        "samples": len(main),
        "coverage": min(1.0, sum(width for _, _, width in main) / windows.main),
        "stdev": stdev,
        "mean": mean,
        "volatility": None if stdev is None or mean is None else stdev / mean,
        "log_volatility": _log_volatility(samples, now - windows.main),
        "average_1h": _mean([sample for sample in samples if now - HOUR <= sample[0] < now]),
        "rule_average": _mean([sample for sample in samples if now - windows.rule <= sample[0] < now]),
        "change_1h": _change(samples, HOUR, lookback(period_seconds)),
        "change_24h": _change(samples, DAY, lookback(period_seconds)),
        "range_1h": range_1h,
        "range_24h": range_24h,
        "high_24h": high,
        "low_24h": low,
    }


def _mean(samples: Sequence[Sample]) -> float | None:
    if not samples:
        return None
    return math.fsum(price * width for _, price, width in samples) / sum(width for _, _, width in samples)


def _stdev(samples: Sequence[Sample]) -> float | None:
    """In two passes, around the price nearest the mean, so that the differences keep all their digits."""
    mean = _mean(samples)
    if mean is None:
        return None
    middle = min((price for _, price, _ in samples), key=lambda price: abs(price - mean))
    offsets = [(price - middle, width) for _, price, width in samples]
    weight = sum(width for _, width in offsets)
    center = math.fsum(offset * width for offset, width in offsets) / weight
    return math.sqrt(math.fsum((offset - center) ** 2 * width for offset, width in offsets) / weight)


def _log_volatility(samples: Sequence[Sample], after: int) -> float | None:
    squares, seconds = [], 0
    for (before_at, before, _), (at, price, _) in pairwise(samples):
        if at > after and at - before_at <= RETURN_GAP:
            moved = (price - before) / before
            squares.append((math.log1p(moved) if abs(moved) < 0.5 else math.log(price) - math.log(before)) ** 2)
            seconds += at - before_at
    return math.sqrt(math.fsum(squares) / seconds * YEAR) if seconds else None


def _change(samples: Sequence[Sample], length: int, reach: int) -> float | None:
    """From the price `length` seconds before the last one to the last one, however old that is."""
    if not samples:
        return None
    at = samples[-1][0] - length
    before = [price for time, price, _ in samples if at - reach < time <= at]
    return samples[-1][1] / before[-1] - 1 if before else None


def _extremes(
    samples: Sequence[Sample], now: int, window: int, block: int
) -> tuple[float | None, float | None, float | None]:
    """(high - low) / low, high and low, since the start of the block in which the window begins."""
    prices = [price for time, price, _ in samples if time >= (now - window) // block * block]
    if not prices:
        return None, None, None
    return (max(prices) - min(prices)) / min(prices), max(prices), min(prices)
