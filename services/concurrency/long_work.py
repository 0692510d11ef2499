"""Long work that requests ask for: few places, a time limit, and an end when nobody waits for it any more.

Whoever asks for such work takes a place, at work or waiting; where all are taken it is refused at once, so that no
number of requests keeps others waiting. Work is done in steps: between two of them it is told to end when it has taken
too long, and steps aside for what must not wait.
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
"""Of each kind of work, in one process."""

STEP_SECONDS = 0.5
"""How often work that takes or waits for seconds tells how far it is, and learns that nobody wants it any more."""

T = TypeVar("T")


class LongWork:
    """The places for one kind of work, called `name` in sentences. For several threads.

    It is ended `max_seconds` after its turn has come, by `timer`; who is refused is asked to come back after
    `retry_seconds`. `step_aside` is called between two steps, and may take its time.
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
        """A place for as long as this lasts. Raises Busy where there is none."""
        mine = Place(self)
        with self._left:
            if len(self._places) >= MAX_AT_WORK + MAX_WAITING:
                again = "a second" if self._retry_seconds == 1 else f"{self._retry_seconds} seconds"
                words = f"as many {self._name}s as one process takes on are under way or waiting"
                raise Busy(f"{words}; try again in {again}", self._retry_seconds)
            self._places.append(mine)
        try:
            yield mine
        finally:
            with self._left:
                self._places.remove(mine)
                self._left.notify_all()

    def _await_turn(self, place: "Place", seconds: float) -> bool:
        with self._left:
            return self._left.wait_for(lambda: self._places.index(place) < MAX_AT_WORK, seconds)


class Place:
    """What somebody's work goes by, from one thread at a time."""

    def __init__(self, work: LongWork) -> None:
        self._work = work
        self._ends: float | None = None

    def await_turn(self, seconds: float = STEP_SECONDS) -> bool:
        """Wait for at most so long; whether the turn has come."""
        if self._ends is None and self._work._await_turn(self, seconds):
            self._ends = self._work._timer() + self._work._max_seconds
        return self._ends is not None

    def check(self) -> None:
        """Between two steps. Raises Unfinished when the time is up."""
        work = self._work
        work._step_aside()
        if self._ends is not None and work._timer() > self._ends:
            raise Unfinished(f"this {work._name} was ended: it takes longer than {work._max_seconds:g} seconds")


def finished(steps: Steps[T], is_abandoned: Callable[[], bool] = lambda: False) -> T:
    """What comes of `steps`, whose own errors it raises; Abandoned as soon as `is_abandoned`."""
    with closing(steps):
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: T = end.value
                return found
            if is_abandoned():
                raise Abandoned("whoever asked for it has gone")
