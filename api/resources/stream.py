"""`/stream`: server-sent events, one for each new revision.

Our own server (`api.server.asgi`) takes the events from the request's environment and needs no thread for each stream.
Any other WSGI server has one thread for each, which sleeps.
"""

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from threading import BoundedSemaphore
from time import sleep

import orjson
from flask import Blueprint, Response, request

from api.contract.identifiers import parse_metric
from api.contract.operations import EVENTS, Operation, operation
from api.contract.queries import StreamQuery, read_query
from api.contract.schemas import StreamEvent
from api.environ import LIVE, LIVE_POLL_SECONDS
from api.resources.context import RouteContext
from api.responses import bodies
from api.responses.problems import problem
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.ports import MarketReader
from services.market.text import number_in

MAX_STREAMS = 500
"""Streams open at once in one process."""
HEARTBEAT_POLLS = 30
"""Polls without a change after which a comment is sent. It reveals a client that has gone, and keeps proxies from
closing the connection as idle."""
RETRY_SECONDS = 10
RECONNECT_MS = 2_000

STREAM = Operation(
    name="stream",
    summary="Server-sent events: one for each new revision.",
    tag="State",
    query=StreamQuery,
    answers={EVENTS: StreamEvent},
    problems={
        HTTPStatus.NOT_FOUND: "No such metric.",
        HTTPStatus.SERVICE_UNAVAILABLE: "The database is away, or the process has as many streams open as it can.",
    },
    cached=False,
)


class Streams:
    """The places of one process's streams."""

    def __init__(self, max_open: int = MAX_STREAMS, poll_seconds: float = LIVE_POLL_SECONDS) -> None:
        self.max_open = max_open
        self.poll_seconds = poll_seconds
        self._places = BoundedSemaphore(max_open)

    def enter(self) -> bool:
        """Take a place, to be freed with `leave`; False where none is free."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()


def blueprint(context: RouteContext, streams: Streams | None = None) -> Blueprint:
    routes, reader = Blueprint("stream", __name__), context.dependencies.reader
    streams = streams or Streams()

    @routes.get("/stream")
    @operation(STREAM)
    def stream() -> Response:
        query = read_query(StreamQuery)
        metric_ids = [reader.metric(parse_metric(name)).id for name in query.metrics or ()]
        last_seen = number_in(request.headers.get("Last-Event-ID", ""))
        if request.method == "HEAD":
            return _response(())
        if not streams.enter():
            return _too_many(streams.max_open)
        events = _events(reader, metric_ids, last_seen)
        request.environ[LIVE] = events
        response = _response(_slept_through(events, streams.poll_seconds))
        response.call_on_close(streams.leave)
        return response

    return routes


def _response(events: Iterable[bytes]) -> Response:
    response = Response(events, mimetype=EVENTS)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # or nginx collects events before it passes them on
    return response


def _too_many(max_open: int) -> Response:
    detail = f"{max_open} streams are open, as many as one process allows"
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, "Too many streams")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _slept_through(events: Iterator[bytes], poll_seconds: float) -> Iterator[bytes]:
    """The body for any other WSGI server: polls `events` and sleeps in between."""
    for part in events:
        if part:
            yield part
        sleep(poll_seconds)


def _events(reader: MarketReader, metric_ids: Sequence[int], last_seen: int | None) -> Iterator[bytes]:
    """The stream of a client whose last event was of the revision `last_seen`, one item a poll; b"" where nothing is
    new. The first event has all the metrics that were asked for, later ones those that have changed."""
    sent: dict[int, bodies.Body] = {}
    polls = 0
    part = f"retry: {RECONNECT_MS}\n\n"
    while True:
        try:
            revision = reader.revision()
            if revision != last_seen:
                part += _event(reader, revision, metric_ids, sent)
                last_seen, polls = revision, 0
        except StoreUnavailable:
            pass  # /live reports it; the stream goes on when the database is back
        if polls == HEARTBEAT_POLLS:
            part += ": nothing new\n\n"
            polls = 0
        polls += 1
        yield part.encode()
        part = ""


def _event(reader: MarketReader, revision: int, metric_ids: Sequence[int], sent: dict[int, bodies.Body]) -> str:
    data: bodies.Body = {"revision": revision, "minute": bodies.iso(reader.ranking().minute)}
    if metric_ids:
        rows = {number: row for number in metric_ids if (row := _row(reader, number)) is not None}
        data["metrics"] = [row for number, row in rows.items() if sent.get(number) != row]
        sent.update(rows)
    return f"id: {revision}\ndata: {orjson.dumps(data).decode()}\n\n"


def _row(reader: MarketReader, number: int) -> bodies.Body | None:
    try:
        return bodies.metric_body(reader.metric(number))
    except UnknownMetric:
        return None
