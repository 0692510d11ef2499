"""Servers that a test run has started end with it, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import die_with_parent, is_dead
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
ENDS = [signal.SIGINT]
if sys.platform == "linux":  # where children can be killed with their parent
    ENDS += [signal.SIGTERM, signal.SIGKILL]

ENDLESS = """
import signal
from pathlib import Path
from tests.conftest import postgresql_server, redis_server

signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it

def test_that_does_not_end(postgresql_server, redis_server):
    Path("begun").touch()
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("number", ENDS)
def test_an_interrupted_run_leaves_no_server_behind(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path), "test_endless.py"]
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(os.getpid()),
    )
    try:
        wait_for((tmp_path / "begun").exists, what="its servers")
        family = psutil.Process(run.pid).children(recursive=True)
        names = {process.name() for process in family}
        assert "postgres" in names
        assert len(names) > 1

        run.send_signal(number)
        wait_for(lambda: run.poll() is not None and all(map(is_dead, family)), what="their end")
    finally:
        run.kill()
        run.wait()
