"""Upgrades with data in the database, with several processes at once, and after a kill."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import pytest
from alembic import command
from sqlalchemy import MetaData, inspect, make_url, select

from services.market.alerting.states import FIRING, NO_DATA, PENDING
from services.store.alerting import rules, running_sums_recomputation
from services.store.database import leases
from services.store.database.engine import Engine, open_engine, reading, writing
from services.store.database.models import Base, TickRow
from services.store.database.schema import OutdatedDatabase, configuration, is_current, migrate
from services.store.database.sqlite_file import create_file
from services.store.ranking import ticks
from tests import builders
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]

CONTENT: dict[str, list[dict[str, Any]]] = {
    "installation": [{"id": 1, "simulated": False}],
    "snapshot": [{"id": 1, "revision": 7, "catalogue": 2, "minute": 600, "window_seconds": 86_400, "rule_seconds": 60}],
    "statistics": [{"id": 1, "kept": b"\0\xff"}],
    "metric": [
        {"id": 3, "market": "kraken", "base": "BTC", "quote": "USD", "tracked": True, "active": True, "reason": None,
         "added_at": 60},
        {"id": 9, "market": "kraken", "base": "ETH", "quote": "USD", "tracked": True, "active": False,
         "reason": "halted", "added_at": 60},
    ],
    "price": [{"minute": 600, "metric_id": 3, "price": 0.1, "width": 60},
              {"minute": 600, "metric_id": 9, "price": 1e22, "width": 300}],
    "volume": [{"minute": 600, "metric_id": 3, "volume": 1 / 3}],
    "tick": [{"minute": 600, "late_ms": 1.5, "fetch_ms": 2.5, "commit_ms": 3.5, "stored": 2, "rejected": 1,
              "missed": 0, "failed": "gemini,okx"}],
    "exchange": [{"market": "kraken", "last_success": 600, "failing_since": None, "error": None, "latency_ms": 2.5,
                  "rejected": 1, "still": 0, "note": "1 zero"}],
    "warning": [{"market": "gemini", "text": "TRACK: none"}],
    "alert": [{"id": 5, "metric_id": 3, "fired_at": 600, "price": 0.1, "average": 0.02, "factor": 3.0, "samples": 9}],
    "notification": [{"id": 6, "alert_id": 5, "channel": "mail", "created_at": 600, "due_at": 660, "claimed_until": 0,
                      "attempts": 1, "sent_at": None, "failed_at": None, "error": "busy"}],
    "backfill": [{"metric_id": 3, "since": 0, "until": 600, "again_at": 900}],
    "backfill_progress": [{"market": "kraken", "done": 1, "failed": 0, "total": 2, "updated_at": 600}],
    "lease": [{"name": "clock", "owner": "me", "expires_at": 609.5}],
}  # fmt: skip
"""Sample rows of the tables of the first migration."""

REMAINING = {name: rows for name, rows in CONTENT.items() if name != "notification"}
"""The rows that all migrations leave unchanged; notifications become messages."""


@pytest.fixture
def engine(store_url: str) -> Engine:
    """A database at the first migration, with rows in every table."""
    engine = open_engine(store_url)
    create_file(engine)
    with writing(engine) as connection:
        command.upgrade(configuration(connection), "0001")
        tables = MetaData()
        tables.reflect(connection)
        assert {table.name for table in tables.sorted_tables} == {*CONTENT, "alembic_version"}
        for table in tables.sorted_tables:
            if table.name in CONTENT:
                assert set(CONTENT[table.name][0]) == {column.name for column in table.columns}
                connection.execute(table.insert(), CONTENT[table.name])
    return engine


def content(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables of the first migration, with its columns only."""
    tables = MetaData()
    with reading(engine) as connection:
        tables.reflect(connection)
        found = {}
        for name in CONTENT.keys() & tables.tables.keys():
            rows = CONTENT[name]
            columns = [tables.tables[name].columns[column] for column in rows[0]]
            keys = tables.tables[name].primary_key.columns
            found[name] = [dict(row) for row in connection.execute(select(*columns).order_by(*keys)).mappings()]
        return found


def names(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(inspect(connection).get_table_names())


def test_upgrading_keeps_all_data(engine: Engine) -> None:
    migrate(engine, simulated=False)

    assert content(engine) == REMAINING
    with writing(engine) as connection:
        assert is_current(connection)
        metric, exchange = Base.metadata.tables["metric"], Base.metadata.tables["exchange"]
        assert connection.execute(select(metric.c.new_at)).scalars().all() == [None, None]
        assert connection.execute(select(exchange.c.patterns)).scalars().all() == [None]
    engine.dispose()


def test_downgrading_and_upgrading_keeps_the_first_tables(engine: Engine) -> None:
    first = names(engine)
    migrate(engine, simulated=False)

    with writing(engine) as connection:
        command.downgrade(configuration(connection), "0001")
    assert names(engine) == first
    assert content(engine) == CONTENT

    migrate(engine, simulated=False)
    assert names(engine) >= set(Base.metadata.tables)
    assert content(engine) == REMAINING
    engine.dispose()


def test_upgrading_counts_the_existing_ticks(engine: Engine) -> None:
    with writing(engine) as connection:
        command.upgrade(configuration(connection), "0013")
        tables = MetaData()
        tables.reflect(connection)
        (first,) = CONTENT["tick"]
        later = [
            first | {"minute": 660},
            first | {"minute": 780, "missed": 1},
            first | {"minute": 10_080, "missed": 154},
        ]
        connection.execute(tables.tables["tick"].insert(), later)
    migrate(engine, simulated=False)

    with writing(engine) as connection:
        ticks.record(connection, builders.tick_state(minute=datetime.fromtimestamp(10_380, UTC), missed=4))
        found = connection.execute(select(TickRow.minute, TickRow.elapsed).order_by(TickRow.minute)).all()
    assert [tuple(row) for row in found] == [(600, 0), (660, 60), (780, 180), (10_080, 240), (10_380, 300)]
    engine.dispose()


def notification(number: int, alert: int, channel: str, **changes: Any) -> dict[str, Any]:
    return CONTENT["notification"][0] | {"id": number, "alert_id": alert, "channel": channel} | changes


@pytest.fixture
def notifications(engine: Engine) -> list[dict[str, Any]]:
    """Notifications of two ticks and two channels, some settled and some pending."""
    tables = MetaData()
    rows = [
        CONTENT["notification"][0],
        notification(7, 6, "mail", attempts=3, due_at=900, claimed_until=700, error=None),
        notification(8, 5, "chat", sent_at=601, error=None),
        notification(9, 6, "chat", failed_at=90_000, error="gone"),
        notification(12, 8, "mail", created_at=660, due_at=660, attempts=0, error=None),
    ]
    with writing(engine) as connection:
        tables.reflect(connection)
        fired = [{**CONTENT["alert"][0], "id": number, "metric_id": number, "fired_at": 600} for number in (6, 8)]
        connection.execute(tables.tables["alert"].insert(), [one | {"metric_id": 9} for one in fired[:1]])
        connection.execute(tables.tables["alert"].insert(), [fired[1] | {"metric_id": 9, "fired_at": 660}])
        connection.execute(tables.tables["notification"].insert(), rows[1:])
    return rows


def test_pending_notifications_become_one_message_per_tick_and_channel(
    engine: Engine, notifications: list[dict[str, Any]]
) -> None:
    migrate(engine, simulated=False)

    message, message_alert = Base.metadata.tables["message"], Base.metadata.tables["message_alert"]
    with reading(engine) as connection:
        columns = (
            "id",
            "channel",
            "due_at",
            "expires_at",
            "claimed_by",
            "attempts",
            "sent_at",
            "failed_at",
            "fired",
        )
        found = connection.execute(select(*(message.c[name] for name in columns)).order_by(message.c.id))
        assert [tuple(row) for row in found] == [
            (6, "mail", 660, 87_000, "a sender of an earlier version", 3, None, None, 2),
            (8, "chat", 660, 87_000, None, 1, 601, None, 1),
            (9, "chat", 660, 87_000, None, 1, None, 90_000, 1),
            (12, "mail", 660, 87_060, None, 0, None, None, 1),
        ]
        # A sender may still be sending this one, so its claim is kept.
        held = leases.current(connection, "channel mail")
        assert held == ("a sender of an earlier version", 700.0)
        assert leases.current(connection, "channel chat") is None
        found = connection.execute(select(message_alert).order_by(*message_alert.primary_key.columns))
        assert [tuple(row) for row in found] == [
            (6, 0, 5, "fired"),
            (6, 1, 6, "fired"),
            (8, 0, 5, "fired"),
            (9, 0, 6, "fired"),
            (12, 0, 8, "fired"),
        ]

    with writing(engine) as connection:
        command.downgrade(configuration(connection), "0004")
    back = content(engine)["notification"]
    assert [(row["id"], row["alert_id"], row["channel"], row["sent_at"], row["failed_at"]) for row in back] == [
        (6, 5, "mail", None, None),
        (8, 5, "chat", 601, None),
        (9, 6, "chat", None, 90_000),
        (12, 8, "mail", None, None),
        (13, 6, "mail", None, None),
    ]
    assert len(back) == len(notifications)
    engine.dispose()


def test_downgrading_removes_alerts_of_user_rules_and_keeps_messages_about_the_others(engine: Engine) -> None:
    migrate(engine, simulated=False)
    tables = Base.metadata.tables
    fired = CONTENT["alert"][0] | {"fired_at": 660}
    message = {"channel": "mail", "created_at": 660, "due_at": 660, "expires_at": 86_660, "fired": 2, "resolved": 1}
    with writing(engine) as connection:
        connection.execute(tables["alert"].insert(), [fired | {"id": 7, "rule_id": 4}, fired | {"id": 8, "rule_id": 0}])
        connection.execute(tables["message"].insert(), [message | {"id": 7}, message | {"id": 8}])
        reported = [(7, 0, 7, "fired"), (7, 1, 8, "fired"), (7, 2, 7, "resolved"), (8, 0, 7, "fired")]
        columns = ("message_id", "place", "alert_id", "kind")
        connection.execute(tables["message_alert"].insert(), [dict(zip(columns, row, strict=True)) for row in reported])
        command.downgrade(configuration(connection), "0008")

        old = MetaData()
        old.reflect(connection)
        found = old.tables["message_alert"]
        rows = connection.execute(select(*(found.c[name] for name in columns)).order_by(found.c.message_id)).all()
        assert [tuple(row) for row in rows] == [(6, 0, 5, "fired"), (7, 0, 8, "fired")]
        found = old.tables["message"]
        rows = connection.execute(select(found.c.id, found.c.fired, found.c.resolved).order_by(found.c.id)).all()
        assert [tuple(row) for row in rows] == [(6, 1, 0), (7, 1, 0)]
        assert connection.execute(select(old.tables["alert"].c.id)).scalars().all() == [5, 8]
    engine.dispose()


def test_migrations_keep_rule_states_and_a_downgrade_turns_those_without_data_into_firing(engine: Engine) -> None:
    with writing(engine) as connection:
        command.upgrade(configuration(connection), "0011")
        former = struct.pack("<qBbqq", 3, 2, 1, 540, 540) + struct.pack("<qBbqq", 9, 1, -1, 480, 0)
        connection.execute(Base.metadata.tables["rule_state"].insert(), [{"rule_id": 4, "data": former}])
    migrate(engine, simulated=False)
    with writing(engine) as connection:
        held = rules.states(connection)[4].copy()
        assert held.tolist() == [(3, FIRING, 1, 540, 540, 600), (9, PENDING, -1, 480, 0, 600)]
        held["state"][0] = NO_DATA
        rules.save_states(connection, {4: held})
        command.downgrade(configuration(connection), "0011")
        assert connection.execute(select(Base.metadata.tables["rule_state"].c.data)).scalar_one() == former
    engine.dispose()


def test_upgrading_schedules_standard_deviation_sums_and_keeps_pending_recomputations(engine: Engine) -> None:
    with writing(engine) as connection:
        command.upgrade(configuration(connection), "0013")
        sums = [("stdev", 540), ("stdev", 600), ("volatility", 300), ("price", 600)]
        rows = [{"quantity": quantity, "minute": minute, "data": b""} for quantity, minute in sums]
        connection.execute(Base.metadata.tables["mark"].insert(), rows)
        connection.exec_driver_sql("INSERT INTO mark_renewal VALUES ('price', 480)")
    migrate(engine, simulated=False)
    with writing(engine) as connection:
        left = {
            quantity: running_sums_recomputation.pending(connection, quantity)
            for quantity in running_sums_recomputation.SUMMED_QUANTITIES
        }
        assert {quantity: one and one.until for quantity, one in left.items()} == {
            "price": 480,
            "volume": None,
            "stdev": 600,
            "volatility": 300,
        }
        incorrect = {quantity: one.is_incorrect(np.array([3, 9])).tolist() for quantity, one in left.items() if one}
        assert incorrect == {"price": [False, False], "stdev": [True, True], "volatility": [True, True]}
        command.downgrade(configuration(connection), "0013")
        assert connection.exec_driver_sql("SELECT * FROM mark_renewal").all() == [("price", 480)]
    engine.dispose()


@pytest.mark.parametrize(("way", "name"), [("up", "message"), ("down", "notification")])
def test_migrations_do_not_reuse_numbers_of_deleted_rows(engine: Engine, way: str, name: str) -> None:
    """SQLite rebuilds a table that it cannot alter, which may reset its sequence."""
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM notification")
        if connection.dialect.name == "postgresql":  # explicit numbers do not advance a sequence
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('notification', 'id'), 6)")
    migrate(engine, simulated=False)
    if way == "down":
        with writing(engine) as connection:
            command.downgrade(configuration(connection), "0001")

    if connection.dialect.name == "sqlite":
        with reading(engine) as connection:
            counted = dict(connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all())
        assert counted["alert"] == CONTENT["alert"][0]["id"]
    added = {"alert_id": 5, "channel": "mail", "created_at": 600, "due_at": 660, "expires_at": 86_660,
             "claimed_until": 0, "silent_until": 0, "attempts": 1, "fired": 1, "resolved": 0}  # fmt: skip
    with writing(engine) as connection:
        tables = MetaData()
        tables.reflect(connection, only=[name])
        table = tables.tables[name]
        added = {column: value for column, value in added.items() if column in table.columns}
        assert connection.execute(table.insert().values(added).returning(table.c.id)).scalar_one() == 7
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused_unchanged(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = names(engine)

    with pytest.raises(OutdatedDatabase, match=r"^DATABASE_URL: a newer version of this program .*'9999'$"):
        migrate(engine, simulated=False)

    assert names(engine) == before
    assert content(engine) == CONTENT
    engine.dispose()


def starter(url: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
    line = [sys.executable, "app.py", "migrate"]
    return subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def waiting_on(url: str, starters: "list[subprocess.Popen[str]]") -> Callable[[], bool]:
    """Returns a check that all of `starters` wait for the migration lock."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return lambda: all(
            any(file.path == parts.database for file in psutil.Process(each.pid).open_files()) for each in starters
        )

    def are_locked_out() -> bool:
        with psycopg.connect(url) as watching:
            found = watching.execute(
                """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
            ).fetchone()
            return found == (len(starters),)

    return are_locked_out


@pytest.mark.processes
@pytest.mark.parametrize("filled", [True, False])
def test_of_two_simultaneous_starts_one_migrates_and_both_succeed(
    request: pytest.FixtureRequest, store_url: str, filled: bool
) -> None:
    if filled:
        request.getfixturevalue("engine").dispose()
    engine = open_engine(store_url)
    create_file(engine)
    with writing(engine):  # so that both wait before either migrates
        starters = [starter(store_url), starter(store_url)]
        wait_for(waiting_on(store_url, starters), seconds=60, what="two starters at the door")

    assert [(each.communicate(timeout=60)[1], each.returncode) for each in starters] == [("", 0), ("", 0)]
    assert names(engine) == {*Base.metadata.tables, "alembic_version"}
    with reading(engine) as connection:
        assert is_current(connection)
        assert connection.exec_driver_sql("SELECT count(*) FROM installation").scalar_one() == 1
    if filled:
        assert content(engine) == REMAINING
    engine.dispose()


STOPS = """
import sys, time
from sqlalchemy import event
from services.store.database.engine import open_engine
from services.store.database.schema import migrate

engine = open_engine(sys.argv[1])

@event.listens_for(engine, "after_cursor_execute")
def stop(connection, cursor, statement, *rest):
    if sys.argv[2] in statement:
        print("in the middle", flush=True)
        time.sleep(600)

migrate(engine, simulated=False)
"""
"""Migrates up to and including one statement, then hangs."""


def kill_in_the_middle(url: str, statement: str) -> None:
    """Migrate in a child process, and kill it after it has executed `statement`."""
    line = [sys.executable, "-c", STOPS, url, statement]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        try:
            assert killed.stdout.readline() == "in the middle\n"
        finally:
            killed.kill()
    assert killed.returncode == -9


@pytest.mark.parametrize("statement", ["CREATE TABLE rollup", "ALTER TABLE exchange ADD", "UPDATE alembic_version"])
def test_a_killed_migration_changes_nothing_and_can_be_repeated(engine: Engine, store_url: str, statement: str) -> None:
    before = names(engine)
    kill_in_the_middle(store_url, statement)

    assert names(engine) == before
    with writing(engine) as connection:
        assert not is_current(connection)
    assert content(engine) == CONTENT

    migrate(engine, simulated=False)
    assert names(engine) == {*Base.metadata.tables, "alembic_version"}
    assert content(engine) == REMAINING
    engine.dispose()


@pytest.mark.processes
def test_a_killed_first_migration_leaves_an_empty_database(store_url: str) -> None:
    kill_in_the_middle(store_url, "INSERT INTO installation")

    engine = open_engine(store_url)
    assert names(engine) == set()
    migrate(engine, simulated=True)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT simulated FROM installation").scalar_one() == 1
    engine.dispose()
