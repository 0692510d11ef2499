"""The time a newcomer waits from `git clone` through `make demo` to ranked rows in a browser."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.dashboard import chromium
from benchmarks.timings import print_table
from benchmarks.web import ROOT, free_port
from services.settings import Settings

AIM_SECONDS = 60
TIMEOUT_SECONDS = 300

PHASES = (
    ("git clone", None),
    ("environment", None),
    ("fetching uv", re.compile(r"Packages: fetching uv")),
    ("installing packages, downloads included", re.compile(r"Packages: installing \d+")),
    ("starting, until it serves", re.compile(r"Starting ")),
    ("opening the page, until its rows are ranked", re.compile(r".* serving: open (http://\S+)")),
)
"""Each phase ends where the next begins. In `make demo`, a phase begins with the line that its pattern matches."""

RANKED = """
const cell = (column) => document.querySelector(`#ranking-table [row-index="0"] [col-id="${column}"]`)?.textContent;
return cell("rank") === "1" && /[1-9]/.test(cell("stdev") ?? "");
"""


def measure() -> None:
    """Print the seconds of each phase: with empty package caches, with full ones, and again in the same clone.

    Downloads come from the package index that this machine's installers are configured for. Needs a network.
    """
    began = os.getloadavg()[0]
    with TemporaryDirectory(prefix="newcomer-") as name, chromium() as browser:
        folder = Path(name)
        environment = _environment(folder)
        runs = [
            _from_clone(browser, folder / "first", environment),
            _from_clone(browser, folder / "second", environment),
            _demo(browser, folder / "second", environment),
        ]
    rows = [(phase, *(f"{run[phase]:.1f}" if phase in run else "" for run in runs)) for phase, _ in PHASES]
    rows.append((f"all of it (aim: {AIM_SECONDS} at most)", *(f"{sum(run.values()):.1f}" for run in runs)))
    print_table(
        f"From git clone to ranked rows, seconds ({os.cpu_count()} cores, load {began:.1f} before and"
        f" {os.getloadavg()[0]:.1f} after)",
        ("", "empty cache", "full cache", "make demo again"),
        rows,
    )


def _environment(folder: Path) -> Mapping[str, str]:
    """This machine's environment without a developer's settings, caches and active virtual environment."""
    ours = {"PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    ours |= {name.upper() for name in Settings.model_fields}
    others = {name: value for name, value in os.environ.items() if name not in ours}
    return others | {"UV_CACHE_DIR": str(folder / "uv"), "PIP_CACHE_DIR": str(folder / "pip")}


def _from_clone(browser: webdriver.Chrome, clone: Path, environment: Mapping[str, str]) -> Mapping[str, float]:
    began = time.monotonic()
    # A file:// URL, because from a path git would link the files instead of copying them.
    subprocess.run(["git", "clone", "--quiet", ROOT.as_uri(), str(clone)], check=True)
    cloned = time.monotonic() - began
    return {PHASES[0][0]: cloned} | dict(_demo(browser, clone, environment))


def _demo(browser: webdriver.Chrome, clone: Path, environment: Mapping[str, str]) -> Mapping[str, float]:
    """The seconds of each phase of `make demo` that occurred. The browser is already open, as a newcomer's is."""
    browser.get("about:blank")
    moments = [(PHASES[1][0], time.monotonic())]
    with _made(clone, {**environment, "PORT": str(free_port())}) as lines:
        for line in lines:
            found = [(phase, match) for phase, pattern in PHASES if pattern and (match := pattern.match(line))]
            moments += [(phase, time.monotonic()) for phase, _ in found]
            if found and found[0][1].groups():
                browser.get(found[0][1][1])
                break
        else:
            raise RuntimeError("make demo ended before it served")
        WebDriverWait(browser, TIMEOUT_SECONDS, 0.05).until(lambda page: page.execute_script(RANKED))
        moments.append(("", time.monotonic()))
    return {phase: after - at for (phase, at), (_, after) in pairwise(moments)}


@contextmanager
def _made(clone: Path, environment: Mapping[str, str]) -> Iterator[Iterator[str]]:
    """The lines of `make demo` as they arrive. Afterwards its whole process group is ended."""
    process = subprocess.Popen(
        ["make", "demo"],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
