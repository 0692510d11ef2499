"""The WSGI application behind an event loop: the loop waits for clients, so that no thread has to.

A request takes one of a few threads once all of it has been received, and only while its response, or the next part of
it, is made. A client that is not let in is refused before its body is read.
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
from api.server.thread_pool import ThreadPool
from api.server.wsgi import WsgiResponse, ask, environ_of, gather

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPResponseBodyEvent, Scope

PART_BYTES = 131_072
"""Bytes passed to the transport at a time: the most that the server buffers for a slow client, besides the shared
response."""
BODY_SECONDS = 10.0
"""Seconds in which a body must be received, extended by BODY_RATE."""
LINGER_SHARE = 0.2
"""The share of that time for which an unwanted body is received and dropped."""
BODY_RATE = 65_536
"""Bytes of a body for which a second is added."""
MAX_PENDING_BODY_BYTES = 64_000_000
"""The limit for all bodies that one process is receiving, together."""
MAX_WAITING = 1_000
"""Requests of one process that wait for a thread."""
WAIT_SECONDS = 30.0
"""Seconds that a request waits for a thread before it is refused."""


class ClientGone(Exception):
    """The client has disconnected."""


class WsgiBridge:
    """An ASGI application in front of the WSGI `application`, which runs at most `threads` times at once."""

    def __init__(
        self,
        application: "WSGIApplication",
        threads: int,
        alive: Collection[str] = ("/healthz",),
        body_seconds: float = BODY_SECONDS,
        poll_seconds: float = LIVE_POLL_SECONDS,
    ) -> None:
        """`alive` are paths that are answered in the loop, before all others: their response needs no database."""
        self._application = application
        self._alive = frozenset(alive)
        self._threads = ThreadPool(threads, "web")
        self._places = asyncio.Semaphore(threads)
        self._waiting = 0
        self._body_seconds = body_seconds
        self._receiving: set[asyncio.Timeout] = set()
        self._pending_bytes = 0
        self._listeners = Listeners(poll_seconds)

    def end(self) -> None:
        """End live streams, and wait for no more bodies: the process is stopping."""
        self._listeners.end()
        for limit in self._receiving:
            limit.reschedule(asyncio.get_running_loop().time())

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        assert scope["type"] == "http", "the server is configured for HTTP alone"
        environ = environ_of(scope)
        if environ["PATH_INFO"] in self._alive and not _has_body(environ):
            await _send(send, ask(self._application, environ))
            return
        with suppress(ClientGone):
            if _has_body(environ):
                await self._answer_with_body(environ, receive, send)
            else:
                await self._answer(environ, receive, send)

    async def _answer_with_body(
        self, environ: "WSGIEnvironment", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Ask the guard first, and receive the body only if it lets the client in. Otherwise the connection ends with
        the response."""
        without_body = environ | {BODY: AWAITED}
        if not await self._enter():
            await self._refuse(self._refused(environ, BUSY), receive, send)
            return
        try:
            response = await self._threads.run(lambda: ask(self._application, without_body))
        finally:
            self._places.release()
        visitor = without_body.get(VISITOR)
        if visitor is None:
            await self._refuse(response, receive, send)
            return
        body, why_not = await self._body(receive)
        if why_not is not None:
            await self._refuse(self._refused(environ, why_not), receive, send)
            return
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), VISITOR: visitor}
        await self._answer(environ, receive, send)

    async def _body(self, receive: "ASGIReceiveCallable") -> tuple[bytes, str | None]:
        """All of a body, or the reason why the rest is not read. Raises ClientGone."""
        parts: list[bytes] = []
        size, more = 0, True
        until = asyncio.get_running_loop().time() + self._body_seconds
        try:
            async with asyncio.timeout_at(until) as limit:
                self._receiving.add(limit)
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise ClientGone
                    part, more = message["body"], message["more_body"]
                    size += len(part)
                    self._pending_bytes += len(part)
                    if size > MAX_BODY_BYTES:
                        return b"", TOO_LARGE
                    if self._pending_bytes > MAX_PENDING_BODY_BYTES:
                        return b"", BUSY
                    parts.append(part)
                    limit.reschedule(until + size / BODY_RATE)
        except TimeoutError:
            return b"", LATE
        finally:
            self._receiving.discard(limit)
            self._pending_bytes -= size
        return b"".join(parts), None

    async def _answer(
        self, environ: "WSGIEnvironment", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        context = contextvars.copy_context()  # one for all parts of the response, whichever thread makes them
        if not await self._enter(receive):
            await _send(send, self._refused(environ, BUSY))
            return
        environ[CLIENT_GONE] = disconnection = _Disconnection(receive)
        try:
            response = await self._threads.run(lambda: context.run(ask, self._application, environ))
        finally:
            disconnection.end()
            self._places.release()
        if response.live is not None:
            await self._send_live(response, receive, send)
        elif response.rest is None:
            await _send(send, response)
        else:
            await self._send_in_parts(response, context, receive, send)

    async def _enter(self, receive: "ASGIReceiveCallable | None" = None) -> bool:
        """Wait for a thread. Returns False if none becomes free in time, otherwise the caller must release the place.

        With the `receive` of a request that is complete, raises ClientGone when the client disconnects meanwhile.
        """
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
            raise ClientGone
        return turn.done()

    def _refused(self, environ: "WSGIEnvironment", why: str) -> WsgiResponse:
        """The guard's response to a body in the state `why`, without running a route."""
        return ask(self._application, environ | {BODY: why})

    async def _refuse(self, response: WsgiResponse, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """Answer a request whose body is not wanted, and close the connection once the body has come, or soon after.

        Closed at once, a client that still sends would get a reset, which makes many systems drop the response unread.
        """
        response.headers.append((b"connection", b"close"))
        await _begin(send, response)
        await _send_body(send, response.parts)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._body_seconds * LINGER_SHARE):
                message = await receive()
                while message["type"] == "http.request" and message["more_body"]:
                    message = await receive()
        await send(_body_event(b"", more=False))

    async def _send_in_parts(
        self,
        response: WsgiResponse,
        context: contextvars.Context,
        receive: "ASGIReceiveCallable",
        send: "ASGISendCallable",
    ) -> None:
        """Send a response that is made meanwhile, as fast as the client reads it."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await _begin(send, response)
            while not gone.done():
                parts, response.parts = response.parts, []
                await _send_body(send, parts, more=response.rest is not None)
                if response.rest is None:
                    return
                await self._places.acquire()
                try:
                    await self._threads.run(lambda: context.run(gather, response))
                finally:
                    self._places.release()
        finally:
            gone.cancel()
            if response.rest is not None:
                await self._threads.run(lambda: context.run(response.close))

    async def _send_live(
        self, response: WsgiResponse, receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Send live events as they come, until the client disconnects or the process stops."""
        assert response.live is not None
        listener = self._listeners.add(response.live)
        gone = asyncio.ensure_future(_until_gone(receive))
        gone.add_done_callback(lambda _: listener.end())
        try:
            await _begin(send, response)
            await _send_body(send, response.parts)
            async for part in listener:
                await send(_body_event(part))
            await send(_body_event(b"", more=False))
        finally:
            gone.cancel()
            self._listeners.leave(listener)
            await self._threads.run(response.close)


async def _send(send: "ASGISendCallable", response: WsgiResponse) -> None:
    """Send a complete response."""
    if not any(name.lower() == b"content-length" for name, _ in response.headers) and response.parts:
        response.headers.append((b"content-length", str(sum(map(len, response.parts))).encode()))
    await _begin(send, response)
    await _send_body(send, response.parts, more=False)


async def _begin(send: "ASGISendCallable", response: WsgiResponse) -> None:
    await send(
        {"type": "http.response.start", "status": response.status, "headers": response.headers, "trailers": False}
    )


async def _send_body(send: "ASGISendCallable", parts: Iterable[bytes], more: bool = True) -> None:
    """Send `parts` in pieces of PART_BYTES, each when the transport has room; without `more` they are the last."""
    pieces = [piece for part in parts for piece in _pieces(part)] or [b""]
    for piece in pieces[:-1]:
        await send(_body_event(piece))
    await send(_body_event(pieces[-1], more))


def _pieces(part: bytes) -> Iterable[bytes]:
    if len(part) <= PART_BYTES:
        return (part,)
    whole = cast(bytes, memoryview(part))  # uvicorn accepts both, and a slice of bytes would be a copy
    return (whole[start : start + PART_BYTES] for start in range(0, len(part), PART_BYTES))


def _body_event(body: bytes, more: bool = True) -> "HTTPResponseBodyEvent":
    return {"type": "http.response.body", "body": body, "more_body": more}


class _Disconnection:
    """Returns whether the client has disconnected, to the thread that makes the response.

    It watches from the first call on, because only long work calls it.
    """

    def __init__(self, receive: "ASGIReceiveCallable") -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._watching: asyncio.Task[None] | None = None
        self._is_ended = self._has_gone = False

    def __call__(self) -> bool:
        if self._watching is None:
            self._loop.call_soon_threadsafe(self._begin)
        return self._has_gone

    def end(self) -> None:
        """Stop watching: the response is made."""
        self._is_ended = True
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        if self._watching is None and not self._is_ended:
            self._watching = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        await _until_gone(self._receive)
        self._has_gone = True


async def _until_gone(receive: "ASGIReceiveCallable") -> None:
    """Wait until the client disconnects. The request must be complete."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _has_body(environ: "WSGIEnvironment") -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ
