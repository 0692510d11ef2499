"""Run a command several times on a busy machine: `python -m scripts.under_load 3 COMMAND...`.

Tests that pass there do not depend on the machine's speed.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LOOPS = 4


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status of the first run that fails, else 0."""
    times, command = int(arguments[0]), list(arguments[1:])
    for number in range(1, times + 1):
        print(f"run {number} of {times} beside {LOOPS} busy loops: {' '.join(command)}", flush=True)
        with busy_loops():
            status = subprocess.run(command, check=False).returncode
        if status:
            return status
    return 0


@contextmanager
def busy_loops() -> Iterator[None]:
    """Run LOOPS processes that only use processor time. Each ends when its input is closed, so with this process."""
    watch = "import threading, os, sys\nthreading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()\n"
    loops = [
        subprocess.Popen([sys.executable, "-c", watch + "while True: pass"], stdin=subprocess.PIPE)
        for _ in range(LOOPS)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
