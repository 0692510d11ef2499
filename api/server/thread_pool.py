"""The threads that run the WSGI application: none of them ever waits for a client."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class ThreadPool:
    """`count` daemon threads, started at once. Unlike those of `concurrent.futures`, a stuck one does not keep the
    process from ending."""

    def __init__(self, count: int, name: str) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        for number in range(count):
            Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Run `work` in one of the threads; the future has its result or its exception. To be called in a loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, future, work))
        return future

    def _work(self) -> None:
        while True:
            loop, future, work = self._jobs.get()
            if future.cancelled():
                continue
            result, failure = None, None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is raised again where the work was asked for
                failure = error
            with suppress(RuntimeError):  # the loop has ended, and nobody waits for the result
                loop.call_soon_threadsafe(_complete, future, result, failure)
            del loop, future, work, result, failure  # or they live until the next job


def _complete(future: "asyncio.Future[Any]", result: object, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
