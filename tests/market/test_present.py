import numpy as np
import pytest

from services.market.present import is_stale, is_tick_stale

NOW, PERIOD = 1_772_366_400, 60


@pytest.mark.parametrize(
    ("age", "stale"),
    [(-61, True), (-60, False), (0, False), (120, False), (121, True), (180, True), (NOW, True)],
)
def test_a_price_is_stale_beyond_two_periods_and_if_it_lies_in_the_future(age: int, stale: bool) -> None:
    assert bool(is_stale(NOW - age, NOW, PERIOD)) is stale
    assert is_stale(np.array([NOW - age, NOW]), NOW, PERIOD).tolist() == [stale, False]


def test_a_metric_without_any_price_is_stale_before_the_first_tick_too() -> None:
    assert is_stale(np.array([0]), 0, PERIOD).tolist() == [True]


@pytest.mark.parametrize(("age", "stale"), [(-61, True), (-60, False), (0, False), (180, False), (180.5, True)])
def test_a_tick_is_stale_when_its_prices_would_be_stale_in_the_overdue_tick(age: float, stale: bool) -> None:
    assert is_tick_stale(NOW, NOW + age, PERIOD) is stale


def test_the_ranking_is_stale_before_the_first_tick() -> None:
    assert is_tick_stale(None, NOW, PERIOD)
