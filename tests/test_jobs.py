from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from services import jobs
from services.bootstrap import Services, open_services
from services.market.errors import StoreUnavailable, Unavailable
from services.notifiers.heartbeat import Heartbeat
from services.notifiers.safe_http import parse_target
from services.settings import read_settings
from services.store.database import leases
from services.store.database.engine import writing
from tests.builders import NOON
from tests.fakes_exchange import FakeClock, FakeExchange


class CountedHeartbeat(Heartbeat):
    """Counts the beats without sending requests."""

    def __init__(self) -> None:
        super().__init__(parse_target("http://watcher.test/"))
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON + timedelta(seconds=1))


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0})


@pytest.fixture
def heartbeat() -> CountedHeartbeat:
    return CountedHeartbeat()


@pytest.fixture
def services(
    migrated_sqlite_url: str, clock: FakeClock, exchange: FakeExchange, heartbeat: CountedHeartbeat
) -> Iterator[Services]:
    """A process that holds the clock's lease and has its metrics."""
    settings = read_settings(None, database_url=migrated_sqlite_url, track="kraken:*")
    services = open_services(settings, clock, lambda _: exchange)
    services.heartbeat = heartbeat
    with writing(services.engine) as connection:
        leases.take(connection, services.owner, NOON.timestamp(), 1e6)
    services.ingestion.discovery.run(NOON)
    yield services
    services.close()
    services.engine.dispose()


def hide_ticks(services: Services) -> None:
    with writing(services.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE tick RENAME TO hidden")


def restore_ticks(services: Services) -> None:
    with writing(services.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO tick")


def run_at_each_rest(services: Services, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> list[float]:
    """Call `do` in place of each rest between two attempts; returns the lengths of the rests."""
    rests: list[float] = []

    def wait(seconds: float) -> bool:
        if seconds == jobs.REST_SECONDS:
            rests.append(seconds)
            do()
        return False

    monkeypatch.setattr(services.stopping, "wait", wait)
    return rests


def test_a_tick_is_retried_until_the_database_is_back_within_the_period(
    services: Services, clock: FakeClock, heartbeat: CountedHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_ticks(services)

    def pass_time() -> None:
        clock.advance(seconds=10)
        if len(rests) == 3:
            restore_ticks(services)

    rests = run_at_each_rest(services, monkeypatch, pass_time)
    monkeypatch.setattr(jobs, "keep_history", lambda *_: None)
    jobs.run_tick(services, clock())

    (stored_tick,) = services.reader.status(clock()).ticks
    assert (stored_tick.minute, stored_tick.stored) == (NOON, 1)
    assert stored_tick.late_ms == 31_000
    assert (len(rests), heartbeat.beats) == (3, 1)


def test_a_tick_fails_shortly_before_the_next_one(
    services: Services, clock: FakeClock, heartbeat: CountedHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_ticks(services)
    rests = run_at_each_rest(services, monkeypatch, lambda: clock.advance(seconds=10))

    with pytest.raises(StoreUnavailable):
        jobs.run_tick(services, clock())

    assert (len(rests), heartbeat.beats) == (6, 0)
    restore_ticks(services)


def test_a_stopping_process_does_not_wait_for_its_database(services: Services, clock: FakeClock) -> None:
    hide_ticks(services)
    services.stopping.set()

    with pytest.raises(StoreUnavailable):
        jobs.run_tick(services, clock())
    restore_ticks(services)


def test_a_heartbeat_is_sent_once_after_each_tick_that_stored_prices(
    services: Services, clock: FakeClock, exchange: FakeExchange, heartbeat: CountedHeartbeat
) -> None:
    jobs._tick(services, clock())
    jobs._tick(services, clock.advance(seconds=5))
    assert heartbeat.beats == 1

    exchange.error = Unavailable("kraken", "timed out")
    jobs._tick(services, clock.advance(seconds=60))
    assert services.reader.status(clock()).ticks[0].stored == 0
    assert heartbeat.beats == 1

    exchange.error = None
    jobs._tick(services, clock.advance(seconds=60))
    assert heartbeat.beats == 2


def test_a_tick_without_a_heartbeat_is_stored(services: Services, clock: FakeClock) -> None:
    services.heartbeat = None
    jobs._tick(services, clock())

    assert services.reader.status(clock()).minute == NOON
