import numpy as np
import pytest

from services.market.candles import ChartSpan, bars_of_hours, bars_of_samples, chart_history, hourly, rolling_volatility
from services.market.types import Series
from tests import builders

NOON = int(builders.NOON.timestamp())
NONE = builders.series([])


def test_candles_are_computed_from_the_samples_in_their_span() -> None:
    prices = builders.series([10.0, 11, 15, 12, 9, 13, 14])  # 11:54 to 12:00

    bars = bars_of_samples(prices, NONE, 180, 60)

    assert (bars.starts - NOON).tolist() == [-540, -360, -180]
    assert bars.close.tolist() == [10.0, 12.0, 14.0]
    assert bars.high.tolist() == [10.0, 15.0, 14.0]
    assert bars.low.tolist() == [10.0, 10.0, 9.0]


def test_a_candle_opens_at_the_close_of_the_previous_one() -> None:
    assert bars_of_samples(builders.series([10.0, 11, 9]), NONE, 60, 60).open.tolist() == [10.0, 10.0, 11.0]


def test_a_candle_after_a_gap_opens_with_its_own_first_price() -> None:
    whole = builders.series([10.0, 11, 12, 13, 20, 21])
    hours_left = [0, 4, 5]
    prices = Series(whole.times[hours_left], whole.values[hours_left], whole.widths[hours_left])

    bars = bars_of_samples(prices, NONE, 60, 60)

    assert bars.open.tolist() == [10.0, 20.0, 20.0]
    assert bars.low.tolist() == [10.0, 20.0, 20.0]


def test_a_bar_has_the_last_volume_reported_in_it() -> None:
    volumes = builders.series([5.0, 6.0, 7.0], until=builders.NOON)  # 11:58, 11:59, 12:00

    bars = bars_of_samples(builders.series([1.0] * 6), volumes, 120, 60)

    np.testing.assert_array_equal(bars.volume, [np.nan, 5.0, 7.0])


def test_hours_are_joined_into_wider_candles() -> None:
    hours = builders.hours([(1, 5, 1, 2), (2, 3, 1, 3), None, (4, 9, 2, 6)])  # 8:00, 9:00, 11:00

    bars = bars_of_hours(hours, 4 * 3600)

    assert (bars.starts - NOON).tolist() == [-4 * 3600]
    assert [float(column[0]) for column in (bars.open, bars.high, bars.low, bars.close)] == [1, 9, 1, 6]


def test_volatility_is_the_weighted_stdev_divided_by_the_mean_of_each_window() -> None:
    random = np.random.default_rng(3)
    prices = builders.series((100 + random.normal(0, 1, 50)).tolist())
    ends = prices.times[[20, 49]]

    found = rolling_volatility(prices.times, prices.values, prices.widths, ends, 600)

    expected = [prices.values[place - 9 : place + 1] for place in (20, 49)]
    assert found == pytest.approx([window.std() / window.mean() for window in expected], rel=1e-12)


def test_a_wider_sample_has_more_weight() -> None:
    widths = np.array([60, 180], dtype=np.int64)
    found = rolling_volatility(
        np.array([0, 180], dtype=np.int64), np.array([100.0, 104.0]), widths, np.array([180]), 240
    )

    assert found == pytest.approx([np.std([100, 104, 104, 104]) / 103])


def test_a_spike_leaves_no_rounding_error_and_a_flat_stretch_has_a_volatility_of_zero() -> None:
    prices = builders.series([1e9] + [1.0] * 30)

    assert rolling_volatility(prices.times, prices.values, prices.widths, prices.times[-1:], 1200).tolist() == [0.0]


def test_a_window_with_too_few_prices_has_no_volatility() -> None:
    prices = builders.series([1.0, 2.0, 3.0, 4.0])

    found = rolling_volatility(prices.times, prices.values, prices.widths, prices.times, 360)

    assert np.isnan(found).tolist() == [True, True, False, False]


def back(length: int = 80, since: int = 60) -> object:
    prices = builders.series([float(value) for value in range(1, length + 1)])
    return chart_history(prices, prices, ChartSpan(since * 60, 300, 900), NOON, 60)


def test_the_first_volatility_uses_the_prices_before_the_span() -> None:
    chart = back()

    assert chart.history.times[0] == NOON - 59 * 60
    assert len(chart.bars.starts) == len(chart.volatility) == 12
    assert not np.isnan(chart.volatility).any()
    assert chart.volatility[0] == pytest.approx(np.std(range(11, 26)) / np.mean(range(11, 26)))


def test_only_the_last_bar_may_still_change() -> None:
    chart = back()

    assert chart.edge == NOON - 300
    assert chart.newest() == NOON
    assert chart.samples(chart.since, chart.edge) == 55


def test_hours_before_the_span_are_used_but_not_shown() -> None:
    hours = builders.hours([(1.0, 1.0, 1.0, 1.0 + hour % 7) for hour in range(72)])

    chart = chart_history(hours, NONE, ChartSpan(24 * 3600, 3600, 24 * 3600), NOON, 60)

    assert (len(chart.history.starts), len(chart.bars.starts)) == (24, 24)
    assert not np.isnan(chart.volatility).any()
    assert chart.samples(chart.since, chart.edge) == 23 * 60


def test_empty_history_gives_empty_candles() -> None:
    for empty in (NONE, builders.hours([])):
        chart = chart_history(empty, NONE, ChartSpan(3600, 3600, 3600), NOON, 60)
        assert (chart.newest(), len(chart.bars.starts), len(chart.volatility)) == (None, 0, 0)


def test_hours_have_open_high_low_close_mean_count_and_the_last_volume() -> None:
    noon = 1_800_000_000 // 3600 * 3600
    times = np.array([noon + 60, noon + 1800, noon + 3600, noon + 3660], dtype=np.int64)
    prices = Series(times, np.array([10.0, 30.0, 20.0, 5.0]), np.array([60, 60, 120, 60]))
    volumes = Series(times[:2], np.array([7.0, 8.0]), np.zeros(2, dtype=np.int64))

    hours = hourly(prices, volumes)

    assert hours.starts.tolist() == [noon, noon + 3600]
    assert [column.tolist() for column in (hours.open, hours.high, hours.low, hours.close)] == [
        [10.0, 5.0],
        [30.0, 5.0],
        [10.0, 5.0],
        [20.0, 5.0],
    ]
    assert hours.mean.tolist() == [(10 * 60 + 30 * 60 + 20 * 120) / 240, 5.0]
    assert hours.count.tolist() == [3, 1]
    assert hours.volume[0] == 8.0
    assert np.isnan(hours.volume[1])


def test_no_prices_make_no_hours() -> None:
    nothing = Series(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=np.int64))

    assert len(hourly(nothing, nothing).starts) == 0
