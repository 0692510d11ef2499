"""The alternatives: a database that computes every standard deviation anew in each period.

A rival's tick stores one minute of prices and queries all metrics' 24 h standard deviation and last
hour's average, largest deviation first. It stores neither volumes nor its result.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from sqlalchemy import text

from benchmarks.databases import MINUTES_A_COMMIT, PERIOD, Dataset
from services.market.times import DAY, HOUR
from services.market.types import Floats
from services.store.database.engine import writing
from services.store.history.prices import store

try:
    import duckdb
except ImportError:  # only a development requirement
    duckdb = None  # type: ignore[assignment, unused-ignore]


class Rival(Protocol):
    """A way to rank without stored statistics."""

    @property
    def name(self) -> str: ...

    def tick(self, minute: int, prices: Floats) -> int:
        """Store `prices` (shape (metrics,)) of epoch second `minute` and rank. Returns the number of ranked metrics."""


class AggregateSql:
    """SQLite, with the variance from the averages of price and squared price, over the table `table`."""

    def __init__(self, name: str, connection: sqlite3.Connection, table: str, dataset: Dataset) -> None:
        self.name = name
        self._connection = connection
        self._insert = f"INSERT INTO {table} (metric_id, minute, price, width) VALUES (?, ?, ?, ?)"
        self._select = f"""
            SELECT d.metric_id, d.variance, h.average
            FROM (SELECT metric_id, avg(price * price) - avg(price) * avg(price) AS variance FROM {table}
                  WHERE minute > :day AND minute <= :now GROUP BY metric_id) d
            JOIN (SELECT metric_id, avg(price) AS average FROM {table}
                  WHERE minute >= :hour AND minute < :now GROUP BY metric_id) h USING (metric_id)
            ORDER BY d.variance DESC"""
        self._ids = dataset.ids.tolist()

    def tick(self, minute: int, prices: Floats) -> int:
        rows = [(number, minute, price, 60) for number, price in zip(self._ids, prices.tolist(), strict=True)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(self._insert, rows)
        found = self._connection.execute(self._select, {"day": minute - DAY, "hour": minute - HOUR, "now": minute})
        ranked = len(found.fetchall())
        self._connection.execute("COMMIT")
        return ranked


class StddevPop:
    """PostgreSQL's own function on the program's table. It reads the whole day, whatever the table's key."""

    name = "stddev_pop ... GROUP BY"

    def __init__(self, dataset: Dataset) -> None:
        self._engine = dataset.engine
        self._ids = dataset.ids

    def tick(self, minute: int, prices: Floats) -> int:
        with writing(self._engine) as connection:
            store(connection, minute, self._ids, prices, PERIOD)
            found = connection.execute(
                text(
                    """SELECT metric_id, stddev_pop(price) AS stdev,
                              avg(price) FILTER (WHERE minute >= :hour AND minute < :now) AS average
                       FROM price WHERE minute > :day AND minute <= :now GROUP BY metric_id ORDER BY stdev DESC"""
                ),
                {"day": minute - DAY, "hour": minute - HOUR, "now": minute},
            )
            return len(found.all())


class DuckDb:
    """DuckDB with a file of its own and without a key, which is the fastest for its column store."""

    name = "DuckDB"

    def __init__(self, path: Path, dataset: Dataset) -> None:
        self._connection = duckdb.connect(str(path))
        self._ids = dataset.ids
        self._connection.execute("CREATE TABLE price (minute BIGINT, metric_id INTEGER, price DOUBLE)")
        for start in range(0, len(dataset.times), MINUTES_A_COMMIT):
            part = slice(start, start + MINUTES_A_COMMIT)
            self._store(np.repeat(dataset.times[part], len(dataset.ids)), dataset.prices[part])

    def tick(self, minute: int, prices: Floats) -> int:
        self._connection.execute("BEGIN")
        self._store(np.full(len(self._ids), minute), prices)
        found = self._connection.execute(
            """SELECT metric_id, stddev_pop(price) AS stdev, avg(price) FILTER (minute >= $hour AND minute < $now)
               FROM price WHERE minute > $day AND minute <= $now GROUP BY metric_id ORDER BY stdev DESC""",
            {"day": minute - DAY, "hour": minute - HOUR, "now": minute},
        ).fetchnumpy()
        self._connection.execute("COMMIT")
        return len(found["metric_id"])

    def read(self, metric_id: int, since: int, until: int) -> int:
        """Read one metric's prices of (`since`, `until`]. Returns their number."""
        found = self._connection.execute(
            """SELECT minute, price FROM price WHERE metric_id = $id AND minute > $since AND minute <= $until
               ORDER BY minute""",
            {"id": metric_id, "since": since, "until": until},
        ).fetchnumpy()
        return len(found["minute"])

    def close(self) -> None:
        self._connection.close()

    def _store(self, minutes: np.ndarray[tuple[int], np.dtype[np.int64]], prices: Floats) -> None:
        ids = np.tile(self._ids, len(minutes) // len(self._ids))
        rows = pd.DataFrame({"minute": minutes, "metric_id": ids, "price": prices.ravel()})
        self._connection.register("arrived", rows)
        self._connection.execute("INSERT INTO price SELECT * FROM arrived")
        self._connection.unregister("arrived")


@contextmanager
def rivals(dataset: Dataset) -> Iterator[tuple[Rival, ...]]:
    """All rivals, filled with the rows of `dataset`.

    On PostgreSQL its own function; on SQLite both orders of the key, and DuckDB if it is installed.
    """
    if dataset.engine.dialect.name == "postgresql":
        yield (StddevPop(dataset),)
        return
    path = Path(dataset.engine.url.database or "")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -32000")
        connection.execute(
            """CREATE TABLE price_by_metric (metric_id INTEGER, minute INTEGER, price REAL, width INTEGER,
                                             PRIMARY KEY (metric_id, minute)) WITHOUT ROWID"""
        )
        connection.execute(
            """INSERT INTO price_by_metric
               SELECT metric_id, minute, price, width FROM price ORDER BY metric_id, minute"""
        )
        found: list[Rival] = [
            AggregateSql("aggregate SQL", connection, "price", dataset),
            AggregateSql("aggregate SQL, keyed by metric", connection, "price_by_metric", dataset),
        ]
        if duckdb is None:
            yield tuple(found)
            return
        with closing(DuckDb(path.with_suffix(".duckdb"), dataset)) as column_store:
            yield (*found, column_store)
