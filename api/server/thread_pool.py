"""The threads that answer: as many as there are requests at work, none of them waiting for a client."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Threads:
    """`count` threads, begun at once. One that is stuck does not keep the process from ending, as those of
    `concurrent.futures` do."""

    def __init__(self, count: int, name: str) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        for number in range(count):
            Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """What `work` answers, or raises, in one of the threads. For coroutines."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, told, work))
        return told

    def _work(self) -> None:
        while True:
            loop, told, work = self._jobs.get()
            if told.cancelled():
                continue
            answer, failure = None, None
            try:
                answer = work()
            except BaseException as error:  # noqa: BLE001 - it is raised again where the work was asked for
                failure = error
            with suppress(RuntimeError):  # the loop has ended, and nobody is there to hear it
                loop.call_soon_threadsafe(_tell, told, answer, failure)
            del loop, told, work, answer, failure  # or they live until the next job


def _tell(told: "asyncio.Future[Any]", answer: object, failure: BaseException | None) -> None:
    if told.cancelled():
        return
    if failure is None:
        told.set_result(answer)
    else:
        told.set_exception(failure)
