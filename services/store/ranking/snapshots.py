"""The snapshot: the statistics of all tracked metrics as the last commit left them, and its revision."""

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

    It is not `complete` where a version of the program left it whose statistics had other fields: those that it had
    are given, and the next tick cannot continue from them.
    """

    revision: int
    minute: int | None
    windows: Windows
    statistics: MetricStats
    complete: bool = True


class SnapshotVersion(NamedTuple):
    """Which state of the whole one transaction sees: its revision, and the minute of its last tick."""

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
    """Change what readers see: the new revision, which becomes theirs with the commit."""
    return connection.execute(_RAISE_REVISION).scalar_one()


def revision(connection: Connection) -> int:
    """The last commit's revision."""
    return connection.execute(_REVISION).scalar_one()


def version(connection: Connection) -> SnapshotVersion:
    """What the last commit left, in short."""
    return SnapshotVersion(*connection.execute(_VERSION).one())


def window_seconds(connection: Connection) -> int:
    """The window of the standard deviation as of the last tick; 0 before the first."""
    return connection.execute(select(SnapshotRow.window_seconds)).scalar_one()


def load(connection: Connection) -> Snapshot:
    """What the last commit left."""
    row = connection.execute(_SNAPSHOT).one()
    content = connection.execute(_STATISTICS).scalar_one()
    found = _read(content) if content else empty(np.empty(0, dtype=np.int64))
    complete = found.dtype == METRIC_STATS
    statistics = found if complete else _adopted(found)
    return Snapshot(row.revision, row.minute, Windows(row.window_seconds, row.rule_seconds), statistics, complete)


def _read(content: bytes) -> MetricStats:
    """The array of an .npy file, read-only, where it lies: numpy's own reading copies it, and compiles its head."""
    version = 10 + int.from_bytes(content[8:10], "little")
    return np.frombuffer(content, _dtype_of(content[:version]), offset=version)


@lru_cache(maxsize=2)
def _dtype_of(version: bytes) -> np.dtype[np.void]:
    """What the head of an .npy file (format 1.0) says of the rows that follow; the same at every tick."""
    file = io.BytesIO(version)
    npy.read_magic(file)
    _shape, _fortran, dtype = npy.read_array_header_1_0(file)
    return dtype


def _adopted(former: MetricStats) -> MetricStats:
    """The fields that another version had under the same name and as the same kind of number."""
    statistics = empty(former["id"])
    for name in set(METRIC_STATS.names or ()) & set(former.dtype.names or ()):
        if former.dtype[name] == METRIC_STATS[name]:
            statistics[name] = former[name]
    return statistics


def save(connection: Connection, minute: int | None, windows: Windows, statistics: MetricStats) -> None:
    """Replace it; the revision is `raise_revision`'s to change."""
    file = io.BytesIO()
    np.save(file, statistics, allow_pickle=False)
    connection.execute(
        _SAVE_SNAPSHOT, {"at_minute": minute, "main_seconds": windows.main, "built_in_seconds": windows.rule}
    )
    connection.execute(_SAVE_STATISTICS, {"content": file.getvalue()})
