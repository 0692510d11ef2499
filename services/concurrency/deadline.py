"""Calls in threads of their own, and waiting for their results with a time limit."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from threading import Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPerCall(Executor):
    """Runs each call in a new daemon thread, called `thread_name`.

    A ThreadPoolExecutor waits for its threads when the interpreter exits, so that one call that hangs would keep the
    program from ending.
    """

    def __init__(self, thread_name: str) -> None:
        self._thread_name = thread_name

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The future result of the call, which has begun."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - `Future.result` raises it where it is waited for
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=run, name=self._thread_name, daemon=True).start()
        return future


def result_within(seconds: float, future: Future[T]) -> T:
    """The result of `future`, or the error of its call. Raises DeadlineExceeded when there is neither after `seconds`;
    the call goes on, and its outcome is dropped."""
    if not wait([future], seconds).done:
        raise DeadlineExceeded(f"no result within {seconds:g} s")
    return future.result()


class DeadlineExceeded(TimeoutError):
    """The limit has passed. A TimeoutError that is no DeadlineExceeded comes from the call itself."""
