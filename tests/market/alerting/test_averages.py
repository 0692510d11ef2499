import numpy as np
import pytest

from services.market.alerting import averages
from services.market.types import Series
from tests import builders

NOON = int(builders.NOON.timestamp())
HOUR = 3600


def test_the_average_includes_the_first_price_of_the_window_and_excludes_the_latest() -> None:
    prices = builders.series([1.0, 2.0, 4.0, 1000.0])

    means, counts = averages.weighted(prices, prices.times, 120)

    assert np.isnan(means[0])
    assert means[1:].tolist() == [1.0, 1.5, 3.0]
    assert counts.tolist() == [0, 1, 2, 2]


def test_the_built_in_rule_weights_prices_by_width_and_other_rules_do_not() -> None:
    times = np.array([NOON - 360, NOON - 60, NOON])
    prices = Series(times, np.array([10.0, 16.0, 99.0]), np.array([300, 60, 60]))

    assert averages.weighted(prices, times, HOUR)[0][-1] == 11.0
    assert averages.plain(prices, times, HOUR, 60)[0][-1] == 13.0


def test_a_spike_leaves_nothing_behind() -> None:
    prices = builders.series([1e9] + [2.5e-8] * 70)

    means, counts = averages.weighted(prices, prices.times, HOUR)

    assert means[61:] == pytest.approx(2.5e-8, rel=1e-12)
    assert counts[-1] == 60


def test_a_window_longer_than_an_hour_starts_at_the_first_stored_sums() -> None:
    prices = builders.series([float(minute) for minute in range(600)], until=builders.NOON)

    means, counts = averages.plain(prices, prices.times[-3:], 4 * HOUR, 60)  # from 11:58, 11:59 and 12:00 on

    assert counts.tolist() == [238, 239, 240]
    assert means[-1] == np.mean(range(359, 599))
    assert means[-2] == np.mean(range(359, 598))


def test_the_average_of_hourly_history_is_the_mean_of_the_hours_in_the_window() -> None:
    hours = builders.hours([(1.0, 9.0, 1.0, 3.0), (3.0, 9.0, 1.0, 5.0), None, (5.0, 9.0, 1.0, 9.0)])
    ends = np.array([NOON - 2 * HOUR, NOON - HOUR, NOON, NOON - 60])

    one, counts = averages.hourly(hours, ends, HOUR)
    two, both = averages.hourly(hours, ends, 2 * HOUR)

    assert one[[0, 2, 3]].tolist() == [4.0, 7.0, 7.0]
    assert np.isnan(one[1])
    assert counts.tolist() == [60, 0, 60, 60]
    assert two.tolist() == [3.0, 4.0, 7.0, 7.0]
    assert both.tolist() == [120, 60, 60, 60]


def test_no_history_has_no_average() -> None:
    empty = builders.series([])

    assert np.isnan(averages.weighted(empty, np.array([NOON]), HOUR)[0]).all()
    assert averages.plain(empty, empty.times, HOUR, 60)[1].tolist() == []
    assert averages.hourly(builders.hours([]), np.array([NOON]), HOUR)[1].tolist() == [0]
