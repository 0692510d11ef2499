"""The ranks of the last ticks, one row per tick."""

import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from services.market.types import Ints
from services.store.database.models import RankHistoryRow

THINNING = 60
"""Seconds: with a shorter period, one tick a minute is stored."""

MAX_ROWS = 180
"""Three hours of minutes: one hour back, the longest lookback before that, and one hour more for when the clock is
corrected. Rows are deleted by number and not by age, because to a clock that is ahead those of an hour ago look old."""

_RANK = np.dtype("<i4")


_INSERT = insert(RankHistoryRow)
_OLDEST_TO_DELETE = (
    select(RankHistoryRow.minute).order_by(RankHistoryRow.minute.desc()).offset(bindparam("rows")).limit(1)
)
_DELETE_OLDEST = delete(RankHistoryRow).where(RankHistoryRow.minute <= _OLDEST_TO_DELETE.scalar_subquery())
_NEWEST_RANKS = select(RankHistoryRow.ranks).where(
    RankHistoryRow.minute
    == select(func.max(RankHistoryRow.minute))
    .where(RankHistoryRow.minute <= bindparam("until"), RankHistoryRow.minute > bindparam("since"))
    .scalar_subquery()
)


def record(connection: Connection, minute: int, period_seconds: int, metric_ids: Ints, ranks: Ints) -> None:
    """Store the ranks of the tick of `minute`, 0 for unranked, and delete the oldest rows beyond MAX_ROWS."""
    if minute % THINNING >= period_seconds:
        return
    by_number = np.zeros(metric_ids.max(initial=0) + 1, dtype=_RANK)
    by_number[metric_ids] = ranks
    connection.execute(_INSERT, {"minute": minute, "ranks": by_number.tobytes()})
    connection.execute(_DELETE_OLDEST, {"rows": MAX_ROWS})


def at(connection: Connection, minute: int, lookback: int, metric_ids: Ints) -> Ints:
    """The ranks of the tick of `minute`, or of the last one in the `lookback` seconds before it; 0 for unknown and
    unranked."""
    data = connection.execute(_NEWEST_RANKS, {"until": minute, "since": minute - lookback}).scalar()
    found = np.zeros(len(metric_ids), dtype=np.int64)
    if data is not None:
        by_number = np.frombuffer(data, _RANK)
        known = metric_ids < len(by_number)
        found[known] = by_number[metric_ids[known]]
    return found
