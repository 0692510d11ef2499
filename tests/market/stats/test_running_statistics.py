"""Running sums against two numpy passes over all stored samples."""

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
)  # moves of less than a billionth are beyond what two passes in float64 can tell exactly
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
def test_carried_statistics_agree_with_two_passes_whatever_comes_and_stays_away(story):
    market = Market()
    for periods, prices, between, found in story:
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
def test_a_spike_leaves_nothing_behind_when_it_leaves_the_window(spike):
    market = Market(bases=(60_000.0,))
    for turn in range(100):
        market.tick(1, {0: 60_000.0 * (spike if turn == 5 else 1 + 1e-6 * (turn % 7))})
        market.check()
    assert 1 <= market.renewed <= 4  # once for each sum that it leaves, and not at every tick from then on
    assert market.statistics["stdev"][0] < 1.0


@pytest.mark.parametrize("foreign", [1e9, 60_000.0, 1e12, 1e-12])
@pytest.mark.parametrize("own", [2.5e-8, 1e-12, 3.0])
def test_a_foreign_first_price_is_gone_from_every_average_once_it_has_left_its_window(foreign, own):
    market = Market(bases=(1.0,))
    market.tick(1, {0: foreign})
    for turn in range(40):
        market.tick(1, {0: own * (1 + turn % 3 / 1e3)})
        market.check()
    assert market.statistics["rule_average"][0] == pytest.approx(own, rel=0.01)
    assert market.renewed <= 5


@pytest.mark.parametrize("spike", [1e9, 1e12])
def test_a_spike_that_comes_as_another_leaves_after_a_gap_spoils_no_average(spike):
    """Of the sums it hides how little is left: the averages are without it."""
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


def test_an_average_of_one_price_at_the_edge_has_its_digits_though_the_window_is_empty_then():
    market = Market(bases=(1.0,), windows=Windows(main=30 * PERIOD, rule=3 * PERIOD))
    market.tick(1, {0: 1e10})
    market.tick(1, {0: 5e-11})
    market.tick(3, {})
    market.check()
    assert market.statistics["rule_average"][0] == pytest.approx(5e-11, rel=1e-9, abs=0)


def test_a_price_that_comes_once_in_a_long_window_costs_no_recomputation_at_every_tick():
    """The newest price is far off the others and stays the newest."""
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


def test_a_series_that_goes_flat_has_a_stdev_of_exactly_nothing():
    market = Market(bases=(0.1,))
    for turn in range(30):
        market.tick(1, {0: 0.1 + 0.0137 * turn})
    assert market.statistics["stdev"][0] > 0.1
    for _ in range(30):
        market.tick(1, {0: 0.3})
    assert market.statistics["stdev"][0] == 0.0
    assert market.statistics["mean"][0] == pytest.approx(0.3, rel=1e-12)


def test_a_series_that_never_moves_is_flat_from_the_first_price():
    market = Market(bases=(0.1,))
    for _ in range(70):
        market.tick(1, {0: 0.1})
        assert market.statistics["stdev"][0] == 0.0
        assert market.statistics["mean"][0] == 0.1


def test_nothing_is_left_of_a_window_that_a_downtime_outlasts():
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


def test_a_window_that_was_empty_begins_without_the_rounding_of_the_one_before():
    market = Market(bases=(0.1,))
    for turn in range(30):
        market.tick(1, {0: 0.1 * (turn + 1)})
    market.tick(30, {})
    assert [market.statistics[name][0] for name in ("weight", "total", "squares", "peak")] == [0.0] * 4
    market.tick(1, {0: 0.1})
    assert market.statistics["stdev"][0] == 0.0
    assert market.statistics["mean"][0] == 0.1
    assert market.renewed == 0


def test_a_wide_sample_counts_with_its_width():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 1.0})
    market.tick(4, {0: 1.0}, [(0, 3 * PERIOD, 5.0, 3 * PERIOD)])
    # Widths 1, 3 and 1 of the prices 1, 5 and 1: mean 17/5, variance (2 x 2.4^2 + 3 x 1.6^2) / 5.
    assert market.statistics["mean"][0] == pytest.approx(3.4)
    assert market.statistics["stdev"][0] == pytest.approx(math.sqrt((2 * 2.4**2 + 3 * 1.6**2) / 5))
    assert market.statistics["samples"][0] == 3


def test_the_hours_average_leaves_the_tick_out_and_takes_the_price_an_hour_ago_in():
    market = Market(bases=(1.0,))
    for price in (100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 999.0):
        market.tick(1, {0: price})
    assert market.statistics["average_1h"][0] == pytest.approx(3.5)
    assert market.statistics["rule_average"][0] == pytest.approx(5.0)
    assert market.statistics["rule_count"][0] == 3
    assert market.ago(HOUR)[0] == 1.0


def test_a_price_too_far_before_the_hour_is_not_the_price_an_hour_ago():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 7.0})
    market.tick(6, {0: 8.0})
    assert market.ago(HOUR)[0] == 7.0
    market.tick(1, {0: 8.0})
    assert market.ago(HOUR)[0] == 7.0
    market.tick(1, {0: 8.0})
    assert np.isnan(market.ago(HOUR)[0])


def test_a_downtime_does_not_stretch_the_hour_of_the_change():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 7.0})
    market.tick(25, {0: 9.0})
    assert np.isnan(market.ago(HOUR)[0])


def test_a_first_price_found_between_two_ticks_counts_although_none_came_with_the_tick():
    market = Market(bases=(1.0,))
    market.tick(4, {}, [(0, PERIOD, 5.0, PERIOD), (0, 2 * PERIOD, 7.0, PERIOD)])
    assert market.statistics["samples"][0] == 2
    assert market.statistics["stdev"][0] == 1.0
    assert (market.statistics["price"][0], market.statistics["priced_at"][0]) == (7.0, START + 2 * PERIOD)


def test_advancing_leaves_the_statistics_it_starts_from_as_they_were():
    market = Market(bases=(1.0,))
    market.tick(1, {0: 5.0})
    earlier = market.statistics
    saved = earlier.tobytes()
    market.tick(1, {0: 6.0})
    assert earlier.tobytes() == saved
    assert market.statistics["price"][0] == 6.0


def test_the_change_of_a_price_that_nothing_follows_stays_while_the_others_go_on():
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
    assert np.isnan(market.ago(HOUR)[0])  # nothing is known of an hour ago


def test_a_price_found_after_the_last_one_is_compared_with_what_was_before_it():
    market = Market(bases=(1.0,))
    for turn in range(20):
        market.tick(1, {0: 100.0 + turn})
    market.tick(30, {}, between=[(0, 2 * PERIOD, 50.0, PERIOD), (0, 7 * PERIOD, 60.0, PERIOD)])
    assert (market.statistics["price"][0], market.ago(HOUR)[0]) == (60.0, 119.0)
    market.check()
