"""The WSGI application behind an event loop: what waits for a client waits in the loop, and no thread with it.

A request takes one of a few threads when all of it has come, and leaves it when its answer is made, or the next part of
one that is made while it is sent. Whoever may not come in is told so before the body is read.
"""

import asyncio
import contextvars
from collections.abc import Collection, Iterable
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, cast

from api.environ import AWAITED, BODY, BUSY, CLIENT_GONE, LATE, LIVE_POLL_SECONDS, TOO_LARGE, VISITOR
from api.middleware.guard import MAX_BODY_BYTES
from api.server.listeners import Listeners
from api.server.thread_pool import Threads
from api.server.wsgi import WsgiResponse, ask, environ_of, gather

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPResponseBodyEvent, Scope

PART_BYTES = 131_072
"""Of an answer handed on at once: of a slow reader the server keeps no more, beside the answer that others share."""
BODY_SECONDS = 10.0
"""Within which a body has come, and BODY_RATE."""
LINGER_SHARE = 0.2
"""Of that time, one that is not wanted is thrown away as it comes."""
BODY_RATE = 65_536
"""Bytes of a body for which it has a second more."""
MAX_PENDING_BODY_BYTES = 64_000_000
"""Of all bodies that are on their way, in one process."""
MAX_WAITING = 1_000
"""Requests that wait for a thread, in one process."""
WAIT_SECONDS = 30.0
"""After which one that still waits is refused."""


class Gone(Exception):
    """The client has gone."""


class Front:
    """An ASGI application that asks the WSGI one `application`, at most `threads` times at once."""

    def __init__(
        self,
        application: "WSGIApplication",
        threads: int,
        alive: Collection[str] = ("/healthz",),
        body_seconds: float = BODY_SECONDS,
        poll_seconds: float = LIVE_POLL_SECONDS,
    ) -> None:
        """`alive` are paths that are answered in the loop, before everybody else: their answer needs nothing."""
        self._application = application
        self._alive = frozenset(alive)
        self._threads = Threads(threads, "web")
        self._places = asyncio.Semaphore(threads)
        self._waiting = 0
        self._body_seconds = body_seconds
        self._coming: set[asyncio.Timeout] = set()
        self._coming_bytes = 0
        self._listeners = Listeners(poll_seconds)

    def end(self) -> None:
        """Let those who listen go, and wait for no more bodies: the process was told to stop."""
        self._listeners.end()
        for limit in self._coming:
            limit.reschedule(asyncio.get_running_loop().time())

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        assert scope["type"] == "http", "the server is told to speak nothing else"
        environ = environ_of(scope)
        if environ["PATH_INFO"] in self._alive and not _has_body(environ):
            await _send(send, ask(self._application, environ))
            return
        with suppress(Gone):
            if _has_body(environ):
                await self._answer_with_body(environ, receive, send)
            else:
                await self._answer(environ, receive, send)

    async def _answer_with_body(
        self, environ: "WSGIEnvironment", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Ask whether the sender may come in, and then for the body. Where nobody will read one, the connection ends
        with the answer."""
        asking = environ | {BODY: AWAITED}
        if not await self._enter():
            await self._refuse(self._refused(environ, BUSY), receive, send)
            return
        try:
            answer = await self._threads.run(lambda: ask(self._application, asking))
        finally:
            self._places.release()
        visitor = asking.get(VISITOR)
        if visitor is None:
            await self._refuse(answer, receive, send)
            return
        body, why_not = await self._body(receive)
        if why_not is not None:
            await self._refuse(self._refused(environ, why_not), receive, send)
            return
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), VISITOR: visitor}
        await self._answer(environ, receive, send)

    async def _body(self, receive: "ASGIReceiveCallable") -> tuple[bytes, str | None]:
        """All of a body, or why it is not read further. Raises Gone."""
        parts: list[bytes] = []
        size, more = 0, True
        until = asyncio.get_running_loop().time() + self._body_seconds
        try:
            async with asyncio.timeout_at(until) as limit:
                self._coming.add(limit)
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Gone
                    part, more = message["body"], message["more_body"]
                    size += len(part)
                    self._coming_bytes += len(part)
                    if size > MAX_BODY_BYTES:
                        return b"", TOO_LARGE
                    if self._coming_bytes > MAX_PENDING_BODY_BYTES:
                        return b"", BUSY
                    parts.append(part)
                    limit.reschedule(until + size / BODY_RATE)
        except TimeoutError:
            return b"", LATE
        finally:
            self._coming.discard(limit)
            self._coming_bytes -= size
        return b"".join(parts), None

    async def _answer(
        self, environ: "WSGIEnvironment", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        context = contextvars.copy_context()  # one for all parts of the answer, whichever thread makes them
        if not await self._enter(receive):
            await _send(send, self._refused(environ, BUSY))
            return
        environ[CLIENT_GONE] = lookout = _Lookout(receive)
        try:
            answer = await self._threads.run(lambda: context.run(ask, self._application, environ))
        finally:
            lookout.end()
            self._places.release()
        if answer.live is not None:
            await self._tell_news(answer, receive, send)
        elif answer.rest is None:
            await _send(send, answer)
        else:
            await self._send_in_parts(answer, context, receive, send)

    async def _enter(self, receive: "ASGIReceiveCallable | None" = None) -> bool:
        """Whether a request may have a thread, for which it may have to wait; whoever may has to release the place.
        Raises Gone where `receive`, of a request that has come as a whole, tells so."""
        if not self._places.locked():
            return await self._places.acquire()
        if self._waiting >= MAX_WAITING:
            return False
        turn = asyncio.ensure_future(self._places.acquire())
        gone = None if receive is None else asyncio.ensure_future(_until_gone(receive))
        self._waiting += 1
        try:
            await asyncio.wait(
                {turn} if gone is None else {turn, gone}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._waiting -= 1
            left = gone is not None and gone.done()
            if gone is not None:
                gone.cancel()
            if not turn.done():
                turn.cancel()
        if left:
            if turn.done():
                self._places.release()
            raise Gone
        return turn.done()

    def _refused(self, environ: "WSGIEnvironment", why: str) -> WsgiResponse:
        """What the guard says to that, without asking anybody."""
        return ask(self._application, environ | {BODY: why})

    async def _refuse(self, answer: WsgiResponse, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """Send an answer to a request whose body is not wanted, and end the connection: when that has come, or soon.
        Who still sends would be cut off at once, and many a client's system then forgets what it was answered."""
        answer.headers.append((b"connection", b"close"))
        await _begin(send, answer)
        await _send_body(send, answer.parts)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._body_seconds * LINGER_SHARE):
                message = await receive()
                while message["type"] == "http.request" and message["more_body"]:
                    message = await receive()
        await send(_body_event(b"", more=False))

    async def _send_in_parts(
        self,
        answer: WsgiResponse,
        context: contextvars.Context,
        receive: "ASGIReceiveCallable",
        send: "ASGISendCallable",
    ) -> None:
        """Send an answer that is made meanwhile, as fast as it is read."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await _begin(send, answer)
            while not gone.done():
                parts, answer.parts = answer.parts, []
                await _send_body(send, parts, more=answer.rest is not None)
                if answer.rest is None:
                    return
                await self._places.acquire()
                try:
                    await self._threads.run(lambda: context.run(gather, answer))
                finally:
                    self._places.release()
        finally:
            gone.cancel()
            if answer.rest is not None:
                await self._threads.run(lambda: context.run(answer.close))

    async def _tell_news(self, answer: WsgiResponse, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """Send what is new whenever there is something, until the client or the process goes."""
        assert answer.live is not None
        listener = self._listeners.add(answer.live)
        gone = asyncio.ensure_future(_until_gone(receive))
        gone.add_done_callback(lambda _: listener.end())
        try:
            await _begin(send, answer)
            await _send_body(send, answer.parts)
            async for part in listener:
                await send(_body_event(part))
            await send(_body_event(b"", more=False))
        finally:
            gone.cancel()
            self._listeners.leave(listener)
            await self._threads.run(answer.close)


async def _send(send: "ASGISendCallable", answer: WsgiResponse) -> None:
    """Send an answer that is there as a whole."""
    if not any(name.lower() == b"content-length" for name, _ in answer.headers) and answer.parts:
        answer.headers.append((b"content-length", str(sum(map(len, answer.parts))).encode()))
    await _begin(send, answer)
    await _send_body(send, answer.parts, more=False)


async def _begin(send: "ASGISendCallable", answer: WsgiResponse) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers, "trailers": False})


async def _send_body(send: "ASGISendCallable", parts: Iterable[bytes], more: bool = True) -> None:
    """Hand on `parts`, each PART_BYTES when those before them are on their way; without `more` they are the last."""
    pieces = [piece for part in parts for piece in _pieces(part)] or [b""]
    for piece in pieces[:-1]:
        await send(_body_event(piece))
    await send(_body_event(pieces[-1], more))


def _pieces(part: bytes) -> Iterable[bytes]:
    if len(part) <= PART_BYTES:
        return (part,)
    whole = cast(bytes, memoryview(part))  # uvicorn takes both, and a part of bytes would be a copy
    return (whole[start : start + PART_BYTES] for start in range(0, len(part), PART_BYTES))


def _body_event(body: bytes, more: bool = True) -> "HTTPResponseBodyEvent":
    return {"type": "http.response.body", "body": body, "more_body": more}


class _Lookout:
    """Tells the thread that makes an answer whether its client has gone. It looks from the first time that it is
    asked, which only long work does."""

    def __init__(self, receive: "ASGIReceiveCallable") -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Task[None] | None = None
        self._is_over = self._has_gone = False

    def __call__(self) -> bool:
        if self._looking is None:
            self._loop.call_soon_threadsafe(self._begin)
        return self._has_gone

    def end(self) -> None:
        """Look no further: the answer is made."""
        self._is_over = True
        if self._looking is not None:
            self._looking.cancel()

    def _begin(self) -> None:
        if self._looking is None and not self._is_over:
            self._looking = self._loop.create_task(self._look())

    async def _look(self) -> None:
        await _until_gone(self._receive)
        self._has_gone = True


async def _until_gone(receive: "ASGIReceiveCallable") -> None:
    """For a request that has come as a whole."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _has_body(environ: "WSGIEnvironment") -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ
