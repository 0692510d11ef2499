import numpy as np
import pytest

from services.market.stats.samples import NO_SAMPLES, Samples
from services.market.window_sums import WindowSums, from_bytes, no_sums

WINDOW, COUNT = 20, 3


def random_samples(seed: int) -> Samples:
    """Prices of three metrics at seconds 1 to 200, with gaps, spikes and an outlier at first; one metric is flat."""
    chance = np.random.default_rng(seed)
    times, rows = (part.ravel() for part in np.meshgrid(np.arange(1, 201), np.arange(COUNT), indexing="ij"))
    stay = chance.random(len(times)) > 0.3
    prices = 1e-8 * (1 + chance.normal(0, 1e-3, len(times)))
    prices[rows == 1] *= chance.choice([1, 1e3], p=[0.95, 0.05], size=int((rows == 1).sum()))
    prices[rows == 2] = 7.25
    prices[0] = 60_000.1
    widths = chance.choice([1, 5], size=len(times))
    return Samples(rows[stay], times[stay], prices[stay], widths[stay])


def expected(history: Samples, second: int) -> tuple[list[float], list[float]]:
    """Standard deviations and means, in two passes."""
    inside = history.within(second - WINDOW, second)
    stdevs, means = [], []
    for row in range(COUNT):
        prices, widths = inside.prices[inside.rows == row], inside.widths[inside.rows == row]
        mean = np.average(prices, weights=widths) if len(prices) else np.nan
        means.append(float(mean))
        stdevs.append(float(np.sqrt(np.average((prices - mean) ** 2, weights=widths))) if len(prices) else np.nan)
    return stdevs, means


def move(sums: WindowSums, history: Samples, second: int, to: int) -> None:
    def window(_rows: np.ndarray) -> Samples:
        return history.within(to - WINDOW, to)

    if to > second:
        sums.move(history.within(second, to), history.within(second - WINDOW, to - WINDOW), window)
    else:
        sums.move(history.within(to - WINDOW, second - WINDOW), history.within(to, second), window)


@pytest.mark.parametrize("seed", range(5))
def test_sums_moved_forwards_or_back_equal_those_of_two_passes(seed: int) -> None:
    history, chance = random_samples(seed), np.random.default_rng([seed, 1])
    sums, second = no_sums(COUNT), 0
    for step in range(400):
        to = second + 1 if step < 100 else max(0, min(210, second + int(chance.integers(-9, 9))))
        move(sums, history, second, to)
        second = to
        stdevs, means = expected(history, second)
        assert sums.mean() == pytest.approx(means, rel=1e-9, nan_ok=True)
        assert sums.read("stdev") == pytest.approx(stdevs, rel=1e-7, abs=1e-24, nan_ok=True)
        assert sums.read("volatility") == pytest.approx(np.divide(stdevs, means), rel=1e-7, abs=1e-16, nan_ok=True)


def test_a_flat_series_has_a_standard_deviation_of_exactly_zero() -> None:
    history, sums = random_samples(1), no_sums(COUNT)
    move(sums, history, 0, 1)
    for second in range(1, 150):
        move(sums, history, second, second + 1)
    assert sums.read("stdev")[2] == 0.0


def test_a_metric_that_is_left_out_stays_unknown() -> None:
    history, sums = random_samples(2), no_sums(COUNT)
    sums.weight[1] = np.nan
    move(sums, history, 0, 50)
    again = from_bytes(sums.to_bytes())
    again.move(NO_SAMPLES, NO_SAMPLES, lambda _rows: NO_SAMPLES)
    assert np.isnan(again.read("stdev")).tolist() == [False, True, False]
    assert again.read("stdev")[0] == sums.read("stdev")[0]
