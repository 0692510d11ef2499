from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from layouts.curves import curve, with_gaps
from services.market.types import Hours, Series
from tests import builders

HOUR = 3600
NOON = int(builders.NOON.timestamp())


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def through(hours: Hours, newest: datetime | None = None):
    return curve(hours, 60, newest)


def test_missing_samples_are_a_gap_and_not_a_line():
    times = np.array([0, 60, 120, 600, 660], dtype=np.int64)
    series = Series(times, np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.full(5, 60, dtype=np.int64))

    filled_times, filled = with_gaps(series, 60)

    assert filled == [1.0, 2.0, 3.0, None, 4.0, 5.0]
    assert filled_times.tolist() == [0, 60, 120, 360, 600, 660]


def test_two_gaps_are_drawn_separately():
    times = np.array([0, 600, 660, 1200], dtype=np.int64)
    series = Series(times, np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 60, dtype=np.int64))

    assert with_gaps(series, 60)[1] == [1.0, None, 2.0, 3.0, None, 4.0]


@pytest.mark.parametrize(("step", "width", "gaps"), [(120, 60, 0), (121, 60, 2), (600, 300, 0), (601, 300, 2)])
def test_a_gap_is_more_than_two_periods_and_more_than_two_widths(step, width, gaps):
    series = builders.series([1.0, 2.0, 3.0], step=step, width=width)

    assert with_gaps(series, 60)[1].count(None) == gaps


def test_samples_have_a_line_and_no_band():
    line = curve(builders.series([1.0, 2.0]), 60, builders.NOON)

    assert (line.times.tolist(), line.values) == ([NOON - 60, NOON], [1.0, 2.0])
    assert (line.ranges, line.bands) == ([], [])


def test_hours_are_a_line_from_the_first_open_through_the_close_at_each_hours_end():
    line = through(builders.hours([(10, 14, 9, 12), (12, 13, 7, 8)]))

    assert line.times.tolist() == [NOON - 2 * HOUR, NOON - HOUR, NOON]
    assert line.values == [10, 12, 8]
    assert line.ranges == [(9, 14), (9, 14), (7, 13)]


def test_the_band_has_each_hours_range_in_its_middle_and_ends_with_the_line():
    (band,) = through(builders.hours([(10, 14, 9, 12), (12, 13, 7, 8)])).bands

    assert band.times.tolist() == [NOON - 2 * HOUR, NOON - 3 * HOUR // 2, NOON - HOUR // 2, NOON]
    assert band.high.tolist() == [14, 14, 13, 13]
    assert band.low.tolist() == [9, 9, 7, 7]


def test_the_current_hour_reaches_to_its_latest_price():
    line = through(builders.hours([(10, 14, 9, 12), (12, 13, 7, 8)]), at(NOON - 2400))

    assert line.times.tolist() == [NOON - 2 * HOUR, NOON - HOUR, NOON - 2400]
    assert line.bands[0].times.tolist()[-2:] == [NOON - 3000, NOON - 2400]


@pytest.mark.parametrize(("newest", "end"), [(NOON + 86_400, NOON), (NOON - 86_400, NOON - HOUR + 1)])
def test_a_partial_hour_ends_at_its_newest_price_within_the_hour(newest, end):
    assert through(builders.hours([(10, 14, 9, 12)]), at(newest)).times.tolist() == [NOON - HOUR, end]


def test_a_missing_hour_is_a_gap_in_the_line_and_in_the_band():
    line = through(builders.hours([(1, 2, 1, 2), None, None, (5, 6, 5, 6), (6, 7, 6, 7)]))

    assert line.values == [1, 2, None, 5, 6, 7]
    assert line.ranges == [(1, 2), (1, 2), None, (5, 6), (5, 6), (6, 7)]
    assert (line.times - NOON).tolist() == [-5 * HOUR, -4 * HOUR, -3 * HOUR, -2 * HOUR, -HOUR, 0]
    assert [(band.times[[0, -1]] - NOON).tolist() for band in line.bands] == [[-5 * HOUR, -4 * HOUR], [-2 * HOUR, 0]]


def test_the_argument_is_not_changed():
    hours = builders.hours([(10, 14, 9, 12)])

    through(hours, builders.NOON - timedelta(minutes=30))

    assert hours.starts.tolist() == [NOON - HOUR]


def test_no_hours_give_no_line():
    line = through(builders.hours([]), builders.NOON)

    assert (line.times.tolist(), line.values, line.ranges, line.bands) == ([], [], [], [])
