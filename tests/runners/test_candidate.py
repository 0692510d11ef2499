"""Two processes whose clocks differ, or jump, and one lease."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from services.runners.candidate import Candidate
from services.store import leases
from services.store.engine import Engine, writing
from tests.builders import NOON
from tests.fakes import Timer

SECONDS = 6.0
LOOK = 2.0
"""Between two tries."""


@dataclass
class Times:
    """A timer, and the clock that goes with it, for each process ahead by its own `ahead`."""

    timer: Timer

    def candidate(self, owner: str, ahead: timedelta = timedelta()) -> "tuple[Candidate, list[timedelta]]":
        shift = [ahead]

        def clock() -> datetime:
            return NOON + timedelta(seconds=self.timer.now) + shift[0]

        return Candidate(owner, SECONDS, clock, self.timer), shift


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
    first, _ = times.candidate("first")
    other, _ = times.candidate("other", ahead)
    assert first.try_for_it(engine)
    for _ in range(20):
        times.timer.now += LOOK
        assert first.try_for_it(engine)
        assert not other.try_for_it(engine)

    side = "behind" if ahead > timedelta() else "ahead of"
    assert caplog.messages == [f"the process that has the clock is by its own time {abs(ahead)} {side} this one"]


@DIFFERENCES
def test_one_that_is_renewed_no_more_is_taken_after_its_length(engine: Engine, times: Times, ahead: timedelta) -> None:
    first, _ = times.candidate("first", ahead)
    other, _ = times.candidate("other")
    assert first.try_for_it(engine)
    got = []
    for _ in range(5):
        times.timer.now += LOOK
        got.append(other.try_for_it(engine))
    assert got == [False, False, False, True, True]
    assert not first.try_for_it(engine)


@DIFFERENCES
def test_a_jump_of_the_clock_they_share_changes_nothing(engine: Engine, times: Times, ahead: timedelta) -> None:
    (first, clock), (other, other_clock) = times.candidate("first"), times.candidate("other")
    assert first.try_for_it(engine)
    for shift in (timedelta(), timedelta(), ahead, ahead, timedelta(), timedelta()):
        times.timer.now += LOOK
        clock[0] = other_clock[0] = shift
        assert not other.try_for_it(engine)
        assert first.try_for_it(engine)


def test_a_lease_that_nobody_has_is_taken_at_once(engine: Engine, times: Times) -> None:
    first, _ = times.candidate("first")
    other, _ = times.candidate("other")
    assert first.try_for_it(engine)
    times.timer.now += LOOK
    assert not other.try_for_it(engine)
    with writing(engine) as connection:
        leases.release(connection, "first")

    assert other.try_for_it(engine)
