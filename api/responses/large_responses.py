"""Answers that take long: large ones have places of their own, and none is worked on when its client has gone."""

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
"""Metrics or alerts of an answer that is made wherever it is asked for, in some hundredths of a second."""
MAX_ORDINARY_SAMPLES = 20_000
"""Prices or volumes of such an answer."""
MAX_SECONDS = 20.0
"""For a large answer: the largest take some tenths of a second of a processor's time."""
RETRY_SECONDS = 1
STEP_ROWS = 250
"""Metrics or alerts between two checks: some milliseconds."""
LARGE = {
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away; or other large answers are being made: see `Retry-After`."
}

T = TypeVar("T")


Check = Callable[[], None]
"""To be called between two steps of the work."""


class LargeResponses:
    """The places for answers of many rows; `step_aside` is called between two steps, and may take its time."""

    def __init__(self, step_aside: Callable[[], None] = lambda: None, work: LongWork | None = None) -> None:
        self._work = work or LongWork("large answer", MAX_SECONDS, RETRY_SECONDS, step_aside)

    @contextmanager
    def place(self, *, is_large: bool) -> Iterator[Check]:
        """Where an answer to the present request may be made. A large one waits for its turn; what it checks by raises
        Unfinished, and Abandoned when the client has gone. Raises these, and Busy where there is no place."""
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


def json_list(rows: Sequence[T], told: Callable[[T], object], check: Check) -> bytes:
    """What is `told` of each of the rows as one list, with a check before each STEP_ROWS of them."""
    parts = []
    for start in range(0, len(rows), STEP_ROWS):
        check()
        parts.append(orjson.dumps([told(row) for row in rows[start : start + STEP_ROWS]])[1:-1])
    return b"[%b]" % b",".join(parts)


def checked(blocks: Iterable[T], check: Check) -> Iterator[T]:
    """The blocks, with a check before what follows each of them is made."""
    for block in blocks:
        check()
        yield block


def client_gone(environ: "WSGIEnvironment") -> Callable[[], bool]:
    """What tells whether the client of a request has gone, by what its server tells of the connection; where it tells
    nothing, the client is taken to be there."""
    told: Callable[[], bool] | None = environ.get(CLIENT_GONE)
    if told is not None:
        return told
    connection: socket.socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if connection is None:
        return lambda: False
    return lambda: _is_closed(connection)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other end of it was closed."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except ConnectionError:
        return True
    except (OSError, ValueError):  # too large a number for select, or TLS, into which nobody may peek
        return False
