"""Readers of several processes, each with its own cache, over one database and a real Redis."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import redis

from services.caching.process_reader import CachedReader
from services.caching.redis_cache import PAUSE_SECONDS, BadRedisUrl, RedisCache, open_redis_cache
from services.caching.redis_reader import REVISION, SharedReader
from services.market.alerting.alerts import AlertQuery
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.ranking import Ranking
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeReader, Timer
from tests.redis_server import RedisServer
from tests.waiting import wait_for


@dataclass
class Process:
    """One web process: its cache and its connection to Redis."""

    cache: CachedReader
    shared: SharedReader
    redis_cache: RedisCache


@dataclass
class Installation:
    """Processes that share a database and a clock."""

    url: str
    name: str = "data-tracker:1.0.0:ours"
    database: FakeReader = field(default_factory=lambda: FakeReader(metrics=(builders.ranked_metric(1),)))
    timer: Timer = field(default_factory=Timer)

    def process(self) -> Process:
        redis_cache = open_redis_cache(self.url, lambda: self.name, self.timer)
        shared = SharedReader(self.database, redis_cache)
        return Process(CachedReader(shared, self.timer), shared, redis_cache)

    def read(self, what: str) -> int:
        """The number of reads of `what` from the database."""
        return self.database.calls.count(what)


@pytest.fixture
def installation(redis_server: RedisServer) -> Installation:
    return Installation(redis_server.url)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as opened:
        yield opened


def key_of(client: redis.Redis, entry: str) -> bytes:
    (key,) = client.keys(f"*:{entry}:*")
    return key


def forget_revision(client: redis.Redis) -> None:
    """Delete the shared revision, as its expiry does after half a second."""
    for key in client.keys(f"*:{REVISION.name}:*"):
        client.delete(key)


ASKED: dict[str, Callable[[CachedReader], object]] = {
    "ranking": lambda reader: reader.ranking(),
    "sparklines": lambda reader: reader.sparklines((1,)).points.tolist(),
    "status": lambda reader: reader.status(NOON),
    "alerts": lambda reader: reader.alerts(AlertQuery(since=NOON - timedelta(hours=1))),
    "prices": lambda reader: reader.prices(1, NOON - timedelta(hours=1), NOON).values.tolist(),
    "volumes": lambda reader: reader.volumes(1, NOON - timedelta(hours=1), NOON).values.tolist(),
    "hours": lambda reader: reader.hours(1, NOON - timedelta(hours=6), NOON).close.tolist(),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_result_read_by_one_process_is_shared_with_all_until_the_next_tick(installation, client, what) -> None:
    ask = ASKED[what]
    installation.database.price_series[1] = builders.series([1.0, 2.0, 3.0])
    installation.database.volume_series[1] = builders.series([4.0, 5.0])
    installation.database.fired = (builders.alert(1), builders.alert(2, fired_at=NOON - timedelta(hours=2)))
    processes = [installation.process() for _ in range(4)]

    answers = [ask(process.cache) for process in processes]
    assert answers == [answers[0]] * 4
    assert (installation.read(what), installation.read("revision")) == (1, 1)

    installation.database.put(builders.ranked_metric(1, price=5.0))
    forget_revision(client)
    installation.timer.now += 600
    for process in processes:
        ask(process.cache)
    assert (installation.read(what), installation.read("revision")) == (2, 2)


def test_all_processes_see_a_new_revision_when_the_shared_one_expires(installation) -> None:
    first, second = installation.process(), installation.process()
    assert [first.cache.revision(), second.cache.revision()] == [7, 7]
    installation.database.put(builders.ranked_metric(1, price=5.0))

    def seen(process: Process) -> bool:
        installation.timer.now += 0.25
        return process.cache.revision() == 8

    for process in (first, second):
        wait_for(lambda process=process: seen(process), seconds=1.0, what="the new revision")
        assert process.cache.ranking().metrics[0].price == 5.0


@pytest.mark.parametrize("name", ["prices", "volumes"])
def test_a_series_is_read_at_the_revision_of_its_key(installation, client, name) -> None:
    process = installation.process()
    assert process.cache.revision() == 7
    installation.database.put(builders.ranked_metric(1))
    forget_revision(client)
    getattr(process.cache, name)(1, NOON - timedelta(hours=1), NOON)  # it still has 7 as the current revision
    assert installation.database.as_of == [8]
    assert [key.split(b":")[4] for key in client.keys("*:series:*")] == [b"8"]


def test_an_older_revision_is_believed_only_if_the_database_has_it(installation, client) -> None:
    first, second = installation.process().shared, installation.process().shared
    assert first.revision() == 7
    installation.database.put()
    forget_revision(client)
    assert first.revision() == 8

    slow = Installation(installation.url, database=FakeReader())  # it read 7 long ago, and writes it only now
    forget_revision(client)
    slow.process().shared.revision()
    assert [first.revision(), second.revision()] == [8, 7]

    installation.database.state = builders.status(revision=3)  # a backup was restored
    forget_revision(client)
    assert [first.revision(), first.ranking().revision] == [3, 3]


def test_alerts_of_different_queries_are_cached_separately(installation) -> None:
    installation.database.fired = tuple(
        builders.alert(number, metric_id=number % 3, fired_at=NOON - timedelta(minutes=7 * number))
        for number in range(40)
    )
    first, second = installation.process().shared, installation.process().shared
    for metric_id in (None, 1):
        for limit in (1000, 3):
            for since in (None, *(NOON - timedelta(minutes=ago) for ago in (0, 7, 61, 100, 500))):
                query = AlertQuery(since=since, metric_id=metric_id, limit=limit)
                wanted = installation.database.alerts(query)
                assert first.alerts(query) == wanted
                assert second.alerts(query) == wanted
    for query in (AlertQuery(until=NOON - timedelta(minutes=7)), AlertQuery(offset=2), AlertQuery(search="btc")):
        assert first.alerts(query) == installation.database.alerts(query)


def test_staleness_is_computed_at_the_time_of_the_request(installation) -> None:
    first, second = installation.process().shared, installation.process().shared
    assert not first.status(NOON).stale
    assert second.status(NOON + timedelta(minutes=4)).stale
    assert installation.read("status") == 1


def test_a_metric_that_is_not_tracked_is_looked_up(installation) -> None:
    cache = installation.process().cache
    with pytest.raises(UnknownMetric, match="no metric 9"):
        cache.metric(9)


def test_a_very_large_result_is_not_stored_in_redis(installation, client) -> None:
    installation.database.price_series[1] = builders.series([1.0] * 20_000)
    since = NOON - timedelta(days=31)
    first, second = installation.process().shared, installation.process().shared
    assert len(first.prices(1, since, NOON).values) == len(second.prices(1, since, NOON).values) == 20_000
    assert client.keys("*:series:*") == []


def test_every_key_has_the_installations_prefix_and_expires(installation, client) -> None:
    process = installation.process()
    for ask in ASKED.values():
        ask(process.cache)
    keys = client.keys()
    assert len(keys) == 1 + len(ASKED)
    assert all(key.startswith(b"data-tracker:1.0.0:ours:") and 0 < client.pttl(key) <= 60_000 for key in keys)


@dataclass
class SlowReader(FakeReader):
    """Lets nobody have a ranking before the test says so."""

    started: Event = field(default_factory=Event)
    may_end: Event = field(default_factory=Event)

    def ranking(self) -> Ranking:
        self.calls.append("asked")
        self.started.set()
        assert self.may_end.wait(10)
        return super().ranking()


def test_simultaneous_misses_cause_one_read(installation) -> None:
    installation.database = slow = SlowReader(metrics=(builders.ranked_metric(1),))
    processes = [installation.process() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(processes[0].cache.ranking)
        assert slow.started.wait(10)
        others = [threads.submit(process.cache.ranking) for process in processes[1:]]
        slow.may_end.set()
        rankings = [future.result(10) for future in (first, *others)]
    assert rankings == [rankings[0]] * 6
    assert slow.calls.count("asked") == 1


def test_a_caller_that_waits_too_long_reads_the_database_itself(installation) -> None:
    installation.database = slow = SlowReader(metrics=(builders.ranked_metric(1),))
    stuck, other = installation.process(), installation.process()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(stuck.cache.ranking)
        assert slow.started.wait(10)
        slow.started.clear()
        second = threads.submit(other.cache.ranking)
        installation.timer.now += 0.1

        def reads_itself() -> bool:
            installation.timer.now += 1
            return slow.started.is_set()

        wait_for(reads_itself, what="a reading of its own")
        slow.may_end.set()
        assert first.result(10) == second.result(10)


def test_a_database_error_is_raised_and_releases_waiting_processes(installation, client) -> None:
    process = installation.process()
    assert process.cache.revision() == 7
    installation.database.down = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            process.cache.ranking()
    assert client.keys("*:claim") == []
    installation.database.down = False
    assert len(process.cache.ranking().metrics) == 1


def test_shared_results_do_not_hide_a_database_outage(installation, client) -> None:
    process = installation.process()
    assert process.cache.status(NOON).away_since is None
    installation.database.down = True
    forget_revision(client)
    installation.timer.now += 1
    assert process.cache.status(NOON).away_since == NOON
    with pytest.raises(StoreUnavailable):
        installation.process().cache.status(NOON)


# ---- Redis unavailable


def test_without_redis_the_database_is_read_until_redis_is_back(installation, redis_server, caplog) -> None:
    caplog.set_level(logging.INFO)
    first, second = installation.process(), installation.process()
    assert first.cache.status(NOON).shared_cache is True

    redis_server.kill()
    for price in (5.0, 6.0, 7.0):
        installation.database.put(builders.ranked_metric(1, price=price))
        installation.timer.now += 1
        for process in (first, second):
            assert process.cache.ranking().metrics[0].price == price
            assert process.cache.status(NOON).shared_cache is False
    assert installation.read("ranking") == 6
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]  # once per process

    redis_server.start()
    installation.timer.now += PAUSE_SECONDS
    caplog.clear()
    installation.database.put(builders.ranked_metric(1, price=8.0))
    for process in (first, second):
        assert process.cache.ranking().metrics[0].price == 8.0
        assert process.cache.status(NOON).shared_cache is True
    assert installation.read("ranking") == 7
    assert [record.message for record in caplog.records] == [
        "shared cache: Redis is back, after 1 failure in 0:00:07"
    ] * 2


def test_a_redis_that_hangs_delays_only_one_request(installation, redis_server) -> None:
    process = installation.process()
    process.cache.revision()
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        installation.timer.now += 1
        began = datetime.now(UTC)
        for _ in range(20):
            assert len(process.shared.ranking().metrics) == 1
        assert datetime.now(UTC) - began < timedelta(seconds=1)
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)


def test_while_redis_is_down_one_caller_retries_it_now_and_then(installation, redis_server) -> None:
    redis_server.kill()
    redis_cache = installation.process().redis_cache
    assert redis_cache.get_or_compute(REVISION, "", lambda: 1) == 1
    assert not redis_cache.up
    redis_server.start()
    assert not redis_cache.ready()
    installation.timer.now += PAUSE_SECONDS - 0.1
    assert not redis_cache.ready()
    installation.timer.now += 0.1
    assert redis_cache.ready()


def test_a_restart_of_redis_between_two_requests_goes_unnoticed(installation, redis_server, caplog) -> None:
    process = installation.process()
    process.cache.ranking()
    redis_server.kill()
    redis_server.start()
    installation.timer.now += 1
    assert process.cache.status(NOON).shared_cache is True
    assert caplog.records == []


def test_a_redis_that_is_out_of_memory_counts_as_down_and_is_logged_once(installation, client, caplog) -> None:
    client.config_set("maxmemory", 1)
    process = installation.process()
    for passed in range(5):
        installation.timer.now += PAUSE_SECONDS
        assert process.cache.status(NOON + timedelta(seconds=passed)).shared_cache is False
    assert installation.read("status") == 5
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    client.config_set("maxmemory", 0)
    installation.timer.now += PAUSE_SECONDS
    assert process.cache.status(NOON + timedelta(seconds=5)).shared_cache is True


# ---- foreign data in Redis


@pytest.mark.parametrize("entry", ["revision", "ranking", "status"])
def test_garbage_under_a_key_is_replaced(installation, client, entry) -> None:
    first = installation.process()
    first.cache.ranking(), first.cache.status(NOON)
    key = key_of(client, entry)
    for spoil in (
        lambda: client.set(key, b"\x80\x05garbage"),
        lambda: client.set(key, b""),
        lambda: (client.delete(key), client.rpush(key, "a list")),
    ):
        spoil()
        other = installation.process()
        assert other.cache.ranking() == first.cache.ranking()
        assert other.cache.status(NOON) == first.cache.status(NOON)
        assert other.redis_cache.up
        assert client.type(key) == b"string"


def test_installations_on_one_redis_do_not_share_results(installation) -> None:
    theirs = Installation(installation.url, "data-tracker:1.0.0:theirs")
    theirs.database.put(builders.ranked_metric(1, market="demo", price=5.0))
    theirs.database.state = installation.database.state
    newer = Installation(installation.url, "data-tracker:1.1.0:ours")
    newer.database.put(builders.ranked_metric(2))
    newer.database.state = installation.database.state

    for each in (installation, theirs, newer) * 2:
        assert each.process().cache.ranking().metrics == each.database.metrics


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://127.0.0.1:6379",
        "redis://me:hunter2@host:port",
        "redis://me:hunter2@host:99999",
        "redis://:hunter2@host/?socket_timeout=soon",
        "redis://:hunter2@host/?no_such_option=1",
    ],
)
def test_an_invalid_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BadRedisUrl, match=r"^REDIS_URL: not a URL of the form redis://host:port/number$"):
        open_redis_cache(url, lambda: "installation")


@pytest.mark.parametrize(
    "url",
    ["redis://127.0.0.1:1/0", "redis://no-such-host.invalid/0", f"redis://{'x' * 70}/0", "unix:///no/such/socket"],
)
def test_an_unreachable_redis_counts_as_down(url: str) -> None:
    process = Installation(url).process()
    assert process.cache.status(NOON).shared_cache is False
    assert len(process.cache.ranking().metrics) == 1
