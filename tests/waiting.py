"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 60.0, what: str = "the condition") -> T:
    """What `condition` answers as soon as that is true. Fails when it is not so within `seconds`."""
    ends = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > ends:
            raise AssertionError(f"{what} did not come true within {seconds:g} s")
        time.sleep(0.02)
