"""Monitors that observe the cluster from outside: of the database, of the web, and the receiver of its messages."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg

REST_SECONDS = 0.02


class Poller:
    """Calls `poll` repeatedly in its own thread until it is closed, and keeps the error that stopped it."""

    def __init__(self, poll: Callable[[], object]) -> None:
        self._poll = poll
        self._stop = Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop polling; raises the error that stopped it before."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(REST_SECONDS):
                self._poll()
        except BaseException as error:  # noqa: BLE001 - `close` raises it
            self._error = error


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The database as of one poll: the snapshot's tick, its reported and its stored number of prices, and the holder of
    the clock's lease."""

    revision: int
    minute: int
    stored: int
    failed: str
    prices: int
    owner: str | None


STATE_QUERY = """
    SELECT snapshot.revision, snapshot.minute, tick.stored, tick.failed,
           (SELECT count(*) FROM price WHERE price.minute = snapshot.minute AND width = %s),
           (SELECT owner FROM lease WHERE name = 'clock')
    FROM snapshot JOIN tick USING (minute)
"""


@dataclass
class DatabaseMonitor:
    """Polls the database with its own SQL; `seen` has each new state with the time of its first poll."""

    url: str
    period: int
    seen: list[tuple[float, DatabaseState]] = field(default_factory=list)
    polls: int = 0
    _connection: psycopg.Connection | None = None

    def poll(self) -> None:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self.url, autocommit=True, connect_timeout=2)
            row = self._connection.execute(STATE_QUERY, (self.period,)).fetchone()
        except psycopg.OperationalError:
            self.close()
            return
        self.polls += 1
        if row is not None and (not self.seen or self.seen[-1][1] != DatabaseState(*row)):
            self.seen.append((time.time(), DatabaseState(*row)))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def owner(self) -> str | None:
        """The present or last holder of the clock's lease."""
        return self.seen[-1][1].owner if self.seen else None

    def minute(self) -> int:
        """The minute of the last tick, 0 before the first."""
        return self.seen[-1][1].minute if self.seen else 0


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One row of `/metrics`."""

    market: str
    base: str
    minute: float
    price: float
    stdev: float


def _ranked_row(row: dict[str, Any]) -> RankedRow:
    minute = datetime.fromisoformat(row["updated_at"]).timestamp()
    return RankedRow(row["market"], row["base"], minute, row["price"], row["stdev"])


@dataclass
class WebMonitor:
    """Polls the web; like a browser, it retries a connection that a worker's end has reset once."""

    port: int
    statuses: dict[tuple[str, int], int] = field(default_factory=dict)
    failed_requests: list[tuple[float, str]] = field(default_factory=list)
    repeated: int = 0
    rankings: dict[str, tuple[RankedRow, ...]] = field(default_factory=dict)
    unavailable_at: list[float] = field(default_factory=list)
    polls: int = 0

    def poll(self) -> None:
        for path in ("/healthz", "/metrics"):
            status, body = self._ask(path)
            self.statuses[path, status] = self.statuses.get((path, status), 0) + 1
            if status == 503:
                self.unavailable_at.append(time.time())
            if path == "/metrics" and status == 200 and body not in self.rankings:
                self.rankings[body] = tuple(map(_ranked_row, json.loads(body)["metrics"]))
        self.polls += 1

    def minutes(self) -> set[float]:
        """The minutes of the ticks whose prices it has seen."""
        return {metric.minute for ranking in self.rankings.values() for metric in ranking}

    def _ask(self, path: str) -> tuple[int, str]:
        for last in (False, True):
            try:
                with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except HTTPError as error:
                return error.code, error.read().decode()
            except (OSError, HTTPException) as error:
                if last:
                    self.failed_requests.append((time.time(), f"{path}: {error!r}"))
                self.repeated += 1
        return 0, ""


@dataclass
class Receiver:
    """The receiver of the messages; `alerts` has the number of each alert as often as it arrived."""

    alerts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.alerts += [alert["id"] for alert in json.loads(body)["alerts"]]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing, which keeps the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"webhook+http://127.0.0.1:{self._server.server_port}/"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
