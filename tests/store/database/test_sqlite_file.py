"""The database's files are deleted, moved, replaced, or run out of disk space while they are in use."""

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from services.commands.backup import back_up
from services.market.errors import StoreUnavailable
from services.store.database import sqlite_file
from services.store.database.engine import Engine, open_engine, reading, writing
from services.store.database.schema import migrate
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

KEY = "kraken:BTC-USD"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tracker.db"


@pytest.fixture
def pipeline(path: Path) -> Iterator[PipelineHarness]:
    """A running pipeline after three ticks."""
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine, simulated=False)
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0})])
    pipeline.discover()
    for _ in range(3):
        tick(pipeline)
    yield pipeline
    engine.dispose()


def tick(pipeline: PipelineHarness) -> None:
    pipeline.exchanges[0].prices["BTC/USD"] += 1
    assert pipeline.tick() is not None


def check_refused(pipeline: PipelineHarness, complaint: str) -> None:
    """Check that the next tick is not stored, and can be retried."""
    with pytest.raises(StoreUnavailable, match=complaint):
        pipeline.tick()
    pipeline.now = pipeline.now.replace(minute=pipeline.now.minute - 1)


def check_continues(pipeline: PipelineHarness, tries: int = 8) -> None:
    """Check that the next tick is stored within `tries` attempts."""
    for _ in range(tries):
        try:
            tick(pipeline)
        except StoreUnavailable:
            pipeline.now = pipeline.now.replace(minute=pipeline.now.minute - 1)
        else:
            return
    pytest.fail("nothing is stored any more")


def stored_at(path: Path) -> list[tuple[int, float]]:
    """The prices of a metric in the file at `path`, as a new process reads them."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT minute, price FROM price WHERE metric_id = 1 ORDER BY minute").fetchall()


def stored(pipeline: PipelineHarness) -> list[tuple[int, float]]:
    return [(int(moment.timestamp()), price) for moment, price in pipeline.stored(KEY)]


def remove(path: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{path}{ending}").unlink()


ALL = ("", "-wal", "-shm")


@pytest.mark.parametrize("endings", [ALL, ("",)])
def test_a_deleted_file_is_detected_by_the_next_tick_and_rewritten_in_full(
    pipeline: PipelineHarness, path: Path, endings: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    before = stored(pipeline)
    remove(path, *endings)
    with pytest.raises(StoreUnavailable, match="was deleted"):
        pipeline.reader.status(pipeline.now)

    check_refused(pipeline, "tracker.db was deleted, or moved elsewhere; it is saved")
    assert stored_at(path) == before
    for _ in range(3):
        tick(pipeline)
    assert stored(pipeline)[: len(before)] == before
    assert len(stored(pipeline)) == len(before) + 3
    pipeline.engine.dispose()
    assert len(stored_at(path)) == len(before) + 3
    assert not list(path.parent.glob(".data-tracker-*"))
    assert caplog.text.count("was deleted, or moved elsewhere (") == 1
    assert caplog.text.count("it was written again") == 1


def test_a_file_deleted_with_its_folder_is_rewritten_too(pipeline: PipelineHarness, path: Path) -> None:
    before = stored(pipeline)
    shutil.rmtree(path.parent)
    check_refused(pipeline, "it is saved")
    assert stored_at(path) == before
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    tick(pipeline)


def test_an_empty_file_left_by_a_reader_does_not_prevent_rewriting(pipeline: PipelineHarness, path: Path) -> None:
    before = stored(pipeline)
    remove(path, *ALL)
    with closing(sqlite3.connect(path)) as somebody:
        with pytest.raises(sqlite3.OperationalError):
            somebody.execute("SELECT count(*) FROM tick")
        assert path.stat().st_size == 0
        check_refused(pipeline, "it is saved")
    assert stored_at(path) == before
    check_continues(pipeline)


def test_a_reader_creates_no_file(path: Path) -> None:
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(StoreUnavailable, match=r"there is no file tracker\.db"), writing(engine):
        pass
    assert not path.exists()
    migrate(engine, simulated=False)
    assert path.exists()
    engine.dispose()


def test_a_moved_file_is_rewritten_at_its_path(pipeline: PipelineHarness, path: Path) -> None:
    before = stored(pipeline)
    path.rename(path.with_name("elsewhere.db"))
    check_refused(pipeline, "moved elsewhere; it is saved")
    tick(pipeline)
    pipeline.engine.dispose()
    assert stored_at(path)[:-1] == before


def test_a_file_that_is_moved_back_before_a_write_is_used_again(pipeline: PipelineHarness, path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(StoreUnavailable):
        pipeline.reader.revision()
    path.with_name("elsewhere.db").rename(path)
    tick(pipeline)
    assert len(stored(pipeline)) == 4


def test_commits_of_other_processes_during_the_rewrite_are_included(pipeline: PipelineHarness, path: Path) -> None:
    other = open_engine(f"sqlite:///{path}")
    with writing(other) as connection:  # its check of the file comes before the deletion
        remove(path, *ALL)
        connection.exec_driver_sql("UPDATE metric SET reason = 'late' WHERE id = 1")
    check_refused(pipeline, "it is saved")

    with reading(pipeline.engine) as connection:
        assert connection.exec_driver_sql("SELECT reason FROM metric WHERE id = 1").scalar_one() == "late"
    with writing(other) as connection:  # another process continues with the same file
        connection.exec_driver_sql("UPDATE metric SET reason = 'later' WHERE id = 1")
    tick(pipeline)
    other.dispose()
    tick(pipeline)
    pipeline.engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT reason FROM metric WHERE id = 1").fetchone() == ("later",)
    assert len(stored_at(path)) == 5


def test_nothing_is_stored_while_the_file_cannot_be_rewritten(
    pipeline: PipelineHarness, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "RESCUE_SECONDS", 0.0)
    before = stored(pipeline)
    shutil.rmtree(path.parent)
    path.parent.write_text("in the way")
    for _ in range(3):
        check_refused(pipeline, "cannot be saved")
    path.parent.unlink()
    check_refused(pipeline, "it is saved")
    tick(pipeline)
    assert stored(pipeline)[:-1] == before


def test_there_is_a_pause_between_two_attempts_to_rewrite_the_file(pipeline: PipelineHarness, path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("in the way")
    check_refused(pipeline, "cannot be saved: ")
    path.parent.unlink()
    check_refused(pipeline, "cannot be saved; it is tried again")
    assert not path.exists()


@pytest.mark.parametrize("endings", [("-wal",), ("-wal", "-shm"), ("-shm",)])
def test_a_deleted_write_ahead_log_is_saved_into_the_file_and_ticks_continue(
    pipeline: PipelineHarness, path: Path, endings: tuple[str, ...]
) -> None:
    with reading(pipeline.engine), reading(pipeline.engine):  # there are several connections
        pass
    before = stored(pipeline)
    remove(path, *endings)
    check_refused(pipeline, "write-ahead log")
    check_continues(pipeline)
    pipeline.engine.dispose()
    assert stored_at(path)[:-1] == before


def test_a_backup_restored_over_the_file_is_used_from_the_next_tick(
    pipeline: PipelineHarness, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backup = path.with_name("backup.db")
    back_up(pipeline.engine, backup, lambda *_: None)
    before = stored(pipeline)
    tick(pipeline)
    backup.replace(path)

    tick(pipeline)
    assert stored(pipeline)[:-1] == before
    assert caplog.text.count("was replaced by a file of the same database") == 1
    tick(pipeline)
    pipeline.engine.dispose()
    assert len(stored_at(path)) == len(before) + 2


def other_database(path: Path) -> None:
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine, simulated=False)
    engine.dispose()


@pytest.mark.parametrize(
    ("put", "complaint"),
    [
        (lambda path: path.write_bytes(b"something else" * 1_000), "by what is no database of this program"),
        (other_database, "by another database: restart the program"),
    ],
)
def test_another_database_at_the_path_is_not_overwritten_and_the_open_one_stays_open_until_it_can_be_saved(
    pipeline: PipelineHarness, path: Path, put, complaint: str
) -> None:
    before = stored(pipeline)
    other = path.with_name("other.db")
    put(other)
    content = other.read_bytes()
    other.replace(path)
    for _ in range(12):  # more than the pool has connections
        check_refused(pipeline, complaint)
        with pytest.raises(StoreUnavailable):
            pipeline.reader.status(pipeline.now)
    assert path.read_bytes() == content

    path.unlink()
    check_continues(pipeline)
    assert stored(pipeline)[:-1] == before


def test_a_full_disk_is_reported_from_the_first_failed_write_to_the_next_successful_one(
    pipeline: PipelineHarness,
) -> None:
    limit: list[int] = []

    @event.listens_for(pipeline.engine, "begin")
    def few_pages(connection) -> None:  # type: ignore[no-untyped-def]
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit[0] if limit else 2**30}")

    def fill() -> None:
        with writing(pipeline.engine) as connection:
            connection.exec_driver_sql("CREATE TABLE filling (content BLOB)")
            connection.exec_driver_sql("INSERT INTO filling VALUES (zeroblob(1000000))")

    assert sqlite_file.write_error(pipeline.engine) is None
    limit.append(1)
    with pytest.raises(StoreUnavailable, match="full"):
        fill()
    assert sqlite_file.write_error(pipeline.engine) == "database or disk is full"
    with reading(pipeline.engine):
        pass
    with writing(pipeline.engine):
        pass
    assert sqlite_file.write_error(pipeline.engine) == "database or disk is full"
    limit.clear()
    tick(pipeline)
    assert sqlite_file.write_error(pipeline.engine) is None


def test_a_read_only_disk_is_reported_too(pipeline: PipelineHarness) -> None:
    is_read_only = [True]

    @event.listens_for(pipeline.engine, "checkout")
    def refuse(connection, _entry, _fairy) -> None:  # type: ignore[no-untyped-def]
        connection.execute(f"PRAGMA query_only = {int(is_read_only[0])}")

    check_refused(pipeline, "readonly")
    assert sqlite_file.write_error(pipeline.engine) == "attempt to write a readonly database"
    assert pipeline.reader.status(pipeline.now).cannot_write == "attempt to write a readonly database"
    is_read_only[0] = False
    tick(pipeline)
    assert pipeline.reader.status(pipeline.now).cannot_write is None


def test_data_files_are_readable_by_their_owner_only(pipeline: PipelineHarness, path: Path) -> None:
    with writing(pipeline.engine):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"tracker.db": 0o600, "tracker.db-wal": 0o600, "tracker.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    backup = path.with_name("backup.db")
    back_up(pipeline.engine, backup, lambda *_: None)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_symbolic_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "disk" / "tracker.db")
    engine = open_engine(f"sqlite:///{tmp_path}/link.db")
    migrate(engine, simulated=False)
    (tmp_path / "disk" / "tracker.db").unlink()
    with pytest.raises(StoreUnavailable, match="it is saved"), writing(engine):
        pass
    with writing(engine):
        pass
    assert (tmp_path / "link.db").is_symlink()
    assert engine_revision(engine) == 0
    engine.dispose()


def engine_revision(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT revision FROM snapshot").scalar_one())
