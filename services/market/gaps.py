"""Gaps in a metric's history, and the candles that fill them."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.market.types import Candles, Ints

Span = tuple[int, int]
"""(since, until], epoch seconds."""

CANDLE_SECONDS = 60
"""Width of the finest candles that exchanges offer."""

JOIN_STEPS = 120
"""Gaps with at most this many steps between them are requested together."""


def grid_step(period_seconds: int) -> int:
    """Seconds between the samples that fill a gap: the period if candles close at its ends, else that of the finest
    candles."""
    return period_seconds if period_seconds % CANDLE_SECONDS == 0 else CANDLE_SECONDS


def find_gaps(times: Ints, widths: Ints, since: int, until: int, step: int, known: Iterable[Span] = ()) -> list[Span]:
    """The spans within (`since`, `until`] that no sample covers and that are not in `known`, oldest first.

    They are multiples of `step`. A sample at t of width w covers (t - w, t], and at least its whole step.
    """
    size = (until - since) // step
    covered = np.zeros(size + 1, dtype=np.int64)  # at each place, the number of spans that start minus those that end
    inside = (times > since) & (times - widths < until)
    first = np.clip((times[inside] - widths[inside] - since) // step, 0, size)
    last = np.clip(-(-(times[inside] - since) // step), 0, size)
    np.add.at(covered, first, 1)
    np.add.at(covered, np.maximum(last, np.minimum(first + 1, size)), -1)
    for begin, end in known:
        low, high = (min(max(-(-(edge - since) // step), 0), size) for edge in (begin, end))
        if low < high:
            covered[low] += 1
            covered[high] -= 1
    empty = np.flatnonzero(np.cumsum(covered)[:size] <= 0)
    if not len(empty):
        return []
    runs = np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1)
    return [(since + int(run[0]) * step, since + (int(run[-1]) + 1) * step) for run in runs]


def join_near(gaps: Sequence[Span], step: int) -> list[Span]:
    """Join gaps, oldest first, that lie close together: one span takes one request."""
    joined: list[Span] = []
    for since, until in gaps:
        if joined and since - joined[-1][1] <= JOIN_STEPS * step:
            joined[-1] = (joined[-1][0], until)
        else:
            joined.append((since, until))
    return joined


def fit(candles: Candles, gaps: Sequence[Span], step: int) -> tuple[Ints, Ints]:
    """The candles that fill `gaps`: indices into `candles`, and the seconds that each stands for.

    A candle whose close is outside all gaps, or off the grid of `step`, is left out. One that is wider than the step
    gets as much of its width as lies in the gap; one that is narrower gets the step's.
    """
    chosen: list[int] = []
    widths: list[int] = []
    for index, close in enumerate(candles.times.tolist()):
        if close % step:
            continue
        for since, until in gaps:
            if since < close <= until:
                chosen.append(index)
                widths.append(max(min(candles.width, close - since), step))
                break
    return np.array(chosen, dtype=np.int64), np.array(widths, dtype=np.int64)
