"""Update extremes: advance every metric's highs and lows to the new period, and recompute them after a backfill."""

import numpy as np

from services.market import extremes
from services.market.extremes import REACHES, Reach
from services.market.stats.metric_stats import MetricStats
from services.market.stats.samples import Samples
from services.market.types import Ints
from services.store.database.engine import Connection
from services.store.ranking import extremes as blocks


def advance(connection: Connection, statistics: MetricStats, previous: int, minute: int, arrived: Samples) -> None:
    """Add the samples stored since the tick of `previous`, in place; `arrived` reaches up to `minute`."""
    for reach in REACHES:
        running = reach.block_of(previous)
        blocks_of = arrived.times // reach.block
        for block in np.unique(np.append(blocks_of, reach.block_of(minute))).tolist():
            if block != running:
                blocks.store(connection, reach.block, running, statistics["id"], statistics[reach.running])
                statistics[reach.running] = np.nan
                running = block
            extremes.take_in(statistics, reach, arrived.where(blocks_of == block))
        if running != reach.block_of(previous):
            _reload_ended(connection, statistics, reach, minute)


def recompute(connection: Connection, statistics: MetricStats, rows: Ints, history: Samples, minute: int) -> None:
    """Recompute the extremes of `rows` as of `minute`, in place, from all their samples of a day and an hour."""
    for reach in REACHES:
        *ended, running = extremes.by_block(history, rows, reach, minute)
        statistics[reach.running][rows] = running
        statistics[reach.ended][rows] = np.fmax.reduce(ended)
        blocks.revise(connection, reach.block, reach.first_block(minute), statistics["id"][rows], np.stack(ended))


def _reload_ended(connection: Connection, statistics: MetricStats, reach: Reach, minute: int) -> None:
    """Read the extremes of the ended blocks in the window, which now begins with a later block."""
    first = reach.first_block(minute)
    statistics[reach.ended] = blocks.between(
        connection, reach.block, first, reach.block_of(minute) - 1, statistics["id"]
    )
    blocks.forget_before(connection, reach.block, first)
