"""How alike metrics move: the correlation of their returns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.market.times import HOUR
from services.market.types import Floats, Hours, Ints, Series

MIN_COMMON_SAMPLES = 10
"""Returns that two metrics must have at the same times before their correlation is told."""


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's correlation of every two metrics, and the number of returns it rests on, both (metrics, metrics).

    NaN where there are fewer than MIN_COMMON_SAMPLES, or where one of the two did not move.
    """

    values: Floats
    common: Ints


def correlations(histories: Sequence[Series | Hours], step: int) -> Correlations:
    """Of log returns over `step` seconds; of hours, between closes.

    A return is known where there is a price both at its end and `step` before: nothing is made up for a gap, nor for a
    price that stands for more than a step.
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
    """Times and log returns over the step before them."""
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
