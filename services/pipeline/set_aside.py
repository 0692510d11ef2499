"""Set aside: when a clock proves to have been ahead, go on from what was stored before that."""

import numpy as np

from services.market.present import is_ahead, is_believable
from services.market.stats import metric_stats
from services.market.status import SetAside
from services.store import set_aside as stored
from services.store.database.engine import Connection
from services.store.ranking import ticks
from services.store.ranking.snapshots import Snapshot


def is_due(connection: Connection, last: int | None, now: int, period_seconds: int) -> bool:
    """Whether the `last` tick was stored by a clock that was ahead, so that the tick of `now` has to set it aside."""
    if last is None or not is_ahead(last, now, period_seconds):
        return False
    before = ticks.last_minute(connection, now - 1)
    elapsed = 0 if before is None else now - before
    return is_believable(ticks.count(connection, now - 1, last) * period_seconds, elapsed)


def set_aside(connection: Connection, snapshot: Snapshot, now: int, period_seconds: int) -> tuple[Snapshot, SetAside]:
    """Set aside what is stored of epoch second `now` and later, up to the tick that left `snapshot`. Returns the
    snapshot that the tick of `now` starts from, whose statistics must be recomputed, and how much was set aside.

    Called in that tick's commit. What only the statistics hold is carried over: when a metric last had an alert, how
    many answers in a row had no price for it, and its last reported volume.
    """
    assert snapshot.minute is not None  # without a tick there is nothing ahead
    done, shifted_by = stored.set_aside(connection, now, snapshot.minute, period_seconds)
    statistics = metric_stats.empty(snapshot.statistics["id"])
    for name in ("absent", "volume", "told_volume"):
        statistics[name] = snapshot.statistics[name]
    alerted_at = snapshot.statistics["alerted_at"]
    statistics["alerted_at"] = np.where(alerted_at >= now, alerted_at - shifted_by, alerted_at)
    before = ticks.last_minute(connection, now)
    return Snapshot(snapshot.revision, before, snapshot.windows, statistics, complete=False), done
