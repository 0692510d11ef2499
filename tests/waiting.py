"""Waits for conditions instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 60.0, what: str = "the condition") -> T:
    """The result of `condition` as soon as it is true. Fails if it is not within `seconds`."""
    ends = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > ends:
            raise AssertionError(f"{what} did not come true within {seconds:g} s")
        time.sleep(0.02)
