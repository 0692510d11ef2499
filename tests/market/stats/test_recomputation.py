import numpy as np

from services.market import extremes
from services.market.stats import metric_stats, recomputation
from services.market.stats.metric_stats import Windows
from services.market.stats.samples import Samples
from services.market.times import DAY, HOUR
from tests.market.stats.market import BASES, WINDOWS, Market


def test_recomputing_some_rows_leaves_the_others_untouched():
    market = Market()
    for turn in range(10):
        market.tick(1, {row: base * (1 + turn / 100) for row, base in enumerate(BASES)})
    others = market.statistics[[0, 2]].tobytes()
    market.statistics["stdev"][1] = -1.0
    market.renew(np.array([1], dtype=np.int64))
    assert market.statistics[[0, 2]].tobytes() == others
    market.check()


def test_recomputing_gives_the_same_bits_metric_by_metric_as_minute_by_minute():
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
        statistics = metric_stats.empty(market.statistics["id"])
        recomputation.recompute(statistics, rows, history, market.minute, WINDOWS)
        found.append(statistics.tobytes())
        blocks.append(extremes.by_block(history, rows, extremes.DAILY, market.minute).tobytes())
    assert by_row.times.tolist() != by_time.times.tolist()
    assert found[0] == found[1]
    assert blocks[0] == blocks[1]


def test_recomputing_without_samples_clears_the_window_but_keeps_the_last_price_and_its_changes():
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


def test_recomputation_reads_samples_from_a_little_before_the_longest_window():
    assert Windows(main=HOUR, rule=60).longest == DAY + HOUR
    assert Windows(main=HOUR, rule=2 * DAY).longest == 2 * DAY + HOUR
    assert Windows(main=3 * DAY, rule=60).longest == 3 * DAY + HOUR
