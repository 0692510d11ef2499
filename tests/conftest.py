"""Fixtures for all tests: databases of each kind, empty or migrated, and servers."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import make_url

from services.store.database.engine import Engine, open_engine
from services.store.database.schema import migrate
from tests.engines import engine_on
from tests.memory_folder import use_memory
from tests.postgresql_server import PostgreSQL
from tests.redis_server import RedisServer

settings.register_profile("any machine", deadline=None)  # the time of an example depends on the machine
settings.load_profile("any machine")

PACKAGE_MARKERS = {"browser": pytest.mark.browser, "cluster": pytest.mark.cluster}
"""The markers of all tests in a folder."""

SERVERS = {"postgresql", "postgresql_server", "postgresql_url", "migrated_postgresql_url", "redis_server"}
"""The parameter and the fixtures of tests that need a server."""

IN_MEMORY = pytest.StashKey[Path | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the full numbers of what the suite does in small ones")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker has the folder of its session
        config.stash[IN_MEMORY] = use_memory()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove the run's files, unless tests failed: then they stay until the next run."""
    folder = session.config.stash.get(IN_MEMORY, None)
    if folder is not None and exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, because many tests wait for processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = PACKAGE_MARKERS.get(item.path.parent.name)
        if mark is not None:
            item.add_marker(mark)
        if SERVERS & {*getattr(item, "fixturenames", ()), *_parameters(item)}:
            item.add_marker(pytest.mark.processes)


def _parameters(item: pytest.Item) -> list[str]:
    """A test's parameters that are texts, such as the kind of its database."""
    call = getattr(item, "callspec", None)
    return [] if call is None else [value for value in call.params.values() if isinstance(value, str)]


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """True if the tests are to run at full length."""
    chosen: bool = request.config.getoption("--soak")
    return chosen


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """A real PostgreSQL server for the session."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path}/tracker.db"


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The URL of an empty database for the test."""
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database. A test that uses this fixture, directly or through another, runs once with each."""
    kind: str = request.param
    return kind


@pytest.fixture
def store_url(request: pytest.FixtureRequest, backend: str) -> str:
    """The URL of an empty database, once of each kind."""
    url: str = request.getfixturevalue(f"{backend}_url")
    return url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file without content, to be copied: that takes a tenth of the time of migrating."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    bring_up_to_date(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_template(postgresql_server: PostgreSQL) -> str:
    """The name of a migrated PostgreSQL database without content, to be copied."""
    url = postgresql_server.create_database()
    bring_up_to_date(url)
    name = make_url(url).database
    assert name is not None
    return name


def bring_up_to_date(url: str) -> None:
    engine = open_engine(url)
    migrate(engine, simulated=False)
    engine.dispose()


@pytest.fixture
def migrated_sqlite_url(sqlite_url: str, tmp_path: Path, migrated_file: Path) -> str:
    """The URL of a migrated SQLite database without content."""
    shutil.copyfile(migrated_file, tmp_path / "tracker.db")
    return sqlite_url


@pytest.fixture
def migrated_postgresql_url(postgresql_server: PostgreSQL, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database without content."""
    url = postgresql_server.create_database(migrated_template)
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, backend: str) -> str:
    """The URL of a migrated database without content, once of each kind."""
    url: str = request.getfixturevalue(f"migrated_{backend}_url")
    return url


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """A migrated database without content, once of each kind."""
    yield from engine_on(migrated_url)


@pytest.fixture
def other_sqlite(migrated_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """A second database of a test, migrated and without content."""
    yield from engine_on(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / 'other.db')}")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real, empty Redis server."""
    server = RedisServer()
    server.start()
    yield server
    server.kill()
