import numpy as np
import pytest

from services.market.correlation import MIN_COMMON_SAMPLES, correlations
from services.market.types import Series
from tests import builders


def walks(count: int, length: int = 400) -> list[np.ndarray]:
    """Random walks that share a part of their steps."""
    random = np.random.default_rng(7)
    shared = random.normal(0, 0.001, length)
    return [
        100 * 2.0**place * np.exp(np.cumsum(shared * (place - 1) + random.normal(0, 0.001, length)))
        for place in range(count)
    ]


def without(series: Series, *places: int) -> Series:
    return Series(*(np.delete(column, places) for column in (series.times, series.values, series.widths)))


def test_correlations_of_complete_histories_equal_those_of_numpy() -> None:
    prices = walks(4)

    found = correlations([builders.series(one.tolist()) for one in prices], 60)

    expected = np.corrcoef([np.diff(np.log(one)) for one in prices])
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-12)
    assert (found.common == 399).all()
    assert found.values[0, 2] < -0.3 < 0.3 < found.values[2, 3]


def test_only_returns_that_both_metrics_have_at_the_same_time_count() -> None:
    left, right = walks(2)

    found = correlations([without(builders.series(left.tolist()), 100), builders.series(right[50:].tolist())], 60)

    times = np.delete(np.arange(51, 400), [100 - 51, 101 - 51])  # the missing price ends one return and starts the next
    expected = np.corrcoef(np.log(left[times] / left[times - 1]), np.log(right[times] / right[times - 1]))[0, 1]
    assert found.values[0, 1] == pytest.approx(expected, abs=1e-12)
    assert found.common.tolist() == [[397, 347], [347, 349]]


def test_wider_candles_give_no_returns_of_a_minute() -> None:
    left, right = walks(2)

    found = correlations([builders.series(left.tolist()), builders.series(right.tolist(), step=300, width=300)], 60)

    assert found.common[0, 1] == 0
    assert np.isnan(found.values[0, 1])


def test_too_few_common_returns_have_no_correlation() -> None:
    left, right = (builders.series(one[:MIN_COMMON_SAMPLES].tolist()) for one in walks(2))
    enough = [builders.series(one[: MIN_COMMON_SAMPLES + 1].tolist()) for one in walks(2)]

    assert np.isnan(correlations([left, right], 60).values).all()
    assert not np.isnan(correlations(enough, 60).values).any()


def test_a_flat_series_has_no_correlation() -> None:
    found = correlations([builders.series([1.0] * 100), builders.series(walks(1)[0][:100].tolist())], 60)

    assert np.isnan(found.values[0]).all()
    assert found.values[1, 1] == pytest.approx(1.0)


def test_hours_correlate_by_their_closes() -> None:
    left, right = walks(2, 60)
    hours = [builders.hours([(1.0, 1e6, 0.1, close) for close in one]) for one in (left, right)]

    found = correlations(hours, 3600)

    expected = np.corrcoef(np.diff(np.log(left)), np.diff(np.log(right)))[0, 1]
    assert found.values[0, 1] == pytest.approx(expected, abs=1e-12)


def test_one_metric_or_none_gives_a_trivial_matrix() -> None:
    assert correlations([], 60).values.shape == (0, 0)
    assert correlations([builders.series([])], 60).common.tolist() == [[0]]
