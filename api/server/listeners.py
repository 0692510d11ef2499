"""Live streams: one task polls all of them together, in one thread."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

from api.server.thread_pool import ThreadPool

log = logging.getLogger(__name__)


class Listener:
    """One client of a live stream. Iterating yields what is new as it comes, and ends after `end`."""

    def __init__(self, live: Iterator[bytes]) -> None:
        self.live = live
        self.part = b""
        """Events that the client has not taken yet. Until it has, its stream is not polled; the next part has all
        later ones."""
        self._ended = False
        self._woken = asyncio.Event()

    def put(self, part: bytes) -> None:
        self.part = part
        self._woken.set()

    def end(self) -> None:
        self._ended = True
        self._woken.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._ended:
            await self._woken.wait()
            self._woken.clear()
            if self.part and not self._ended:
                yield self.part
                self.part = b""


class Listeners:
    """All listeners of one process."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._threads = ThreadPool(1, "live")
        self._listeners: set[Listener] = set()
        self._polling: asyncio.Task[None] | None = None
        self._ended = False

    def add(self, live: Iterator[bytes]) -> Listener:
        """A listener to what `live` yields."""
        listener = Listener(live)
        if self._ended:
            listener.end()
        self._listeners.add(listener)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.ensure_future(self._poll())
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def end(self) -> None:
        """End all listeners, and those that are added later."""
        self._ended = True
        for listener in self._listeners:
            listener.end()

    async def _poll(self) -> None:
        while self._listeners and not self._ended:
            await asyncio.sleep(self._poll_seconds)
            ready = [listener for listener in self._listeners if not listener.part]
            parts = await self._threads.run(lambda: [_next(listener.live) for listener in ready])  # noqa: B023
            for listener, part in zip(ready, parts, strict=True):
                if part is None:
                    listener.end()
                elif part:
                    listener.put(part)


def _next(live: Iterator[bytes]) -> bytes | None:
    """The new events; None if the stream has ended or failed."""
    try:
        return next(live, None)
    except Exception:
        log.exception("a stream has failed")
        return None
