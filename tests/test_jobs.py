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
    """Counts the beats, and asks nobody."""

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
    """A process that has the clock, and knows its metrics."""
    settings = read_settings(None, database_url=migrated_sqlite_url, track="kraken:*")
    services = open_services(settings, clock, lambda _: exchange)
    services.heartbeat = heartbeat
    with writing(services.engine) as connection:
        leases.take(connection, services.owner, NOON.timestamp(), 1e6)
    services.ingestion.discovery.run(NOON)
    yield services
    services.close()
    services.engine.dispose()


def take_away(services: Services) -> None:
    with writing(services.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE tick RENAME TO hidden")


def bring_back(services: Services) -> None:
    with writing(services.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO tick")


def each_rest(services: Services, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> list[float]:
    """Have `do` happen in place of each rest between two tries; how long they would have been."""
    rests: list[float] = []

    def wait(seconds: float) -> bool:
        if seconds == jobs.REST_SECONDS:
            rests.append(seconds)
            do()
        return False

    monkeypatch.setattr(services.stopping, "wait", wait)
    return rests


def test_a_tick_is_made_up_for_when_the_database_comes_back_within_the_period(
    services: Services, clock: FakeClock, heartbeat: CountedHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(services)

    def pass_time() -> None:
        clock.advance(seconds=10)
        if len(rests) == 3:
            bring_back(services)

    rests = each_rest(services, monkeypatch, pass_time)
    monkeypatch.setattr(jobs, "keep_history", lambda *_: None)
    jobs.run_tick(services, clock())

    (stored_tick,) = services.reader.status(clock()).ticks
    assert (stored_tick.minute, stored_tick.stored) == (NOON, 1)
    assert stored_tick.late_ms == 31_000
    assert (len(rests), heartbeat.beats) == (3, 1)


def test_a_tick_is_given_up_shortly_before_the_next_one(
    services: Services, clock: FakeClock, heartbeat: CountedHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(services)
    rests = each_rest(services, monkeypatch, lambda: clock.advance(seconds=10))

    with pytest.raises(StoreUnavailable):
        jobs.run_tick(services, clock())

    assert (len(rests), heartbeat.beats) == (6, 0)
    bring_back(services)


def test_a_process_that_is_stopped_does_not_wait_for_its_database(services: Services, clock: FakeClock) -> None:
    take_away(services)
    services.stopping.set()

    with pytest.raises(StoreUnavailable):
        jobs.run_tick(services, clock())
    bring_back(services)


def test_the_monitor_is_pinged_after_each_tick_that_stored_prices_and_once(
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


def test_without_a_monitor_nothing_is_pinged(services: Services, clock: FakeClock) -> None:
    services.heartbeat = None
    jobs._tick(services, clock())

    assert services.reader.status(clock()).minute == NOON
