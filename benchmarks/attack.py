"""Response times for other clients during attacks on sockets: `python -m benchmarks --only attack`.

Attacks use sockets of this machine only, bounded in number and time.
"""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError

import psutil

from benchmarks.timings import print_table
from benchmarks.web import ROOT, free_port

SECONDS = 30.0
"""Length of each attack: longer than any time-out of the server."""
PERIOD = 5
PAIRS = 1_000
START_TICKS = 4
"""Ticks during the first backfill, which are not measured."""
LATE_MS = 1_000.0
"""A tick that begins no later than this is on time."""
TIMEOUT = 10.0
"""Of a request, seconds."""
MORE_BYTES = 100_000_000
"""Allowed growth of memory after an attack, for the program goes on ticking and caching."""
LOOK_SECONDS = 0.5
REST_SECONDS = 5.0
"""Time for a server to clean up after an attack."""
NAME = ("ann", "open sesame")
PASS = "Authorization: Basic " + b64encode(":".join(NAME).encode()).decode()
BOUNDS = {"/healthz": 1.0, "/live": 2.0, "/": 2.0}
"""Seconds within which other clients must be answered."""

_GUNICORN = ("-m", "gunicorn", "--config", str(ROOT / "gunicorn.conf.py"), "--chdir", str(ROOT))
SERVERS = {
    "app.py": (str(ROOT / "app.py"),),
    "gunicorn": (*_GUNICORN, "app:server"),
    "gunicorn, 4 workers": (*_GUNICORN, "--workers", "4", "app:server"),
}


def _post(path: str, *lines: str) -> bytes:
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *lines))
    return f"{head}\r\n\r\n{{".encode()


@dataclass(frozen=True, slots=True)
class Attack:
    """What each of `count` sockets sends at first, and again with every check."""

    name: str
    count: int
    first: bytes = b""
    more: bytes = b""
    reads: bool = True
    """Whether it reads the response."""


ATTACKS = (
    Attack("idle connections", 500),
    Attack("idle after an answer", 500, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    Attack("unfinished heads", 200, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", b"a"),
    Attack("bodies refused with 401", 200, _post("/alerts/rules", "Content-Length: 1000"), b" "),
    Attack("bodies refused with 413", 200, _post("/alerts/rules", PASS, "Content-Length: 900000000"), b" "),
    Attack(
        "bodies refused with 403",
        200,
        _post("/alerts/rules", PASS, "Content-Length: 1000", "Sec-Fetch-Site: cross-site"),
        b" ",
    ),
    Attack("unfinished bodies", 200, _post("/alerts/rules", PASS, "Content-Length: 1000"), b" "),
    Attack(
        "unfinished chunked bodies",
        200,
        _post("/_dash-update-component", PASS, "Transfer-Encoding: chunked")[:-1] + b"5\r\n{",
    ),
    Attack(
        "slow readers of /metrics", 100, f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n{PASS}\r\n\r\n".encode() * 40,
        reads=False,
    ),
    Attack("streams", 64, f"GET /stream?metrics=1,2 HTTP/1.1\r\nHost: 127.0.0.1\r\n{PASS}\r\n\r\n".encode()),
)  # fmt: skip


@dataclass
class Crowd:
    """The sockets of one attack."""

    attack: Attack
    port: int
    sockets: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> "Crowd":
        for _ in range(self.attack.count):
            client = socket.socket()
            if not self.attack.reads:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(("127.0.0.1", self.port))
            self.sockets.append(client)
        silent = list(self.sockets)
        until = time.monotonic() + TIMEOUT
        while silent and time.monotonic() < until:  # give up on a server that no longer accepts
            silent = [client for client in silent if not self._send(client, self.attack.first)]
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.sockets:
            client.close()

    def tend(self) -> None:
        """Send more, read what has arrived, and drop the sockets that the server has closed."""
        left = []
        for client in self.sockets:
            if self._send(client, self.attack.more) and not self._is_closed(client):
                left.append(client)
            else:
                client.close()
        self.sockets = left

    def _send(self, client: socket.socket, data: bytes) -> bool:
        """Send `data`. Returns False if the socket does not take it yet."""
        try:
            return not data or client.send(data) > 0
        except BlockingIOError:
            return False
        except OSError as error:
            return error.errno not in (11, 107)  # not connected yet

    def _is_closed(self, client: socket.socket) -> bool:
        try:
            if self.attack.reads:
                return client.recv(1 << 16) == b""
            return bool(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except BlockingIOError:
            return False
        except OSError:
            return True


@dataclass
class Program:
    """A running program with the simulated exchange."""

    port: int
    process: "subprocess.Popen[bytes]"
    database: Path

    def ask(self, path: str, timeout: float = TIMEOUT) -> float:
        """Seconds until a successful response; infinite without one."""
        began = time.monotonic()
        name, value = PASS.split(": ")
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={name: value})
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                answer.read()
        except (HTTPError, URLError, OSError):
            return float("inf")
        return time.monotonic() - began

    def memory(self) -> int:
        """Resident bytes of its processes."""
        return sum(one.memory_info().rss for one in self._family())

    def threads(self) -> int:
        return sum(one.num_threads() for one in self._family())

    def connections(self) -> int:
        """Number of client sockets that its processes have open."""
        sockets = [one for process in self._family() for one in process.net_connections("tcp")]
        return sum(one.laddr.port == self.port and one.status != psutil.CONN_LISTEN for one in sockets)

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def ticks(self, since: int = 0) -> dict[int, float]:
        """Lateness of each tick since then, in milliseconds by epoch second."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT minute, late_ms FROM tick WHERE minute >= ?", (since,)))

    def lateness(self, since: float, until: float) -> list[float]:
        """Lateness in milliseconds of the ticks between these times; infinite for a missing one.

        Waits until they are stored.
        """
        first, last = -(-int(since) // PERIOD) * PERIOD, int(until) // PERIOD * PERIOD
        found: dict[int, float] = {}
        patient_until = time.monotonic() + REST_SECONDS + 2 * PERIOD
        while max(found, default=0) < last and time.monotonic() < patient_until:
            time.sleep(0.1)
            found = self.ticks(first)
        return [found.get(minute, float("inf")) for minute in range(first, last + 1, PERIOD)]


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for `condition`. Raises TimeoutError after `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the program does not serve")
        time.sleep(0.1)


@contextmanager
def running(command: Sequence[str], pairs: int = PAIRS, **settings: str) -> Iterator[Program]:
    """The program, started by `command`. It requires a password and ticks every five seconds."""
    with tempfile.TemporaryDirectory(prefix="data-tracker-bench-") as folder:
        database, port = Path(folder) / "demo.db", free_port()
        environment = os.environ | {
            "DATABASE_URL": f"sqlite:///{database}",
            "TRACK": "demo:*",
            "DEMO_PAIRS": str(pairs),
            "PERIOD_SECONDS": str(PERIOD),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "AUTH_USERNAME": NAME[0],
            "AUTH_PASSWORD": NAME[1],
            "LOG_LEVEL": "ERROR",
            "GUNICORN_CMD_ARGS": "--log-level error",
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment)
        program = Program(port, process, database)
        try:
            wait_until(lambda: process.poll() is None and program.ask("/readyz") < TIMEOUT)
            yield program
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect of an attack on other clients."""

    answered: dict[str, list[float]]
    """Seconds by path; infinite without an answer."""
    open_connections: int
    """Connections that the server had not closed by the end."""
    late: list[float]
    memory: tuple[int, int, int]
    """Bytes before, at the peak, and after."""
    threads: int

    @property
    def holds(self) -> bool:
        """Whether other clients were answered within the bounds, every tick was on time, and memory was released."""
        in_time = all(max(found) < BOUNDS[path] for path, found in self.answered.items())
        before, _, after = self.memory
        return in_time and all(late < LATE_MS for late in self.late) and after < before + MORE_BYTES


def endure(program: Program, attack: Attack, seconds: float = SECONDS) -> Outcome:
    """Attack `program` for `seconds` and measure the effect on other clients."""
    answered: dict[str, list[float]] = {path: [] for path in BOUNDS}
    before = most = program.memory()
    began, threads = time.time(), program.threads()
    with Crowd(attack, program.port) as crowd:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            crowd.tend()
            for path, found in answered.items():
                found.append(program.ask(path))
            most, threads = max(most, program.memory()), max(threads, program.threads())
            time.sleep(LOOK_SECONDS)
        open_connections = program.connections()
    late = program.lateness(began, time.time())
    time.sleep(REST_SECONDS)
    return Outcome(answered, open_connections, late, (before, most, program.memory()), threads)


def measure(servers: Sequence[str] = tuple(SERVERS), seconds: float = SECONDS) -> None:
    """Try every attack on every server, and print the effect on other clients.

    Raises AssertionError if one was not answered in time, a tick was late, or memory was not released.
    """
    broken = []
    for server in servers:
        with running(SERVERS[server]) as program:
            wait_until(lambda: len(program.ticks()) > START_TICKS)
            outcomes = {attack: endure(program, attack, seconds) for attack in ATTACKS}
            ended = time.monotonic()
        print_table(
            f"{server}, {PAIRS:,} metrics, a tick every {PERIOD} s",
            ("attack", "sockets", "still open", *(f"{path} s, most" for path in BOUNDS), "unanswered", "late ms, most",
             "MB before, most, after", "threads", "holds"),
            [_row(attack, outcome) for attack, outcome in outcomes.items()],
        )  # fmt: skip
        broken += [(server, attack.name) for attack, outcome in outcomes.items() if not outcome.holds]
        print(f"\nThe server stopped within {time.monotonic() - ended:.1f} s.")
    assert not broken, broken


def _row(attack: Attack, outcome: Outcome) -> Sequence[object]:
    asked = [found for each in outcome.answered.values() for found in each]
    return (
        attack.name,
        attack.count,
        outcome.open_connections,
        *(f"{max(found):.2f}" for found in outcome.answered.values()),
        f"{sum(found == float('inf') for found in asked)} of {len(asked)}",
        f"{max(outcome.late, default=0):.0f}",
        " ".join(f"{size / 1e6:.0f}" for size in outcome.memory),
        outcome.threads,
        "yes" if outcome.holds else "no",
    )
