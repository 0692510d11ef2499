"""Requests a second under gunicorn, compared with a constant body, and the database reads of a new revision."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.error import URLError

from flask import Flask

from api.routes import mount
from benchmarks.clock import Clock
from benchmarks.databases import PERIOD, Dataset, filled
from benchmarks.listeners import STREAMS, Stream
from benchmarks.timings import print_table
from services.actions.alerts import StoreAlertService
from services.actions.deliveries import DeliveryService
from services.bootstrap import profile_of
from services.caching.process_reader import CachedReader
from services.market.dependencies import Dependencies
from services.market.ranking import Ranking
from services.market.times import period_of
from services.settings import Settings, read_settings
from services.store.reader import StoreReader

ROOT = Path(__file__).parents[1]
SECONDS = 2.0
"""Length of each measurement."""
ROUNDS = 2
"""How often each request and its constant body are measured, in turn; the best of each counts."""
CONNECTIONS = 8
"""The server's number of threads."""
START_SECONDS = 30.0
TICKS = 5
COMMITS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """Paths that are requested in turn, with these headers."""

    name: str
    paths: tuple[str, ...]
    headers: Mapping[str, str]
    after_tick: bool = False
    """Request each path once, then store a tick, before measuring."""


def measure(metrics: int) -> None:
    """Serve a database of `metrics` metrics, load it from another process, and print the figures."""
    # The ticks to come must not lie in the future, because servers cache nothing of the future.
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(seconds=PERIOD * (TICKS + ROUNDS + COMMITS))
    with filled(metrics, last) as dataset, Clock(dataset) as clock:
        for _ in range(TICKS):
            clock.tick()
        with served(dataset, "app:server") as ours, served(dataset, "benchmarks.constant:create_app()") as bare:
            rows = [_row(case, ours, bare, clock) for case in _cases(ours, dataset)]
            with ExitStack() as stack:
                for _ in range(STREAMS):
                    stack.enter_context(Stream(ours))
                crowded = Case(f"/metrics, {STREAMS} streams open", ("/metrics",), {})
                rows.insert(1, _row(crowded, ours, bare, clock))
        print_table(
            f"Answers of one gunicorn worker, {metrics:,} metrics, {CONNECTIONS} connections",
            ("request", "status", "bytes", "answers/s", "p99 ms", "constant/s", "constant p99 ms", "of constant"),
            rows,
        )
        _count_readings(dataset, clock)


def _cases(port: int, dataset: Dataset) -> tuple[Case, ...]:
    gzipped, brotli = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "br"}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        tag = answer.headers["ETag"]
    singles = tuple(f"/metrics/{number}" for number in dataset.ids.tolist())
    each = tuple(f"{path}/prices" for path in singles)
    return (
        Case("/metrics", ("/metrics",), {}),
        Case("/metrics, gzip", ("/metrics",), gzipped),
        Case("/metrics, br", ("/metrics",), brotli),
        Case("/metrics, If-None-Match", ("/metrics",), {"If-None-Match": tag}),
        Case("/metrics?limit=100&sort=-volatility", ("/metrics?limit=100&sort=-volatility",), {}),
        Case("/metrics/<id>, one metric", singles[:1], {}),
        Case("/metrics/<id>, each metric in turn", singles, {}),
        Case("/metrics/<id>/prices, one metric", each[:1], {}),
        Case("/metrics/<id>/prices, one metric, gzip", each[:1], gzipped),
        Case("/metrics/<id>/prices, each metric for the first time", each, {}),
        Case("/metrics/<id>/prices, each metric after a tick", each, {}, after_tick=True),
    )


def _row(case: Case, port: int, bare_port: int, clock: Clock) -> Sequence[object]:
    ours: list[Mapping[str, Any]] = []
    constant: list[Mapping[str, Any]] = []
    for _ in range(ROUNDS):
        if case.after_tick:
            for path in case.paths:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                    answer.read()
            clock.tick()
        ours.append(_load(port, case.paths, case.headers))
        constant.append(_load(bare_port, (f"/{ours[0]['bytes']}",), case.headers))
    best = max(ours, key=lambda found: float(found["rate"]))
    bare = max(constant, key=lambda found: float(found["rate"]))
    return (
        case.name,
        best["status"],
        f"{best['bytes']:,}",
        f"{best['rate']:,.0f}",
        f"{best['p99']:.1f}",
        f"{bare['rate']:,.0f}",
        f"{bare['p99']:.1f}",
        f"{best['rate'] / bare['rate']:.2f}",
    )


def _load(port: int, paths: Sequence[str], headers: Mapping[str, str]) -> Mapping[str, Any]:
    order = {
        "port": port,
        "paths": list(paths),
        "headers": dict(headers),
        "connections": CONNECTIONS,
        "seconds": SECONDS,
    }
    client = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
    )
    found: Mapping[str, Any] = json.loads(client.stdout)
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def served(dataset: Dataset, application: str, workers: int = 1, **settings: str) -> Iterator[int]:
    """The port of 127.0.0.1 on which `workers` gunicorn workers with the shipped configuration serve `application`."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": dataset.url,
        "TRACK": "demo:*",
        "SCHEDULER": "off",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "WEB_CONCURRENCY": str(workers),
        **settings,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--log-level", "error", application]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        _await(server, port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await(server: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5):
                return
        except URLError as error:
            if getattr(error, "code", None) == 404:  # the bare server has no such path
                return
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"gunicorn does not serve: {error}") from error
            time.sleep(0.1)


class _CountingReader(StoreReader):
    """Counts how often the ranking is read from the database."""

    rankings = 0

    def ranking(self) -> Ranking:
        self.rankings += 1
        return super().ranking()


def _count_readings(dataset: Dataset, clock: Clock, threads: int = 4) -> None:
    """Let `threads` threads request `/metrics` while COMMITS ticks are stored, and print the database reads."""
    reader = _CountingReader(dataset.engine, profile_of(_settings(dataset)))
    server = Flask(__name__, static_folder=None)
    mount(
        server,
        Dependencies(
            CachedReader(reader),
            lambda: datetime.now(UTC),
            DeliveryService(dataset.engine, ()),
            StoreAlertService(dataset.engine, ()),
        ),
    )
    done, answered = Event(), [0] * threads

    def ask(number: int) -> None:
        client = server.test_client()
        while not done.is_set():
            assert client.get("/metrics").status_code == 200
            answered[number] += 1

    askers = [Thread(target=ask, args=(number,)) for number in range(threads)]
    for asker in askers:
        asker.start()
    for _ in range(COMMITS):
        time.sleep(0.5)
        clock.tick()
    time.sleep(0.5)
    done.set()
    for asker in askers:
        asker.join()
    print_table(
        f"Database reads of {threads} threads that request /metrics while ticks are stored",
        ("revisions seen", "requests", "readings of the ranking"),
        [(COMMITS + 1, f"{sum(answered):,}", reader.rankings)],
    )


def _settings(dataset: Dataset) -> Settings:
    return read_settings(env_file=None, database_url=dataset.url, track="demo:*")
