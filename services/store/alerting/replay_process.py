"""Replays in a process of their own, so that they delay no thread of the web process.

The process has low priority and uses processor time that others leave. It is killed as soon as its result is not wanted
any more, which frees all its memory.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

from services.concurrency.long_work import STEP_SECONDS, Place
from services.market.alerting.alerts import ReplayResult
from services.market.alerting.replay import replay
from services.market.errors import TrackerError, Unfinished
from services.market.ports import Steps
from services.store.alerting.replay_data import ReplayPlan, load_recording
from services.store.database.engine import Engine, open_engine, reading

READING_SHARE = 0.8
"""The share of a replay's time that reading takes."""

LISTENER = "replay"
"""The thread that listens to a process."""

_ROOT = Path(__file__).parents[3]
_COMMAND = """
import os, signal
if hasattr(os, "nice"):
    os.nice(10)
signal.signal(signal.SIGINT, signal.SIG_IGN)
from services.store.alerting.replay_process import serve
serve()
"""
"""Of low priority before the imports, which are half a second's work. Ctrl-C is for the process that began it,
which ends it."""
_FLAGS = getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)
"""The same on Windows."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """A replay: what it reads, the epoch second after which it counts what fires, and the seconds of the window of the
    standard deviation."""

    wanted: ReplayPlan
    since: int
    window_seconds: int


def run_replay(engine: Engine, order: ReplayTask, tell: Callable[[float], None]) -> ReplayResult:
    """Run the replay in this thread. `tell` is called with the share that is done, and may raise to end it."""
    wanted = order.wanted
    with reading(engine) as connection:
        recorded = load_recording(connection, wanted, lambda share: tell(READING_SHARE * share))
    return replay(
        wanted.rule,
        recorded,
        order.since,
        wanted.period_seconds,
        order.window_seconds,
        lambda share: tell(READING_SHARE + (1 - READING_SHARE) * share),
    )


def run_in_process(engine: Engine, order: ReplayTask, place: Place) -> Steps[ReplayResult]:
    """Run the replay in a process of its own. Raises its error, or Unfinished if the process ends without a result."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(Path(url.database).absolute()))
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        creationflags=_FLAGS,
    )
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            asked = url.render_as_string(hide_password=False), order
            heard: SimpleQueue[object] = SimpleQueue()
            conversation = (asked, process.stdin, process.stdout, heard)
            Thread(target=_converse, args=conversation, name=LISTENER, daemon=True).start()
            share = 0.0
            while True:
                place.check()
                with suppress(Empty):
                    report = heard.get(timeout=STEP_SECONDS)
                    if isinstance(report, ReplayResult):
                        return report
                    if isinstance(report, TrackerError):
                        raise report
                    if not isinstance(report, float):
                        raise Unfinished(f"the replay's process ended by itself, with status {process.wait()}")
                    share = report
                yield share
        finally:
            process.kill()


def _converse(asked: object, way_in: IO[bytes], way_out: IO[bytes], heard: "SimpleQueue[object]") -> None:
    """Send a process what is `asked`, and pass on its reports; None when it has ended."""
    with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
        with way_in:
            pickle.dump(asked, way_in)
        while True:
            heard.put(pickle.load(way_out))
    heard.put(None)


def serve() -> None:
    """Run the one replay given on stdin; report the share that is done and then the result on stdout. Ends when nobody
    reads it."""
    url, order = pickle.load(sys.stdin.buffer)
    output = sys.stdout.buffer

    def tell(what: object) -> None:
        pickle.dump(what, output)
        output.flush()

    engine = open_engine(url)
    with suppress(BrokenPipeError):
        try:
            found = run_replay(engine, order, tell)
        except TrackerError as error:
            tell(error)
        else:
            tell(found)
    engine.dispose()
