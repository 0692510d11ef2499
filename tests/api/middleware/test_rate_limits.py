import time
from concurrent.futures import ThreadPoolExecutor

import redis

from api.middleware.rate_limits import FAILURES_A_MINUTE, MAX_KNOWN_CLIENTS, REDIS_PAUSE, REDIS_TIMEOUT, Counts, Limits
from tests.fakes import Timer
from tests.redis_server import RedisServer


def test_processes_that_share_redis_count_together(redis_server: RedisServer) -> None:
    first, second = Limits(4, redis_server.url), Limits(4, redis_server.url)

    waits = [limits.wait_for_request("ann") for limits in (first, second) * 3]

    assert waits[:4] == [0] * 4
    assert all(1 <= wait <= 60 for wait in waits[4:])
    assert first.wait_for_request("ben") == 0
    for limits in (first, second) * (FAILURES_A_MINUTE // 2):
        limits.failed("192.0.2.1")
    assert second.wait_for_login("192.0.2.1", "Basic x") > 0


def test_without_redis_each_process_counts_by_itself_until_it_is_back(redis_server: RedisServer, caplog) -> None:
    timer = Timer()
    limits = Limits(2, redis_server.url, timer)
    assert [limits.wait_for_request("ann") for _ in range(2)] == [0, 0]

    redis_server.kill()
    assert [bool(limits.wait_for_request("ann")) for _ in range(3)] == [False, False, True]
    assert len(caplog.messages) == 1, "logged once"

    redis_server.start()
    timer.now += REDIS_PAUSE
    assert [bool(limits.wait_for_request("ann")) for _ in range(3)] == [False, False, True]


def test_a_redis_that_hangs_delays_only_the_first_requests_and_an_occasional_later_one(
    redis_server: RedisServer,
) -> None:
    timer = Timer()
    limits = Limits(1_000, redis_server.url, timer)
    assert limits.wait_for_request("ann") == 0

    with redis_server.frozen(), ThreadPoolExecutor(8) as threads:
        began = time.monotonic()
        for _ in range(4):
            timer.now += REDIS_PAUSE
            assert list(threads.map(limits.wait_for_request, ["ann"] * 8)) == [0] * 8
            assert list(threads.map(limits.wait_for_request, ["ann"] * 80)) == [0] * 80
        assert time.monotonic() - began < 40 * REDIS_TIMEOUT

    timer.now += REDIS_PAUSE
    assert limits.wait_for_request("ann") == 0
    with redis.Redis.from_url(redis_server.url) as client:
        assert len(client.keys("data-tracker:limits*")) > 0


def test_the_memory_of_admitted_clients_is_bounded() -> None:
    limits = Limits(0)
    for number in range(MAX_KNOWN_CLIENTS + 5):
        limits.succeeded("192.0.2.1", f"Basic {number}")
    for _ in range(FAILURES_A_MINUTE):
        limits.failed("192.0.2.1")

    assert limits.wait_for_login("192.0.2.1", f"Basic {MAX_KNOWN_CLIENTS + 4}") == 0
    assert limits.wait_for_login("192.0.2.1", "Basic 0") > 0
    assert len(limits._known) <= MAX_KNOWN_CLIENTS


def test_counts_expire_with_their_window_and_their_number_is_bounded() -> None:
    timer = Timer()
    counts = Counts(timer)
    assert [counts.incr("a", 60), counts.incr("a", 60), counts.get("a"), counts.get("b")] == [1, 2, 2, 0]
    assert counts.get_expiry("a") == timer.now + 60
    timer.now += 59
    assert counts.incr("a", 60) == 3
    timer.now += 1
    assert counts.get("a") == 0
    assert counts.incr("a", 60) == 1

    for number in range(Counts.MAX + 10):
        counts.incr(f"n{number}", 60)
    assert counts.reset() <= Counts.MAX
    counts.incr("a", 60)
    counts.clear("a")
    assert counts.get("a") == 0
    assert counts.check()
