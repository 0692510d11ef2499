"""The programs of the cluster: real processes that can be killed and restarted."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.processes import die_with_parent, kill_family

ROOT = Path(__file__).parents[2]


@dataclass
class Program:
    """A command of this interpreter with its own environment; its output goes to `folder`/`name`.log."""

    name: str
    arguments: tuple[str, ...]
    folder: Path
    settings: dict[str, str]
    _running: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def runs(self) -> bool:
        return self._running is not None

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} does not run"
        return self._running.pid

    def start(self) -> None:
        known = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
        environment = {name: os.environ[name] for name in known if name in os.environ}
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=self.folder,
                env=environment | {"PYTHONPATH": str(ROOT)} | self.settings,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()

    def wait(self) -> int:
        """Wait until the process ends by itself; returns its exit status."""
        assert self._running is not None, f"{self.name} does not run"
        return self._running.wait(30)

    def kill(self) -> None:
        """Kill the process and its children, if it is still running."""
        if self._running is not None:
            if self._running.poll() is None:
                kill_family(psutil.Process(self._running.pid))
            self._running.wait()
            self._running = None
