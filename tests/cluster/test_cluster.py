"""The whole cluster during ten ticks in which one process of each kind is killed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psycopg
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.market_model import PAIRS, PERIOD, price, read_spikes, write_spikes
from tests.processes import kill_family
from tests.waiting import wait_for

TICKS = 10
TAKEOVER_SECONDS = PERIOD + 10.0
DAY = 86_400

SPIKING = {"binance:ETH": 1, "binanceus:SOL": 5, "binance:DOT": 7}
"""Spiking pairs, and the ticks in which they begin: those in which the clock, Redis and PostgreSQL are killed."""


@dataclass
class Schedule:
    """The times of kills and restarts; `begins` is the epoch second of the first of ten ticks."""

    begins: int
    killed_at: dict[str, float] = field(default_factory=dict)
    back_at: dict[str, float] = field(default_factory=dict)

    @property
    def minutes(self) -> list[int]:
        return [self.begins + number * PERIOD for number in range(TICKS)]

    def log(self, what: str) -> None:
        print(f"{time.time() - self.begins:7.2f} s  {what}")

    def kill(self, name: str, tick: int, offset: float, kill: Callable[[], None]) -> None:
        """Kill a process `offset` seconds into the tick."""
        moment = self.begins + tick * PERIOD + offset
        wait_for(lambda: time.time() >= moment, seconds=60, what=f"tick {tick}")
        self.killed_at[name] = time.time()
        kill()
        self.log(f"{name} is killed, {self.killed_at[name] - self.begins - tick * PERIOD:.2f} s into tick {tick}")

    def start(self, name: str, start: Callable[[], None], away: float = 0.0) -> None:
        """Restart a process `away` seconds after it was killed; `start` returns when it is running."""
        wait_for(lambda: time.time() >= self.killed_at[name] + away, what=f"the return of {name}")
        start()
        self.back_at[name] = time.time()
        self.log(f"{name} is back after {self.back_at[name] - self.killed_at[name]:.2f} s")


@contextmanager
def logs_on_failure(cluster: Cluster) -> Iterator[None]:
    """Print the programs' logs if the block fails."""
    try:
        yield
    except BaseException:
        for program in cluster.programs:
            print(f"--- {program.name}\n{program.log.read_text()[-6000:]}")
        raise


def test_nothing_is_lost_duplicated_or_torn_when_a_process_of_each_kind_is_killed(cluster: Cluster) -> None:
    with logs_on_failure(cluster):
        schedule = Schedule(begins=cluster.database.minute() + 2 * PERIOD)
        write_spikes(cluster.spikes, {pair: schedule.begins + tick * PERIOD for pair, tick in SPIKING.items()})
        run_schedule(cluster, schedule)
        check_ticks(cluster, schedule)
        check_prices(cluster)
        check_statistics(cluster)
        check_readers(cluster, schedule)
        check_alerts(cluster, schedule)


def run_schedule(cluster: Cluster, schedule: Schedule) -> None:
    leader = cluster.leader()
    schedule.kill("the clock", 1, 0.05, leader.kill)
    next_one = wait_for(lambda: cluster.leader() is not leader and cluster.leader(), TAKEOVER_SECONDS, "the take-over")
    schedule.log(f"{next_one.name} has taken over after {time.time() - schedule.killed_at['the clock']:.2f} s")
    schedule.start("the clock", leader.start)

    schedule.kill("a Celery worker", 3, 0.05, cluster.workers[0].kill)
    schedule.start("a Celery worker", cluster.workers[0].start)

    schedule.kill("a gunicorn worker", 4, 2.5, lambda: kill_family(cluster.web.children()[0]))

    schedule.kill("Redis", 5, 0.05, cluster.redis.kill)
    schedule.start("Redis", cluster.redis.start, away=1.0)

    schedule.kill("PostgreSQL", 7, 0.05, cluster.postgresql.kill)
    schedule.start("PostgreSQL", cluster.postgresql.start, away=1.0)

    schedule.kill("the exchange", 9, -2.5, cluster.exchange.kill)
    schedule.start("the exchange", cluster.start_exchange)

    wait_for(lambda: max(cluster.web_monitor.minutes()) >= schedule.minutes[-1], 4 * PERIOD, "the last tick")
    wait_for(lambda: len(set(cluster.receiver.alerts)) >= len(SPIKING), 6 * PERIOD, "the last message")
    schedule.log("the last tick is stored and the last message has arrived")


def check_ticks(cluster: Cluster, schedule: Schedule) -> None:
    """Check that each period has one tick with all its prices."""
    with psycopg.connect(cluster.postgresql.url) as connection:
        found = connection.execute(
            """SELECT minute, stored, failed, late_ms, (SELECT count(*) FROM price WHERE price.minute = tick.minute
                      AND width = %s)
               FROM tick WHERE minute BETWEEN %s AND %s ORDER BY minute""",
            (PERIOD, schedule.minutes[0], schedule.minutes[-1]),
        ).fetchall()
    lost = sorted(set(schedule.minutes) - {row[0] for row in found})
    assert not lost, f"ticks lost: {[schedule.minutes.index(minute) for minute in lost]}"
    for minute, stored, failed, late_ms, prices in found:
        number = schedule.minutes.index(minute)
        print(f"tick {number}: begun {late_ms / 1e3:.2f} s into its period, {stored} prices")
        assert (stored, prices, failed) == (len(PAIRS), len(PAIRS), ""), f"tick {number}"


def check_prices(cluster: Cluster) -> None:
    """Check that each price, of a tick or a candle, is that of its period, once per metric."""
    spikes = read_spikes(cluster.spikes)
    with psycopg.connect(cluster.postgresql.url) as connection:
        rows = connection.execute(
            "SELECT market, base, minute, price FROM price JOIN metric ON metric.id = metric_id"
        ).fetchall()
    wrong = [row for row in rows if row[3] != price(*row[:3], spikes)]
    assert not wrong, f"{len(wrong)} of {len(rows)} prices are of another time: {wrong[:3]}"
    assert len({row[:3] for row in rows}) == len(rows)


def check_statistics(cluster: Cluster) -> None:
    """Check that statistics updated by several processes equal those of the stored prices."""
    with psycopg.connect(cluster.postgresql.url) as connection:
        rows = connection.execute(
            "SELECT market, base, minute, price, width FROM price JOIN metric ON metric.id = metric_id"
        ).fetchall()
    ranking = next(reversed(cluster.web_monitor.rankings.values()))
    for metric in ranking:
        since = metric.minute - DAY
        in_window = [
            row[3:] for row in rows if row[:2] == (metric.market, metric.base) and since < row[2] <= metric.minute
        ]
        prices, widths = np.array(in_window).T
        mean = np.average(prices, weights=widths)
        stdev = np.sqrt(np.average((prices - mean) ** 2, weights=widths))
        assert metric.stdev == pytest.approx(stdev, rel=1e-9), metric


def check_readers(cluster: Cluster, schedule: Schedule) -> None:
    """Check that both monitors saw only complete ticks, and that the web always responded."""
    database, web_monitor = cluster.database, cluster.web_monitor
    torn = [seen for _, seen in database.seen if not seen.stored == seen.prices == len(PAIRS)]
    assert not torn, torn
    revisions = [seen.revision for _, seen in database.seen]
    assert revisions == sorted(revisions)
    spikes = read_spikes(cluster.spikes)
    for ranking in web_monitor.rankings.values():
        assert len(ranking) == len(PAIRS)
        (minute,) = {metric.minute for metric in ranking}
        assert all(metric.price == price(metric.market, metric.base, minute, spikes) for metric in ranking)
    assert web_monitor.minutes() >= set(schedule.minutes)

    assert not web_monitor.failed_requests, web_monitor.failed_requests
    assert set(web_monitor.statuses) <= {("/healthz", 200), ("/metrics", 200), ("/metrics", 503)}
    away = (schedule.killed_at["PostgreSQL"] - 1, schedule.back_at["PostgreSQL"] + 1)
    assert all(away[0] < at < away[1] for at in web_monitor.unavailable_at), web_monitor.unavailable_at
    print(
        f"{database.polls} polls of the database, {web_monitor.polls} of the web ({web_monitor.repeated} retries, "
        f"{len(web_monitor.unavailable_at)} times 503): only complete ticks"
    )


def check_alerts(cluster: Cluster, schedule: Schedule) -> None:
    """Check that each spike fired one alert in its own tick, and that each alert was delivered."""
    with psycopg.connect(cluster.postgresql.url) as connection:
        fired = connection.execute(
            "SELECT alert.id, market || ':' || base, fired_at FROM alert JOIN metric ON metric.id = metric_id"
        ).fetchall()
    assert sorted(row[1:] for row in fired) == sorted(
        (pair, schedule.begins + tick * PERIOD) for pair, tick in SPIKING.items()
    )
    arrived = cluster.receiver.alerts
    assert set(arrived) == {row[0] for row in fired}
    print(f"{len(fired)} alerts, each fired once; they arrived in {len(arrived)} messages")
