"""The snapshot: the statistics of all tracked metrics as of the last commit, and its revision."""

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy
from sqlalchemy import Connection, bindparam, select, update

from services.market.stats.metric_stats import METRIC_STATS, MetricStats, Windows, empty
from services.store.database.models import SnapshotRow, StatisticsRow


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`statistics` is as of `minute` (epoch seconds; None before the first tick), for `windows`; read-only.

    It is not `complete` if another version of the program wrote it, whose statistics had other fields. Then the fields
    that both versions have are given, and the next tick cannot advance from them.
    """

    revision: int
    minute: int | None
    windows: Windows
    statistics: MetricStats
    complete: bool = True


class SnapshotVersion(NamedTuple):
    """The state of the database that a transaction sees: its revision, and the minute of its last tick."""

    revision: int
    minute: int | None


_RAISE_REVISION = update(SnapshotRow).values(revision=SnapshotRow.revision + 1).returning(SnapshotRow.revision)
_REVISION = select(SnapshotRow.revision)
_VERSION = select(SnapshotRow.revision, SnapshotRow.minute)
_SNAPSHOT = select(SnapshotRow.__table__)
_STATISTICS = select(StatisticsRow.array)
_SAVE_SNAPSHOT = update(SnapshotRow).values(
    minute=bindparam("at_minute"), window_seconds=bindparam("main_seconds"), rule_seconds=bindparam("built_in_seconds")
)
_SAVE_STATISTICS = update(StatisticsRow).values(array=bindparam("content"))


def raise_revision(connection: Connection) -> int:
    """Raise the revision, which readers see from the commit on. Returns the new one."""
    return connection.execute(_RAISE_REVISION).scalar_one()


def revision(connection: Connection) -> int:
    """The last commit's revision."""
    return connection.execute(_REVISION).scalar_one()


def version(connection: Connection) -> SnapshotVersion:
    """The revision and the last tick's minute, as of the last commit."""
    return SnapshotVersion(*connection.execute(_VERSION).one())


def window_seconds(connection: Connection) -> int:
    """The window of the standard deviation as of the last tick; 0 before the first."""
    return connection.execute(select(SnapshotRow.window_seconds)).scalar_one()


def load(connection: Connection) -> Snapshot:
    """The snapshot as of the last commit."""
    row = connection.execute(_SNAPSHOT).one()
    content = connection.execute(_STATISTICS).scalar_one()
    found = _read(content) if content else empty(np.empty(0, dtype=np.int64))
    complete = found.dtype == METRIC_STATS
    statistics = found if complete else _with_current_fields(found)
    return Snapshot(row.revision, row.minute, Windows(row.window_seconds, row.rule_seconds), statistics, complete)


def _read(content: bytes) -> MetricStats:
    """The array of an .npy file, as a read-only view; numpy's own reader copies it, and compiles its header."""
    start = 10 + int.from_bytes(content[8:10], "little")
    return np.frombuffer(content, _dtype_of(content[:start]), offset=start)


@lru_cache(maxsize=2)
def _dtype_of(header: bytes) -> np.dtype[np.void]:
    """The row type in the header of an .npy file (format 1.0); the same at every tick."""
    file = io.BytesIO(header)
    npy.read_magic(file)
    _shape, _fortran, dtype = npy.read_array_header_1_0(file)
    return dtype


def _with_current_fields(former: MetricStats) -> MetricStats:
    """The statistics of another version, with the fields that have the same name and type in this one."""
    statistics = empty(former["id"])
    for name in set(METRIC_STATS.names or ()) & set(former.dtype.names or ()):
        if former.dtype[name] == METRIC_STATS[name]:
            statistics[name] = former[name]
    return statistics


def save(connection: Connection, minute: int | None, windows: Windows, statistics: MetricStats) -> None:
    """Replace the snapshot, except for its revision, which `raise_revision` changes."""
    file = io.BytesIO()
    np.save(file, statistics, allow_pickle=False)
    connection.execute(
        _SAVE_SNAPSHOT, {"at_minute": minute, "main_seconds": windows.main, "built_in_seconds": windows.rule}
    )
    connection.execute(_SAVE_STATISTICS, {"content": file.getvalue()})
