"""One lease between processes whose clocks differ or jump."""

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
"""Seconds between two attempts."""


@dataclass
class Clocks:
    """A shared timer, and for each process a clock that is `ahead` of it."""

    timer: Timer

    def lease_holder(self, owner: str, ahead: timedelta = timedelta()) -> "tuple[LeaseHolder, list[timedelta]]":
        shift = [ahead]

        def clock() -> datetime:
            return NOON + timedelta(seconds=self.timer.now) + shift[0]

        return LeaseHolder(owner, SECONDS, clock, self.timer), shift


@pytest.fixture
def clocks() -> Clocks:
    return Clocks(Timer())


DIFFERENCES = pytest.mark.parametrize(
    "ahead", [timedelta(hours=1), -timedelta(hours=1), timedelta(days=3_653), -timedelta(days=3_653)], ids=str
)


@DIFFERENCES
def test_a_renewed_lease_is_not_taken_by_a_process_whose_clock_is_ahead(
    engine: Engine, clocks: Clocks, ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = clocks.lease_holder("first")
    other, _ = clocks.lease_holder("other", ahead)
    assert first.try_acquire(engine)
    for _ in range(20):
        clocks.timer.now += LOOK
        assert first.try_acquire(engine)
        assert not other.try_acquire(engine)

    side = "behind" if ahead > timedelta() else "ahead of"
    assert caplog.messages == [f"the process that has the clock is by its own time {abs(ahead)} {side} this one"]


@pytest.mark.parametrize(
    "ahead", [timedelta(seconds=5), timedelta(hours=1), -timedelta(hours=1), timedelta(days=3_653)], ids=str
)
def test_a_lease_that_is_no_longer_renewed_is_taken_after_its_length(
    engine: Engine, clocks: Clocks, ahead: timedelta
) -> None:
    first, _ = clocks.lease_holder("first", ahead)
    other, _ = clocks.lease_holder("other")
    assert first.try_acquire(engine)
    got = []
    for _ in range(5):
        clocks.timer.now += LOOK
        got.append(other.try_acquire(engine))
    assert got == [False, False, False, True, True]
    assert not first.try_acquire(engine)


@DIFFERENCES
def test_a_jump_of_the_shared_clock_does_not_move_the_lease(engine: Engine, clocks: Clocks, ahead: timedelta) -> None:
    (first, clock), (other, other_clock) = clocks.lease_holder("first"), clocks.lease_holder("other")
    assert first.try_acquire(engine)
    for shift in (timedelta(), timedelta(), ahead, ahead, timedelta(), timedelta()):
        clocks.timer.now += LOOK
        clock[0] = other_clock[0] = shift
        assert not other.try_acquire(engine)
        assert first.try_acquire(engine)


def test_a_pause_of_both_processes_does_not_move_the_lease(engine: Engine, clocks: Clocks) -> None:
    first, _ = clocks.lease_holder("first")
    other, _ = clocks.lease_holder("other")
    for _ in range(3):
        assert first.try_acquire(engine)
        assert not other.try_acquire(engine)
        clocks.timer.now += 100 * SECONDS  # the machine is suspended, or the database is down for both
        assert not other.try_acquire(engine)

    clocks.timer.now += LOOK
    assert not other.try_acquire(engine)
    clocks.timer.now += LOOK
    assert other.try_acquire(engine)


def test_one_of_many_candidates_gets_the_lease_of_a_dead_holder(engine: Engine, clocks: Clocks) -> None:
    dead, _ = clocks.lease_holder("dead", timedelta(hours=1))
    others = [clocks.lease_holder(f"other {number}", timedelta(hours=number))[0] for number in range(6)]
    assert dead.try_acquire(engine)
    for _ in range(3):
        assert not any(other.try_acquire(engine) for other in others)
        clocks.timer.now += LOOK

    with ThreadPoolExecutor(len(others)) as threads:
        got = list(threads.map(lambda other: other.try_acquire(engine), others))
    assert got.count(True) == 1
    assert [other.try_acquire(engine) for other in others] == got


def test_one_of_many_candidates_gets_a_free_lease(engine: Engine, clocks: Clocks) -> None:
    others = [clocks.lease_holder(f"other {number}", timedelta(hours=number))[0] for number in range(6)]
    with ThreadPoolExecutor(len(others)) as threads:
        got = list(threads.map(lambda other: other.try_acquire(engine), others))

    assert got.count(True) == 1
    assert [other.try_acquire(engine) for other in others] == got


def test_a_holder_delayed_beyond_its_lease_is_uncertain_and_notices_its_loss(engine: Engine, clocks: Clocks) -> None:
    first, _ = clocks.lease_holder("first")
    other, _ = clocks.lease_holder("other")

    def holds_on() -> bool:
        with writing(engine) as connection:
            return first.renew(connection)

    assert first.try_acquire(engine)
    assert first.has_valid_lease()
    clocks.timer.now += SECONDS
    assert not first.has_valid_lease()
    assert holds_on()
    assert first.has_valid_lease()

    for _ in range(3):
        assert not other.try_acquire(engine)
        clocks.timer.now += LOOK
    assert other.try_acquire(engine)
    assert not holds_on()
    assert not first.has_valid_lease()


def test_a_lease_is_renewed_during_work_and_not_after_its_release(engine: Engine) -> None:
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
        with writing(engine) as connection:  # nor while another process holds it
            assert leases.take(connection, "other", 1.0, 5.0, "work")

    assert ends() == 6.0
    with worker.renewing(engine):
        wait_for(lambda: not renewals(), what="the end of the renewals")
    assert ends() == 6.0


def renewals() -> list[str]:
    return [thread.name for thread in enumerate_threads() if thread.name == "lease work"]


def test_a_free_lease_is_taken_at_once(engine: Engine, clocks: Clocks) -> None:
    first, _ = clocks.lease_holder("first")
    other, _ = clocks.lease_holder("other")
    assert first.try_acquire(engine)
    clocks.timer.now += LOOK
    assert not other.try_acquire(engine)
    with writing(engine) as connection:
        leases.release(connection, "first")

    assert other.try_acquire(engine)
