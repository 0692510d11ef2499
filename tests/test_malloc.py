import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.malloc import MAX_ARENAS

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]

THREADS = """
import ctypes, sys
from threading import Barrier, Thread
import pytest

from services.malloc import limit_arenas

if sys.argv[1] == "limited":
    limit_arenas()
together = Barrier(6)

def take():
    together.wait()
    blocks = [bytes(2_000) for _ in range(1_000)]
    together.wait()

threads = [Thread(target=take) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
report = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, report)
libc.fclose(report)
"""


def arenas(tmp_path: Path, how: str) -> int:
    report = tmp_path / how
    subprocess.run([sys.executable, "-c", THREADS, how, report], cwd=ROOT, check=True)
    return len(re.findall("<heap nr=", report.read_text()))


def test_many_threads_share_few_arenas(tmp_path: Path) -> None:
    assert arenas(tmp_path, "limited") <= MAX_ARENAS < arenas(tmp_path, "unlimited")
