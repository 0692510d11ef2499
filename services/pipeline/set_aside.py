"""Set aside: when a clock proves to have been ahead, begin anew from what is stored of before."""

import numpy as np

from services.market.present import is_ahead, is_believable
from services.market.stats import metric_stats
from services.market.status import SetAside
from services.store import set_aside as stored
from services.store.database.engine import Connection
from services.store.ranking import ticks
from services.store.ranking.snapshots import Snapshot


def is_due(connection: Connection, last: int | None, now: int, period_seconds: int) -> bool:
    """Whether the tick of `now` has to set something aside: the `last` tick was stored by a clock that was ahead."""
    if last is None or not is_ahead(last, now, period_seconds):
        return False
    before = ticks.last_minute(connection, now - 1)
    gone_by = 0 if before is None else now - before
    return is_believable(ticks.count(connection, now - 1, last) * period_seconds, gone_by)


def set_aside(connection: Connection, snapshot: Snapshot, now: int, period_seconds: int) -> tuple[Snapshot, SetAside]:
    """Set aside what is stored of epoch second `now` and later, up to the tick that left `snapshot`; answers what the
    tick of `now` goes on from, of which everything is to be computed anew, and how much was set aside.

    Called in that tick's commit. What only the statistics know is carried over: when a metric last had an alert, how
    many answers in a row had no price for it, and which volume was told last.
    """
    assert snapshot.minute is not None  # without a tick there is nothing ahead
    done, back = stored.set_aside(connection, now, snapshot.minute, period_seconds)
    statistics = metric_stats.empty(snapshot.statistics["id"])
    for name in ("absent", "volume", "told_volume"):
        statistics[name] = snapshot.statistics[name]
    alerted_at = snapshot.statistics["alerted_at"]
    statistics["alerted_at"] = np.where(alerted_at >= now, alerted_at - back, alerted_at)
    before = ticks.last_minute(connection, now)
    return Snapshot(snapshot.revision, before, snapshot.windows, statistics, complete=False), done
