import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from alembic import command
from sqlalchemy import func, insert, make_url, select, text

from services.actions.alerts import StoreAlertService
from services.commands import transfer as transfers
from services.commands.backup import back_up
from services.commands.transfer import EXCLUDED_TABLES, CannotTransfer, TransferResult, main, transfer
from services.market.alerting.rule_json import parse_rule
from services.market.errors import StoreUnavailable
from services.market.window_sums import WindowSums
from services.pipeline.seal import seal
from services.store.alerting import running_sums_recomputation
from services.store.alerting.running_sums_recomputation import SumsBackfill
from services.store.database import engine as engines
from services.store.database import leases, schema
from services.store.database.engine import Engine, open_engine, open_read_only, reading, writing
from services.store.database.models import Base, MessageAlertRow, MessageRow
from services.store.database.schema import WrongDatabase, configuration
from services.store.history import backfills
from services.store.ranking import metrics
from services.store.tokens import TokenStore
from tests.builders import NOON, backfill_state
from tests.commands.test_output_file import check_one_line_error, nothing
from tests.engines import engine_on
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness, stored_revision
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
DAYS = timedelta(days=1)
FILLED = pytest.mark.usefixtures("pipeline")
MOVED = [table for table in Base.metadata.sorted_tables if table.name not in EXCLUDED_TABLES]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


@pytest.fixture
def pipeline(migrated_sqlite_url: str) -> Iterator[PipelineHarness]:
    """An SQLite file with rows in every table: samples that were set aside, sealed history, and ticks, of which
    the last one fired an alert."""
    engine = open_engine(migrated_sqlite_url)
    pairs = {"BTC/USD": 100.0, "ETH/USD": 10.0, "Ñandú-币/USD": 0.1, "abc/USD": 3.0}
    exchange = FakeExchange("kraken", pairs, volumes={"BTC/USD": 5.0, "abc/USD": 1 / 3})
    pipeline = PipelineHarness(engine, [exchange], now=NOON - 3 * DAYS, channels=("mail", "chat"))
    pipeline.discover("kraken:*,gemini:*")
    pipeline.tick(minutes=600)  # by a clock that was ahead
    for now in (NOON - 3 * DAYS, NOON - timedelta(minutes=20)):
        pipeline.now = now
        for number in range(20):
            exchange.prices["BTC/USD"] = 100.0 + number / 3
            pipeline.tick()
    alert_service = StoreAlertService(engine, ())
    for condition in (
        {"kind": "change", "direction": "up", "percent": 10_000.0, "window_seconds": 300},
        {"kind": "level", "direction": "up", "level": 50.0},
    ):
        given = {"name": "Ñ", "scope": ["kraken:ETH/*"], "condition": condition, "pending_seconds": 600}
        alert_service.add_rule(parse_rule(given))
    alert_service.mute(1, None, None, "a 币", pipeline.now)
    exchange.prices["ETH/USD"] = 100.0
    pipeline.tick()
    seal(pipeline.plan, pipeline.now, None, lambda: True)
    with writing(engine) as connection:
        backfills.record_answered(connection, 1, 60, 120, 180)
        backfills.record_progress(connection, backfill_state("kraken"))
        running_sums_recomputation.request(connection, ["price"], 600, np.array([1, 2]))
        running_sums_recomputation.save_backfill_state(
            connection, "stdev", SumsBackfill(600, WindowSums(*np.arange(24.0).reshape(6, 4)))
        )
        metrics.replace_warnings(connection, "gemini", ["TRACK: nothing there"])
        leases.take(connection, "of the file", pipeline.now.timestamp(), 1e9)
    TokenStore(engine).issue("notebook", "read", pipeline.now)
    yield pipeline
    engine.dispose()


@pytest.fixture
def target(postgresql_url: str) -> Iterator[Engine]:
    """An empty PostgreSQL database, without tables."""
    yield from engine_on(postgresql_url)


@pytest.fixture
def move(file: Path, target: Engine) -> Callable[..., TransferResult]:
    """Transfers the file to the target."""

    def run(progress: Callable[[int, int, str], object] = nothing, *, simulated: bool = False) -> TransferResult:
        source = open_read_only(file)
        try:
            return transfer(file, source, target, progress, simulated=simulated, now=NOON)
        finally:
            source.dispose()

    return run


def rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that a transfer must move."""
    with reading(engine) as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in MOVED}


OF_THE_FILE = ("storage", "sizes")
"""Fields that describe the database itself rather than its contents."""


def plain(value: Any) -> Any:
    """A reader's result in a form that can be compared."""
    if dataclasses.is_dataclass(value):
        fields = (field.name for field in dataclasses.fields(value) if field.name not in OF_THE_FILE)
        return [plain(getattr(value, name)) for name in fields]
    if isinstance(value, np.ndarray):
        return [repr(item) for item in value.tolist()]  # makes NaN comparable
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def answers(pipeline: PipelineHarness, engine: Engine) -> list[Any]:
    """All results that readers get from the database `engine` for the pipeline's time span."""
    reader = dataclasses.replace(pipeline, engine=engine).reader
    since, until = pipeline.now - 4 * DAYS, pipeline.now + DAYS
    ranking = reader.ranking()
    status = dataclasses.replace(reader.status(pipeline.now), holder=None)  # the lease is not moved
    results: list[Any] = [
        ranking,
        reader.alerts(),
        reader.sparklines(tuple(row.id for row in ranking.metrics)),
        status,
        reader.day(pipeline.now),
    ]
    for row in ranking.metrics:
        results += [read(row.id, since, until) for read in (reader.prices, reader.hours, reader.volumes)]
    return [plain(answer) for answer in results]


def test_readers_get_the_same_results_from_both_databases(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    assert all(found for found in rows(pipeline.engine).values())
    before = answers(pipeline, pipeline.engine)

    done = move()

    assert answers(pipeline, target) == before
    assert rows(target) == rows(pipeline.engine)
    assert done == TransferResult(sum(map(len, rows(target).values())), len(MOVED), existed=False)


def test_the_file_is_not_changed_and_may_be_a_backup(
    tmp_path: Path, pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult], file: Path
) -> None:
    back_up(pipeline.engine, tmp_path / "copy.db", nothing)
    pipeline.engine.dispose()
    (tmp_path / "copy.db").replace(file)
    before = file.read_bytes()

    move()

    assert file.read_bytes() == before
    assert len(answers(pipeline, target)[1]) == 1


def test_the_tracker_continues_as_it_would_with_the_file(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    move()
    pipeline.exchanges[0].prices |= {"NEW/USD": 5.0, "ETH/USD": 300.0}
    pipeline.now += timedelta(hours=2)
    other = dataclasses.replace(pipeline, engine=target)
    for each in (pipeline, other):
        each.discover()
        report = each.tick()
        assert report is not None
        assert (report.state.stored, report.state.missed) == (5, 120)

    ours, theirs = rows(pipeline.engine), rows(target)
    assert max(row[0] for row in ours["metric"]) == 5
    for name in set(ours) - {"tick", "exchange"}:  # which contain measured times
        assert theirs[name] == ours[name], name


def test_numbers_of_deleted_rows_are_not_reused(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    with writing(pipeline.engine) as connection:
        last = connection.execute(select(func.max(MessageRow.id))).scalar_one()
        connection.execute(MessageAlertRow.__table__.delete().where(MessageAlertRow.message_id == last))
        connection.execute(MessageRow.__table__.delete().where(MessageRow.id == last))
    move()

    with writing(target) as connection:
        added = insert(MessageRow).values(channel="new", created_at=0, due_at=0, expires_at=0, fired=1, resolved=0)
        assert connection.execute(added.returning(MessageRow.id)).scalar_one() == last + 1


def test_the_lease_of_the_clock_is_free_after_the_transfer(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    move()

    with writing(target) as connection:
        assert leases.take(connection, "new", pipeline.now.timestamp(), 10)


def test_an_empty_file_gives_an_empty_database(
    sqlite_url: str, target: Engine, move: Callable[..., TransferResult]
) -> None:
    engine = open_engine(sqlite_url)
    schema.migrate(engine, simulated=True)
    engine.dispose()

    for _ in range(2):
        assert move(simulated=True) == TransferResult(3, len(MOVED), existed=False)
    assert stored_revision(target) == 0


@FILLED
def test_a_repeated_transfer_writes_nothing(target: Engine, move: Callable[..., TransferResult]) -> None:
    move()
    before = rows(target)

    assert move() == TransferResult(sum(map(len, before.values())), len(MOVED), existed=True)
    assert rows(target) == before


def test_a_transfer_is_a_consistent_snapshot_despite_concurrent_writes(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    before = rows(pipeline.engine)

    move(lambda _done, _total, _text: pipeline.tick())

    assert rows(target) == before
    assert len(rows(pipeline.engine)["tick"]) > len(before["tick"]) + 3


@FILLED
def test_progress_counts_each_row_twice(monkeypatch: pytest.MonkeyPatch, move: Callable[..., TransferResult]) -> None:
    monkeypatch.setattr(transfers, "BATCH_ROWS", 10)
    for _ in range(2):
        steps: list[tuple[int, int, str]] = []
        done = move(lambda *step: steps.append(step))  # noqa: B023 - called at once

        assert {total for _, total, _ in steps} == {2 * done.rows}
        assert steps[-1][0] == 2 * done.rows
        assert [step[0] for step in steps] == sorted(step[0] for step in steps)
        assert any("price sent, " in text for _, _, text in steps)


def test_no_tracker_can_tick_on_the_target_during_a_transfer_but_readers_continue(
    pipeline: PipelineHarness, postgresql_url: str, move: Callable[..., TransferResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.02)
    other = dataclasses.replace(pipeline, engine=open_engine(postgresql_url))
    revisions = set()

    def try_to_tick(_done: int, _total: int, _text: str) -> None:
        revisions.add(other.reader.revision())
        with pytest.raises(StoreUnavailable, match="another process is writing"), writing(other.engine) as connection:
            leases.take(connection, "other", pipeline.now.timestamp(), 10)
        with pytest.raises(StoreUnavailable, match="another process is writing"):
            other.discover()

    move(try_to_tick)

    assert revisions == {0}
    assert other.reader.revision() == pipeline.reader.revision()
    other.engine.dispose()


def test_an_interrupted_transfer_leaves_an_empty_database(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    def interrupt(done: int, total: int, _text: str) -> None:
        if done >= total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(interrupt)
    assert {name for name, found in rows(target).items() if found} == {"installation", "snapshot", "statistics"}

    move()
    assert rows(target) == rows(pipeline.engine)


@pytest.mark.processes
@pytest.mark.parametrize("at", ["COPY FROM", "COPY TO", None])
def test_a_transfer_killed_at_any_point_can_be_repeated_to_the_same_result(
    pipeline: PipelineHarness, target: Engine, postgresql_url: str, file: Path, at: str | None
) -> None:
    """`at` is the statement during which the process is killed; None means after the last one."""
    with writing(pipeline.engine) as connection:
        connection.execute(
            text(
                """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
                   INSERT INTO price SELECT 60 * (i / 100), i % 100, i / 7.0, 60 FROM n"""
            )
        )
    line = [sys.executable, str(ROOT / "app.py"), "transfer", str(file)]
    environment = os.environ | {"DATABASE_URL": postgresql_url}
    with psycopg.connect(postgresql_url, autocommit=True) as watching:

        def is_there() -> bool:
            busy = "SELECT 1 FROM pg_stat_progress_copy WHERE datname = %s AND command = %s AND tuples_processed > 1000"
            found = watching.execute(busy, (make_url(postgresql_url).database, at))
            return found.fetchone() is not None

        first = subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        wait_for(is_there if at else lambda: first.poll() is not None, seconds=60, what=f"{at} or the end")
        first.kill()
        assert first.wait() == (-9 if at else 0)
        again = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert (again.returncode, again.stderr) == (0, "")
    assert (" tables moved, complete" if at else " tables were there already, complete") in again.stdout
    assert rows(target) == rows(pipeline.engine)


def test_a_row_that_arrives_changed_is_found(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    schema.migrate(target, simulated=False)
    with writing(target) as connection:
        connection.exec_driver_sql(
            """CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN IF NEW.metric_id = 2 THEN NEW.volume = NEW.volume * (1 + 1e-15); END IF; RETURN NEW; END $$"""
        )
        connection.exec_driver_sql("CREATE TRIGGER spoil BEFORE INSERT ON volume FOR EACH ROW EXECUTE FUNCTION spoil()")
    pipeline.exchanges[0].volumes["ETH/USD"] = 1.0
    pipeline.tick()

    with pytest.raises(StoreUnavailable, match=r"^volume did not arrive as it was sent$"):
        move()
    assert stored_revision(target) == 0


@FILLED
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE price SET price = price + 1e-9 WHERE metric_id = 1",
        "DELETE FROM volume",
        "UPDATE metric SET reason = '' WHERE id = 1",
    ],
)
def test_a_target_with_other_data_is_refused(target: Engine, move: Callable[..., TransferResult], change: str) -> None:
    move()
    with writing(target) as connection:
        assert connection.exec_driver_sql(change).rowcount > 0
    before = rows(target)

    with pytest.raises(CannotTransfer, match=r"^DATABASE_URL: this database has other data already"):
        move()
    assert rows(target) == before


def test_a_target_that_a_tracker_already_uses_is_refused(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult]
) -> None:
    schema.migrate(target, simulated=False)
    dataclasses.replace(pipeline, engine=target).discover()

    with pytest.raises(CannotTransfer, match="has other data already"):
        move()


@FILLED
def test_a_target_whose_clock_is_leased_is_refused(target: Engine, move: Callable[..., TransferResult]) -> None:
    schema.migrate(target, simulated=False)
    with writing(target) as connection:
        leases.take(connection, "host:17:ab", NOON.timestamp() - 5, 9)

    with pytest.raises(CannotTransfer, match=r"^DATABASE_URL: a tracker is at work on this database \(host:17:ab\)"):
        move()
    assert stored_revision(target) == 0


@FILLED
def test_real_and_simulated_prices_are_never_mixed(
    target: Engine, move: Callable[..., TransferResult], file: Path
) -> None:
    schema.migrate(target, simulated=True)

    with pytest.raises(WrongDatabase, match="this database holds simulated prices and TRACK asks for real ones"):
        move(simulated=False)
    with pytest.raises(CannotTransfer, match=f"^{file}: holds real prices and TRACK asks for simulated ones"):
        move(simulated=True)


def test_a_file_of_an_older_schema_is_refused_with_advice(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult], file: Path
) -> None:
    with writing(pipeline.engine) as connection:
        command.downgrade(configuration(connection), "-1")

    with pytest.raises(
        CannotTransfer,
        match=f"^{file}: is not at this program's schema; `python app.py migrate` with DATABASE_URL=sqlite:///{file}",
    ):
        move()
    with reading(target) as connection:
        assert not connection.dialect.has_table(connection, "metric")

    schema.migrate(pipeline.engine, simulated=False)
    assert move().rows == sum(map(len, rows(target).values()))


def test_a_damaged_file_is_named_and_moves_nothing(
    pipeline: PipelineHarness, target: Engine, move: Callable[..., TransferResult], file: Path
) -> None:
    with reading(pipeline.engine) as connection:
        page = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'price_chunk'").scalar_one()
    pipeline.engine.dispose()
    with file.open("rb+") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xff" * 100)

    with pytest.raises(CannotTransfer, match=f"^{file}: database disk image is malformed"):
        move()
    with reading(target) as connection:
        assert not connection.dialect.has_table(connection, "metric") or stored_revision(target) == 0


@pytest.mark.parametrize(
    ("url", "name", "complaint"),
    [
        (None, "nowhere.db", "there is no file nowhere.db"),
        (None, "text.db", "text.db: file is not a database"),
        (None, "empty.db", "empty.db: is not at this program's schema"),
        ("sqlite:///data/other.db", "empty.db", "DATABASE_URL: is not PostgreSQL's"),
        ("", "empty.db", "DATABASE_URL: is not PostgreSQL's"),
        ("postgres://me:s3cret@127.0.0.1:1/db?connect_timeout=2", "good.db", "connection failed"),
    ],
)
def test_the_command_prints_its_error_in_one_line(
    tmp_path: Path,
    postgresql_url: str,
    pipeline: PipelineHarness,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str | None,
    name: str,
    complaint: str,
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "text.db").write_bytes(b"this is no database, whatever its name says" * 100)
    (here / "empty.db").touch()
    back_up(pipeline.engine, here / "good.db", nothing)
    monkeypatch.chdir(here)
    monkeypatch.setenv("DATABASE_URL", postgresql_url if url is None else url)

    assert main([name]) == 2

    check_one_line_error(capsys, complaint)
    assert {path.name for path in here.iterdir()} == {"text.db", "empty.db", "good.db"}


@pytest.mark.processes
def test_the_command_moves_and_reports(
    pipeline: PipelineHarness, target: Engine, postgresql_url: str, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DATABASE_URL": postgresql_url}
    run = partial(subprocess.run, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    done = run([sys.executable, str(ROOT / "app.py"), "transfer", "tracker.db"])
    by_its_old_name = run([sys.executable, "-m", "services.store.transfer", "tracker.db"])

    count = sum(map(len, rows(target).values()))
    expected = f"tracker.db: {count:,} rows of {len(MOVED)} tables moved, complete and checked\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    assert by_its_old_name.stdout == expected.replace("moved", "were there already")
    assert by_its_old_name.stderr == "python -m services.store.transfer is now python app.py transfer\n"
    assert answers(pipeline, target) == answers(pipeline, pipeline.engine)
