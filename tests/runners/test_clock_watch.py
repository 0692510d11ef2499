"""Clocks that jump, and jobs that must still run on time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.job import Job as ScheduledJob
from apscheduler.schedulers.background import BackgroundScheduler

from services.bootstrap import Services
from services.runners.clock_watch import Beat, ClockWatch, describe_jump
from services.runners.scheduler import Scheduler
from services.settings import read_settings
from services.store.database import leases
from services.store.database.engine import open_engine, reading, writing
from services.store.database.schema import migrate
from services.store.history import sealing
from tests.builders import NOON
from tests.pipeline.harness import store_history
from tests.runners.schedulers import Start, started_schedulers
from tests.waiting import wait_for

RETAINED_HOURS = 26.0


class TwoTimes:
    """A clock and a timer that stand still until they are moved, together or separately."""

    def __init__(self) -> None:
        self.now, self.seconds, self.look = NOON, 1_000.0, 0.0

    def clock(self) -> datetime:
        self.seconds += self.look  # the time that a comparison takes
        return self.now

    def timer(self) -> float:
        return self.seconds

    def advance(self, seconds: float, jump: float = 0.0) -> None:
        self.seconds += seconds
        self.now += timedelta(seconds=seconds + jump)


@pytest.mark.parametrize("jump", [-3_600.0, 180.0, 3 * 86_400.0, -315_360_000.0])
def test_a_jump_is_reported_once_with_its_size(jump: float) -> None:
    times = TwoTimes()
    watch = ClockWatch(times.clock, times.timer)
    times.advance(5)
    assert watch.jump() == 0.0

    times.advance(1, jump)
    assert watch.jump() == pytest.approx(jump)
    times.advance(1)
    assert watch.jump() == 0.0
    times.advance(1, -jump)
    assert watch.jump() == pytest.approx(-jump)


def test_small_corrections_are_reported_when_they_add_up_to_a_jump() -> None:
    times = TwoTimes()
    watch = ClockWatch(times.clock, times.timer)
    jumps = []
    for _ in range(5):
        times.advance(1, -0.3)
        jumps.append(watch.jump())
    assert jumps == [0.0, 0.0, 0.0, pytest.approx(-1.2), 0.0]


def test_a_comparison_that_took_long_is_ignored() -> None:
    times = TwoTimes()
    watch = ClockWatch(times.clock, times.timer)
    times.look = 5.0
    assert watch.jump() == 0.0
    times.look = 0.0
    times.advance(1, 5.0)  # the time that the comparison took
    assert watch.jump() == 0.0


def test_the_next_run_of_a_job_is_at_a_multiple_of_its_interval_in_the_future() -> None:
    for seconds in (0.8 / 3, 5, 60, 2_700):
        beat, now = Beat(seconds), NOON
        for _ in range(5):
            following = beat.get_next_fire_time(None, now)
            assert now < following <= now + timedelta(seconds=seconds, microseconds=1)
            assert following.timestamp() / seconds == pytest.approx(round(following.timestamp() / seconds), abs=1e-3)
            now = following


def test_after_a_jump_by_ten_years_a_job_runs_once() -> None:
    scheduler = BackgroundScheduler(timezone=UTC)
    job: ScheduledJob = scheduler.add_job(print, Beat(2.4))
    job._modify(next_run_time=NOON)
    assert job._get_run_times(NOON + timedelta(days=3_653)) == [NOON]


def test_a_jump_is_described() -> None:
    assert describe_jump(-3_600.2) == "the clock was set back by 1:00:00"
    assert describe_jump(180) == "the clock jumped ahead by 0:03:00, or this machine slept"


class ShiftedClock:
    """The real time plus `shift`."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


@pytest.fixture
def start(store_url: str) -> Iterator[Start]:
    """Starts schedulers on one database of each kind, each with its own clock."""
    settings = read_settings(
        None,
        database_url=store_url,
        track="demo:BTC/USD,demo:ETH/USD",
        period_seconds=5,
        retention_days=RETAINED_HOURS / 24,
    )
    with started_schedulers(settings) as start:
        yield start


def minute(services: Services) -> datetime | None:
    return services.reader.status(services.clock()).minute


def has_ticked(services: Services) -> bool:
    """True if the last tick is of the current or the previous period, by the clock of `services`."""
    last, now = minute(services), services.clock()
    return last is not None and now - timedelta(seconds=10) < last <= now


def wait_for_far_times(scheduler: Scheduler) -> None:
    """Postpone all jobs by an hour, as APScheduler does when the clock is set back by an hour."""
    for job in scheduler._scheduler.get_jobs():
        scheduler._scheduler.modify_job(job.id, next_run_time=datetime.now(UTC) + timedelta(hours=1))


def lease_owner(services: Services) -> str | None:
    with reading(services.engine) as connection:
        return leases.holder(connection, services.clock().timestamp())


@pytest.mark.processes
@pytest.mark.parametrize("shift", [timedelta(hours=-1), timedelta(days=-3)])
def test_ticks_continue_at_once_when_the_clock_is_set_back(
    start: Start, shift: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ShiftedClock()
    services, scheduler = start(clock)
    wait_for(lambda: has_ticked(services), what="the first tick")

    wait_for_far_times(scheduler)
    assert services.reader.status(clock() + shift).stale
    clock.shift = shift
    wait_for(lambda: has_ticked(services), what="a tick by the clock as it is now")
    wait_for(lambda: lease_owner(services) == services.owner, what="the lease by the clock as it is now")
    first = minute(services)
    wait_for(lambda: minute(services) != first, what="the next tick")
    assert caplog.text.count("the clock was set back by") == 1
    assert caplog.text.count("are set aside") == 1
    assert not services.reader.status(clock()).stale


@pytest.mark.processes
def test_a_clock_that_is_briefly_wrong_by_years_delays_nothing(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    clock = ShiftedClock()
    clock.shift = timedelta(days=3_653)
    services, _ = start(clock)
    wait_for(lambda: has_ticked(services), what="a tick of ten years ahead")

    clock.shift = timedelta()
    wait_for(lambda: has_ticked(services), what="a tick by the right time")
    assert services.reader.status(clock()).set_aside is not None
    wait_for(lambda: "the clock was set back by 3653 days" in caplog.text, what="the log line")


@pytest.mark.processes
@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=3), timedelta(days=3_653)])
def test_a_clock_ahead_for_more_than_an_hour_removes_no_samples_within_the_retention(
    start: Start, store_url: str, ahead: timedelta
) -> None:
    engine = open_engine(store_url)
    migrate(engine, simulated=True)
    began = datetime.now(UTC).replace(microsecond=0)
    step = timedelta(minutes=5)
    history = store_history(engine, began - timedelta(minutes=70), RETAINED_HOURS - 1.5, step)
    store_history(engine, began + ahead, 65 / 60, step)
    engine.dispose()
    clock = ShiftedClock()
    clock.shift = ahead
    services, _ = start(clock)
    wait_for(lambda: has_ticked(services), what="a tick by the clock that is ahead")
    wait_for(lambda: is_sealed(services), what="upkeep by that clock")
    first = minute(services)
    wait_for(lambda: minute(services) != first, what="the next tick")

    clock.shift = timedelta()
    wait_for(lambda: has_ticked(services), what="a tick by the right time")
    found = services.reader.prices(1, began - timedelta(days=2), began)
    assert set(history) <= set(found.times.tolist())


def is_sealed(services: Services) -> bool:
    with reading(services.engine) as connection:
        return sealing.sealed_until(connection) is not None


@pytest.mark.processes
def test_a_process_with_the_right_clock_takes_over_from_one_that_died_three_days_ahead(start: Start) -> None:
    ahead = ShiftedClock()
    ahead.shift = timedelta(days=3)
    first, scheduler = start(ahead)
    wait_for(lambda: has_ticked(first), what="a tick three days ahead")
    scheduler.stop()
    with writing(first.engine) as connection:  # as a process that dies leaves it
        assert leases.take(connection, "dead", ahead().timestamp(), 2)

    second, _ = start(ShiftedClock())
    wait_for(lambda: has_ticked(second), what="a tick by the right time")
    with reading(second.engine) as connection:
        assert leases.holder(connection, second.clock().timestamp()) == second.owner


@pytest.mark.processes
def test_a_program_suspended_for_three_minutes_continues_and_logs_it(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ShiftedClock()
    services, _ = start(clock)
    wait_for(lambda: has_ticked(services), what="the first tick")

    clock.shift = timedelta(minutes=3)
    wait_for(lambda: has_ticked(services), what="a tick after the sleep")
    wait_for(lambda: "the clock jumped ahead by 0:03:00, or this machine slept" in caplog.text, what="the log line")
    assert services.reader.status(clock()).set_aside is None
