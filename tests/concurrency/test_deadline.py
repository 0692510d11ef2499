from threading import Event, current_thread

import pytest

from services.concurrency.deadline import DeadlineExceeded, ThreadPerCall, result_within


def test_a_call_runs_in_its_own_daemon_thread_and_its_result_is_returned() -> None:
    future = ThreadPerCall("counting").submit(lambda one, two: (one + two, current_thread()), 1, two=2)

    total, thread = result_within(10, future)
    assert total == 3
    assert (thread.name, thread.daemon) == ("counting", True)


def test_the_error_of_a_call_is_raised_in_the_waiting_thread() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own") as caught:
        result_within(10, ThreadPerCall("failing").submit(fail))
    assert not isinstance(caught.value, DeadlineExceeded)


def test_a_call_beyond_its_deadline_is_abandoned_and_continues() -> None:
    may_end = Event()
    future = ThreadPerCall("slow").submit(may_end.wait, 60)

    with pytest.raises(DeadlineExceeded, match=r"^no result within 0\.05 s$"):
        result_within(0.05, future)
    may_end.set()
    assert result_within(10, future) is True
