"""Calls that are waited for no longer than their time."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` answers, in a thread of its own. Raises TimeoutError; what is left of the call ends unheard."""
    answer: Future[T] = Future()

    def carry_out() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - it is raised again in the thread that waits
            answer.set_exception(error)

    Thread(target=carry_out, name="outward", daemon=True).start()
    if not wait([answer], seconds).done:
        raise TimeoutError
    return answer.result()
