"""Those who listen to news, all of them looked after together: by one task, and one thread that asks what is new."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

from api.server.thread_pool import Threads

log = logging.getLogger(__name__)


class Listener:
    """One who listens. Iterating gives what is new when it is there, and ends with `end`."""

    def __init__(self, live: Iterator[bytes]) -> None:
        self.live = live
        self.part = b""
        """What it has not taken yet: it is not asked for more meanwhile, and is told of that with the next."""
        self._over = False
        self._woken = asyncio.Event()

    def tell(self, part: bytes) -> None:
        self.part = part
        self._woken.set()

    def end(self) -> None:
        self._over = True
        self._woken.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._over:
            await self._woken.wait()
            self._woken.clear()
            if self.part and not self._over:
                yield self.part
                self.part = b""


class Listeners:
    """All who listen in one process."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._threads = Threads(1, "news")
        self._listeners: set[Listener] = set()
        self._watching: asyncio.Task[None] | None = None
        self._ended = False

    def add(self, live: Iterator[bytes]) -> Listener:
        """One who is told what `live` tells."""
        listener = Listener(live)
        if self._ended:
            listener.end()
        self._listeners.add(listener)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.ensure_future(self._watch())
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def end(self) -> None:
        """Let all go, and those to come too."""
        self._ended = True
        for listener in self._listeners:
            listener.end()

    async def _watch(self) -> None:
        while self._listeners and not self._ended:
            await asyncio.sleep(self._poll_seconds)
            asked = [listener for listener in self._listeners if not listener.part]
            told = await self._threads.run(lambda: [_next(listener.live) for listener in asked])  # noqa: B023
            for listener, part in zip(asked, told, strict=True):
                if part is None:
                    listener.end()
                elif part:
                    listener.tell(part)


def _next(live: Iterator[bytes]) -> bytes | None:
    """What is new; None where nothing more will be."""
    try:
        return next(live, None)
    except Exception:
        log.exception("a stream has failed")
        return None
