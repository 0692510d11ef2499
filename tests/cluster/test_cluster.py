"""The whole cluster, and what is left of ten ticks when one of everything is killed in them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psycopg
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.world import PAIRS, PERIOD, price, read_spikes, write_spikes
from tests.processes import kill_family
from tests.waiting import wait_for

TICKS = 10
TAKEOVER_SECONDS = PERIOD + 10.0
DAY = 86_400

SPIKING = {"binance:ETH": 1, "binanceus:SOL": 5, "binance:DOT": 7}
"""By the number of the tick in which each begins: those in which the clock, Redis and PostgreSQL are killed."""


@dataclass
class Story:
    """The schedule of events, each announced in time; `begins` is the epoch second of the first tick of ten."""

    begins: int
    killed_at: dict[str, float] = field(default_factory=dict)
    back_at: dict[str, float] = field(default_factory=dict)

    @property
    def minutes(self) -> list[int]:
        return [self.begins + number * PERIOD for number in range(TICKS)]

    def tell(self, what: str) -> None:
        print(f"{time.time() - self.begins:7.2f} s  {what}")

    def kill(self, name: str, tick: int, offset: float, kill: Callable[[], None]) -> None:
        """`offset` seconds into that tick."""
        moment = self.begins + tick * PERIOD + offset
        wait_for(lambda: time.time() >= moment, seconds=60, what=f"tick {tick}")
        self.killed_at[name] = time.time()
        kill()
        self.tell(f"{name} is killed, {self.killed_at[name] - self.begins - tick * PERIOD:.2f} s into tick {tick}")

    def start(self, name: str, start: Callable[[], None], away: float = 0.0) -> None:
        """Again, when it has been `away` for so many seconds; `start` answers when it is there."""
        wait_for(lambda: time.time() >= self.killed_at[name] + away, what=f"the return of {name}")
        start()
        self.back_at[name] = time.time()
        self.tell(f"{name} is back after {self.back_at[name] - self.killed_at[name]:.2f} s")


@contextmanager
def logs_on_failure(cluster: Cluster) -> Iterator[None]:
    """What the programs wrote, where something fails."""
    try:
        yield
    except BaseException:
        for program in cluster.programs:
            print(f"--- {program.name}\n{program.log.read_text()[-6000:]}")
        raise


def test_nothing_is_lost_doubled_or_torn_while_one_of_everything_is_killed(cluster: Cluster) -> None:
    with logs_on_failure(cluster):
        story = Story(begins=cluster.database.minute() + 2 * PERIOD)
        write_spikes(cluster.spikes, {pair: story.begins + tick * PERIOD for pair, tick in SPIKING.items()})
        tell_story(cluster, story)
        check_ticks(cluster, story)
        check_prices(cluster)
        check_statistics(cluster)
        check_readers(cluster, story)
        check_alerts(cluster, story)


def tell_story(cluster: Cluster, story: Story) -> None:
    leader = cluster.leader()
    story.kill("the clock", 1, 0.05, leader.kill)
    next_one = wait_for(lambda: cluster.leader() is not leader and cluster.leader(), TAKEOVER_SECONDS, "the take-over")
    story.tell(f"{next_one.name} has taken over after {time.time() - story.killed_at['the clock']:.2f} s")
    story.start("the clock", leader.start)

    story.kill("a Celery worker", 3, 0.05, cluster.workers[0].kill)
    story.start("a Celery worker", cluster.workers[0].start)

    story.kill("a gunicorn worker", 4, 2.5, lambda: kill_family(cluster.web.children()[0]))

    story.kill("Redis", 5, 0.05, cluster.redis.kill)
    story.start("Redis", cluster.redis.start, away=1.0)

    story.kill("PostgreSQL", 7, 0.05, cluster.postgresql.kill)
    story.start("PostgreSQL", cluster.postgresql.start, away=1.0)

    story.kill("the exchange", 9, -2.5, cluster.exchange.kill)
    story.start("the exchange", cluster.start_exchange)

    wait_for(lambda: max(cluster.visitor.minutes()) >= story.minutes[-1], 4 * PERIOD, "the last tick")
    wait_for(lambda: len(set(cluster.receiver.alerts)) >= len(SPIKING), 6 * PERIOD, "the last message")
    story.tell("the last tick is stored and the last message has arrived")


def check_ticks(cluster: Cluster, story: Story) -> None:
    """One tick a period with all its prices, none missing and none twice."""
    with psycopg.connect(cluster.postgresql.url) as connection:
        found = connection.execute(
            """SELECT minute, stored, failed, late_ms, (SELECT count(*) FROM price WHERE price.minute = tick.minute
                      AND width = %s)
               FROM tick WHERE minute BETWEEN %s AND %s ORDER BY minute""",
            (PERIOD, story.minutes[0], story.minutes[-1]),
        ).fetchall()
    lost = sorted(set(story.minutes) - {row[0] for row in found})
    assert not lost, f"ticks lost: {[story.minutes.index(minute) for minute in lost]}"
    for minute, stored, failed, late_ms, prices in found:
        number = story.minutes.index(minute)
        print(f"tick {number}: begun {late_ms / 1e3:.2f} s into its period, {stored} prices")
        assert (stored, prices, failed) == (len(PAIRS), len(PAIRS), ""), f"tick {number}"


def check_prices(cluster: Cluster) -> None:
    """Each price is the one of its own period, be it of a tick or of a candle, one a metric and period."""
    spikes = read_spikes(cluster.spikes)
    with psycopg.connect(cluster.postgresql.url) as connection:
        rows = connection.execute(
            "SELECT market, base, minute, price FROM price JOIN metric ON metric.id = metric_id"
        ).fetchall()
    wrong = [row for row in rows if row[3] != price(*row[:3], spikes)]
    assert not wrong, f"{len(wrong)} of {len(rows)} prices are of another moment: {wrong[:3]}"
    assert len({row[:3] for row in rows}) == len(rows)


def check_statistics(cluster: Cluster) -> None:
    """What was carried on from process to process equals what the stored prices give."""
    with psycopg.connect(cluster.postgresql.url) as connection:
        rows = connection.execute(
            "SELECT market, base, minute, price, width FROM price JOIN metric ON metric.id = metric_id"
        ).fetchall()
    ranking = next(reversed(cluster.visitor.rankings.values()))
    for metric in ranking:
        since = metric.minute - DAY
        mine = [row[3:] for row in rows if row[:2] == (metric.market, metric.base) and since < row[2] <= metric.minute]
        prices, widths = np.array(mine).T
        mean = np.average(prices, weights=widths)
        stdev = np.sqrt(np.average((prices - mean) ** 2, weights=widths))
        assert metric.stdev == pytest.approx(stdev, rel=1e-9), metric


def check_readers(cluster: Cluster, story: Story) -> None:
    """Every reader saw complete ticks at every moment, and the web always answered."""
    database, visitor = cluster.database, cluster.visitor
    torn = [seen for _, seen in database.seen if not seen.stored == seen.prices == len(PAIRS)]
    assert not torn, torn
    revisions = [seen.revision for _, seen in database.seen]
    assert revisions == sorted(revisions)
    spikes = read_spikes(cluster.spikes)
    for ranking in visitor.rankings.values():
        assert len(ranking) == len(PAIRS)
        (minute,) = {metric.minute for metric in ranking}
        assert all(metric.price == price(metric.market, metric.base, minute, spikes) for metric in ranking)
    assert visitor.minutes() >= set(story.minutes)

    assert not visitor.silences, visitor.silences
    assert set(visitor.statuses) <= {("/healthz", 200), ("/metrics", 200), ("/metrics", 503)}
    away = (story.killed_at["PostgreSQL"] - 1, story.back_at["PostgreSQL"] + 1)
    assert all(away[0] < at < away[1] for at in visitor.refusals), visitor.refusals
    print(
        f"{database.looks} looks at the database, {visitor.looks} at the web (asked again {visitor.repeated} times, "
        f"{len(visitor.refusals)} answers that the database is away): only whole ticks"
    )


def check_alerts(cluster: Cluster, story: Story) -> None:
    """One alert for each pair that spiked, in the very tick in which it did, and for no other; each has arrived."""
    with psycopg.connect(cluster.postgresql.url) as connection:
        fired = connection.execute(
            "SELECT alert.id, market || ':' || base, fired_at FROM alert JOIN metric ON metric.id = metric_id"
        ).fetchall()
    assert sorted(row[1:] for row in fired) == sorted(
        (pair, story.begins + tick * PERIOD) for pair, tick in SPIKING.items()
    )
    arrived = cluster.receiver.alerts
    assert set(arrived) == {row[0] for row in fired}
    print(f"{len(fired)} alerts, each fired once; they arrived in {len(arrived)} messages")
