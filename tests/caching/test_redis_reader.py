"""Readers of several processes, each with a cache of its own, over one database and a real Redis."""

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
    """What one web process has: its cache, and its own way to Redis."""

    cache: CachedReader
    shared: SharedReader
    redis_cache: RedisCache


@dataclass
class Installation:
    """Processes over one database, in one time."""

    url: str
    name: str = "data-tracker:1.0.0:ours"
    database: FakeReader = field(default_factory=lambda: FakeReader(metrics=(builders.ranked_metric(1),)))
    timer: Timer = field(default_factory=Timer)

    def process(self) -> Process:
        redis_cache = open_redis_cache(self.url, lambda: self.name, self.timer)
        shared = SharedReader(self.database, redis_cache)
        return Process(CachedReader(shared, self.timer), shared, redis_cache)

    def read(self, what: str) -> int:
        """How often the database was asked for it."""
        return self.database.calls.count(what)


@pytest.fixture
def ours(redis_server: RedisServer) -> Installation:
    return Installation(redis_server.url)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as opened:
        yield opened


def key_of(client: redis.Redis, entry: str) -> bytes:
    (key,) = client.keys(f"*:{entry}:*")
    return key


def forget_revision(client: redis.Redis) -> None:
    """As time does, half a second after it was asked for."""
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
def test_a_result_that_one_process_has_read_no_other_reads_until_the_next_tick(ours, client, what) -> None:
    ask = ASKED[what]
    ours.database.price_series[1] = builders.series([1.0, 2.0, 3.0])
    ours.database.volume_series[1] = builders.series([4.0, 5.0])
    ours.database.fired = (builders.alert(1), builders.alert(2, fired_at=NOON - timedelta(hours=2)))
    processes = [ours.process() for _ in range(4)]

    answers = [ask(process.cache) for process in processes]
    assert answers == [answers[0]] * 4
    assert (ours.read(what), ours.read("revision")) == (1, 1)

    ours.database.put(builders.ranked_metric(1, price=5.0))
    forget_revision(client)
    ours.timer.now += 600
    for process in processes:
        ask(process.cache)
    assert (ours.read(what), ours.read("revision")) == (2, 2)


def test_a_new_revision_is_seen_by_all_as_soon_as_the_old_one_may_be_forgotten(ours) -> None:
    first, second = ours.process(), ours.process()
    assert [first.cache.revision(), second.cache.revision()] == [7, 7]
    ours.database.put(builders.ranked_metric(1, price=5.0))

    def seen(process: Process) -> bool:
        ours.timer.now += 0.25
        return process.cache.revision() == 8

    for process in (first, second):
        wait_for(lambda process=process: seen(process), seconds=1.0, what="the new revision")
        assert process.cache.ranking().metrics[0].price == 5.0


@pytest.mark.parametrize("name", ["prices", "volumes"])
def test_a_series_is_read_as_of_the_revision_under_which_others_find_it(ours, client, name) -> None:
    process = ours.process()
    assert process.cache.revision() == 7
    ours.database.put(builders.ranked_metric(1))
    forget_revision(client)
    getattr(process.cache, name)(1, NOON - timedelta(hours=1), NOON)  # it still takes 7 for the present one
    assert ours.database.as_of == [8]
    assert [key.split(b":")[4] for key in client.keys("*:series:*")] == [b"8"]


def test_an_older_revision_than_before_is_not_believed_unless_the_database_says_so(ours, client) -> None:
    first, second = ours.process().shared, ours.process().shared
    assert first.revision() == 7
    ours.database.put()
    forget_revision(client)
    assert first.revision() == 8

    slow = Installation(ours.url, database=FakeReader())  # read 7 long ago, and only now puts it down
    forget_revision(client)
    slow.process().shared.revision()
    assert [first.revision(), second.revision()] == [8, 7]

    ours.database.state = builders.status(revision=3)  # a backup was restored
    forget_revision(client)
    assert [first.revision(), first.ranking().revision] == [3, 3]


def test_alerts_are_those_that_were_asked_for(ours) -> None:
    ours.database.fired = tuple(
        builders.alert(number, metric_id=number % 3, fired_at=NOON - timedelta(minutes=7 * number))
        for number in range(40)
    )
    first, second = ours.process().shared, ours.process().shared
    for metric_id in (None, 1):
        for limit in (1000, 3):
            for since in (None, *(NOON - timedelta(minutes=ago) for ago in (0, 7, 61, 100, 500))):
                query = AlertQuery(since=since, metric_id=metric_id, limit=limit)
                wanted = ours.database.alerts(query)
                assert first.alerts(query) == wanted
                assert second.alerts(query) == wanted
    for query in (AlertQuery(until=NOON - timedelta(minutes=7)), AlertQuery(offset=2), AlertQuery(search="btc")):
        assert first.alerts(query) == ours.database.alerts(query)


def test_staleness_is_computed_at_the_time_of_the_request(ours) -> None:
    first, second = ours.process().shared, ours.process().shared
    assert not first.status(NOON).stale
    assert second.status(NOON + timedelta(minutes=4)).stale
    assert ours.read("status") == 1


def test_a_metric_that_is_not_tracked_is_looked_up(ours) -> None:
    cache = ours.process().cache
    with pytest.raises(UnknownMetric, match="no metric 9"):
        cache.metric(9)


def test_a_very_long_answer_is_not_put_into_redis(ours, client) -> None:
    ours.database.price_series[1] = builders.series([1.0] * 20_000)
    since = NOON - timedelta(days=31)
    first, second = ours.process().shared, ours.process().shared
    assert len(first.prices(1, since, NOON).values) == len(second.prices(1, since, NOON).values) == 20_000
    assert client.keys("*:series:*") == []


def test_every_key_is_ours_and_goes_by_itself(ours, client) -> None:
    process = ours.process()
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


def test_processes_that_miss_the_same_at_once_have_one_read_it(ours) -> None:
    ours.database = slow = SlowReader(metrics=(builders.ranked_metric(1),))
    processes = [ours.process() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(processes[0].cache.ranking)
        assert slow.started.wait(10)
        others = [threads.submit(process.cache.ranking) for process in processes[1:]]
        slow.may_end.set()
        rankings = [future.result(10) for future in (first, *others)]
    assert rankings == [rankings[0]] * 6
    assert slow.calls.count("asked") == 1


def test_a_caller_that_has_waited_long_enough_reads_for_itself(ours) -> None:
    ours.database = slow = SlowReader(metrics=(builders.ranked_metric(1),))
    stuck, other = ours.process(), ours.process()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(stuck.cache.ranking)
        assert slow.started.wait(10)
        slow.started.clear()
        second = threads.submit(other.cache.ranking)
        ours.timer.now += 0.1

        def reads_itself() -> bool:
            ours.timer.now += 1
            return slow.started.is_set()

        wait_for(reads_itself, what="a reading of its own")
        slow.may_end.set()
        assert first.result(10) == second.result(10)


def test_an_error_of_the_database_is_raised_and_keeps_nobody_waiting(ours, client) -> None:
    process = ours.process()
    assert process.cache.revision() == 7
    ours.database.down = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            process.cache.ranking()
    assert client.keys("*:claim") == []
    ours.database.down = False
    assert len(process.cache.ranking().metrics) == 1


def test_the_database_being_away_is_not_hidden_by_what_was_shared(ours, client) -> None:
    process = ours.process()
    assert process.cache.status(NOON).away_since is None
    ours.database.down = True
    forget_revision(client)
    ours.timer.now += 1
    assert process.cache.status(NOON).away_since == NOON
    with pytest.raises(StoreUnavailable):
        ours.process().cache.status(NOON)


# ---- Redis away


def test_without_redis_the_database_is_read_and_when_it_is_back_it_is_used_again(ours, redis_server, caplog) -> None:
    caplog.set_level(logging.INFO)
    first, second = ours.process(), ours.process()
    assert first.cache.status(NOON).shared_cache is True

    redis_server.kill()
    for price in (5.0, 6.0, 7.0):
        ours.database.put(builders.ranked_metric(1, price=price))
        ours.timer.now += 1
        for process in (first, second):
            assert process.cache.ranking().metrics[0].price == price
            assert process.cache.status(NOON).shared_cache is False
    assert ours.read("ranking") == 6
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]  # once a process

    redis_server.start()
    ours.timer.now += PAUSE_SECONDS
    caplog.clear()
    ours.database.put(builders.ranked_metric(1, price=8.0))
    for process in (first, second):
        assert process.cache.ranking().metrics[0].price == 8.0
        assert process.cache.status(NOON).shared_cache is True
    assert ours.read("ranking") == 7
    assert [record.message for record in caplog.records] == [
        "shared cache: Redis is back, after 1 failure in 0:00:07"
    ] * 2


def test_a_redis_that_hangs_makes_one_request_wait_and_no_other(ours, redis_server) -> None:
    process = ours.process()
    process.cache.revision()
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        ours.timer.now += 1
        began = datetime.now(UTC)
        for _ in range(20):
            assert len(process.shared.ranking().metrics) == 1
        assert datetime.now(UTC) - began < timedelta(seconds=1)
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)


def test_while_it_is_away_it_is_tried_by_one_caller_now_and_then(ours, redis_server) -> None:
    redis_server.kill()
    redis_cache = ours.process().redis_cache
    assert redis_cache.get_or_compute(REVISION, "", lambda: 1) == 1
    assert not redis_cache.up
    redis_server.start()
    assert not redis_cache.ready()
    ours.timer.now += PAUSE_SECONDS - 0.1
    assert not redis_cache.ready()
    ours.timer.now += 0.1
    assert redis_cache.ready()


def test_a_restart_between_two_questions_is_not_even_noticed(ours, redis_server, caplog) -> None:
    process = ours.process()
    process.cache.ranking()
    redis_server.kill()
    redis_server.start()
    ours.timer.now += 1
    assert process.cache.status(NOON).shared_cache is True
    assert caplog.records == []


def test_a_redis_without_memory_left_is_away_and_reported_once(ours, client, caplog) -> None:
    client.config_set("maxmemory", 1)
    process = ours.process()
    for passed in range(5):
        ours.timer.now += PAUSE_SECONDS
        assert process.cache.status(NOON + timedelta(seconds=passed)).shared_cache is False
    assert ours.read("status") == 5
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    client.config_set("maxmemory", 0)
    ours.timer.now += PAUSE_SECONDS
    assert process.cache.status(NOON + timedelta(seconds=5)).shared_cache is True


# ---- what others put there


@pytest.mark.parametrize("entry", ["revision", "ranking", "status"])
def test_garbage_under_a_key_is_replaced(ours, client, entry) -> None:
    first = ours.process()
    first.cache.ranking(), first.cache.status(NOON)
    key = key_of(client, entry)
    for spoil in (
        lambda: client.set(key, b"\x80\x05garbage"),
        lambda: client.set(key, b""),
        lambda: (client.delete(key), client.rpush(key, "a list")),
    ):
        spoil()
        other = ours.process()
        assert other.cache.ranking() == first.cache.ranking()
        assert other.cache.status(NOON) == first.cache.status(NOON)
        assert other.redis_cache.up
        assert client.type(key) == b"string"


def test_installations_on_one_redis_know_nothing_of_each_other(ours) -> None:
    theirs = Installation(ours.url, "data-tracker:1.0.0:theirs")
    theirs.database.put(builders.ranked_metric(1, market="demo", price=5.0))
    theirs.database.state = ours.database.state
    newer = Installation(ours.url, "data-tracker:1.1.0:ours")
    newer.database.put(builders.ranked_metric(2))
    newer.database.state = ours.database.state

    for installation in (ours, theirs, newer) * 2:
        assert installation.process().cache.ranking().metrics == installation.database.metrics


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
def test_a_url_that_is_none_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(BadRedisUrl, match=r"^REDIS_URL: not a URL of the form redis://host:port/number$"):
        open_redis_cache(url, lambda: "ours")


@pytest.mark.parametrize(
    "url",
    ["redis://127.0.0.1:1/0", "redis://no-such-host.invalid/0", f"redis://{'x' * 70}/0", "unix:///no/such/socket"],
)
def test_a_redis_that_is_nowhere_is_away(url: str) -> None:
    process = Installation(url).process()
    assert process.cache.status(NOON).shared_cache is False
    assert len(process.cache.ranking().metrics) == 1
