import numpy as np

from services.market.stats import measures, metric_stats, sums
from services.market.times import DAY, HOUR


def test_coverage_is_the_share_of_the_window_with_prices():
    statistics = metric_stats.empty(np.arange(4, dtype=np.int64))
    statistics["weight"] = [0.0, 3 * HOUR, DAY, DAY + 240.0]
    assert measures.coverage(statistics, DAY).tolist() == [0.0, 0.125, 1.0, 1.0]
    assert measures.coverage(statistics, 0).tolist()[0] == 0.0  # before the first tick


def test_population_stdev_divides_by_the_total_weight():
    found = measures.population_stdev(np.array([2.0, 4.0, 0.0]), np.array([6.0, 4.0, 0.0]), np.array([20.0, 4.0, 0.0]))
    assert found[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found[2])


def test_a_variance_rounded_below_zero_gives_a_stdev_of_zero():
    assert measures.population_stdev(np.array([1.0]), np.array([1.0]), np.array([1.0 - 1e-16])).tolist() == [0.0]


def test_sums_have_drifted_only_beyond_a_factor_of_a_thousand():
    statistics = metric_stats.empty(np.arange(3, dtype=np.int64))
    statistics["samples"], statistics["anchor"] = 1, 5.0
    statistics["weight"], statistics["squares"] = 60.0, 2.0
    statistics["total"] = 0.0
    statistics["peak"] = [2_000.0, 2_000.1, 2.0]
    assert sums.drifted(statistics).tolist() == [1]


def test_metrics_without_prices_have_not_drifted():
    assert sums.drifted(metric_stats.empty(np.arange(3, dtype=np.int64))).tolist() == []


def test_metrics_are_ranked_by_falling_stdev_and_ties_by_id():
    statistics = metric_stats.empty(np.array([3, 5, 8, 9, 11], dtype=np.int64))
    statistics["stdev"] = [1.0, 2.0, 1.0, np.nan, 9.0]
    statistics["rank"] = 77
    measures.rank(statistics, np.array([True, True, True, True, False]))
    assert statistics["rank"].tolist() == [2, 1, 3, 0, 0]


def test_a_metric_without_a_price_in_ten_answers_is_frozen_and_not_ranked():
    statistics = metric_stats.empty(np.array([1, 2, 3]))
    statistics["stdev"] = [3.0, 2.0, 1.0]
    statistics["absent"] = [10, 9, 11]

    measures.rank(statistics, np.array([True, True, True]))

    assert measures.frozen(statistics).tolist() == [True, False, True]
    assert statistics["rank"].tolist() == [0, 1, 0]
