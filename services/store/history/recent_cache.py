"""The last day's samples of requested metrics, cached in the process.

A metric's recent samples are one row in each of some thousand minutes, on as many pages: reading them takes longer than
the rest of a response. Neighbouring rows cost little more, so several metrics are read at once. After that, the samples
of each tick are added.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from services.market.types import Floats, Ints, Series
from services.store.history import samples
from services.store.history.bulk_rows import Quantity, SampleColumns
from services.store.ranking import snapshots, ticks
from services.store.ranking.snapshots import SnapshotVersion

BLOCK_METRICS = 16
"""Metrics with neighbouring ids that are read at once: it takes four times as long as one of them."""

MAX_BYTES = 24_000_000
"""Of all blocks of a quantity together: a day by the minute of 1,000 metrics."""

SPARE_SAMPLES = 240
"""Samples that a block has room for beyond those of the span."""


@dataclass(slots=True)
class _Block:
    """The samples of BLOCK_METRICS metrics from id `first` on, in the first `count` columns of arrays with room for
    more. Those columns never change, so a reader may keep a view of them."""

    first: int
    count: int
    times: Ints
    values: Floats  # shape (BLOCK_METRICS, room), NaN for none
    widths: npt.NDArray[np.int32]

    def add(self, found: SampleColumns, since: int) -> None:
        """Add samples later than all others; those up to `since` are removed if there is no room."""
        selected = (found.metric_ids >= self.first) & (found.metric_ids < self.first + BLOCK_METRICS)
        times, places = np.unique(found.times[selected], return_inverse=True)
        if self.count + len(times) > len(self.times):
            self._make_room(since, len(times))
        new = slice(self.count, self.count + len(times))
        self.times[new] = times
        self.values[:, new] = np.nan
        rows = found.metric_ids[selected] - self.first
        self.values[rows, self.count + places] = found.values[selected]
        self.widths[rows, self.count + places] = found.widths[selected]
        self.count += len(times)

    def _make_room(self, since: int, more: int) -> None:
        old = slice(int(np.searchsorted(self.times[: self.count], since, side="right")), self.count)
        self.count -= old.start
        room = self.count + more + SPARE_SAMPLES
        for name in ("times", "values", "widths"):
            column = getattr(self, name)
            roomy = np.zeros((*column.shape[:-1], room), dtype=column.dtype)
            roomy[..., : self.count] = column[..., old]
            setattr(self, name, roomy)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.times.nbytes + self.values.nbytes + self.widths.nbytes

    def series(self, metric_id: int, since: int, until: int) -> Series:
        times = self.times[: self.count]
        inside = slice(*np.searchsorted(times, (since, until), side="right").tolist())
        row = metric_id - self.first
        values = self.values[row, inside]
        known = ~np.isnan(values)
        if known.all():
            return Series(times[inside], values, self.widths[row, inside].astype(np.int64))
        return Series(times[inside][known], values[known], self.widths[row, inside][known].astype(np.int64))


@dataclass(slots=True)
class RecentSamplesCache:
    """One quantity's samples of the last `span` seconds before the last tick. Thread-safe."""

    quantity: Quantity
    span: int
    _version: SnapshotVersion = field(default_factory=lambda: SnapshotVersion(-1, None))
    _blocks: OrderedDict[int, _Block] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def series(self, connection: Connection, metric_id: int, since: int, until: int) -> Series:
        """One metric's samples with `since` < time <= `until`, oldest first, as `samples.series` finds them."""
        version = snapshots.version(connection)
        if version.minute is not None and version.minute - self.span <= since:
            with self._lock:
                block = self._block(connection, version, version.minute, metric_id // BLOCK_METRICS)
                if block is not None:
                    return block.series(metric_id, since, until)
        return samples.series(connection, self.quantity, metric_id, since, until)

    def known(self, revision: int, metric_id: int, since: int, until: int) -> Series | None:
        """The same if it is cached as of exactly `revision`, otherwise None. A cache of a later revision is not used:
        its history may have been undone by a restored backup."""
        with self._lock:
            minute, number = self._version.minute, metric_id // BLOCK_METRICS
            if self._version.revision != revision or minute is None or minute - self.span > since:
                return None
            block = self._blocks.get(number)
            if block is None:
                return None
            self._blocks.move_to_end(number)
            return block.series(metric_id, since, until)

    def _block(self, connection: Connection, version: SnapshotVersion, minute: int, number: int) -> _Block | None:
        """The block as of `version`; None if this transaction sees an older state than another one has seen, or if
        there are samples after the last tick, as a backfill stores before the first one."""
        if version.revision < self._version.revision:
            return None
        if version.revision > self._version.revision:
            self._follow(connection, version, minute)
        found = self._blocks.get(number)
        if found is None:
            if samples.newest(connection, self.quantity) > minute:
                return None
            found = self._blocks[number] = self._read(connection, minute, number)
            while len(self._blocks) > 1 and sum(block.size for block in self._blocks.values()) > MAX_BYTES:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return found

    def _follow(self, connection: Connection, version: SnapshotVersion, minute: int) -> None:
        """Update the cache to `version`. If only ticks were committed since, each of which raises the revision by one,
        their samples are added. Any other commit may have changed the history, so it clears the cache."""
        before = self._version.minute
        raised = version.revision - self._version.revision
        if self._blocks and before is not None and raised == ticks.count(connection, before, minute):
            found = samples.read_all(connection, self.quantity, before, minute)
            for block in self._blocks.values():
                block.add(found, minute - self.span)
        else:
            self._blocks.clear()
        self._version = version

    def _read(self, connection: Connection, minute: int, number: int) -> _Block:
        first = number * BLOCK_METRICS
        found = samples.read_range(
            connection, self.quantity, first, first + BLOCK_METRICS - 1, minute - self.span, minute
        )
        nothing = np.empty((BLOCK_METRICS, 0))
        block = _Block(first, 0, np.empty(0, dtype=np.int64), nothing, nothing.astype(np.int32))
        block.add(found, 0)
        return block
