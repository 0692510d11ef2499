"""The built-in rule on single metrics, with the average from their statistics."""

from collections.abc import Sequence

import numpy as np
import pytest

from services.market.alerting.evaluation import EvaluationContext, evaluate
from services.market.alerting.rules import BUILT_IN, AlertRule, built_in_rule
from services.market.alerting.running_sums import RunningSums
from services.market.alerting.states import FIRING, NO_DATA, Evaluation, Mask, new_states, transition
from services.market.stats import metric_stats
from services.market.types import Ints

NOW = 1_000_000
RULE = built_in_rule(factor=3.0, window_seconds=3600, cooldown_seconds=3600, min_samples=5)


class NoSums:
    """No running sums: the average comes from the statistics."""

    def first_from(self, quantity: str, minute: int) -> RunningSums | None:
        raise AssertionError((quantity, minute))

    def last_until(self, quantity: str, minute: int) -> RunningSums | None:
        raise AssertionError((quantity, minute))

    def unknown(self, quantity: str, since: int, ids: Ints) -> Mask:
        raise AssertionError((quantity, since, ids))


def evaluation_of(
    prices: Sequence[float],
    averages: Sequence[float],
    counts: Sequence[int],
    fresh: Sequence[bool],
    rule: AlertRule = RULE,
) -> Evaluation:
    statistics = metric_stats.empty(np.arange(len(prices), dtype=np.int64))
    statistics["price"] = prices
    all_of, none_of = np.ones(len(prices), dtype=np.bool_), np.zeros(len(prices), dtype=np.bool_)
    exact = {BUILT_IN: (np.array(averages), np.array(counts))}
    return evaluate(
        rule,
        EvaluationContext(NOW, 60, statistics, {}, np.array(fresh), none_of, all_of, NoSums(), exact_averages=exact),
    )[0]


def exceeded(price: float, average: float, count: int = 5, fresh: bool = True, rule: AlertRule = RULE) -> bool:
    starts = evaluation_of([price], [average], [count], [fresh], rule).starts
    assert starts.shape == (1,)
    return bool(starts[0])


def test_a_price_of_exactly_three_times_the_average_does_not_fire():
    assert not exceeded(300.0, 100.0)


def test_a_price_just_above_three_times_the_average_fires():
    assert exceeded(np.nextafter(300.0, np.inf), 100.0)


@pytest.mark.parametrize(("count", "fires"), [(0, False), (4, False), (5, True), (60, True)])
def test_the_average_must_cover_enough_prices(count, fires):
    assert exceeded(1000.0, 100.0, count=count) is fires


def test_an_unknown_average_never_fires():
    assert not exceeded(1000.0, np.nan)


def test_an_unknown_price_never_fires():
    assert not exceeded(np.nan, 100.0)


def test_a_stale_price_never_fires():
    assert not exceeded(1000.0, 100.0, fresh=False)


def test_the_factor_of_the_rule_is_used():
    rule = built_in_rule(factor=1.5, window_seconds=60, cooldown_seconds=0, min_samples=1)
    assert exceeded(151.0, 100.0, rule=rule)
    assert not exceeded(149.0, 100.0, rule=rule)


def test_each_metric_is_evaluated_independently():
    evaluation = evaluation_of(
        [400.0, 200.0, 400.0, 400.0], [100.0, 100.0, 100.0, 100.0], [9, 9, 9, 1], [True, True, False, True]
    )
    assert evaluation.starts.tolist() == [True, False, False, False]


@pytest.mark.parametrize("state", [FIRING, NO_DATA])
def test_it_fires_again_after_each_cooldown_while_the_price_exceeds(state):
    evaluation = evaluation_of([400.0], [100.0], [9], [True])
    held = new_states(np.array([0]))
    held["state"], held["side"], held["known_at"] = state, 1, NOW - 60
    held["fired_at"] = NOW - 3599
    assert transition(held, evaluation, RULE, NOW, 60).fired.tolist() == [False]

    again = transition(held, evaluation, RULE, NOW + 1, 60)

    assert again.fired.tolist() == [True]
    assert again.states["state"].tolist() == [FIRING]
