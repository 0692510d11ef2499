"""The script that runs a command on a busy machine."""

import os
import sys

import psutil
import pytest

from scripts.under_load import LOOPS, busy_loops, main

pytestmark = pytest.mark.processes


def loops() -> list[psutil.Process]:
    return psutil.Process(os.getpid()).children()


def test_the_loops_run_exactly_as_long_as_the_block() -> None:
    before = set(loops())
    with busy_loops():
        assert len(set(loops()) - before) == LOOPS
    assert set(loops()) <= before


def test_it_ends_at_the_first_failure_with_its_status(tmp_path: os.PathLike[str]) -> None:
    count = f"{tmp_path}/runs"
    command = f"import sys; runs = open({count!r}, 'a+'); runs.write('.'); runs.flush(); runs.seek(0); sys.exit({{}})"

    assert main(["3", sys.executable, "-c", command.format("7 if len(runs.read()) == 2 else 0")]) == 7

    with open(count) as runs:
        assert runs.read() == ".."
