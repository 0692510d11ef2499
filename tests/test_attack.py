"""While attackers occupy sockets, other clients are answered, on each server as it is started."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.attack import ATTACKS, BOUNDS, SERVERS, Crowd, running
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

SOCKETS = 100
"""Per attack: more than the threads of any server."""
PATIENCE = 60.0
LASTING = ("idle after an answer", "slow readers of /metrics", "streams")
"""Connections that may stay open: they cost nothing, and with few metrics the socket buffers hold what nobody reads."""


@pytest.mark.parametrize("server", ["app.py", "gunicorn"])
def test_all_attacks_at_once_lock_nobody_out_and_are_ended(server: str) -> None:
    with running(SERVERS[server], pairs=40) as program, ExitStack() as stack:
        crowds = [
            stack.enter_context(Crowd(replace(attack, count=min(attack.count, SOCKETS)), program.port))
            for attack in ATTACKS
        ]
        for _ in range(3):
            for crowd in crowds:
                crowd.tend()
            for path in BOUNDS:
                assert program.ask(path, PATIENCE) < PATIENCE, path

        lasting = sum(crowd.attack.count for crowd in crowds if crowd.attack.name in LASTING)

        def ended() -> bool:
            for crowd in crowds:
                crowd.tend()
            return program.connections() <= lasting

        wait_for(ended, seconds=120, what="the end of the connections that keep the server waiting")
        assert program.ask("/live", PATIENCE) < PATIENCE
