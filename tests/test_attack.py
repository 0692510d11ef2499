"""Somebody keeps sockets busy, and everybody else is answered: each way of starting the program, as it is started."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.attack import ATTACKS, BOUNDS, SERVERS, Crowd, running
from tests.waiting import wait_for

pytestmark = pytest.mark.processes

SOCKETS = 100
"""Of each attack: more than there are threads in any server."""
PATIENCE = 60.0
LASTING = ("idle after an answer", "slow readers of /metrics", "streams")
"""What may be there longer: it costs nothing, and of so few metrics the systems keep all that nobody reads."""


@pytest.mark.parametrize("server", ["app.py", "gunicorn"])
def test_all_attacks_at_once_keep_nobody_out_and_are_ended(server: str) -> None:
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

        wait_for(ended, seconds=120, what="the end of all that keeps the server waiting")
        assert program.ask("/live", PATIENCE) < PATIENCE
