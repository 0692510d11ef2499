"""Rank: advance every metric's statistics to the new period, and order the metrics by them."""

from collections.abc import Iterator

import numpy as np

from services.market.stats import measures, metric_stats, recomputation, sums
from services.market.stats.advance import Movements, advance
from services.market.stats.metric_stats import MetricStats, Windows
from services.market.stats.samples import Samples
from services.market.times import DAY, HOUR
from services.market.types import Catalogue, Ints
from services.market.window_sums import ROLLING
from services.pipeline import update_extremes
from services.pipeline.tick_context import TickContext
from services.store.alerting import running_sums_recomputation
from services.store.database.engine import Connection
from services.store.history import prices
from services.store.ranking import rank_history, snapshots

BATCH = 500
"""Metrics recomputed at a time: limits memory to some tens of megabytes."""


def rank(context: TickContext, windows: Windows) -> MetricStats:
    """The ranked statistics as of this tick, whose prices are stored already.

    They advance from the snapshot at a cost that does not depend on the window. Recomputed from stored prices are:
    metrics that have come (back) into the catalogue; all metrics where the snapshot cannot be advanced; and the sums of
    metrics that have drifted, and of each metric in turn, once a window or day.
    """
    connection, minute, period_seconds = context.connection, context.minute, context.period_seconds
    snapshot, arrivals, catalogue = context.before, context.arrivals, context.catalogue
    statistics, came = metric_stats.align(snapshot.statistics, catalogue.ids)
    new = came
    if snapshot.minute is None or snapshot.windows != windows or not snapshot.complete:
        statistics, new = statistics.copy(), np.arange(len(statistics), dtype=np.int64)
    else:
        statistics = _advance(context, snapshot.minute, statistics, windows)
        turn = _turn(len(statistics), minute, windows, period_seconds)
        inexact = np.setdiff1d(np.concatenate([sums.drifted(statistics), turn]), new)
        for rows, history in _histories(connection, statistics, inexact, minute, windows):
            recomputation.recompute(statistics, rows, history, minute, windows)
    metric_stats.set_volumes(statistics, arrivals.places, arrivals.volumes)
    statistics["absent"][arrivals.places] = 0
    statistics["absent"][arrivals.missing] += 1
    recompute(connection, statistics, new, minute, windows)
    if snapshot.minute is not None and snapshot.windows.main != windows.main:
        running_sums_recomputation.request(connection, ROLLING, snapshot.minute, None)
    back = came[(statistics["edge_1h_at"][came] > 0) | (statistics["hour_samples"][came] > 1)]
    if snapshot.minute is not None and len(back):  # their stored samples are not in the running sums
        previous = snapshot.minute
        running_sums_recomputation.request_after_backfill(
            connection, statistics["id"][back], previous, previous, period_seconds, windows.main
        )
    measures.rank(statistics, catalogue.active)
    statistics["rank_1h_ago"] = rank_history.at(
        connection, minute - HOUR, metric_stats.lookback(period_seconds), statistics["id"]
    )
    rank_history.record(connection, minute, period_seconds, statistics["id"], statistics["rank"])
    return statistics


def rank_again(connection: Connection, catalogue: Catalogue) -> None:
    """Rank the metrics of the last tick again after a change of the catalogue: metrics that were removed or have become
    inactive lose their rank at once."""
    snapshot = snapshots.load(connection)
    if not snapshot.complete:
        return  # the first tick computes and ranks everything
    statistics = snapshot.statistics[np.isin(snapshot.statistics["id"], catalogue.ids)]
    measures.rank(statistics, np.isin(statistics["id"], catalogue.ids[catalogue.active]))
    snapshots.save(connection, snapshot.minute, snapshot.windows, statistics)


def recompute(connection: Connection, statistics: MetricStats, rows: Ints, minute: int, windows: Windows) -> None:
    """Recompute these rows of `statistics`, in place, from all their stored prices."""
    for batch, history in _histories(connection, statistics, rows, minute, windows):
        recomputation.recompute(statistics, batch, history, minute, windows)
        update_extremes.recompute(connection, statistics, batch, history, minute)


def _histories(
    connection: Connection, statistics: MetricStats, rows: Ints, minute: int, windows: Windows
) -> Iterator[tuple[Ints, Samples]]:
    """Batches of `rows`, each with all samples that its exact computation needs."""
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        history = _joined(list(prices.read_history(connection, statistics, batch, minute - windows.longest, minute)))
        far = [
            run.where(np.isin(run.rows, some))
            for some, after, until in recomputation.far_references(statistics, batch, history, minute, windows)
            for run in prices.read_history(connection, statistics, some, after, until)
        ]
        yield batch, _joined([*far, history])


def _advance(context: TickContext, previous: int, statistics: MetricStats, windows: Windows) -> MetricStats:
    """The statistics moved from the tick of `previous` to this one."""
    connection, minute, arrivals = context.connection, context.minute, context.arrivals

    def left_behind(length: int) -> Samples:
        return prices.read_all(connection, statistics, previous - length, minute - length)

    count = len(arrivals.places)
    arrived = Samples(
        arrivals.places,
        np.full(count, minute, dtype=np.int64),
        arrivals.prices,
        np.full(count, context.period_seconds, dtype=np.int64),
    )
    between = prices.read_all(connection, statistics, previous, minute - 1)
    advanced = advance(statistics, previous, minute, Movements(arrived, between, left_behind), windows)
    update_extremes.advance(connection, advanced, previous, minute, _joined([between, arrived]))
    return advanced


def _turn(count: int, minute: int, windows: Windows, period_seconds: int) -> Ints:
    """The rows whose turn it is: neighbours, because these lie together on disk.

    A round takes at least a day, because the exact computation reads a day of each metric, however short the window.
    """
    turns = max(windows.main, DAY) // period_seconds
    turn = minute // period_seconds % turns
    return np.arange(count * turn // turns, count * (turn + 1) // turns, dtype=np.int64)


def _joined(runs: list[Samples]) -> Samples:
    if len(runs) == 1:
        return runs[0]
    # Each run has other metrics, and the order in time matters only within a metric.
    columns = [np.concatenate([getattr(run, name) for run in runs]) for name in ("rows", "times", "prices", "widths")]
    return Samples(*columns)
