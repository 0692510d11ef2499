import numpy as np
import pytest

from services.market.alerting.rules import Rule

RULE = Rule(factor=3.0, window_seconds=3600, cooldown_seconds=3600, min_samples=5)


def exceeded(price: float, average: float, count: int = 5, fresh: bool = True, rule: Rule = RULE) -> bool:
    told = rule.exceeded(np.array([fresh]), np.array([price]), np.array([average]), np.array([count]))
    assert told.shape == (1,)
    return bool(told[0])


def test_three_times_the_average_is_not_yet_more_than_three_times():
    assert not exceeded(300.0, 100.0)


def test_a_hair_above_three_times_the_average_fires():
    assert exceeded(np.nextafter(300.0, np.inf), 100.0)


@pytest.mark.parametrize(("count", "fires"), [(0, False), (4, False), (5, True), (60, True)])
def test_the_average_must_rest_on_enough_prices(count, fires):
    assert exceeded(1000.0, 100.0, count=count) is fires


def test_an_unknown_average_never_fires():
    assert not exceeded(1000.0, np.nan)


def test_an_unknown_price_never_fires():
    assert not exceeded(np.nan, 100.0)


def test_a_stale_price_never_fires():
    assert not exceeded(1000.0, 100.0, fresh=False)


def test_the_factor_is_the_rules_own():
    rule = Rule(factor=1.5, window_seconds=60, cooldown_seconds=0, min_samples=1)
    assert exceeded(151.0, 100.0, rule=rule)
    assert not exceeded(149.0, 100.0, rule=rule)


def test_each_metric_is_judged_by_itself():
    told = RULE.exceeded(
        np.array([True, True, False, True]),
        np.array([400.0, 200.0, 400.0, 400.0]),
        np.array([100.0, 100.0, 100.0, 100.0]),
        np.array([9, 9, 9, 1]),
    )
    assert told.tolist() == [True, False, False, False]
