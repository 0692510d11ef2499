"""Jobs run by Celery, over a real Redis, with a worker in a thread of this process."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Timer
from uuid import uuid4

import pytest
from celery.contrib.testing.worker import start_worker
from celery.result import AsyncResult
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from services import jobs
from services.bootstrap import Services, open_services
from services.market.alerting.messages import Message
from services.market.errors import TrackerError, Unavailable
from services.market.ports import Exchange
from services.market.times import period_of
from services.market.types import Listing, Pair
from services.pipeline.notify import Senders
from services.runners import celery_app
from services.runners.dispatch import SILENCE_TIMEOUTS, Dispatch, dispatcher
from services.settings import read_settings
from services.store.alerting import alerts, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database import leases
from services.store.database.engine import reading, writing
from services.store.history import sealing
from services.store.ranking import metrics, snapshots
from tests.fakes import Timer as FakeTimer
from tests.fakes_exchange import FakeClock, FakeExchange, FakeNotifier
from tests.pipeline.harness import store_history
from tests.redis_server import RedisServer
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

Open = Callable[..., Services]
NOW = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)

UNHURRIED = 0.003
"""Seconds between two checks: a worker gets several within five seconds of a RunningClock."""


class RunningClock:
    """Starts at a given time, and moves on by a hundredth of a second with each call."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=10)
        return self.now


@pytest.fixture
def open_one(tmp_path: Path, redis_server: RedisServer) -> Iterator[Open]:
    """Opens services with a database of this name and the given exchanges; their process holds the clock's lease."""
    opened: list[Services] = []

    def begin(
        name: str = "one", exchanges: tuple[Exchange, ...] = (), clock: object = None, **chosen: object
    ) -> Services:
        track = ",".join(f"{exchange.name}:*" for exchange in exchanges) or "demo:*"
        settings = read_settings(
            None, database_url=f"sqlite:///{tmp_path}/{name}.db", track=track, redis_url=redis_server.url, **chosen
        )
        by_name = {exchange.name: exchange for exchange in exchanges}
        services = open_services(
            settings,
            clock or FakeClock(NOW),  # type: ignore[arg-type]
            by_name.__getitem__ if exchanges else None,
        )
        services.migrate()
        with writing(services.engine) as connection:
            leases.take(connection, services.owner, NOW.timestamp(), 1e6)
        opened.append(services)
        return services

    yield begin
    for services in opened:
        services.close()
        services.engine.dispose()


@pytest.fixture
def dispatch(redis_server: RedisServer) -> Dispatch:
    app = celery_app.make_app(read_settings(None, redis_url=redis_server.url))
    app.conf.update(worker_redirect_stdouts=False)
    return Dispatch(app)


@pytest.fixture
def working(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Services], AbstractContextManager[object]]:
    """Runs a worker with these services within a context."""

    def begin(services: Services) -> AbstractContextManager[object]:
        monkeypatch.setattr(celery_app, "worker_services", lambda: services)
        queues = [celery_app.TICKS, celery_app.HISTORY]
        return start_worker(
            dispatch.celery, pool="solo", perform_ping_check=False, queues=queues, shutdown_timeout=30, loglevel="ERROR"
        )

    return begin


def notify_by(services: Services, *notifiers: FakeNotifier) -> None:
    services.notifiers = notifiers
    services.senders = Senders(services.engine, notifiers, services.clock, Random(), services.owner, FakeTimer())


def stored(services: Services) -> tuple[bytes, list[tuple[object, ...]]]:
    with reading(services.engine) as connection:
        rows = connection.exec_driver_sql("SELECT * FROM price ORDER BY minute, metric_id").all()
        volumes = connection.exec_driver_sql("SELECT * FROM volume ORDER BY minute, metric_id").all()
        return snapshots.load(connection).statistics.tobytes(), [tuple(row) for row in (*rows, *volumes)]


def test_a_tick_by_celery_equals_one_in_process_bit_for_bit(open_one: Open, dispatch: Dispatch, working) -> None:
    inside, outside = open_one("inside"), open_one("outside", clock=RunningClock(NOW))
    for services in (inside, outside):
        services.ingestion.discovery.run(NOW)
    with working(outside):
        for number in range(3):
            now = NOW + timedelta(minutes=number)
            outside.clock.now = now  # type: ignore[attr-defined]
            jobs._tick(inside, now)
            dispatch.tick(outside, now)

    statistics, rows = stored(inside)
    assert len(rows) == 3 * 80
    assert stored(outside) == (statistics, rows)
    assert outside.reader.status(NOW).minute == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=3), timedelta(days=3653)])
def test_ticks_by_celery_continue_after_a_clock_that_was_ahead_is_corrected(
    open_one: Open, dispatch: Dispatch, working, ahead: timedelta
) -> None:
    services = open_one(clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)
    with working(services):
        for now in (NOW, NOW + ahead, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)):
            services.clock.now = now  # type: ignore[attr-defined]
            dispatch.tick(services, now)

    status = services.reader.status(NOW + timedelta(minutes=2))
    assert [tick.minute for tick in status.ticks] == [NOW.replace(second=0, minute=minute) for minute in (2, 1, 0)]
    assert status.set_aside is not None
    assert (status.set_aside.ticks, status.stale) == (1, False)


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=3), timedelta(days=3653)])
def test_workers_of_a_clock_ahead_for_more_than_an_hour_remove_no_samples_within_the_retention(
    open_one: Open, dispatch: Dispatch, working, ahead: timedelta
) -> None:
    services = open_one(clock=RunningClock(NOW), retention_days=26 / 24)
    began, step = NOW.replace(second=0), timedelta(minutes=5)
    history = store_history(services.engine, began - timedelta(minutes=70), 24.5, step)
    store_history(services.engine, began + ahead - timedelta(minutes=1), 65 / 60, step)
    services.ingestion.discovery.run(NOW)

    with working(services):
        for now in (NOW + ahead, NOW + ahead + timedelta(minutes=1)):
            services.clock.now = now  # type: ignore[attr-defined]
            dispatch.tick(services, now)
            # To its end, without depending on the worker.
            celery_app.keep(int(period_of(now, 60).timestamp()), services.owner)
        services.clock.now = NOW + timedelta(minutes=1)  # type: ignore[attr-defined]
        dispatch.tick(services, NOW + timedelta(minutes=1))

    assert services.reader.status(NOW + timedelta(minutes=1)).set_aside is not None
    with reading(services.engine) as connection:
        assert sealing.sealed_until(connection) is not None
    found = services.reader.prices(1, NOW - timedelta(days=2), NOW)
    assert set(history) <= set(found.times.tolist())


def test_a_tick_by_celery_ends_when_the_clock_is_set_back_in_it(open_one: Open, dispatch: Dispatch) -> None:
    services = open_one(clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)
    services.clock.now = NOW - timedelta(hours=1)  # type: ignore[attr-defined]
    dispatch.tick(services, NOW)  # without a worker, it would wait until its period has ended
    assert services.clock() < NOW - timedelta(minutes=59)


def test_a_clock_starts_a_new_installation_through_its_workers(open_one: Open, dispatch: Dispatch, working) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0}, close_at=lambda _pair, _second: 50.0)
    services = open_one("one", (exchange,), clock=RunningClock(NOW))
    by_name = {job.name: job.function for job in dispatch.jobs()}
    with working(services):
        by_name["discovery"](services, NOW)
        wait_for(lambda: services.reader.status(NOW).live == 1, what="the first tick")
        wait_for(lambda: services.reader.metric("kraken:btc-usd").samples == 1440, what="the backfill")

    assert set(by_name) == {job.name for job in jobs.JOBS}
    assert {job.name: job.seconds for job in dispatch.jobs()} == {job.name: job.seconds for job in jobs.JOBS}


def test_a_failing_exchange_is_retried_and_then_left_out_of_the_tick(
    open_one: Open, dispatch: Dispatch, working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_app, "RETRY_SECONDS", (0.0, 0.01))
    asked: list[str] = []
    down = FakeExchange("kraken", {"BTC/USD": 1.0}, on_quotes=lambda: asked.append("kraken"))
    up = FakeExchange("okx", {"BTC/USD": 100.0}, on_quotes=lambda: asked.append("okx"))
    services = open_one("one", (down, up), clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)
    down.error = Unavailable("kraken", "too many requests")
    with working(services):
        dispatch.tick(services, NOW)

    (tick,) = services.reader.status(NOW).ticks
    assert (tick.stored, tick.failed) == (1, ("kraken",))
    assert asked.count("okx") == 1
    assert asked.count("kraken") == 1 + celery_app.RETRIES


def test_without_a_worker_the_tick_is_given_up_when_its_period_ends(
    open_one: Open, dispatch: Dispatch, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runners.dispatch.REST_SECONDS", 0.0)
    monkeypatch.setattr("services.runners.dispatch.POLL_SECONDS", 0.0)
    services = open_one(clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)

    dispatch.tick(services, NOW)

    assert caplog.text.count("dispatch: tick 12:00:00 did not come to its end") == 1
    assert caplog.text.count("dispatch: tick 12:00:00 is given up") == 1
    assert services.reader.status(NOW).minute is None
    assert services.clock() >= period_of(NOW, 60) + timedelta(seconds=54)


def test_without_a_broker_no_tick_is_stored_and_no_error_is_raised(
    open_one: Open,
    dispatch: Dispatch,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.runners.dispatch.REST_SECONDS", 0.0)
    services = open_one(clock=RunningClock(NOW + timedelta(seconds=52)))
    services.ingestion.discovery.run(NOW)
    redis_server.kill()
    for job in dispatch.jobs():
        job.function(services, services.clock())

    assert caplog.text.count("broker: away: ") == 1
    assert services.reader.status(NOW).minute is None

    redis_server.start()
    services.clock.now = NOW  # type: ignore[attr-defined]


def losing(dispatch: Dispatch, market: str, questions: int) -> Dispatch:
    """Like `dispatch`, but the first `questions` to this exchange are lost, as when a worker dies with each."""
    left = [questions]

    class Losing(Dispatch):
        def _send(
            self, services: Services, name: str, arguments: tuple[object, ...], until: datetime
        ) -> "AsyncResult[object]":
            if name == celery_app.FETCH and arguments[0] == market and left[0]:
                left[0] -= 1
                return AsyncResult(uuid4().hex, app=self.celery)
            return dispatch._send(services, name, arguments, until)

    return Losing(dispatch.celery)


@pytest.mark.parametrize(("questions", "tries"), [(3, 1), (4, 2)])
def test_a_lost_request_is_repeated_and_no_tick_is_stored_without_any_answer(
    open_one: Open,
    dispatch: Dispatch,
    working,
    monkeypatch: pytest.MonkeyPatch,
    questions: int,
    tries: int,
) -> None:
    monkeypatch.setattr("services.runners.dispatch.REST_SECONDS", 0.0)
    monkeypatch.setattr("services.runners.dispatch.POLL_SECONDS", UNHURRIED)
    services = open_one("one", (FakeExchange("kraken", {"BTC/USD": 100.0}),), clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)
    with working(services):
        losing(dispatch, "kraken", questions).tick(services, NOW)

    waited = timedelta(seconds=services.timeout_seconds * SILENCE_TIMEOUTS)
    assert (services.clock() - NOW >= waited) == (tries == 2)
    (tick,) = services.reader.status(NOW).ticks
    assert (tick.stored, tick.failed) == (1, ())


def test_lost_requests_to_one_exchange_do_not_affect_others(
    open_one: Open, dispatch: Dispatch, working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runners.dispatch.POLL_SECONDS", UNHURRIED)
    lost = FakeExchange("kraken", {"BTC/USD": 1.0})
    well = FakeExchange("okx", {"BTC/USD": 100.0})
    services = open_one("one", (lost, well), clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)
    with working(services):
        losing(dispatch, "kraken", 1_000).tick(services, NOW)

    status = services.reader.status(NOW)
    assert (status.ticks[0].stored, status.ticks[0].failed) == (1, ("kraken",))
    errors = {state.market: state.error for state in status.exchanges}
    assert errors["kraken"] == "no worker answered. See whether one runs."
    assert services.clock() < NOW + timedelta(seconds=25)


def test_a_database_outage_shorter_than_the_period_costs_no_tick(open_one: Open, dispatch: Dispatch, working) -> None:
    services = open_one("one", (FakeExchange("kraken", {"BTC/USD": 100.0}),), clock=RunningClock(NOW))
    services.ingestion.discovery.run(NOW)
    refused: list[object] = []

    @event.listens_for(services.engine, "begin")
    def refuse(connection: object) -> None:
        if len(refused) < 2:
            refused.append(connection)
            raise OperationalError("BEGIN", {}, sqlite3.OperationalError("unable to open database file"))

    with working(services):
        dispatch.tick(services, NOW)

    assert len(refused) == 2
    assert services.reader.status(NOW).ticks[0].stored == 1


def test_a_worker_stores_nothing_for_a_clock_that_lost_the_lease(
    open_one: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    services = open_one()
    services.ingestion.discovery.run(NOW)
    monkeypatch.setattr(celery_app, "worker_services", lambda: services)
    second = int(period_of(NOW, 60).timestamp())

    assert not celery_app.close_tick([], second, 1.0, 1.0, "another")
    celery_app.keep(second, "another")

    assert "tick: nothing stored" in caplog.text
    assert services.reader.status(NOW).minute is None
    assert celery_app.close_tick([], second, 1.0, 1.0, services.owner)
    assert not celery_app.close_tick([], second, 1.0, 1.0, services.owner)


def test_one_worker_at_a_time_backfills_an_exchange(open_one: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0}, close_at=lambda _pair, _second: 50.0)
    services = open_one("one", (exchange,))
    services.ingestion.discovery.run(NOW)
    monkeypatch.setattr(celery_app, "worker_services", lambda: services)
    with writing(services.engine) as connection:
        leases.take(connection, "another worker", NOW.timestamp(), 60, "backfill kraken")
    celery_app.backfill("kraken")
    assert exchange.asked == []

    with writing(services.engine) as connection:
        leases.release(connection, "another worker", "backfill kraken")
    celery_app.backfill("kraken")
    assert len(exchange.asked) == 2
    celery_app.backfill("nobody")
    with reading(services.engine) as connection:
        assert leases.current(connection, "backfill kraken") is None


@pytest.mark.parametrize("ahead", [0, 3_600, -3_600])
def test_another_worker_continues_the_backfill_of_a_dead_one_despite_different_clocks(
    open_one: Open, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    exchange, timer = FakeExchange("kraken", {"BTC/USD": 100.0}, close_at=lambda _pair, _second: 50.0), FakeTimer()
    services = open_one("one", (exchange,))
    services.plan = replace(services.plan, timer=timer)
    services.ingestion.discovery.run(NOW)
    monkeypatch.setattr(celery_app, "worker_services", lambda: services)
    with writing(services.engine) as connection:
        leases.take(connection, "a worker", NOW.timestamp() + ahead, 20, "backfill kraken")
    for _ in range(5):  # the worker is alive
        celery_app.backfill("kraken")
        with writing(services.engine) as connection:
            assert leases.renew(connection, "a worker", NOW.timestamp() + ahead + timer.now, 20, "backfill kraken")
        timer.now += 15
    assert exchange.asked == []

    for _ in range(2):  # the worker is dead
        celery_app.backfill("kraken")
        timer.now += 15
    assert exchange.asked == []
    celery_app.backfill("kraken")
    assert len(exchange.asked) == 2


def test_only_one_of_two_workers_sends_the_messages_of_a_channel(
    open_one: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [open_one(), open_one()]
    second = int(NOW.timestamp())
    began, may_answer = Event(), Event()
    sent: list[str] = []

    class Slow(FakeNotifier):
        def send(self, message: Message) -> None:
            began.set()
            assert may_answer.wait(60)
            sent.append(message.key)

    with writing(workers[0].engine) as connection:
        metrics.track(connection, "demo", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOW)
        for number in range(3):
            (alert,) = alerts.insert_alerts(connection, [NewAlert(1, second - number, 400.0, 100.0, 3.0, 60)])
            outbox.enqueue(connection, second, [AlertNotice(alert, "fired", ["test"])])
    for services in workers:
        notify_by(services, Slow())
    # Either worker may get each task.
    for services in workers * 2:
        monkeypatch.setattr(celery_app, "worker_services", lambda services=services: services)
        celery_app.send_messages()
        assert began.wait(60)
    may_answer.set()
    for services in workers:
        services.senders.wait()

    assert len(sent) == len(set(sent)) == 3
    assert [one.attempts for one in workers[0].deliveries.newest(10, "sent")] == [1, 1, 1]


def test_a_slow_receiver_delays_neither_ticks_nor_other_channels(
    open_one: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = open_one("one", (FakeExchange("kraken", {"BTC/USD": 100.0}),))
    services.ingestion.discovery.run(NOW)
    monkeypatch.setattr(celery_app, "worker_services", lambda: services)
    second, begun, may_answer = int(NOW.timestamp()), Event(), Event()

    class Slow(FakeNotifier):
        def send(self, message: Message) -> None:
            begun.set()
            assert may_answer.wait(20)
            super().send(message)

    slow, quick = Slow("slow"), FakeNotifier("quick")
    notify_by(services, slow, quick)
    with writing(services.engine) as connection:
        (number,) = alerts.insert_alerts(connection, [NewAlert(1, second, 400.0, 100.0, 3.0, 60)])
        outbox.enqueue(connection, second, [AlertNotice(number, "fired", ["slow", "quick"])])
    for _ in range(3):
        celery_app.send_messages()  # returns at once
    wait_for(lambda: quick.accepted, what="the quick channel")
    assert slow.accepted == []

    wait_for(begun.is_set, what="the slow channel's turn")
    wait_for(lambda: services.deliveries.newest(10, "queued")[0].channel == "slow", what="the quick one's mark")
    Timer(0.05, may_answer.set).start()
    celery_app._finish_messages()
    assert [one.state for one in services.deliveries.newest(10)] == ["sent", "sent"]


def test_only_the_clock_gives_up_messages_of_removed_channels(
    open_one: Open, dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = open_one("one", (FakeExchange("kraken", {"BTC/USD": 100.0}),))
    services.ingestion.discovery.run(NOW)
    monkeypatch.setattr(celery_app, "worker_services", lambda: services)
    second = int(NOW.timestamp())
    with writing(services.engine) as connection:
        (number,) = alerts.insert_alerts(connection, [NewAlert(1, second, 400.0, 100.0, 3.0, 60)])
        outbox.enqueue(connection, second, [AlertNotice(number, "fired", ["gone"])])

    celery_app.send_messages()
    services.senders.wait()
    assert services.deliveries.newest(10)[0].state == "queued"

    next(job for job in dispatch.jobs() if job.name == "notify").function(services, NOW)
    (given_up,) = services.deliveries.newest(10)
    assert (given_up.state, given_up.error) == ("failed", "channel removed")


def test_a_tick_by_celery_sends_the_heartbeat(open_one: Open, dispatch: Dispatch, working) -> None:
    services, beats = open_one("one", clock=RunningClock(NOW)), []
    services.ingestion.discovery.run(NOW)
    services.heartbeat = type("Counted", (), {"beat": lambda _self: beats.append(1)})()
    with working(services):
        dispatch.tick(services, NOW)

    assert beats == [1]


def test_a_worker_sends_messages_if_there_is_a_channel(open_one: Open, dispatch: Dispatch, working) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0})
    services = open_one("one", (exchange,), clock=RunningClock(NOW))
    notifier = FakeNotifier()
    notify_by(services, notifier)
    object.__setattr__(services.plan, "channels", ("test",))
    services.ingestion.discovery.run(NOW)
    for number in range(7):
        exchange.prices["BTC/USD"] = 100.0 if number < 6 else 1000.0
        jobs._tick(services, NOW + timedelta(minutes=number))
    services.clock.now = NOW + timedelta(minutes=7)  # type: ignore[attr-defined]
    with working(services):
        next(job for job in dispatch.jobs() if job.name == "notify").function(services, services.clock())
        wait_for(lambda: notifier.accepted, what="the message")

    assert "BTC/USD" in notifier.accepted[0].title


def test_celery_needs_a_broker() -> None:
    settings = read_settings(None, database_url="sqlite:///x.db", track="demo:*")
    with pytest.raises(TrackerError, match="REDIS_URL"):
        dispatcher(open_services(settings))


def test_the_module_exports_only_the_celery_app(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_server: RedisServer
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/x.db")
    celery_app._process_app.cache_clear()
    celery_app._services_of.cache_clear()
    try:
        assert celery_app.app.conf.task_acks_late
        with pytest.raises(AttributeError):
            _ = celery_app.nothing
        assert celery_app.worker_services() is celery_app.worker_services()
        with closing(celery_app.app.connection()) as connection:
            assert connection.as_uri().endswith(f"@127.0.0.1:{redis_server.port}/0")
        celery_app.worker_services().engine.dispose()
    finally:
        celery_app._process_app.cache_clear()
        celery_app._services_of.cache_clear()
