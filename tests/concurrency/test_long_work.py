"""Long work takes turns, is refused beyond its places, and ends at its deadline or when it is cancelled."""

from collections.abc import Callable
from contextlib import ExitStack
from threading import Event, Thread

import pytest

from services.concurrency.long_work import LongWork, finished
from services.market.errors import Abandoned, Busy, Unfinished
from services.market.ports import Steps
from tests.fakes import Timer
from tests.waiting import wait_for


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def work(timer: Timer) -> LongWork:
    return LongWork("replay", max_seconds=60, retry_seconds=10, timer=timer)


def begun(work: LongWork, log: list[str], name: str, go_on: Event) -> Thread:
    """A thread that does the work, waiting for its turn and then for `go_on`."""

    def run() -> None:
        with work.place() as place:
            log.append(f"{name} waits")
            while not place.await_turn(0.01):
                pass
            log.append(f"{name} works")
            assert go_on.wait(60)
        log.append(f"{name} is done")

    thread = Thread(target=run)
    thread.start()
    return thread


def test_one_works_one_waits_and_the_third_is_refused_with_retry_after(work: LongWork) -> None:
    log: list[str] = []
    first_may, second_may = Event(), Event()
    first = begun(work, log, "first", first_may)
    wait_for(lambda: "first works" in log)
    second = begun(work, log, "second", second_may)
    wait_for(lambda: "second waits" in log)

    with pytest.raises(Busy, match="too many replays are running or waiting; try again") as refused:
        work.place().__enter__()
    assert refused.value.retry_after == 10
    assert "second works" not in log

    first_may.set()
    wait_for(lambda: "second works" in log)
    with ExitStack() as stack:
        third = stack.enter_context(work.place())
        assert not third.await_turn(0)
        second_may.set()
        assert third.await_turn(60)
    first.join()
    second.join()
    assert log == ["first waits", "first works", "second waits", "first is done", "second works", "second is done"]


def test_a_caller_that_gives_up_waiting_leaves_the_place_to_the_next(work: LongWork) -> None:
    with work.place() as first:
        assert first.await_turn(0)
        with work.place() as second:
            assert not second.await_turn(0)
        with work.place() as third:
            assert not third.await_turn(0)


def test_work_is_ended_at_its_time_limit_counted_from_its_turn(work: LongWork, timer: Timer) -> None:
    with ExitStack() as stack, work.place() as second:
        first = stack.enter_context(work.place())
        assert second.await_turn(0)
        assert not first.await_turn(0)
        timer.now += 59
        second.check()
        timer.now += 2
        with pytest.raises(Unfinished, match="this replay was ended: it takes longer than 60 seconds"):
            second.check()
        first.check()  # its time limit has not started


def test_work_yields_between_two_steps() -> None:
    aside: list[str] = []
    work = LongWork("answer", 60, 1, step_aside=lambda: aside.append("aside"))
    with work.place() as place:
        assert place.await_turn(0)
        assert aside == []
        place.check()
        place.check()
    assert aside == ["aside", "aside"]


def counting(ended: list[str], last: Callable[[], int]) -> Steps[int]:
    try:
        for number in range(5):
            yield number / 5
        return last()
    finally:
        ended.append("ended")


def test_all_steps_are_run() -> None:
    ended: list[str] = []
    assert finished(counting(ended, lambda: 7)) == 7
    assert ended == ["ended"]


def test_cancelled_work_ends_at_the_next_step() -> None:
    ended: list[str] = []
    seen: list[bool] = []

    def gone() -> bool:
        seen.append(True)
        return len(seen) == 3

    with pytest.raises(Abandoned):
        finished(counting(ended, lambda: pytest.fail("it went on")), gone)
    assert (len(seen), ended) == (3, ["ended"])
