"""The cache of recent samples always equals the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest

from services.market.stats.metric_stats import Windows, empty
from services.market.types import Series
from services.store.database.engine import Engine, reading, writing
from services.store.history import prices, recent_cache, samples
from services.store.history.prices import PRICE
from services.store.history.recent_cache import BLOCK_METRICS, RecentSamplesCache
from services.store.ranking import snapshots, ticks
from tests import builders
from tests.builders import NOON

T = int(NOON.timestamp())
SPAN = 3_600
METRICS = (1, 3, BLOCK_METRICS - 1, BLOCK_METRICS, 2 * BLOCK_METRICS - 1, 2 * BLOCK_METRICS, 2 * BLOCK_METRICS + 1)


@dataclass
class Harness:
    """Commits to a database that a recent cache reads from."""

    engine: Engine
    minute: int = T
    recent: RecentSamplesCache = field(default_factory=lambda: RecentSamplesCache(PRICE, SPAN))

    def tick(self, values: Mapping[int, float] | None = None, minutes: int = 1) -> None:
        """Store a tick with `values`, or with one price for each metric."""
        self.minute += 60 * minutes
        by_metric = {metric: metric + self.minute / 7 for metric in METRICS} if values is None else values
        with writing(self.engine) as connection:
            snapshots.raise_revision(connection)
            prices.store(connection, self.minute, np.array(list(by_metric)), np.array(list(by_metric.values())), 60)
            nothing = empty(np.empty(0, dtype=np.int64))
            snapshots.save(connection, self.minute, Windows(SPAN, SPAN), nothing)
            ticks.record(connection, builders.tick_state(minute=datetime.fromtimestamp(self.minute, UTC)))

    def fill_in(self, metric: int, second: int, price: float, width: int) -> None:
        """Store one earlier price, as a backfill does."""
        with writing(self.engine) as connection:
            snapshots.raise_revision(connection)
            prices.store_history(connection, metric, *(np.array([one]) for one in (second, price, width)))

    def delete_silently(self, metric: int, second: int) -> None:
        """Delete a price without a new revision, so that only a database read notices it."""
        with writing(self.engine) as connection:
            samples.remove(connection, PRICE, metric, np.array([second]))

    def cached(self, metric: int, since: int | None = None, until: int | None = None) -> Series:
        first = self.minute - SPAN if since is None else since
        with reading(self.engine) as connection:
            return self.recent.series(connection, metric, first, self.minute if until is None else until)

    def check(self, since: int | None = None, until: int | None = None) -> None:
        """Check that the cached samples of each metric equal those of the database."""
        for metric in METRICS:
            cached = self.cached(metric, since, until)
            first = self.minute - SPAN if since is None else since
            with reading(self.engine) as connection:
                stored = samples.series(connection, PRICE, metric, first, self.minute if until is None else until)
            for name in ("times", "values", "widths"):
                found, wanted = getattr(cached, name), getattr(stored, name)
                assert (found.dtype, found.tolist()) == (wanted.dtype, wanted.tolist()), (metric, name)


@pytest.fixture
def harness(engine: Engine) -> Harness:
    harness = Harness(engine)
    for _ in range(3):
        harness.tick()
    return harness


def test_a_repeated_request_does_not_read_the_database(harness: Harness) -> None:
    before = harness.cached(1)
    harness.delete_silently(1, T + 60)

    assert harness.cached(1).times.tolist() == before.times.tolist() == [T + 60, T + 120, T + 180]
    harness.tick()
    assert harness.cached(1).times.tolist() == [T + 60, T + 120, T + 180, T + 240]


def test_a_request_for_the_cached_revision_does_not_read_the_database(harness: Harness) -> None:
    cached = harness.cached(1)
    with reading(harness.engine) as connection:
        revision = snapshots.revision(connection)
    known = harness.recent.known(revision, 1, harness.minute - SPAN, harness.minute)
    assert known is not None
    assert known.values.tolist() == cached.values.tolist() != []
    # Not cached yet.
    assert harness.recent.known(revision, 2 * BLOCK_METRICS, harness.minute - SPAN, harness.minute) is None
    # Older than the cache reaches.
    assert harness.recent.known(revision, 1, harness.minute - SPAN - 1, harness.minute) is None
    for other in (revision - 1, revision + 1):  # rolled back, or not seen yet
        assert harness.recent.known(other, 1, harness.minute - SPAN, harness.minute) is None


def test_neighbouring_metrics_are_read_in_the_same_block(harness: Harness) -> None:
    harness.cached(2 * BLOCK_METRICS)
    harness.delete_silently(2 * BLOCK_METRICS + 1, T + 60)
    harness.delete_silently(2 * BLOCK_METRICS - 1, T + 60)

    assert len(harness.cached(2 * BLOCK_METRICS + 1).times) == 3
    assert len(harness.cached(2 * BLOCK_METRICS - 1).times) == 2


def test_each_tick_adds_its_prices_to_the_cache(harness: Harness) -> None:
    harness.check()
    harness.tick()
    harness.check()
    harness.tick({1: 5.0, 2 * BLOCK_METRICS: 6.0}, minutes=4)
    harness.tick({}, minutes=2)
    harness.tick({3: 7.0})
    harness.check()
    harness.check(since=harness.minute - 240, until=harness.minute - 60)
    harness.check(until=harness.minute + 600)


def test_a_returned_series_is_not_changed_by_later_ticks(harness: Harness) -> None:
    before = harness.cached(1)
    copy = before.times.tolist(), before.values.tolist()
    for _ in range(5):
        harness.tick()
        harness.cached(1)

    assert (before.times.tolist(), before.values.tolist()) == copy


def test_a_backfilled_history_is_read_again(harness: Harness) -> None:
    harness.check()
    harness.fill_in(1, T, 1.5, 300)
    harness.check()
    harness.fill_in(1, T - 300, 2.5, 300)
    harness.tick()
    harness.check()
    assert harness.cached(1).widths.tolist() == [300, 300, 60, 60, 60, 60]


def test_samples_after_the_last_tick_are_read_once(harness: Harness) -> None:
    harness.check()
    harness.fill_in(1, harness.minute + 60, 9.0, 60)
    assert harness.cached(1, until=harness.minute + 60).values.tolist()[-1] == 9.0
    harness.check(until=harness.minute + 60)
    harness.tick()
    harness.check()
    assert harness.cached(1).values.tolist()[-1] == 9.0


def test_days_of_ticks_fit_into_the_cache(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_cache, "SPARE_SAMPLES", 4)
    for _ in range(80):
        harness.tick()
        harness.cached(1)
    harness.check()
    sizes = [block.size for block in harness.recent._blocks.values()]
    assert max(sizes) <= (SPAN // 60 + 4 + 1) * (8 + 12 * BLOCK_METRICS)


def test_the_least_recently_used_block_is_evicted(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_cache, "MAX_BYTES", 1)
    harness.check()
    assert len(harness.recent._blocks) == 1


def test_a_transaction_with_an_older_snapshot_reads_that_state(harness: Harness) -> None:
    with reading(harness.engine) as older:
        snapshots.version(older)  # the first read fixes this transaction's snapshot
        harness.tick()
        assert len(harness.cached(1).times) == 4
        assert len(harness.recent.series(older, 1, T, harness.minute).times) == 3
    harness.check()


def test_samples_older_than_the_cache_are_read_from_the_database(harness: Harness) -> None:
    harness.fill_in(1, T - 2 * SPAN, 1.0, 60)
    harness.check(since=T - 3 * SPAN)


def test_before_the_first_tick_samples_are_read_from_the_database(engine: Engine) -> None:
    harness = Harness(engine)
    harness.fill_in(1, T - 60, 1.0, 60)
    harness.check()
