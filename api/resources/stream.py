"""`/stream`: server-sent events, one for each new revision.

Our own server (`api.server.asgi`) takes the events from the request's environment and needs no thread for each stream.
Any other WSGI server has one thread for each, which sleeps.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from threading import BoundedSemaphore
from time import sleep

import orjson
from flask import Blueprint, Response, request

from api.contract.metric_keys import named
from api.contract.operations import EVENTS, Operation, operation
from api.contract.queries import StreamQuery, read_query
from api.contract.schemas import StreamEvent
from api.responses import bodies
from api.responses.problems import problem
from api.server.listeners import LIVE, WATCH_SECONDS
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.ports import MarketReader

MAX_STREAMS = 500
"""Open at once in one process."""
HEARTBEAT_LOOKS = 30
"""After so many looks in vain a comment is sent: whoever is gone is noticed, and no proxy takes the line for dead."""
RETRY_SECONDS = 10
RECONNECT_MS = 2_000
MAX_EVENT_ID_LENGTH = 18


class Streams:
    """The places of one process's streams."""

    def __init__(self, most: int = MAX_STREAMS, watch_seconds: float = WATCH_SECONDS) -> None:
        self.most = most
        self.watch_seconds = watch_seconds
        self._places = BoundedSemaphore(most)

    def enter(self) -> bool:
        """Take a place; False where there is none. Who has one must `leave`."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()


def add_stream(routes: Blueprint, reader: MarketReader, streams: Streams) -> None:
    @routes.get("/stream")
    @operation(
        Operation(
            name="stream",
            summary="Server-sent events: one for each new revision.",
            tag="State",
            query=StreamQuery,
            answers={EVENTS: StreamEvent},
            problems={
                HTTPStatus.NOT_FOUND: "No such metric.",
                HTTPStatus.SERVICE_UNAVAILABLE: "The database is away, or as many streams are open as a process bears.",
            },
            cached=False,
        )
    )
    def stream() -> Response:
        query = read_query(StreamQuery)
        wanted = [reader.metric(named(name)).id for name in query.metrics or ()]
        seen = _event_id(request.headers.get("Last-Event-ID", ""))
        if request.method == "HEAD":
            return _response(())
        if not streams.enter():
            full = problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{streams.most} streams are open, the most that a process bears",
                "Too many streams",
            )
            full.headers["Retry-After"] = str(RETRY_SECONDS)
            return full
        news = _news(reader, wanted, seen)
        request.environ[LIVE] = news
        response = _response(_waiting(news, streams.watch_seconds))
        response.call_on_close(streams.leave)
        return response


def _response(events: Iterable[bytes]) -> Response:
    response = Response(events, mimetype=EVENTS)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect events before it passes them on
    return response


def _event_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_EVENT_ID_LENGTH else None


def _waiting(news: Iterator[bytes], watch_seconds: float) -> Iterator[bytes]:
    """For a server that knows only bodies: what `news` tells, in a thread that sleeps meanwhile."""
    for part in news:
        if part:
            yield part
        sleep(watch_seconds)


def _news(reader: MarketReader, wanted: list[int], seen: int | None) -> Iterator[bytes]:
    """The stream of one viewer who knows the revision `seen`, look by look. The first event tells each wanted metric,
    those after it what has changed."""
    told: dict[int, bodies.Body] = {}
    looks = 0
    part = f"retry: {RECONNECT_MS}\n\n"
    while True:
        try:
            revision = reader.revision()
            if revision != seen:
                part += _event(reader, revision, wanted, told)
                seen, looks = revision, 0
        except StoreUnavailable:
            pass  # /live tells so; the stream goes on when it is back
        if looks == HEARTBEAT_LOOKS:
            part += ": nothing new\n\n"
            looks = 0
        looks += 1
        yield part.encode()
        part = ""


def _event(reader: MarketReader, revision: int, wanted: list[int], told: dict[int, bodies.Body]) -> str:
    data: bodies.Body = {"revision": revision, "minute": bodies.iso(reader.ranking().minute)}
    if wanted:
        rows = {number: row for number in wanted if (row := _row(reader, number)) is not None}
        data["metrics"] = [row for number, row in rows.items() if told.get(number) != row]
        told.update(rows)
    return f"id: {revision}\ndata: {orjson.dumps(data).decode()}\n\n"


def _row(reader: MarketReader, number: int) -> bodies.Body | None:
    try:
        return bodies.metric_body(reader.metric(number))
    except UnknownMetric:
        return None
