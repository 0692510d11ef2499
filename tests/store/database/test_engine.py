import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy.pool import QueuePool

from app import WEB_THREADS
from services.jobs import JOBS
from services.market.errors import StoreUnavailable
from services.store.database import engine as engines
from services.store.database.engine import (
    POOL_SIZE,
    READER_CACHE_KB,
    WRITER_CACHE_KB,
    BadDatabaseUrl,
    Connection,
    Engine,
    database_url,
    open_engine,
    reading,
    writing,
)
from services.store.database.postgresql import NETWORK
from services.store.database.schema import WrongDatabase, migrate
from services.store.database.sqlite_file import create_file
from services.store.ranking import snapshots


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_postgresql_scheme_selects_the_installed_driver(scheme: str) -> None:
    url = database_url(f"{scheme}://user:secret@host:5432/name")

    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.host, url.port, url.database) == ("user", "host", 5432, "name")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no url", "not a URL"),
        ("mysql://me:secret@host/db", "mysql is neither"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_an_unusable_url_is_refused_without_showing_its_secrets(text: str, complaint: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=complaint) as caught:
        open_engine(text)

    assert "DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_folder_of_the_file_is_created(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new/folder/tracker.db")
    migrate(engine, simulated=False)
    engine.dispose()

    assert (tmp_path / "new/folder/tracker.db").exists()


def test_a_folder_that_cannot_be_created_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnavailable, match="cannot make the folder"):
        open_engine(f"sqlite:///{tmp_path}/file/tracker.db")


def test_a_second_migration_changes_nothing(store_url: str) -> None:
    engine = open_engine(store_url)
    migrate(engine, simulated=True)
    with writing(engine) as connection:
        assert snapshots.raise_revision(connection) == 1

    migrate(engine, simulated=True)

    with reading(engine) as connection:
        assert snapshots.revision(connection) == 1
    engine.dispose()


@pytest.mark.parametrize("first", [True, False])
def test_real_and_simulated_prices_never_share_a_database(store_url: str, first: bool) -> None:
    engine = open_engine(store_url)
    migrate(engine, simulated=first)

    with pytest.raises(WrongDatabase, match="DATABASE_URL: this database holds"):
        migrate(engine, simulated=not first)
    engine.dispose()


def test_a_locked_database_raises_store_unavailable(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0)
    engine = open_engine(sqlite_url)
    migrate(engine, simulated=False)
    other = sqlite3.connect(tmp_path / "tracker.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="locked"), writing(engine):
        pass
    with reading(engine) as connection:
        assert snapshots.revision(connection) == 0

    other.execute("ROLLBACK")
    other.close()
    with writing(engine) as connection:
        assert snapshots.raise_revision(connection) == 1
    engine.dispose()


def test_a_server_that_is_down_raises_store_unavailable() -> None:
    engine = open_engine("postgres://nobody@127.0.0.1:1/none?connect_timeout=2")

    with pytest.raises(StoreUnavailable), reading(engine):
        pass
    engine.dispose()


def test_a_server_that_accepts_a_connection_and_hangs_raises_store_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORK, "connect_timeout", 2)  # the driver's minimum
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        engine = open_engine(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/tracker")
        with pytest.raises(StoreUnavailable, match="timeout"), reading(engine):
            pytest.fail("connected all the same")


def test_a_full_disk_stores_nothing_and_recovers(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    migrate(engine, simulated=False)
    with writing(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    with engine.connect() as connection:  # the only connection of the pool, so the writer gets it again
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreUnavailable, match="full"):
        _fill(engine)

    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    with writing(engine) as connection:
        assert snapshots.raise_revision(connection) == 1
    engine.dispose()


def test_readers_and_ticks_never_wait_for_each_others_connections(engine: Engine) -> None:
    clock_threads, exchanges = len(JOBS) + 1, 20
    readers = WEB_THREADS + clock_threads + exchanges - 1
    all_inside = Barrier(readers + 1)

    def read(_number: int) -> int:
        with reading(engine) as connection:
            revision = snapshots.revision(connection)
            all_inside.wait(20)
            return revision

    with ThreadPoolExecutor(readers) as threads:
        found = threads.map(read, range(readers))
        with writing(engine) as connection:  # the tick's connection
            snapshots.raise_revision(connection)
            all_inside.wait(20)
        assert set(found) == {0}
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedin() == POOL_SIZE == WEB_THREADS


def _fill(engine: Engine) -> None:
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        connection.exec_driver_sql("CREATE TABLE filler AS SELECT randomblob(100000) AS content")


def test_only_writers_get_a_large_page_cache(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    create_file(engine)

    def cache_size(connection: Connection) -> int:
        return abs(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())

    with reading(engine) as connection:
        assert cache_size(connection) == READER_CACHE_KB
    with writing(engine) as connection:
        assert cache_size(connection) == WRITER_CACHE_KB
    engine.dispose()
