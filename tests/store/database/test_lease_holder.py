"""Two processes whose clocks differ, or jump, and one lease."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import enumerate as enumerate_threads

import pytest

from services.store.database import leases
from services.store.database.engine import Engine, reading, writing
from services.store.database.lease_holder import LeaseHolder
from tests.builders import NOON
from tests.fakes import Timer
from tests.waiting import wait_for

SECONDS = 6.0
LOOK = 2.0
"""Between two tries."""


@dataclass
class Times:
    """A timer, and the clock that goes with it, for each process ahead by its own `ahead`."""

    timer: Timer

    def lease_holder(self, owner: str, ahead: timedelta = timedelta()) -> "tuple[LeaseHolder, list[timedelta]]":
        shift = [ahead]

        def clock() -> datetime:
            return NOON + timedelta(seconds=self.timer.now) + shift[0]

        return LeaseHolder(owner, SECONDS, clock, self.timer), shift


@pytest.fixture
def times() -> Times:
    return Times(Timer())


DIFFERENCES = pytest.mark.parametrize(
    "ahead", [timedelta(hours=1), -timedelta(hours=1), timedelta(days=3_653), -timedelta(days=3_653)], ids=str
)


@DIFFERENCES
def test_a_lease_that_is_renewed_stays_whatever_the_clock_of_another_says_of_it(
    engine: Engine, times: Times, ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = times.lease_holder("first")
    other, _ = times.lease_holder("other", ahead)
    assert first.try_acquire(engine)
    for _ in range(20):
        times.timer.now += LOOK
        assert first.try_acquire(engine)
        assert not other.try_acquire(engine)

    side = "behind" if ahead > timedelta() else "ahead of"
    assert caplog.messages == [f"the process that has the clock is by its own time {abs(ahead)} {side} this one"]


@pytest.mark.parametrize(
    "ahead", [timedelta(seconds=5), timedelta(hours=1), -timedelta(hours=1), timedelta(days=3_653)], ids=str
)
def test_one_that_is_renewed_no_more_is_taken_after_its_length(engine: Engine, times: Times, ahead: timedelta) -> None:
    first, _ = times.lease_holder("first", ahead)
    other, _ = times.lease_holder("other")
    assert first.try_acquire(engine)
    got = []
    for _ in range(5):
        times.timer.now += LOOK
        got.append(other.try_acquire(engine))
    assert got == [False, False, False, True, True]
    assert not first.try_acquire(engine)


@DIFFERENCES
def test_a_jump_of_the_clock_they_share_changes_nothing(engine: Engine, times: Times, ahead: timedelta) -> None:
    (first, clock), (other, other_clock) = times.lease_holder("first"), times.lease_holder("other")
    assert first.try_acquire(engine)
    for shift in (timedelta(), timedelta(), ahead, ahead, timedelta(), timedelta()):
        times.timer.now += LOOK
        clock[0] = other_clock[0] = shift
        assert not other.try_acquire(engine)
        assert first.try_acquire(engine)


def test_late_checks_do_not_take_the_lease_of_a_holder_that_was_prevented_from_renewing_as_they_were_from_checking(
    engine: Engine, times: Times
) -> None:
    first, _ = times.lease_holder("first")
    other, _ = times.lease_holder("other")
    for _ in range(3):
        assert first.try_acquire(engine)
        assert not other.try_acquire(engine)
        times.timer.now += 100 * SECONDS  # the machine sleeps, or the database is away for both
        assert not other.try_acquire(engine)

    times.timer.now += LOOK
    assert not other.try_acquire(engine)
    times.timer.now += LOOK
    assert other.try_acquire(engine)


def test_of_many_that_saw_the_same_holder_die_one_gets_the_lease(engine: Engine, times: Times) -> None:
    dead, _ = times.lease_holder("dead", timedelta(hours=1))
    others = [times.lease_holder(f"other {number}", timedelta(hours=number))[0] for number in range(6)]
    assert dead.try_acquire(engine)
    for _ in range(3):
        assert not any(other.try_acquire(engine) for other in others)
        times.timer.now += LOOK

    with ThreadPoolExecutor(len(others)) as threads:
        got = list(threads.map(lambda other: other.try_acquire(engine), others))
    assert got.count(True) == 1
    assert [other.try_acquire(engine) for other in others] == got


def test_of_many_that_find_the_lease_free_one_gets_it(engine: Engine, times: Times) -> None:
    others = [times.lease_holder(f"other {number}", timedelta(hours=number))[0] for number in range(6)]
    with ThreadPoolExecutor(len(others)) as threads:
        got = list(threads.map(lambda other: other.try_acquire(engine), others))

    assert got.count(True) == 1
    assert [other.try_acquire(engine) for other in others] == got


def test_a_holder_that_was_held_up_for_longer_than_the_lease_is_not_certain_of_it_and_learns_when_it_is_lost(
    engine: Engine, times: Times
) -> None:
    first, _ = times.lease_holder("first")
    other, _ = times.lease_holder("other")

    def holds_on() -> bool:
        with writing(engine) as connection:
            return first.renew(connection)

    assert first.try_acquire(engine)
    assert first.is_certain()
    times.timer.now += SECONDS
    assert not first.is_certain()
    assert holds_on()
    assert first.is_certain()

    for _ in range(3):
        assert not other.try_acquire(engine)
        times.timer.now += LOOK
    assert other.try_acquire(engine)
    assert not holds_on()
    assert not first.is_certain()


def test_who_works_renews_the_lease_all_the_while_and_not_when_it_has_let_go(engine: Engine) -> None:
    started = time.monotonic()

    def clock() -> datetime:
        return NOON + timedelta(seconds=time.monotonic() - started)

    def ends() -> float | None:
        with reading(engine) as connection:
            found = leases.current(connection, "work")
        return None if found is None else found.expires_at

    worker = LeaseHolder("worker", 0.2, clock, time.monotonic, "work")
    assert worker.try_acquire(engine)
    with worker.renewing(engine):
        for _ in range(10):
            before = ends()
            wait_for(lambda before=before: ends() != before, what="a renewal")  # type: ignore[misc]
        with writing(engine) as connection:
            worker.release(connection)
        wait_for(lambda: not renewals(), what="the end of the renewals")
        assert ends() is None
        with writing(engine) as connection:  # and neither when another has it
            assert leases.take(connection, "other", 1.0, 5.0, "work")

    assert ends() == 6.0
    with worker.renewing(engine):
        wait_for(lambda: not renewals(), what="the end of the renewals")
    assert ends() == 6.0


def renewals() -> list[str]:
    return [thread.name for thread in enumerate_threads() if thread.name == "lease work"]


def test_a_lease_that_nobody_has_is_taken_at_once(engine: Engine, times: Times) -> None:
    first, _ = times.lease_holder("first")
    other, _ = times.lease_holder("other")
    assert first.try_acquire(engine)
    times.timer.now += LOOK
    assert not other.try_acquire(engine)
    with writing(engine) as connection:
        leases.release(connection, "first")

    assert other.try_acquire(engine)
