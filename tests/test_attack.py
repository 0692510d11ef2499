"""Under attack by clients that occupy sockets, each server still responds to others."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.attack import ATTACKS, BOUNDS, SERVERS, Crowd, running
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

SOCKETS = 100
"""Per attack: more than the threads of any server."""
TIMEOUT = 60.0
LASTING = ("idle after an answer", "slow readers of /metrics", "streams")
"""Connections that may stay open. They cost nothing; with few metrics the unread responses fit the socket buffers."""


@pytest.mark.parametrize("server", ["app.py", "gunicorn"])
def test_all_attacks_at_once_block_no_client_and_are_ended(server: str) -> None:
    with running(SERVERS[server], pairs=40) as program, ExitStack() as stack:
        crowds = [
            stack.enter_context(Crowd(replace(attack, count=min(attack.count, SOCKETS)), program.port))
            for attack in ATTACKS
        ]
        for _ in range(3):
            for crowd in crowds:
                crowd.tend()
            for path in BOUNDS:
                assert program.ask(path, TIMEOUT) < TIMEOUT, path

        lasting = sum(crowd.attack.count for crowd in crowds if crowd.attack.name in LASTING)

        def ended() -> bool:
            for crowd in crowds:
                crowd.tend()
            return program.connections() <= lasting

        wait_for(ended, seconds=120, what="the end of the unfinished requests")
        assert program.ask("/live", TIMEOUT) < TIMEOUT
