"""Kept sums against a second opinion: two passes of numpy over everything that was ever stored."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market import extremes, stats
from services.market.stats import LOOKBACK, RETURN_GAP, MetricStats, Samples, Windows
from services.market.times import DAY, HOUR

PERIOD = 600
START = 1_772_366_400
WINDOWS = Windows(main=30 * PERIOD, rule=3 * PERIOD)
BASES = (0.000_012_3, 1.0, 61_234.5)


@dataclass
class Market:
    """All samples of some metrics, and the statistics carried from tick to tick over them."""

    windows: Windows = WINDOWS
    bases: tuple[float, ...] = BASES
    minute: int = START
    stored: list[dict[int, tuple[float, int]]] = field(default_factory=list)
    renewed: int = 0

    def __post_init__(self) -> None:
        self.stored = [{} for _ in self.bases]
        self.statistics: MetricStats = stats.empty(np.arange(1, len(self.bases) + 1, dtype=np.int64) * 10)

    def tick(self, periods: int, prices: dict[int, float], between: Sequence[tuple[int, int, float, int]] = ()) -> None:
        """Go on by `periods`; `between` are samples (row, seconds after the previous tick, price, width)."""
        previous, minute = self.minute, self.minute + periods * PERIOD
        for row, after, price, width in between:
            if after < minute - previous:
                self.stored[row].setdefault(previous + after, (price, width))
        for row, price in prices.items():
            self.stored[row][minute] = (price, PERIOD)
        rows = np.array(list(prices), dtype=np.int64)
        fresh = Samples(
            rows, np.full(len(rows), minute), np.array(list(prices.values()), float), np.full(len(rows), PERIOD)
        )
        self.statistics = stats.advance(
            self.statistics,
            previous,
            minute,
            fresh,
            self.within(previous, minute - 1),
            lambda length: self.within(previous - length, minute - length),
            self.windows,
        )
        self.minute = minute
        drifted = stats.drifted(self.statistics)
        self.renewed += len(drifted)
        self.renew(drifted)

    def fill_in(self, row: int, ago: int, price: float, width: int) -> None:
        """Find a sample of the past, as a backfill does."""
        self.stored[row].setdefault(self.minute - ago, (price, width))
        self.renew(np.array([row], dtype=np.int64))

    def renew(self, rows: np.ndarray) -> None:
        history = self.within(self.minute - self.windows.longest, self.minute)
        far = [
            found.where(np.isin(found.rows, some))
            for some, after, until in stats.far_references(self.statistics, rows, history, self.minute, self.windows)
            for found in [self.within(after, until)]
        ]
        names = ("rows", "times", "prices", "widths")
        history = Samples(*(np.concatenate([getattr(one, name) for one in [*far, history]]) for name in names))
        stats.recompute(self.statistics, rows, history, self.minute, self.windows)

    def within(self, after: int, until: int) -> Samples:
        found = sorted(
            (time, row, *sample)
            for row, samples in enumerate(self.stored)
            for time, sample in samples.items()
            if after < time <= until
        )
        columns = list(zip(*found, strict=True)) or [(), (), (), ()]
        times, rows, prices, widths = columns
        return Samples(
            np.array(rows, np.int64), np.array(times, np.int64), np.array(prices, float), np.array(widths, np.int64)
        )

    def ago(self, length: int) -> np.ndarray:
        return stats.price_before(self.statistics, length, PERIOD)

    def check(self) -> None:
        for row in range(len(self.bases)):
            told = {name: self.statistics[name][row].tolist() for name in stats.METRIC_STATS.names}
            told |= {"hour_ago": self.ago(HOUR)[row].item(), "day_ago": self.ago(DAY)[row].item()}
            told["log_volatility"] = stats.log_volatility(self.statistics)[row].item()
            told["coverage"] = stats.coverage(self.statistics, self.windows.main)[row].item()
            for name, expected in self.expected(row).items():
                if expected == 0 or math.isnan(expected):
                    assert told[name] == pytest.approx(expected, abs=0, nan_ok=True), (name, row)
                else:
                    assert told[name] == pytest.approx(expected, rel=1e-9, abs=0), (name, row)

    def expected(self, row: int) -> dict[str, float]:
        now, samples = self.minute, self.stored[row]
        times = np.array(sorted(samples), dtype=np.int64)
        prices = np.array([samples[time][0] for time in times.tolist()])
        widths = np.array([samples[time][1] for time in times.tolist()], dtype=float)

        def mean(inside: np.ndarray) -> float:
            return float((widths[inside] * prices[inside]).sum() / widths[inside].sum()) if inside.any() else math.nan

        def before(length: int) -> float:
            last = times[-1] if len(times) else 0
            near = np.flatnonzero((times <= last - length) & (times > last - length - LOOKBACK))
            return float(prices[near[-1]]) if len(near) else math.nan

        inside = (times > now - self.windows.main) & (times <= now)
        ruled = (times >= now - self.windows.rule) & (times < now)
        if not inside.any():
            stdev = math.nan
        elif len(set(prices[inside].tolist())) == 1:
            stdev = 0.0
        else:
            off = prices[inside] - mean(inside)
            stdev = math.sqrt((widths[inside] * off * off).sum() / widths[inside].sum())
        exact = prices.astype(np.longdouble)
        logs, seconds = np.log(exact[1:] / exact[:-1]), np.diff(times)
        counted = (times[1:] > now - self.windows.main) & (seconds <= RETURN_GAP)
        year = (logs[counted] ** 2).sum() / seconds[counted].sum() * 365 * DAY if counted.any() else math.nan
        return {
            "samples": int(inside.sum()),
            "log_volatility": math.sqrt(year),
            "stdev": stdev,
            "mean": mean(inside),
            "average_1h": mean((times >= now - HOUR) & (times < now)),
            "rule_average": mean(ruled),
            "rule_count": int(ruled.sum()),
            "hour_ago": before(HOUR),
            "day_ago": before(DAY),
            "coverage": min(widths[inside].sum() / self.windows.main, 1.0),
            "price": float(prices[-1]) if len(prices) else math.nan,
            "priced_at": int(times[-1]) if len(times) else 0,
        }


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


def test_computing_some_rows_anew_leaves_the_others_untouched():
    market = Market()
    for turn in range(10):
        market.tick(1, {row: base * (1 + turn / 100) for row, base in enumerate(BASES)})
    others = market.statistics[[0, 2]].tobytes()
    market.statistics["stdev"][1] = -1.0
    market.renew(np.array([1], dtype=np.int64))
    assert market.statistics[[0, 2]].tobytes() == others
    market.check()


def test_computing_anew_gives_the_same_bits_metric_by_metric_as_minute_by_minute():
    market = Market()
    for turn in range(40):
        market.tick(1, {row: base * (1 + (turn * turn % 7) / 70) for row, base in enumerate(BASES)})
    by_time = market.within(market.minute - WINDOWS.longest, market.minute)
    by_row = by_time.where(by_time.rows == 0)
    for row in (1, 2):
        more = by_time.where(by_time.rows == row)
        names = ("rows", "times", "prices", "widths")
        by_row = Samples(*(np.concatenate([getattr(by_row, name), getattr(more, name)]) for name in names))
    rows, found, blocks = np.arange(3), [], []
    for history in (by_time, by_row):
        statistics = stats.empty(market.statistics["id"])
        stats.recompute(statistics, rows, history, market.minute, WINDOWS)
        found.append(statistics.tobytes())
        blocks.append(extremes.by_block(history, rows, extremes.DAILY, market.minute).tobytes())
    assert by_row.times.tolist() != by_time.times.tolist()
    assert found[0] == found[1]
    assert blocks[0] == blocks[1]


def test_computing_anew_without_any_sample_forgets_the_window_but_not_the_last_price_and_its_changes():
    market = Market(bases=(1.0,))
    for _ in range(8):
        market.tick(1, {0: 5.0})
    assert market.ago(HOUR)[0] == 5.0
    market.stored[0].clear()
    market.renew(np.array([0], dtype=np.int64))
    assert market.statistics["samples"][0] == 0
    assert np.isnan(market.statistics["stdev"][0])
    assert market.statistics["edge_1h_at"][0] == 0
    assert (market.statistics["price"][0], market.ago(HOUR)[0]) == (5.0, 5.0)


def test_the_change_of_a_price_that_nothing_follows_stays_while_the_others_go_on():
    market = Market(bases=(1.0, 1.0))
    for turn in range(200):
        market.tick(1, dict.fromkeys((0, 1), 100.0 + turn))
    told = market.ago(HOUR)[0], market.ago(DAY)[0]
    assert told == (293.0, 155.0)
    for turn in range(200, 400):
        market.tick(1, {1: 100.0 + turn})
        if turn % 50 == 0:
            market.renew(np.array([0, 1], dtype=np.int64))
        assert (market.ago(HOUR)[0], market.ago(DAY)[0]) == told
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


def test_coverage_is_the_share_of_the_window_that_prices_stand_for():
    statistics = stats.empty(np.arange(4, dtype=np.int64))
    statistics["weight"] = [0.0, 3 * HOUR, DAY, DAY + 240.0]
    assert stats.coverage(statistics, DAY).tolist() == [0.0, 0.125, 1.0, 1.0]
    assert stats.coverage(statistics, 0).tolist()[0] == 0.0  # before the first tick


def test_the_exact_computation_reads_back_to_the_longest_window_and_a_little_more():
    assert Windows(main=HOUR, rule=60).longest == DAY + HOUR
    assert Windows(main=HOUR, rule=2 * DAY).longest == 2 * DAY + HOUR
    assert Windows(main=3 * DAY, rule=60).longest == 3 * DAY + HOUR


def test_population_stdev_divides_by_all_the_weight():
    told = stats.population_stdev(np.array([2.0, 4.0, 0.0]), np.array([6.0, 4.0, 0.0]), np.array([20.0, 4.0, 0.0]))
    assert told[:2].tolist() == [1.0, 0.0]
    assert np.isnan(told[2])


def test_rounding_below_nothing_is_a_flat_series():
    assert stats.population_stdev(np.array([1.0]), np.array([1.0]), np.array([1.0 - 1e-16])).tolist() == [0.0]


def test_sums_have_drifted_only_beyond_a_thousandfold():
    statistics = stats.empty(np.arange(3, dtype=np.int64))
    statistics["samples"], statistics["anchor"] = 1, 5.0
    statistics["weight"], statistics["squares"] = 60.0, 2.0
    statistics["total"] = 0.0
    statistics["peak"] = [2_000.0, 2_000.1, 2.0]
    assert stats.drifted(statistics).tolist() == [1]


def test_metrics_without_prices_have_not_drifted():
    assert stats.drifted(stats.empty(np.arange(3, dtype=np.int64))).tolist() == []


def test_ranks_run_from_the_largest_stdev_and_ties_go_to_the_smaller_id():
    statistics = stats.empty(np.array([3, 5, 8, 9, 11], dtype=np.int64))
    statistics["stdev"] = [1.0, 2.0, 1.0, np.nan, 9.0]
    statistics["rank"] = 77
    stats.rank(statistics, np.array([True, True, True, True, False]))
    assert statistics["rank"].tolist() == [2, 1, 3, 0, 0]


def test_who_has_been_absent_ten_times_is_frozen_and_not_ranked():
    statistics = stats.empty(np.array([1, 2, 3]))
    statistics["stdev"] = [3.0, 2.0, 1.0]
    statistics["absent"] = [10, 9, 11]

    stats.rank(statistics, np.array([True, True, True]))

    assert stats.frozen(statistics).tolist() == [True, False, True]
    assert statistics["rank"].tolist() == [0, 1, 0]


def test_empty_statistics_know_nothing():
    statistics = stats.empty(np.array([4, 9], dtype=np.int64))
    assert statistics["id"].tolist() == [4, 9]
    assert np.isnan(statistics["stdev"]).all()
    assert np.isnan(statistics["price"]).all()
    assert statistics["samples"].tolist() == [0, 0]


def test_aligning_keeps_who_stays_drops_who_goes_and_names_who_is_new():
    statistics = stats.empty(np.array([1, 3, 5], dtype=np.int64))
    statistics["price"] = [10.0, 30.0, 50.0]
    aligned, new = stats.align(statistics, np.array([2, 3, 5, 6], dtype=np.int64))
    assert aligned["id"].tolist() == [2, 3, 5, 6]
    assert aligned["price"][1:3].tolist() == [30.0, 50.0]
    assert np.isnan(aligned["price"][[0, 3]]).all()
    assert new.tolist() == [0, 3]


def test_aligning_to_the_same_metrics_changes_nothing():
    statistics = stats.empty(np.array([1, 3], dtype=np.int64))
    aligned, new = stats.align(statistics, np.array([1, 3], dtype=np.int64))
    assert aligned is statistics
    assert new.tolist() == []


def test_rows_are_found_by_id_and_the_unknown_are_told():
    statistics = stats.empty(np.array([2, 4, 6], dtype=np.int64))
    rows, known = stats.rows_of(statistics, np.array([4, 5, 6, 99, 1], dtype=np.int64))
    assert known.tolist() == [True, False, True, False, False]
    assert rows[known].tolist() == [1, 2]


def test_no_metrics_have_no_rows():
    rows, known = stats.rows_of(stats.empty(np.empty(0, dtype=np.int64)), np.array([1, 2], dtype=np.int64))
    assert (rows.tolist(), known.tolist()) == ([0, 0], [False, False])
