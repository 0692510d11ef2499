from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from services.bootstrap import Services, open_services
from services.caching.redis_cache import BadRedisUrl
from services.settings import read_settings
from tests.builders import NOON
from tests.redis_server import RedisServer


@contextmanager
def opened(database: Path, redis_url: str | None, track: str = "demo:*", **settings: object) -> Iterator[Services]:
    services = open_services(
        read_settings(None, database_url=f"sqlite:///{database}", track=track, redis_url=redis_url, **settings)
    )
    services.migrate()
    yield services
    services.engine.dispose()


def test_the_simulated_exchange_has_the_configured_number_of_pairs(tmp_path: Path) -> None:
    services = open_services(
        read_settings(None, database_url=f"sqlite:///{tmp_path}/demo.db", track="demo:*", demo_pairs=43)
    )
    services.migrate()
    services.ingestion.discovery.run(NOON)

    names = {row.base for row in services.reader.ranking().metrics}
    assert {name for name in names if name.startswith("DEMO")} == {"DEMO00001", "DEMO00002", "DEMO00003"}
    assert len(services.reader.ranking().metrics) == 43
    services.engine.dispose()


def test_without_a_redis_url_the_status_has_no_shared_cache(tmp_path: Path) -> None:
    with opened(tmp_path / "demo.db", None) as services:
        assert services.reader.status(NOON).shared_cache is None


def test_a_redis_that_does_not_respond_does_not_prevent_the_start(tmp_path: Path) -> None:
    with opened(tmp_path / "demo.db", "redis://127.0.0.1:1/0") as services:
        assert services.reader.status(NOON).shared_cache is False


def test_an_invalid_redis_url_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRedisUrl, match=r"^REDIS_URL: "), opened(tmp_path / "demo.db", "127.0.0.1:6379"):
        pass


def test_real_and_simulated_data_are_separate_in_one_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    """Even if one database replaces the other under the same name."""
    database = tmp_path / "tracker.db"
    with opened(database, redis_server.url, demo_pairs=3) as demo:
        demo.ingestion.discovery.run(NOON)
        revision = demo.reader.revision()
        assert {row.market for row in demo.reader.ranking().metrics} == {"demo"}
        assert demo.reader.status(NOON).shared_cache is True
    for file in tmp_path.glob("tracker.db*"):
        file.unlink()

    with opened(database, redis_server.url, track="kraken:BTC/USD") as real:
        with real.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE snapshot SET revision = {revision}")
        assert real.reader.revision() == revision
        assert real.reader.ranking().metrics == ()
    with redis.Redis.from_url(redis_server.url) as client:
        assert len(client.keys("data-tracker:*:ranking:*")) == 2
