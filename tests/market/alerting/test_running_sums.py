import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.alerting.running_sums import RunningSums, average_between, next_sums, tolerance

IDS = np.array([0, 2])


def sums_of(rows: list[tuple[float, float]], ids: np.ndarray = IDS) -> list[RunningSums]:
    """The sums of each minute, from the values of each metric; NaN for none."""
    found: list[RunningSums] = []
    for place, row in enumerate(rows):
        values = np.array(row)
        found.append(next_sums(found[-1] if found else None, place * 60, ids, values, values))
    return found


def test_an_average_covers_the_values_from_the_window_start_on():
    sums = sums_of([(1.0, 10.0), (2.0, math.nan), (6.0, 30.0)])

    average, count = average_between(sums[1].of(IDS), sums[2].of(IDS))

    assert average.tolist() == [4.0, 30.0]
    assert count.tolist() == [2, 1]


def test_a_metric_without_values_has_no_average():
    sums = sums_of([(1.0, math.nan), (2.0, math.nan)])
    average, count = average_between(sums[0].of(IDS), sums[1].of(IDS))
    assert average.tolist()[0] == 1.5
    assert math.isnan(average[1])
    assert count.tolist() == [2, 0]


def test_a_metric_is_unknown_before_its_first_sums():
    old = sums_of([(1.0, 2.0)])[0]
    new = next_sums(old, 60, np.array([0, 2, 9]), np.array([3.0, 4.0, 5.0]), np.array([3.0, 4.0, 5.0]))
    ids = np.array([0, 9])

    assert math.isnan(old.of(ids).value[1])
    average, count = average_between(old.of(ids), new.of(ids))
    assert average.tolist() == [2.0, 5.0]
    assert count.tolist() == [2, 1]


def test_a_carried_value_is_known_but_not_counted():
    old = sums_of([(1.0, 2.0)])[0]
    new = next_sums(old, 60, IDS, np.array([np.nan, 4.0]), np.array([1.0, 4.0]))
    assert new.of(IDS).value.tolist() == [1.0, 4.0]
    assert new.of(IDS).count.tolist() == [1, 2]


@given(st.lists(st.floats(1e-9, 1e12), min_size=7, max_size=60))
def test_an_average_keeps_its_digits_after_values_of_any_magnitude(values):
    """A plain sum loses small values that follow large ones."""
    sums = sums_of([(value, 1.0) for value in values])
    average, _ = average_between(sums[-5].of(IDS), sums[-1].of(IDS))
    assert average[0] == pytest.approx(math.fsum(values[-5:]) / 5, rel=1e-9, abs=0)


@pytest.mark.parametrize("foreign", [1e9, 60_000.1, 1e12 + 0.1])
@pytest.mark.parametrize("own", [2.5e-8, 1e-12])
def test_a_first_price_of_another_magnitude_leaves_no_rounding_error_in_an_average(foreign, own):
    values = [foreign, *(own * (1 + place % 7 / 1e3) for place in range(1_000))]
    sums = sums_of([(value, 1.0) for value in values])
    for first in (1, 500, 900):
        average, _ = average_between(sums[first].of(IDS), sums[-1].of(IDS))
        assert average[0] == pytest.approx(math.fsum(values[first:]) / len(values[first:]), rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("window", "period", "seconds"),
    [
        (60, 60, 60),
        (120, 60, 60),
        (300, 60, 120),
        (300, 5, 30),
        (3_600, 60, 360),
        (86_400, 60, 600),
        (300, 3_600, 3_600),
    ],
)
def test_the_value_at_the_window_start_may_be_early_by_a_fraction_of_it_and_at_least_a_period(window, period, seconds):
    assert tolerance(window, period) == seconds
