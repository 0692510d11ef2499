"""Tickers that are not current: found by the exchange's clock, so that no price is lost when a clock is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchanges.ticker_times import sort_out

NOW = 1_800_000_000.0
MINUTE, HOUR = 60.0, 3_600.0


def checked(ages: list[float], now: float = NOW, period: float = 60.0) -> tuple[list[int], list[int]]:
    """The places of the tickers that are out of date and of those from the future; `ages` are seconds before NOW."""
    old, ahead = sort_out(NOW - np.array(ages), now, period)
    return np.flatnonzero(old).tolist(), np.flatnonzero(ahead).tolist()


@pytest.mark.parametrize("others", [1, 2, 3, 30, 300])
def test_a_ticker_that_is_hours_old_is_out_of_date_and_the_others_are_not(others):
    assert checked([2 * HOUR, *[1.0] * others]) == ([0], [])


def test_the_price_of_a_pair_that_has_not_traded_for_some_minutes_is_current():
    assert checked([1.0, 2.0, 85.0, 436.0, 50 * MINUTE]) == ([], [])


def test_most_of_an_exchange_may_be_out_of_date():
    assert checked([1.0, 2.0, *[5 * HOUR] * 8]) == (list(range(2, 10)), [])


@pytest.mark.parametrize("others", [2, 3, 30, 300])
def test_a_ticker_from_the_future_is_found_and_the_others_stay(others):
    assert checked([-2 * HOUR, *[1.0] * others]) == ([], [0])
    assert checked([-30 * MINUTE, *[1.0] * others]) == ([], [0])


def test_the_only_pair_that_has_just_traded_is_not_from_the_future():
    assert checked([1.0, 40 * MINUTE, 50 * MINUTE]) == ([], [])


@pytest.mark.parametrize("skew", [-12 * HOUR, -HOUR, -20 * MINUTE, 20 * MINUTE, HOUR, 12 * HOUR, 30_000 * HOUR])
def test_an_exchange_with_a_wrong_clock_loses_only_prices_that_are_old_by_that_clock(skew):
    ages = [1.0, 2.0, 3.0, 20 * MINUTE, 5.0]
    assert checked([age + skew for age in ages]) == ([], [])

    many = [1.0] * 40
    assert checked([age + skew for age in [*many, 3 * HOUR]]) == ([40], [])
    assert checked([age + skew for age in [*many, -3 * HOUR]]) == ([], [40])


@pytest.mark.parametrize("error", [-12 * HOUR, -50 * MINUTE, 50 * MINUTE, 12 * HOUR, 80_000 * HOUR])
def test_no_price_is_lost_when_this_machines_clock_is_wrong(error):
    assert checked([1.0, 2.0, 3.0, 20 * MINUTE], now=NOW + error) == ([], [])


def test_with_a_long_period_tickers_may_be_ahead_of_its_beginning_by_a_period():
    period = HOUR
    assert checked([-50 * MINUTE, -50 * MINUTE, -49 * MINUTE], period=period) == ([], [])
    assert checked([1.0, 1.0, 2 * HOUR], period=period) == ([], [])
    assert checked([1.0, 1.0, 4 * HOUR], period=period) == ([2], [])


def test_a_ticker_without_a_time_is_neither_old_nor_ahead():
    old, ahead = sort_out(np.array([np.nan, NOW, np.nan, NOW - 2 * HOUR]), NOW, 60.0)
    assert old.tolist() == [False, False, False, True]
    assert not ahead.any()

    for mask in sort_out(np.array([np.nan, np.nan]), NOW, 60.0):
        assert mask.tolist() == [False, False]
    assert [len(mask) for mask in sort_out(np.array([]), NOW, 60.0)] == [0, 0]


@given(
    st.lists(st.floats(0, HOUR / 2), min_size=1, max_size=200),
    st.floats(-1e6, 1e6),
    st.lists(st.floats(3 * HOUR, 1e6), max_size=10),
)
def test_with_any_two_clocks_fresh_tickers_stay_and_old_ones_are_found(fresh, skew, old):
    ages = [0.0, *fresh, *old]
    found_old, found_ahead = checked([age + skew for age in ages])
    if len(old) * 10 < len(fresh):
        assert found_ahead == []
        assert found_old == list(range(1 + len(fresh), len(ages)))
