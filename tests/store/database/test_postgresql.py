"""Time-outs on a PostgreSQL server that hangs: frozen by SIGSTOP, it still accepts connections and data."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import active_count
from threading import enumerate as enumerate_threads

import psutil
import pytest
from sqlalchemy import text

from services.market.errors import StoreUnavailable
from services.store.database import engine as engines
from services.store.database import postgresql
from services.store.database.engine import COMMAND_TIMEOUTS, Engine, open_engine, reading, writing
from services.store.database.postgresql import DEFAULT_TIMEOUTS, NETWORK, PAUSE_SECONDS, WatchedConnection
from services.store.database.schema import migrate
from services.store.ranking import snapshots
from services.store.tokens import MAX_AGE_IN_OUTAGE, USE_THREAD, TokenStore
from tests.builders import NOON
from tests.postgresql_server import PostgreSQL
from tests.processes import frozen
from tests.waiting import wait_for

NOT_FOR_EVER = 60.0
"""Seconds, enough for a busy machine."""


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORK, "connect_timeout", 2)  # the least that there is
    monkeypatch.setattr(postgresql, "ANSWER_SECONDS", 2)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server for this test alone, so that freezing it does not stop other tests."""
    with PostgreSQL() as own:
        yield own


@pytest.fixture
def engine(server: PostgreSQL) -> Iterator[Engine]:
    url = server.create_database()
    engine = open_engine(url)
    migrate(engine, simulated=False)
    yield engine
    engine.dispose()
    server.drop_database(url)


def revision(engine: Engine) -> int:
    with reading(engine) as connection:
        return snapshots.revision(connection)


def raise_revision(engine: Engine) -> int:
    with writing(engine) as connection:
        return snapshots.raise_revision(connection)


def answers(engine: Engine) -> bool:
    try:
        revision(engine)
    except StoreUnavailable:
        return False
    return True


def probes() -> int:
    """The number of threads that check whether the server answers again."""
    return sum(thread.name == "postgresql watch" for thread in enumerate_threads())


def test_queries_to_a_frozen_server_time_out_and_later_ones_fail_at_once(server: PostgreSQL, engine: Engine) -> None:
    visitors = 12
    with ThreadPoolExecutor(visitors) as threads:
        list(threads.map(revision, [engine] * visitors))  # open the pool's connections
        with server.frozen():
            began = time.monotonic()
            for waiting in [threads.submit(revision, engine) for _ in range(visitors)]:
                with pytest.raises(StoreUnavailable, match=r"does not answer|timeout"):
                    waiting.result(NOT_FOR_EVER)
            took = time.monotonic() - began

            began = time.monotonic()
            for _ in range(20):
                with pytest.raises(StoreUnavailable, match="does not answer"):
                    revision(engine)
                with pytest.raises(StoreUnavailable, match="does not answer"):
                    raise_revision(engine)
            assert time.monotonic() - began < took / 2
            assert probes() == 1

    wait_for(lambda: answers(engine), what="the thaw")
    assert raise_revision(engine) == 1
    wait_for(lambda: probes() == 0, what="the end of who asked")


def test_a_commit_that_hangs_times_out_and_can_be_retried(server: PostgreSQL, engine: Engine) -> None:
    def commit() -> None:
        with writing(engine) as connection:
            assert snapshots.raise_revision(connection) == 1
            with server.frozen():
                connection.commit()

    with pytest.raises(StoreUnavailable, match="does not answer"):
        commit()

    wait_for(lambda: answers(engine), what="the thaw")
    found = revision(engine)
    assert found in (0, 1)  # the server may still execute statements that it received before
    assert raise_revision(engine) == found + 1


def test_a_connection_that_times_out_leaves_no_open_socket(server: PostgreSQL) -> None:
    def sockets() -> int:
        found = psutil.Process().net_connections("tcp")
        return sum(bool(one.raddr) and one.raddr.port == server.port for one in found)

    engine, before = open_engine(server.url), sockets()
    gc.disable()  # it would close the socket later and hide the leak
    try:
        with server.frozen(), pytest.raises(StoreUnavailable, match="timeout"):
            revision(engine)
        engine.dispose()  # ends the checks for the server's return
        wait_for(lambda: sockets() == before, what="the end of the socket")
    finally:
        gc.enable()


def test_cached_tokens_are_accepted_and_unknown_ones_wait_for_nothing_while_the_server_hangs(
    server: PostgreSQL, engine: Engine
) -> None:
    tokens = TokenStore(engine, timeout_seconds=0.05)
    secret, _ = tokens.issue("a", "read", NOON)
    wait_for(lambda: tokens.holder(secret, NOON))
    with server.frozen():
        before = active_count()
        began = time.monotonic()
        for second in range(1, 200):
            now = NOON + timedelta(seconds=second)
            assert tokens.holder(secret, now) is not None
            with pytest.raises(StoreUnavailable, match="does not answer"):
                tokens.holder(f"dt_unknown_{second}", now)
        assert time.monotonic() - began < NETWORK["connect_timeout"]
        assert active_count() <= before + 2  # the reader, and the check for the server's return
        with pytest.raises(StoreUnavailable, match="does not answer"):
            tokens.holder(secret, NOON + MAX_AGE_IN_OUTAGE + timedelta(seconds=1))

    def is_unknown() -> bool:
        try:
            return tokens.holder("dt_unknown", NOON + timedelta(hours=1)) is None
        except StoreUnavailable:
            return False

    wait_for(is_unknown, what="the thaw")
    assert tokens.holder(secret, NOON + timedelta(hours=1)) is not None
    wait_for(lambda: all(thread.name != USE_THREAD for thread in enumerate_threads()))


def test_a_slow_statement_is_allowed_while_the_server_answers_others(engine: Engine) -> None:
    unhurried = replace(COMMAND_TIMEOUTS, silent_seconds=0.0)
    with reading(engine, unhurried) as connection:
        # Longer than the time after which the server is checked.
        assert connection.scalar(text("SELECT count(pg_sleep(2.5))")) == 1


def test_a_long_transaction_survives_a_short_freeze_of_the_server(server: PostgreSQL, engine: Engine) -> None:
    with ThreadPoolExecutor(1) as threads, writing(engine, COMMAND_TIMEOUTS) as connection:
        with server.frozen():
            waiting = threads.submit(snapshots.raise_revision, connection)
            wait_for(lambda: not answers(engine), what="errors of the others")
            assert not waiting.done()
        assert waiting.result(NOT_FOR_EVER) == 1

    wait_for(lambda: answers(engine), what="the thaw")
    assert revision(engine) == 1


def test_a_single_session_that_hangs_times_out_although_the_server_answers_others(
    server: PostgreSQL, engine: Engine
) -> None:
    def read() -> None:
        with reading(engine, replace(DEFAULT_TIMEOUTS, statement_seconds=0.5)) as connection:
            own = connection.scalar(text("SELECT pg_backend_pid()"))
            with frozen(next(child for child in server.process.children() if child.pid == own)):
                snapshots.revision(connection)

    with pytest.raises(StoreUnavailable, match="this connection"):
        read()

    assert revision(engine) == 0


def test_the_server_cancels_a_statement_that_takes_too_long(engine: Engine) -> None:
    short = replace(DEFAULT_TIMEOUTS, statement_seconds=0.2)
    with pytest.raises(StoreUnavailable, match="too long over one statement"), reading(engine, short) as connection:
        connection.execute(text("SELECT pg_sleep(30)"))

    with reading(engine) as connection:  # on the same connection
        assert connection.scalar(text("SHOW statement_timeout")) == "1min"
        driver = connection.connection.driver_connection
        assert isinstance(driver, WatchedConnection)
        assert driver.timeouts is DEFAULT_TIMEOUTS


def test_a_writer_that_stalls_in_its_transaction_is_ended_and_the_next_can_write(engine: Engine) -> None:
    def write() -> None:
        with writing(engine, replace(DEFAULT_TIMEOUTS, idle_seconds=0.2)) as stopped:
            snapshots.raise_revision(stopped)
            assert raise_revision(engine) == 1  # it waited until the first writer was ended
            snapshots.raise_revision(stopped)

    with pytest.raises(StoreUnavailable):
        write()

    assert revision(engine) == 1


def test_a_reader_times_out_on_a_table_that_is_being_altered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    with writing(engine) as connection:
        connection.execute(text("ALTER TABLE snapshot ADD COLUMN more integer"))
        with pytest.raises(StoreUnavailable, match="another process is writing"):
            revision(engine)


def test_a_migration_times_out_while_a_writer_holds_its_lock(engine: Engine) -> None:
    with (
        writing(engine),
        pytest.raises(StoreUnavailable, match=r"schema: another process is writing.* more than 0\.2 s"),
    ):
        migrate(engine, simulated=False, lock_seconds=0.2)


def test_time_outs_in_the_url_are_applied(server: PostgreSQL) -> None:
    engine = open_engine(f"{server.url}?keepalives_idle=77&connect_timeout=3")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, WatchedConnection)
        parameters = driver.info.get_parameters()
    engine.dispose()

    assert (parameters["keepalives_idle"], parameters["connect_timeout"]) == ("77", "3")
    assert (parameters["keepalives_count"], parameters["tcp_user_timeout"]) == ("3", "15000")
    assert PAUSE_SECONDS < 1
