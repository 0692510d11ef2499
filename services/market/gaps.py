"""Where a metric's past has holes, and what a found candle adds to it."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.market.types import Candles, Ints

Span = tuple[int, int]
"""(since, until], epoch seconds."""

CANDLE_SECONDS = 60
"""Width of the finest candles that exchanges keep."""

JOIN_STEPS = 120
"""Holes with no more than this many samples between them are asked for in one go."""


def grid_step(period_seconds: int) -> int:
    """Seconds between samples that a past can be filled in with: the period where candles close at its ends,
    else the width of the finest candles."""
    return period_seconds if period_seconds % CANDLE_SECONDS == 0 else CANDLE_SECONDS


def find_holes(times: Ints, widths: Ints, since: int, until: int, step: int, known: Iterable[Span] = ()) -> list[Span]:
    """The spans within (`since`, `until`], multiples of `step`, that no sample covers and that are not `known`.

    A sample at t of width w covers (t - w, t], and its whole step at least. Oldest first.
    """
    size = (until - since) // step
    covered = np.zeros(size + 1, dtype=np.int64)  # how many spans begin less how many end, place by place
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


def join_near(holes: Sequence[Span], step: int) -> list[Span]:
    """Holes, oldest first, with those that lie close together made one: asking for one span is one request."""
    joined: list[Span] = []
    for since, until in holes:
        if joined and since - joined[-1][1] <= JOIN_STEPS * step:
            joined[-1] = (joined[-1][0], until)
        else:
            joined.append((since, until))
    return joined


def fit(candles: Candles, holes: Sequence[Span], step: int) -> tuple[Ints, Ints]:
    """Which candles fill which part of `holes`: indices into `candles`, and the seconds each then stands for.

    A candle whose close lies in no hole, or off the grid of `step`, adds nothing. One that is wider
    than the step counts with as much of its width as is missing; one finer, with the step's.
    """
    chosen: list[int] = []
    widths: list[int] = []
    for index, close in enumerate(candles.times.tolist()):
        if close % step:
            continue
        for since, until in holes:
            if since < close <= until:
                chosen.append(index)
                widths.append(max(min(candles.width, close - since), step))
                break
    return np.array(chosen, dtype=np.int64), np.array(widths, dtype=np.int64)
