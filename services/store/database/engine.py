"""Connections and transactions, the same for SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry

from services.market.errors import StoreUnavailable, TrackerError
from services.store.database.postgresql import (
    COMMAND_TIMEOUTS,
    DEFAULT_TIMEOUTS,
    MAINTENANCE_TIMEOUTS,
    Timeouts,
    WatchedConnection,
    watch_server,
)
from services.store.database.sqlite_file import SqliteFile

__all__ = [
    "COMMAND_TIMEOUTS",
    "MAINTENANCE_TIMEOUTS",
    "MAX_INTEGER",
    "WRITERS_LOCK_ID",
    "BadDatabaseUrl",
    "Connection",
    "Engine",
    "Timeouts",
    "database_url",
    "open_engine",
    "open_existing",
    "open_read_only",
    "reading",
    "shown_url",
    "writing",
]

BUSY_SECONDS = 10
"""How long a writer waits for another one before it fails."""

MAX_INTEGER = 2**31 - 1
"""The largest row number: PostgreSQL's largest integer. It refuses even a query for a larger one."""

WRITER_CACHE_KB = 32_000
"""The page cache of a connection that has written: a minute's pages of many metrics. To drop them after each tick would
make the next one, of 10,000 metrics, a tenth longer."""

READER_CACHE_KB = 8_000
"""The page cache of a reader: there are as many as threads, and each fills its own."""

WRITERS_LOCK_ID = 4_717_041
"""The advisory lock that serializes writers on PostgreSQL: any number, the same in every process of this program. It
ends with the transaction, so that it works with poolers, and exists before any table does."""

POOL_SIZE = 8
"""Connections that stay open in a process once it has needed them: one for each of its web threads (app.WEB_THREADS),
for when all of them miss the cache at once."""

_POOL = {"pool_size": POOL_SIZE, "max_overflow": -1}
"""No thread waits for another's connection, the tick's least of all: it opens one more, which is closed after use.

A thread has one at a time, and the number of threads is bounded: the web's, one for each job of the clock, and one for
each exchange that is backfilled. Usually two or three are open, for results are cached and jobs pause.
"""


class BadDatabaseUrl(TrackerError):
    """The database URL cannot be used at all."""


def database_url(text: str) -> URL:
    """The URL with the driver that is installed; Heroku's `postgres://` is one of PostgreSQL's.

    Raises BadDatabaseUrl without repeating the text, which may hold a password.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise BadDatabaseUrl("DATABASE_URL: not a URL of the form dialect://...") from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadDatabaseUrl(f"DATABASE_URL: {url.get_backend_name()} is neither sqlite nor postgresql")
    return url


def shown_url(text: str) -> str:
    """The URL without secrets: the kind of database, its host and its name. Raises BadDatabaseUrl."""
    url = database_url(text)
    return URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database).render_as_string()


def open_engine(text: str) -> Engine:
    """An engine for the database at this URL; connects only when used. Creates the folder of an SQLite file."""
    url = database_url(text)
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise BadDatabaseUrl("DATABASE_URL: SQLite needs a file, several threads share it")
        try:
            Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot make the folder of {url.database}: {error.strerror}") from error
        engine = _open_sqlite(url)
        SqliteFile(Path(url.database).resolve()).watch(engine)
        return engine
    engine = create_engine(url, pool_pre_ping=True, **_POOL)
    watch_server(engine)
    return engine


def open_existing(text: str) -> Engine:
    """`open_engine` for a database that exists: an SQLite file is not created. Raises StoreUnavailable."""
    url = database_url(text)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        raise StoreUnavailable(f"DATABASE_URL: there is no file {url.database}")
    return open_engine(text)


def open_read_only(path: Path) -> Engine:
    """An engine for the SQLite database at `path` that changes nothing in it. Raises StoreUnavailable."""
    if not path.is_file():
        raise StoreUnavailable(f"there is no file {path}")
    return _open_sqlite(URL.create("sqlite", database=path.resolve().as_uri(), query={"mode": "ro", "uri": "true"}))


def _open_sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **_POOL)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late to hold a whole tick together
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    with suppress(sqlite3.OperationalError):  # read-only: reading works, and writing reports the error
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # one flush a tick buys alerts that a power cut does not undo
    cursor.execute(f"PRAGMA cache_size = -{READER_CACHE_KB}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that begins to write fails if the file has changed since, so writers lock it at once.
    if connection.get_execution_options().get("writing", False):
        connection.exec_driver_sql(f"PRAGMA cache_size = -{WRITER_CACHE_KB}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")


@contextmanager
def reading(engine: Engine, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Iterator[Connection]:
    """A transaction that sees one state of the database. Raises StoreUnavailable, also if PostgreSQL does not answer
    within the `timeouts`."""
    with (
        _translated(timeouts),
        engine.connect() as connection,
        _with_timeouts(connection, timeouts),
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            isolation = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
            connection.exec_driver_sql(f"{isolation}; {_limits(timeouts)}")
        yield connection


@contextmanager
def writing(engine: Engine, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Iterator[Connection]:
    """A transaction that is committed whole or not at all, one writer after the other. Raises StoreUnavailable, also if
    PostgreSQL does not answer within the `timeouts`.

    Each waits for the one before it to end before it reads or locks anything. So what it reads stays true until its own
    end, and there are no deadlocks.
    """
    with (
        _translated(timeouts),
        engine.connect().execution_options(writing=True) as connection,
        _with_timeouts(connection, timeouts),
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            lock = f"SELECT pg_advisory_xact_lock({WRITERS_LOCK_ID})"
            connection.exec_driver_sql(f"{_limits(timeouts)}; {lock}")
        yield connection


@contextmanager
def _with_timeouts(connection: Connection, timeouts: Timeouts) -> Iterator[None]:
    driver = connection.connection.driver_connection
    if isinstance(driver, WatchedConnection):
        driver.timeouts = timeouts
    try:
        yield
    finally:
        if isinstance(driver, WatchedConnection):
            driver.timeouts = DEFAULT_TIMEOUTS


def _limits(timeouts: Timeouts) -> str:
    """The statements that set the server's own timeouts, in each transaction: a pooler may use another session for the
    next one."""
    limits = {
        "lock_timeout": _lock_seconds(timeouts),
        "statement_timeout": timeouts.statement_seconds or 0,
        "idle_in_transaction_session_timeout": timeouts.idle_seconds or 0,
    }
    return "; ".join(f"SET LOCAL {name} = {round(seconds * 1000)}" for name, seconds in limits.items())


def _lock_seconds(timeouts: Timeouts) -> float:
    return BUSY_SECONDS if timeouts.lock_seconds is None else timeouts.lock_seconds


@contextmanager
def _translated(timeouts: Timeouts) -> Iterator[None]:
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise  # errors of this program, not of the database
    except (DatabaseError, InterfaceError) as error:
        if isinstance(error.orig, LockNotAvailable):
            text = f"another process is writing, and has been for more than {_lock_seconds(timeouts):g} s"
            raise StoreUnavailable(text) from error
        if isinstance(error.orig, QueryCanceled):
            raise StoreUnavailable("the database took too long over one statement") from error
        raise StoreUnavailable(_first_line(error.orig or error)) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
