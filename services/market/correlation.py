"""The correlation of the returns of metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.market.times import HOUR
from services.market.types import Floats, Hours, Ints, Series

MIN_COMMON_SAMPLES = 10
"""A correlation needs at least this many returns at the same times."""


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's correlation of each pair of metrics, and its number of common returns, both (metrics, metrics).

    NaN with fewer than MIN_COMMON_SAMPLES, or if one of the two did not move.
    """

    values: Floats
    common: Ints


def correlations(histories: Sequence[Series | Hours], step: int) -> Correlations:
    """The correlations of log returns over `step` seconds; for hours, of returns between closes.

    A return needs a price both at its end and `step` before: gaps are not filled, and neither are prices wider than a
    step.
    """
    returns = [_returns(history, step) for history in histories]
    size = len(returns)
    values = np.full((size, size), np.nan)
    common = np.zeros((size, size), dtype=np.int64)
    for one in range(size):
        for other in range(one, size):
            _, left, right = np.intersect1d(returns[one][0], returns[other][0], assume_unique=True, return_indices=True)
            common[one, other] = common[other, one] = len(left)
            values[one, other] = values[other, one] = _pearson(returns[one][1][left], returns[other][1][right])
    return Correlations(values, common)


def _returns(history: Series | Hours, step: int) -> tuple[Ints, Floats]:
    """Times, and the log return over the step before each."""
    if isinstance(history, Hours):
        times, prices = history.starts + HOUR, history.close
    else:
        times, prices = history.times, history.values
    _, earlier, later = np.intersect1d(times, times - step, assume_unique=True, return_indices=True)
    return times[later], np.log(prices[later] / prices[earlier])


def _pearson(left: Floats, right: Floats) -> float:
    if len(left) < MIN_COMMON_SAMPLES:
        return np.nan
    left, right = left - left.mean(), right - right.mean()
    scale = np.sqrt(left.dot(left) * right.dot(right))
    return float(np.clip(left.dot(right) / scale, -1.0, 1.0)) if scale > 0 else np.nan
