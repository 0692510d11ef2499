"""Running sums compared with two numpy passes over all samples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.stats.metric_stats import Windows
from services.market.times import DAY, HOUR
from tests.market.stats.market import BASES, PERIOD, START, Market

moves = st.one_of(
    st.just(1.0),
    st.just(1000.0),
    st.just(0.001),
    st.integers(-50_000_000, 50_000_000).map(lambda billionths: 1 + billionths / 1e9),
    st.integers(-1_000, 1_000).map(lambda billionths: 1 + billionths / 1e9),
)  # no moves below a billionth: two passes in float64 are inexact for them
gaps = st.one_of(
    st.just(1), st.just(1), st.just(1), st.integers(1, 8), st.sampled_from([29, 30, 31, 143, 144, 145, 200])
)
rows = st.integers(0, len(BASES) - 1)
widths = st.sampled_from([60, 300, PERIOD, 3 * PERIOD])
ticks = st.tuples(
    gaps,
    st.dictionaries(rows, moves),
    st.lists(st.tuples(rows, st.integers(1, 9 * PERIOD), moves, widths), max_size=2),
    st.lists(st.tuples(rows, st.integers(0, 31 * PERIOD), moves, widths), max_size=1),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(ticks, min_size=1, max_size=45))
def test_updated_statistics_agree_with_two_passes_for_any_arrivals_and_gaps(events):
    market = Market()
    for periods, prices, between, found in events:
        market.tick(
            periods,
            {row: BASES[row] * move for row, move in prices.items()},
            [(row, after, BASES[row] * move, width) for row, after, move, width in between],
        )
        market.check()
        for row, ago, move, width in found:
            market.fill_in(row, ago, BASES[row] * move, width)
            market.check()


@pytest.mark.parametrize("seed", range(3))
def test_a_long_run_agrees_with_two_passes_at_every_tick(seed):
    chance = np.random.default_rng(seed)
    market = Market(bases=(1e-7, 0.3, 42.0, 5e4))
    price = np.array(market.bases)
    days_known = 0
    for _ in range(260):
        price = price * np.exp(chance.normal(0, 0.01, len(price)))
        shown = price * np.where(chance.random(len(price)) < 0.01, 1000.0, 1.0)
        present = np.flatnonzero(chance.random(len(price)) < 0.9)
        market.tick(1 if chance.random() < 0.97 else int(chance.integers(2, 40)), {int(r): shown[r] for r in present})
        market.check()
        days_known += int((~np.isnan(market.ago(DAY))).sum())
    assert days_known > 100  # the run is long enough to have a price of the day before


@pytest.mark.parametrize("spike", [1000.0, 0.001, 1e6])
def test_a_spike_leaves_no_rounding_error_when_it_leaves_the_window(spike):
    market = Market(bases=(60_000.0,))
    for turn in range(100):
        market.tick(1, {0: 60_000.0 * (spike if turn == 5 else 1 + 1e-6 * (turn % 7))})
        market.check()
    assert 1 <= market.renewed <= 4  # once per sum that it leaves, not at every later tick
    assert market.statistics["stdev"][0] < 1.0


@pytest.mark.parametrize("foreign", [1e9, 60_000.0, 1e12, 1e-12])
@pytest.mark.parametrize("own", [2.5e-8, 1e-12, 3.0])
def test_a_first_price_of_another_magnitude_leaves_no_rounding_error_in_any_average(foreign, own):
    market = Market(bases=(1.0,))
    market.tick(1, {0: foreign})
    for turn in range(40):
        market.tick(1, {0: own * (1 + turn % 3 / 1e3)})
        market.check()
    assert market.statistics["rule_average"][0] == pytest.approx(own, rel=0.01)
    assert market.renewed <= 5


@pytest.mark.parametrize("spike", [1e9, 1e12])
def test_a_spike_that_arrives_as_another_leaves_after_a_gap_distorts_no_average(spike):
    """The new spike hides in the sums how little is left of the old one; the averages are exact."""
    market = Market(bases=(1.0,), windows=Windows(main=30 * PERIOD, rule=6 * PERIOD))
    market.tick(1, {0: spike})
    for _ in range(5):
        market.tick(1, {0: 2.5e-8})
    market.tick(3, {0: spike})
    market.check()
    assert market.statistics["rule_average"][0] == pytest.approx(2.5e-8, rel=1e-9, abs=0)
    for _ in range(10):
        market.tick(1, {0: 2.5e-8})
        market.check()


def test_an_average_of_one_price_at_the_window_edge_is_exact():
    market = Market(bases=(1.0,), windows=Windows(main=30 * PERIOD, rule=3 * PERIOD))
    market.tick(1, {0: 1e10})
    market.tick(1, {0: 5e-11})
    market.tick(3, {})
    market.check()
    assert market.statistics["rule_average"][0] == pytest.approx(5e-11, rel=1e-9, abs=0)


def test_a_single_outlier_in_a_long_window_does_not_cause_a_recomputation_per_tick():
    """The newest price is far from the others and stays the newest."""
    windows = Windows(main=5_000 * PERIOD, rule=3 * PERIOD)
    market = Market(bases=(1.0, 1.0), windows=windows)
    market.stored[0] = {START - PERIOD * ago: (1.0 + ago % 2 / 1e3, PERIOD) for ago in range(4_000)}
    market.renew(np.array([0, 1], dtype=np.int64))
    market.tick(1, {0: 1e6})
    market.renew(np.array([0], dtype=np.int64))
    for _ in range(5):
        market.tick(1, {1: 1.0})
        market.check()
    assert market.renewed <= 2


def test_a_series_that_becomes_flat_has_a_stdev_of_exactly_zero():
    market = Market(bases=(0.1,))
    for turn in range(30):
        market.tick(1, {0: 0.1 + 0.0137 * turn})
    assert market.statistics["stdev"][0] > 0.1
    for _ in range(30):
        market.tick(1, {0: 0.3})
    assert market.statistics["stdev"][0] == 0.0
    assert market.statistics["mean"][0] == pytest.approx(0.3, rel=1e-12)


def test_a_series_that_never_moves_has_a_stdev_of_zero_from_the_first_price():
    market = Market(bases=(0.1,))
    for _ in range(70):
        market.tick(1, {0: 0.1})
        assert market.statistics["stdev"][0] == 0.0
        assert market.statistics["mean"][0] == 0.1


def test_a_window_is_empty_after_a_longer_downtime():
    market = Market(bases=(10.0,))
    for turn in range(5):
        market.tick(1, {0: 10.0 + turn})
    market.tick(31, {})
    assert market.statistics["samples"][0] == 0
    assert np.isnan(market.statistics["stdev"][0])
    assert np.isnan(market.statistics["average_1h"][0])
    assert market.statistics["price"][0] == 14.0
    market.tick(1, {0: 2_000_000.0})
    assert market.statistics["stdev"][0] == 0.0
    market.check()


def test_a_window_that_was_empty_starts_without_earlier_rounding_errors():
    market = Market(bases=(0.1,))
    for turn in range(30):
        market.tick(1, {0: 0.1 * (turn + 1)})
    market.tick(30, {})
    assert [market.statistics[name][0] for name in ("weight", "total", "squares", "peak")] == [0.0] * 4
    market.tick(1, {0: 0.1})
    assert market.statistics["stdev"][0] == 0.0
    assert market.statistics["mean"][0] == 0.1
    assert market.renewed == 0


def test_a_wide_sample_is_weighted_by_its_width():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 1.0})
    market.tick(4, {0: 1.0}, [(0, 3 * PERIOD, 5.0, 3 * PERIOD)])
    # Widths 1, 3 and 1 of the prices 1, 5 and 1: mean 17/5, variance (2 x 2.4^2 + 3 x 1.6^2) / 5.
    assert market.statistics["mean"][0] == pytest.approx(3.4)
    assert market.statistics["stdev"][0] == pytest.approx(math.sqrt((2 * 2.4**2 + 3 * 1.6**2) / 5))
    assert market.statistics["samples"][0] == 3


def test_the_hourly_average_excludes_the_tick_and_includes_the_price_an_hour_ago():
    market = Market(bases=(1.0,))
    for price in (100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 999.0):
        market.tick(1, {0: price})
    assert market.statistics["average_1h"][0] == pytest.approx(3.5)
    assert market.statistics["rule_average"][0] == pytest.approx(5.0)
    assert market.statistics["rule_count"][0] == 3
    assert market.ago(HOUR)[0] == 1.0


def test_a_price_much_older_than_an_hour_is_not_the_price_an_hour_ago():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 7.0})
    market.tick(6, {0: 8.0})
    assert market.ago(HOUR)[0] == 7.0
    market.tick(1, {0: 8.0})
    assert market.ago(HOUR)[0] == 7.0
    market.tick(1, {0: 8.0})
    assert np.isnan(market.ago(HOUR)[0])


def test_a_change_after_a_downtime_still_spans_an_hour():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 7.0})
    market.tick(25, {0: 9.0})
    assert np.isnan(market.ago(HOUR)[0])


def test_a_first_price_between_two_ticks_counts_in_a_tick_without_a_price():
    market = Market(bases=(1.0,))
    market.tick(4, {}, [(0, PERIOD, 5.0, PERIOD), (0, 2 * PERIOD, 7.0, PERIOD)])
    assert market.statistics["samples"][0] == 2
    assert market.statistics["stdev"][0] == 1.0
    assert (market.statistics["price"][0], market.statistics["priced_at"][0]) == (7.0, START + 2 * PERIOD)


def test_advancing_does_not_change_the_earlier_statistics():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 5.0})
    earlier = market.statistics
    saved = earlier.tobytes()
    market.tick(1, {0: 6.0})
    assert earlier.tobytes() == saved
    assert market.statistics["price"][0] == 6.0


def test_the_change_of_a_metric_without_new_prices_keeps_its_value():
    market = Market(bases=(1.0, 1.0))
    for turn in range(200):
        market.tick(1, dict.fromkeys((0, 1), 100.0 + turn))
    known = market.ago(HOUR)[0], market.ago(DAY)[0]
    assert known == (293.0, 155.0)
    for turn in range(200, 400):
        market.tick(1, {1: 100.0 + turn})
        if turn % 50 == 0:
            market.renew(np.array([0, 1], dtype=np.int64))
        assert (market.ago(HOUR)[0], market.ago(DAY)[0]) == known
        assert (market.ago(HOUR)[1], market.ago(DAY)[1]) == (100.0 + turn - 6, 100.0 + turn - 144)
    market.tick(1, {0: 7.0})
    assert np.isnan(market.ago(HOUR)[0])  # the price an hour ago is unknown


def test_a_backfilled_price_after_the_last_one_gets_its_own_change():
    market = Market(bases=(1.0,))
    for turn in range(20):
        market.tick(1, {0: 100.0 + turn})
    market.tick(30, {}, between=[(0, 2 * PERIOD, 50.0, PERIOD), (0, 7 * PERIOD, 60.0, PERIOD)])
    assert (market.statistics["price"][0], market.ago(HOUR)[0]) == (60.0, 119.0)
    market.check()
