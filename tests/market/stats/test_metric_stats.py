import numpy as np

from services.market.stats import metric_stats


def test_empty_statistics_have_no_price_and_no_stdev():
    statistics = metric_stats.empty(np.array([4, 9], dtype=np.int64))
    assert statistics["id"].tolist() == [4, 9]
    assert np.isnan(statistics["stdev"]).all()
    assert np.isnan(statistics["price"]).all()
    assert statistics["samples"].tolist() == [0, 0]


def test_aligning_keeps_tracked_metrics_drops_others_and_returns_the_new_rows():
    statistics = metric_stats.empty(np.array([1, 3, 5], dtype=np.int64))
    statistics["price"] = [10.0, 30.0, 50.0]
    aligned, new = metric_stats.align(statistics, np.array([2, 3, 5, 6], dtype=np.int64))
    assert aligned["id"].tolist() == [2, 3, 5, 6]
    assert aligned["price"][1:3].tolist() == [30.0, 50.0]
    assert np.isnan(aligned["price"][[0, 3]]).all()
    assert new.tolist() == [0, 3]


def test_aligning_to_the_same_metrics_changes_nothing():
    statistics = metric_stats.empty(np.array([1, 3], dtype=np.int64))
    aligned, new = metric_stats.align(statistics, np.array([1, 3], dtype=np.int64))
    assert aligned is statistics
    assert new.tolist() == []


def test_rows_are_found_by_id_and_unknown_ids_are_masked():
    statistics = metric_stats.empty(np.array([2, 4, 6], dtype=np.int64))
    rows, known = metric_stats.rows_of(statistics, np.array([4, 5, 6, 99, 1], dtype=np.int64))
    assert known.tolist() == [True, False, True, False, False]
    assert rows[known].tolist() == [1, 2]


def test_no_rows_are_found_without_metrics():
    rows, known = metric_stats.rows_of(
        metric_stats.empty(np.empty(0, dtype=np.int64)), np.array([1, 2], dtype=np.int64)
    )
    assert (rows.tolist(), known.tolist()) == ([0, 0], [False, False])
