from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from services.market.gaps import JOIN_STEPS, find_gaps, fit, grid_step, join_near
from services.market.types import Candles

STEP = 60
SINCE = 1_772_366_400


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def candles(width: int, *times: int) -> Candles:
    return Candles(width, ints([SINCE + time for time in times]), np.ones(len(times)))


def brute_force_gaps(samples: list[tuple[int, int]], size: int, known: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Check each step by itself: a sample at t of width w covers (t - w, t], and at least its whole step."""
    gaps: list[tuple[int, int]] = []
    for place in range(size):
        begin, end = SINCE + place * STEP, SINCE + (place + 1) * STEP
        covered = any(time - width < end and begin < time for time, width in samples)
        is_known = any(since <= begin and end <= until for since, until in known)
        if not covered and not is_known:
            if gaps and gaps[-1][1] == begin:
                gaps[-1] = (gaps[-1][0], end)
            else:
                gaps.append((begin, end))
    return gaps


seconds = st.integers(-10 * STEP, 40 * STEP).map(lambda second: SINCE + second)
on_grid = st.integers(-5, 40).map(lambda place: SINCE + place * STEP)
samples_of_a_history = st.lists(st.tuples(seconds | on_grid, st.sampled_from([1, 30, 60, 90, 300, 600])), max_size=12)
spans = st.lists(st.tuples(on_grid, st.integers(1, 12)).map(lambda s: (s[0], s[0] + s[1] * STEP)), max_size=3)


@given(samples_of_a_history, st.integers(0, 30), spans)
@example([(SINCE + 1, 1)], 2, [])
@example([(SINCE + 30 * STEP + 300, 300)], 30, [])
def test_gaps_equal_those_of_a_brute_force_search(samples, size, known):
    samples.sort()
    times, widths = ints([time for time, _ in samples]), ints([width for _, width in samples])
    found = find_gaps(times, widths, SINCE, SINCE + size * STEP, STEP, known)
    assert found == brute_force_gaps(samples, size, known)


def test_an_empty_history_is_one_gap():
    assert find_gaps(ints([]), ints([]), 0, 600, 60) == [(0, 600)]


def test_a_history_without_gaps_has_none():
    times = ints(list(range(60, 601, 60)))
    assert find_gaps(times, np.full(10, 60), 0, 600, 60) == []


def test_settled_spans_are_not_gaps():
    assert find_gaps(ints([]), ints([]), 0, 600, 60, [(120, 300)]) == [(0, 120), (300, 600)]


def test_a_sample_just_after_the_span_covers_a_part_of_it_by_its_width():
    assert find_gaps(ints([720]), ints([300]), 0, 600, 60) == [(0, 420)]


def test_gaps_are_filled_in_steps_of_at_least_a_minute():
    assert [grid_step(period) for period in (5, 60, 90, 420, 3600)] == [60, 60, 60, 420, 3600]


@given(st.lists(st.tuples(st.integers(1, 250), st.integers(1, 50)), max_size=10))
def test_joined_gaps_cover_all_gaps_and_stay_separate_only_across_wide_spaces(pieces):
    gaps, end = [], SINCE
    for space, length in pieces:
        since = end + space * STEP
        end = since + length * STEP
        gaps.append((since, end))
    joined = join_near(gaps, STEP)

    covered = {place for since, until in joined for place in range(since, until, STEP)}
    assert covered >= {place for since, until in gaps for place in range(since, until, STEP)}
    assert all(later[0] - earlier[1] > JOIN_STEPS * STEP for earlier, later in pairwise(joined))
    edges = [gaps[0][0], gaps[-1][1]] if gaps else []
    for earlier, later in pairwise(gaps):
        if later[0] - earlier[1] > JOIN_STEPS * STEP:
            edges += [earlier[1], later[0]]
    assert sorted(edges) == [edge for span in joined for edge in span]


def test_gaps_just_close_enough_are_joined_into_one_request():
    near, far = JOIN_STEPS * STEP, (JOIN_STEPS + 1) * STEP
    assert join_near([(0, 60), (60 + near, 120 + near)], STEP) == [(0, 120 + near)]
    assert join_near([(0, 60), (60 + far, 120 + far)], STEP) == [(0, 60), (60 + far, 120 + far)]


def brute_force_fit(found: Candles, gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Count the missing steps backwards from each close, up to the candle's width."""
    fitting = []
    for index, close in enumerate(found.times.tolist()):
        missing = 0
        while (
            close % STEP == 0
            and missing < max(found.width, STEP)
            and any(since <= close - missing - STEP < until for since, until in gaps)
        ):
            missing += STEP
        if missing:
            fitting.append((index, missing))
    return fitting


@given(
    st.lists(st.integers(-5, 40) | st.floats(0, 30).map(lambda place: round(place, 2)), max_size=15, unique=True),
    st.sampled_from([60, 300, 900]),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=4),
)
def test_candles_fill_exactly_the_gaps(places, width, pieces):
    gaps, end = [], SINCE
    for space, length in pieces:
        since = end + space * STEP
        end = since + length * STEP
        gaps.append((since, end))
    found = candles(width, *sorted({int(place * STEP) for place in places}))

    indices, widths = fit(found, gaps, STEP)

    assert list(zip(indices.tolist(), widths.tolist(), strict=True)) == brute_force_fit(found, gaps)


def test_a_candle_finer_than_the_step_gets_the_width_of_the_step():
    indices, widths = fit(candles(60, 300, 600, 660), [(SINCE, SINCE + 1200)], 600)
    assert (indices.tolist(), widths.tolist()) == ([1], [600])


def test_a_wide_candle_gets_only_the_width_that_is_missing():
    indices, widths = fit(candles(300, 300, 600), [(SINCE + 120, SINCE + 600)], STEP)
    assert (indices.tolist(), widths.tolist()) == ([0, 1], [180, 300])


def test_a_candle_that_closes_where_a_gap_begins_does_not_fill_it():
    indices, _ = fit(candles(60, 60, 120), [(SINCE + 60, SINCE + 120)], STEP)
    assert indices.tolist() == [1]
