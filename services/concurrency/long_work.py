"""Long work on behalf of requests: few places, a time limit, and an end when the client has gone.

Each request takes a place, to work or to wait. When all places are taken it is refused at once, so that no number of
requests makes others wait. Work is done in steps. Between two steps it ends if it has taken too long, and gives way
to more urgent work.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Condition
from typing import TypeVar

from services.market.errors import Abandoned, Busy, Unfinished
from services.market.ports import Steps

MAX_AT_WORK = 1
MAX_WAITING = 1
"""For each kind of work, in one process."""

STEP_SECONDS = 0.5
"""Seconds after which long work, or a wait for it, reports progress and checks for a client that has gone."""

T = TypeVar("T")


class LongWork:
    """The places for one kind of work, which error texts call `name`. For several threads.

    Work ends `max_seconds` after its turn has come, by `timer`. A refusal asks the client to come back after
    `retry_seconds`. `step_aside` is called between two steps, and may block.
    """

    def __init__(
        self,
        name: str,
        max_seconds: float,
        retry_seconds: int,
        step_aside: Callable[[], None] = lambda: None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._max_seconds = max_seconds
        self._retry_seconds = retry_seconds
        self._step_aside = step_aside
        self._timer = timer
        self._places: list[Place] = []
        self._left = Condition()

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """A place for the duration of the context. Raises Busy when all are taken."""
        place = Place(self)
        with self._left:
            if len(self._places) >= MAX_AT_WORK + MAX_WAITING:
                again = "a second" if self._retry_seconds == 1 else f"{self._retry_seconds} seconds"
                text = f"too many {self._name}s are running or waiting"
                raise Busy(f"{text}; try again in {again}", self._retry_seconds)
            self._places.append(place)
        try:
            yield place
        finally:
            with self._left:
                self._places.remove(place)
                self._left.notify_all()

    def _await_turn(self, place: "Place", seconds: float) -> bool:
        with self._left:
            return self._left.wait_for(lambda: self._places.index(place) < MAX_AT_WORK, seconds)


class Place:
    """The place of one request's work, used by one thread at a time."""

    def __init__(self, work: LongWork) -> None:
        self._work = work
        self._ends: float | None = None

    def await_turn(self, seconds: float = STEP_SECONDS) -> bool:
        """Wait for the turn, at most so long. Returns True once it has come."""
        if self._ends is None and self._work._await_turn(self, seconds):
            self._ends = self._work._timer() + self._work._max_seconds
        return self._ends is not None

    def check(self) -> None:
        """To be called between two steps. Raises Unfinished when the time is up."""
        work = self._work
        work._step_aside()
        if self._ends is not None and work._timer() > self._ends:
            raise Unfinished(f"this {work._name} was ended: it takes longer than {work._max_seconds:g} seconds")


def finished(steps: Steps[T], is_abandoned: Callable[[], bool] = lambda: False) -> T:
    """The result of `steps`. Raises the errors of the steps, or Abandoned as soon as `is_abandoned`."""
    with closing(steps):
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: T = end.value
                return found
            if is_abandoned():
                raise Abandoned("the client that asked for it has gone")
