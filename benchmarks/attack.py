"""Whether others are answered while somebody keeps sockets busy: `python -m benchmarks --only attack`.

Every attack is of sockets of this machine alone, bounded in number and time.
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
"""How long each attack is watched: longer than a server waits for what does not come."""
PERIOD = 5
PAIRS = 1_000
START_TICKS = 4
"""Those that run beside the first backfill, and are not measured."""
LATE_MS = 1_000.0
"""What a tick may be late by, and be on time."""
PATIENCE = 10.0
"""After so many seconds nobody waits for an answer any longer."""
MORE_BYTES = 100_000_000
"""What the program may have more after an attack: it goes on ticking, and remembers what it was asked."""
LOOK_SECONDS = 0.5
REST_SECONDS = 5.0
"""For a server to put away what an attack has left."""
NAME = ("ann", "open sesame")
PASS = "Authorization: Basic " + b64encode(":".join(NAME).encode()).decode()
BOUNDS = {"/healthz": 1.0, "/live": 2.0, "/": 2.0}
"""Seconds within which everybody else is answered."""

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
    """What each of `count` sockets says at once, and then with every look."""

    name: str
    count: int
    said: bytes = b""
    more: bytes = b""
    reads: bool = True
    """Whether it takes what it is answered."""


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
            line = socket.socket()
            if not self.attack.reads:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.setblocking(False)
            with suppress(BlockingIOError):
                line.connect(("127.0.0.1", self.port))
            self.sockets.append(line)
        unsaid = list(self.sockets)
        until = time.monotonic() + PATIENCE
        while unsaid and time.monotonic() < until:  # a server that no longer accepts is let be
            unsaid = [line for line in unsaid if not self._said(line, self.attack.said)]
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        for line in self.sockets:
            line.close()

    def tend(self) -> None:
        """Say more, take in what was answered, and let go what the server has closed."""
        left = []
        for line in self.sockets:
            said = not self.attack.more or self._said(line, self.attack.more)
            if (said or not self.attack.more) and not self._is_closed(line):
                left.append(line)
            else:
                line.close()
        self.sockets = left

    def _said(self, line: socket.socket, text: bytes) -> bool:
        """Whether all of it is said, or never can be."""
        try:
            return not text or line.send(text) > 0
        except BlockingIOError:
            return False
        except OSError as error:
            return error.errno not in (11, 107)  # not connected yet

    def _is_closed(self, line: socket.socket) -> bool:
        try:
            if self.attack.reads:
                return line.recv(1 << 16) == b""
            return bool(line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except BlockingIOError:
            return False
        except OSError:
            return True


@dataclass
class Program:
    """A running program, with the simulated exchange's prices."""

    port: int
    process: "subprocess.Popen[bytes]"
    database: Path

    def ask(self, path: str, patience: float = PATIENCE) -> float:
        """Seconds until it was answered as it should be; infinite where it was not."""
        began = time.monotonic()
        name, value = PASS.split(": ")
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={name: value})
        try:
            with urllib.request.urlopen(asked, timeout=patience) as answer:
                answer.read()
        except (HTTPError, URLError, OSError):
            return float("inf")
        return time.monotonic() - began

    def memory(self) -> int:
        """Bytes that its processes have resident."""
        return sum(one.memory_info().rss for one in self._family())

    def threads(self) -> int:
        return sum(one.num_threads() for one in self._family())

    def connections(self) -> int:
        """Sockets that its processes have open for clients."""
        sockets = [one for process in self._family() for one in process.net_connections("tcp")]
        return sum(one.laddr.port == self.port and one.status != psutil.CONN_LISTEN for one in sockets)

    def _family(self) -> list[psutil.Process]:
        mine = psutil.Process(self.process.pid)
        return [mine, *mine.children(recursive=True)]

    def ticks(self, since: int = 0) -> dict[int, float]:
        """How late each tick of the periods since then was, in milliseconds."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT minute, late_ms FROM tick WHERE minute >= ?", (since,)))

    def lateness(self, since: float, until: float) -> list[float]:
        """How late each tick of the periods that began between these began itself, in milliseconds; infinite for one
        that was left out. Waits until they are stored."""
        first, last = -(-int(since) // PERIOD) * PERIOD, int(until) // PERIOD * PERIOD
        found: dict[int, float] = {}
        patient_until = time.monotonic() + REST_SECONDS + 2 * PERIOD
        while max(found, default=0) < last and time.monotonic() < patient_until:
            time.sleep(0.1)
            found = self.ticks(first)
        return [found.get(minute, float("inf")) for minute in range(first, last + 1, PERIOD)]


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Raises TimeoutError."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the program does not serve")
        time.sleep(0.1)


@contextmanager
def running(command: Sequence[str], pairs: int = PAIRS, **settings: str) -> Iterator[Program]:
    """The program, started by `command`; it asks for a password, and ticks every five seconds."""
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
            wait_until(lambda: process.poll() is None and program.ask("/readyz") < PATIENCE)
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
    """What came of an attack for everybody else."""

    answered: dict[str, list[float]]
    """Seconds by path; infinite where there was no answer."""
    kept: int
    """Connections that the server had not ended by then."""
    late: list[float]
    memory: tuple[int, int, int]
    """Bytes before, at most meanwhile, and after."""
    threads: int

    @property
    def holds(self) -> bool:
        """Whether everybody else was answered within the bounds, every tick was on time, and memory is given back."""
        in_time = all(max(found) < BOUNDS[path] for path, found in self.answered.items())
        before, _, after = self.memory
        return in_time and all(late < LATE_MS for late in self.late) and after < before + MORE_BYTES


def endure(program: Program, attack: Attack, seconds: float = SECONDS) -> Outcome:
    """Attack `program` for `seconds`, and look what becomes of others."""
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
        kept = program.connections()
    late = program.lateness(began, time.time())
    time.sleep(REST_SECONDS)
    return Outcome(answered, kept, late, (before, most, program.memory()), threads)


def measure(servers: Sequence[str] = tuple(SERVERS), seconds: float = SECONDS) -> None:
    """Attack each way of starting the program in every way, and print what became of everybody else. Raises
    AssertionError where somebody was kept out, a tick was late, or memory was not given back."""
    broken = []
    for server in servers:
        with running(SERVERS[server]) as program:
            wait_until(lambda: len(program.ticks()) > START_TICKS)
            outcomes = {attack: endure(program, attack, seconds) for attack in ATTACKS}
            ended = time.monotonic()
        print_table(
            f"{server}, {PAIRS:,} metrics, a tick every {PERIOD} s",
            ("attack", "sockets", "kept", *(f"{path} s, most" for path in BOUNDS), "unanswered", "late ms, most",
             "MB before, most, after", "threads", "holds"),
            [_row(attack, outcome) for attack, outcome in outcomes.items()],
        )  # fmt: skip
        broken += [(server, attack.name) for attack, outcome in outcomes.items() if not outcome.holds]
        print(f"\nIt ended within {time.monotonic() - ended:.1f} s.")
    assert not broken, broken


def _row(attack: Attack, outcome: Outcome) -> Sequence[object]:
    asked = [found for each in outcome.answered.values() for found in each]
    return (
        attack.name,
        attack.count,
        outcome.kept,
        *(f"{max(found):.2f}" for found in outcome.answered.values()),
        f"{sum(found == float('inf') for found in asked)} of {len(asked)}",
        f"{max(outcome.late, default=0):.0f}",
        " ".join(f"{size / 1e6:.0f}" for size in outcome.memory),
        outcome.threads,
        "yes" if outcome.holds else "no",
    )
