"""`/stream`: server-sent events, one for each new revision, so that a program need not ask.

Each stream holds a thread that sleeps. So they are bounded, and the doors (`gunicorn.conf.py`, `app.main`) have as many
threads more than ordinary requests ever use at once.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from threading import BoundedSemaphore, Event
from typing import TYPE_CHECKING

import orjson
from flask import Blueprint, Flask, Response, request

from api import bodies
from api.keys import named
from api.operations import EVENTS, Operation, operation
from api.problems import problem
from api.queries import StreamQuery, read_query
from api.schemas import StreamEvent
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.ports import MarketReader

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MOST_STREAMS = 64
"""Open at once in one process."""
WATCH_SECONDS = 0.5
"""How often each looks for a new revision: what a viewer may lag behind, beside what the reader's memory allows."""
HEARTBEAT_LOOKS = 30
"""After so many looks in vain a comment is sent: whoever is gone is noticed, and no proxy takes the line for dead."""
RETRY_SECONDS = 10
RECONNECT_MS = 2_000
LONGEST_EVENT_ID = 18
EXTENSION = "data-tracker-streams"


class Streams:
    """The open streams of one process."""

    def __init__(self, most: int = MOST_STREAMS, watch_seconds: float = WATCH_SECONDS) -> None:
        self.most = most
        self._places = BoundedSemaphore(most)
        self._watch_seconds = watch_seconds
        self._ended = Event()

    def enter(self) -> bool:
        """Take a place; False where there is none. Who has one must `leave`."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()

    def rest(self) -> bool:
        """Wait until it is time to look again; False when the process ends."""
        return not self._ended.wait(self._watch_seconds)

    def end(self) -> None:
        """Let all streams end, those to come after their first event. For signal handlers too."""
        self._ended.set()


def end_streams(server: Flask) -> None:
    """Let the streams of `server`, if it has any, end: its process was told to stop."""
    streams: Streams | None = server.extensions.get(EXTENSION)
    if streams is not None:
        streams.end()


def turnstile(application: "WSGIApplication", most: int) -> "WSGIApplication":
    """`application`, asked for at most `most` answers at once besides streams: the threads that wait for events are
    not there to crowd the database when they are free."""
    places = BoundedSemaphore(most)

    def enter(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/stream":
            return application(environ, start_response)
        with places:
            return application(environ, start_response)

    return enter


def add_stream(routes: Blueprint, reader: MarketReader, streams: Streams) -> None:
    routes.record_once(lambda state: state.app.extensions.update({EXTENSION: streams}))

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
        response = _response(_events(reader, streams, wanted, seen))
        response.call_on_close(streams.leave)
        return response


def _response(events: Iterable[str]) -> Response:
    response = Response(events, mimetype=EVENTS)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect events before it passes them on
    return response


def _event_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_EVENT_ID else None


def _events(reader: MarketReader, streams: Streams, wanted: list[int], seen: int | None) -> Iterator[str]:
    """The stream of one viewer who knows the revision `seen`. The first event tells each wanted metric, those after it
    what has changed."""
    told: dict[int, bodies.Body] = {}
    looks = 0
    yield f"retry: {RECONNECT_MS}\n\n"
    while True:
        try:
            revision = reader.revision()
            if revision != seen:
                yield _event(reader, revision, wanted, told)
                seen, looks = revision, 0
        except StoreUnavailable:
            pass  # /live tells so; the stream goes on when it is back
        if looks == HEARTBEAT_LOOKS:
            yield ": nothing new\n\n"
            looks = 0
        looks += 1
        if not streams.rest():
            return


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
