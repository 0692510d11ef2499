"""A separate worker, as it is deployed, whose broker stops while it works."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.result import denied_join_result

from services.runners import celery_app
from services.settings import read_settings
from tests.redis_server import RedisServer
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def silent_exchange() -> Iterator[socket.socket]:
    """Accepts connections and never responds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(30)
        yield listening


def test_a_worker_that_is_busy_when_its_broker_dies_continues_when_it_is_back(
    tmp_path: Path, redis_server: RedisServer, silent_exchange: socket.socket
) -> None:
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/tracker.db",
        "REDIS_URL": redis_server.url,
        "EXCHANGE_BASE_URL": f"http://127.0.0.1:{silent_exchange.getsockname()[1]}",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    assert subprocess.run([sys.executable, ROOT / "app.py", "migrate"], cwd=tmp_path, env=settings).returncode == 0
    log = tmp_path / "worker.log"
    command = "-m celery --app services.runners.celery_app worker --queues ticks,history --concurrency 2"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, *command.split()],
            cwd=tmp_path,
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        tasks = celery_app.make_app(read_settings(None, redis_url=redis_server.url)).tasks
        with denied_join_result():
            tasks[celery_app.FETCH].apply_async(("kraken", 1_700_000_000))
        connection, _ = silent_exchange.accept()  # the worker is busy now
        redis_server.kill()
        wait_for(lambda: "the broker is away" in log.read_text(), what="its noticing")
        redis_server.start()
        with connection, denied_join_result():
            done = tasks[celery_app.CLOSE].apply_async(([], 1_700_000_000, 0.0, 0.0, "nobody"))
            wait_for(done.ready, what="an answer from the worker")
        assert done.result is False
        assert worker.poll() is None
        assert log.read_text().count("the broker is away") == 1
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
