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
"""Lowers the priority before the imports, which take half a second. Ctrl-C is for the parent process, which ends
this one."""
_FLAGS = getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)
"""The low priority on Windows."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """A replay: its `plan`, the epoch second `since` which alerts count, and the window of the standard deviation."""

    plan: ReplayPlan
    since: int
    window_seconds: int


def run_replay(engine: Engine, task: ReplayTask, report: Callable[[float], None]) -> ReplayResult:
    """Run the replay in this thread. `report` is called with the share that is done, and may raise to end it."""
    plan = task.plan
    with reading(engine) as connection:
        recorded = load_recording(connection, plan, lambda share: report(READING_SHARE * share))
    return replay(
        plan.rule,
        recorded,
        task.since,
        plan.period_seconds,
        task.window_seconds,
        lambda share: report(READING_SHARE + (1 - READING_SHARE) * share),
    )


def run_in_process(engine: Engine, task: ReplayTask, place: Place) -> Steps[ReplayResult]:
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
            request = url.render_as_string(hide_password=False), task
            reports: SimpleQueue[object] = SimpleQueue()
            arguments = (request, process.stdin, process.stdout, reports)
            Thread(target=_exchange, args=arguments, name=LISTENER, daemon=True).start()
            share = 0.0
            while True:
                place.check()
                with suppress(Empty):
                    report = reports.get(timeout=STEP_SECONDS)
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


def _exchange(request: object, stdin: IO[bytes], stdout: IO[bytes], reports: "SimpleQueue[object]") -> None:
    """Send a process its `request`, and put its reports into the queue; None when it has ended."""
    with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
        with stdin:
            pickle.dump(request, stdin)
        while True:
            reports.put(pickle.load(stdout))
    reports.put(None)


def serve() -> None:
    """Run the one replay given on stdin; report the share that is done and then the result on stdout. Ends when nobody
    reads its output."""
    url, task = pickle.load(sys.stdin.buffer)
    output = sys.stdout.buffer

    def send(result: object) -> None:
        pickle.dump(result, output)
        output.flush()

    engine = open_engine(url)
    with suppress(BrokenPipeError):
        try:
            found = run_replay(engine, task, send)
        except TrackerError as error:
            send(error)
        else:
            send(found)
    engine.dispose()
