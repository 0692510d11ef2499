"""Schemathesis asks all that `/openapi.json` permits, and what it does not, of the program over a real database."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from api.stream import end_streams
from app import create_app
from services.cache import CachedReader
from services.store.engine import open_engine
from services.store.schema import migrate
from tests.fakes import FakeDeliveries
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World

ROOT = Path(__file__).parents[2]
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "25")


@pytest.fixture
def address(sqlite_url: str) -> Iterator[str]:
    engine = open_engine(sqlite_url)
    migrate(engine, simulated=False)
    prices = {"BTC/USD": 60_000.0, "ETH/USD": 3_000.0, "ÄÖ+X/USD": 2.0, "=1+1/USD": 1e-9, "SOL/EUR": 1e12}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it tells of each of some thousand requests
    world = World(engine, [FakeExchange("kraken", prices=prices)])
    world.discover()
    for _ in range(10):
        world.tick()
    server = create_app(CachedReader(world.reader), lambda: world.now, FakeDeliveries()).server
    end_streams(server)  # so that each tells its first event and is over
    web = make_server("127.0.0.1", 0, server, threaded=True)
    thread = Thread(target=web.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    thread.join()
    web.server_close()
    engine.dispose()


@pytest.mark.timeout(3600)
def test_whatever_is_asked_the_answer_is_as_described(address: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--checks", "all"]
    command += ["--max-examples", EXAMPLES, "--seed", "1", "--no-color"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.api.fuzz_hooks", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
