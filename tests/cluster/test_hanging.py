"""The whole cluster while Redis, PostgreSQL, and then all exchanges hang: frozen by SIGSTOP, they take what is sent and
answer nothing. What is left of it afterwards."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import psutil
import pytest
import redis

from tests.cluster.cluster import Cluster
from tests.cluster.world import PERIOD
from tests.processes import frozen
from tests.waiting import wait_for

pytestmark = pytest.mark.soak

LONG_SECONDS, SHORT_SECONDS = 120.0, 1.5 * PERIOD


def test_the_cluster_goes_on_after_each_of_its_neighbours_has_hung(cluster: Cluster, soak: bool) -> None:
    seconds = LONG_SECONDS if soak else SHORT_SECONDS
    running = {program.name: program.pid for program in cluster.programs}
    tick_follows(cluster, soak)
    before = connections(cluster)

    neighbours = {
        "Redis": cluster.redis.frozen,
        "PostgreSQL": cluster.postgresql.frozen,
        "an exchange": lambda: frozen(psutil.Process(cluster.exchange.pid)),
    }
    for name, frozen_one in neighbours.items():
        hang(frozen_one, seconds)
        print(f"{name}: a new tick {tick_follows(cluster, soak):.1f} s after the thaw")

    assert {program.name: program.pid for program in cluster.programs if psutil.pid_exists(program.pid)} == running
    with redis.Redis.from_url(cluster.redis.url) as client:
        wait_for(lambda: client.llen("ticks") + client.llen("history") <= 4, what="the end of what had piled up")
    wait_for(lambda: connections(cluster) <= before + 8, what="the end of connections that waited")
    assert not cluster.visitor.silences, cluster.visitor.silences
    assert set(cluster.visitor.statuses) == {("/healthz", 200), ("/metrics", 200)}
    for program in (*cluster.clocks, cluster.web):  # Celery tells of a lost broker in its own way
        assert "Traceback" not in program.log.read_text(), program.name


def hang(frozen_one: Callable[[], AbstractContextManager[None]], seconds: float) -> None:
    with frozen_one():
        ends = time.monotonic() + seconds
        wait_for(lambda: time.monotonic() >= ends, seconds=2 * seconds)


def tick_follows(cluster: Cluster, soak: bool) -> float:
    """Seconds until a tick is stored that is not stored now; within two periods, on a machine that has time."""
    began = time.monotonic()
    last = cluster.database.minute()
    wait_for(lambda: cluster.database.minute() > last, what="another tick")
    took = time.monotonic() - began
    assert not soak or took <= 2 * PERIOD
    return took


def connections(cluster: Cluster) -> int:
    return len(cluster.postgresql.process.children())
