"""Large responses: few are made at once, and none for a client that has gone."""

import select
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import orjson
from flask import request

from api.environ import CLIENT_GONE
from services.concurrency.long_work import LongWork
from services.market.errors import Abandoned

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_ORDINARY_ROWS = 2_000
"""Metrics or alerts of a response that needs no place: it takes some hundredths of a second."""
MAX_ORDINARY_SAMPLES = 20_000
"""Prices or volumes of such a response."""
MAX_SECONDS = 20.0
"""The time limit of a large response: the largest take some tenths of a second of a processor's time."""
RETRY_SECONDS = 1
STEP_ROWS = 250
"""Metrics or alerts between two checks: some milliseconds."""
LARGE = {
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away; or other large responses are being made: see `Retry-After`."
}

T = TypeVar("T")


Check = Callable[[], None]
"""To be called between two steps of the work; raises an error if it must stop."""


class LargeResponses:
    """The places for responses of many rows; `step_aside` is called between two steps, and may block."""

    def __init__(self, step_aside: Callable[[], None] = lambda: None, work: LongWork | None = None) -> None:
        self._work = work or LongWork("large response", MAX_SECONDS, RETRY_SECONDS, step_aside)

    @contextmanager
    def place(self, *, is_large: bool) -> Iterator[Check]:
        """Make the response to the current request within this context; a large one waits for its turn first.

        The check raises Unfinished when it takes too long, and Abandoned when the client has gone. Raises these too,
        and Busy if no place is free.
        """
        if not is_large:
            yield lambda: None
            return
        is_gone = client_gone(request.environ)
        with self._work.place() as place:

            def check() -> None:
                place.check()
                if is_gone():
                    raise Abandoned("the client has gone")

            while not place.await_turn():
                check()
            check()
            yield check


def json_list(rows: Sequence[T], body: Callable[[T], object], check: Check) -> bytes:
    """The rows as one JSON list, each by `body`, with a check before each STEP_ROWS of them."""
    parts = []
    for start in range(0, len(rows), STEP_ROWS):
        check()
        parts.append(orjson.dumps([body(row) for row in rows[start : start + STEP_ROWS]])[1:-1])
    return b"[%b]" % b",".join(parts)


def checked(blocks: Iterable[T], check: Check) -> Iterator[T]:
    """The blocks, with a check between two of them."""
    for block in blocks:
        check()
        yield block


def client_gone(environ: "WSGIEnvironment") -> Callable[[], bool]:
    """A function that returns whether the client of a request has disconnected. It returns False if the server gives
    no access to the connection."""
    is_gone: Callable[[], bool] | None = environ.get(CLIENT_GONE)
    if is_gone is not None:
        return is_gone
    connection: socket.socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if connection is None:
        return lambda: False
    return lambda: _is_closed(connection)


def _is_closed(connection: socket.socket) -> bool:
    """True if the other end has closed the connection."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except ConnectionError:
        return True
    except (OSError, ValueError):  # a descriptor too large for select, or TLS, which cannot be peeked
        return False
