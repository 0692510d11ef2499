"""The whole cluster while Redis, PostgreSQL, and then all exchanges hang. Frozen by SIGSTOP, they accept connections
and data but do not respond."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import psutil
import pytest
import redis

from tests.cluster.cluster import Cluster
from tests.cluster.market_model import PERIOD
from tests.processes import frozen
from tests.waiting import wait_for

pytestmark = pytest.mark.soak

LONG_SECONDS, SHORT_SECONDS = 120.0, 1.5 * PERIOD


def test_the_cluster_recovers_after_each_of_its_services_has_hung(cluster: Cluster, soak: bool) -> None:
    seconds = LONG_SECONDS if soak else SHORT_SECONDS
    running = {program.name: program.pid for program in cluster.programs}
    tick_follows(cluster, soak)
    before = connections(cluster)

    hanging_services = {
        "Redis": cluster.redis.frozen,
        "PostgreSQL": cluster.postgresql.frozen,
        "an exchange": lambda: frozen(psutil.Process(cluster.exchange.pid)),
    }
    for name, freeze in hanging_services.items():
        hang(freeze, seconds)
        print(f"{name}: a new tick {tick_follows(cluster, soak):.1f} s after the thaw")

    assert {program.name: program.pid for program in cluster.programs if psutil.pid_exists(program.pid)} == running
    with redis.Redis.from_url(cluster.redis.url) as client:
        wait_for(lambda: client.llen("ticks") + client.llen("history") <= 4, what="an empty queue")
    wait_for(lambda: connections(cluster) <= before + 8, what="the end of waiting connections")
    assert not cluster.web_monitor.failed_requests, cluster.web_monitor.failed_requests
    assert set(cluster.web_monitor.statuses) == {("/healthz", 200), ("/metrics", 200)}
    for program in (*cluster.clocks, cluster.web):  # Celery logs tracebacks of a lost broker
        assert "Traceback" not in program.log.read_text(), program.name


def hang(freeze: Callable[[], AbstractContextManager[None]], seconds: float) -> None:
    with freeze():
        ends = time.monotonic() + seconds
        wait_for(lambda: time.monotonic() >= ends, seconds=2 * seconds)


def tick_follows(cluster: Cluster, soak: bool) -> float:
    """Seconds until the next tick is stored: in the soak run, at most two periods."""
    began = time.monotonic()
    last = cluster.database.minute()
    wait_for(lambda: cluster.database.minute() > last, what="another tick")
    took = time.monotonic() - began
    assert not soak or took <= 2 * PERIOD
    return took


def connections(cluster: Cluster) -> int:
    return len(cluster.postgresql.process.children())
