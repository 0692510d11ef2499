"""What one viewer experiences and what many cost: the ranking in Chromium, and 200 simulated pages at once."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.clock import Clock
from benchmarks.databases import PERIOD, filled
from benchmarks.timings import median, p95, p99, print_table
from benchmarks.web import ROOT, served
from services.market.times import period_of

VIEWERS = 200
WORKERS = 2
LOADS = 5
TICKS = 8
TICK_SECONDS = 8.0
"""Time between ticks while a browser watches; by then the page is idle again."""
CROWD_TICKS = 2
OPENING_SECONDS = 30.0
TIMEOUT_SECONDS = 30

# The page records when the first row shows a price, when that price changes, and its long tasks.
_WATCH = """
window.watched = { useful: null, changed: [], taken: [] };
new PerformanceObserver((list) => {
  const taken = list.getEntries().map((entry) => [performance.timeOrigin + entry.startTime, entry.duration]);
  window.watched.taken.push(...taken);
}).observe({ type: "longtask", buffered: true });
(() => {
  let before = null;
  const look = () => {
    const cell = document.querySelector('#ranking-table [row-index="0"] [col-id="price"]');
    const text = cell && cell.textContent;
    if (text && text !== before) {
      if (before === null) window.watched.useful = performance.now();
      else window.watched.changed.push(performance.timeOrigin + performance.now());
      before = text;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
_WEIGHT = """
const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
return all.map((one) => [new URL(one.name).pathname, one.transferSize]);
"""


def measure(metrics: int) -> None:
    """Print the first view and the updates of one browser, and the cost of 200 pages, for `metrics` metrics."""
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(hours=1)  # the ticks that follow are of that hour
    with filled(metrics, last) as dataset, Clock(dataset) as clock:
        for _ in range(2):
            clock.tick()
        with served(dataset, "app:server", WORKERS) as port, chromium() as browser:
            rows = [*_first_views(browser, port), *_updates(browser, clock)]
            browser.get("about:blank")
            print_table(f"One viewer of {metrics:,} metrics", ("", "median", "p95"), rows)
            figures = _crowd(port, clock)
    print_table(f"{VIEWERS} viewers of {metrics:,} metrics, {WORKERS} gunicorn workers", ("", "figure"), figures)


def _first_views(browser: webdriver.Chrome, port: int) -> Iterator[tuple[str, str, str]]:
    """Cold loads, with an empty browser cache."""
    useful, weights, data = [], [], []
    for _ in range(LOADS):
        browser.execute_cdp_cmd("Network.clearBrowserCache", {})
        browser.get(f"http://127.0.0.1:{port}/")
        WebDriverWait(browser, TIMEOUT_SECONDS).until(lambda page: page.execute_script("return watched.useful"))
        useful.append(browser.execute_script("return watched.useful"))
        parts = browser.execute_script(_WEIGHT)
        weights.append(sum(size for _, size in parts) / 1e3)
        data.append(sum(size for path, size in parts if path in ("/table", "/live")) / 1e3)
        time.sleep(1.0)
    yield "first useful view, ms", f"{median(useful):,.0f}", f"{p95(useful):,.0f}"
    yield "its bytes over the wire, kB", f"{median(weights):,.0f}", f"{p95(weights):,.0f}"
    yield "of which the rows, kB", f"{median(data):,.0f}", f"{p95(data):,.0f}"


def _updates(browser: webdriver.Chrome, clock: Clock) -> Iterator[tuple[str, str, str]]:
    painted, longest, blocked = [], [], []
    time.sleep(TICK_SECONDS)
    for _ in range(TICKS):
        committed = clock.tick()
        time.sleep(TICK_SECONDS)
        watched: dict[str, Any] = browser.execute_script("return watched")
        changed = [moment for moment in watched["changed"] if moment > committed]
        if not changed:
            raise RuntimeError("the first row's price did not change with a tick")
        painted.append(changed[0] - committed)
        tasks = [duration for begun, duration in watched["taken"] if begun > committed]
        longest.append(max(tasks, default=0.0))
        blocked.append(sum(max(0.0, task - 50.0) for task in tasks))
    yield "from commit to the changed cell, ms", f"{median(painted):,.0f}", f"{p95(painted):,.0f}"
    yield "longest task of an update, ms (0: below 50)", f"{median(longest):,.0f}", f"{p95(longest):,.0f}"
    yield "blocking of an update, ms beyond 50 a task", f"{median(blocked):,.0f}", f"{p95(blocked):,.0f}"


def _crowd(port: int, clock: Clock) -> list[tuple[str, str]]:
    seconds = OPENING_SECONDS + CROWD_TICKS * PERIOD
    order = {"port": port, "viewers": VIEWERS, "opening": OPENING_SECONDS, "seconds": seconds}
    client = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert client.stdin is not None
    client.stdin.write(json.dumps(order))
    client.stdin.close()
    client.stdin = None
    time.sleep(OPENING_SECONDS)
    before, began = _server_seconds(), time.monotonic()
    for number in range(CROWD_TICKS):
        time.sleep(max(0.0, began + (number + 0.25) * PERIOD - time.monotonic()))
        clock.tick()
    time.sleep(max(0.0, began + CROWD_TICKS * PERIOD - time.monotonic()))
    spent, lasted = _server_seconds() - before, time.monotonic() - began
    answered, _ = client.communicate(timeout=TIMEOUT_SECONDS)
    if client.returncode:
        raise RuntimeError("the viewers broke off")
    durations: dict[str, list[float]] = json.loads(answered)
    everything = [duration for found in durations.values() for duration in found]
    rows = [("requests a second", f"{len(everything) / lasted:,.0f}")]
    rows += [(f"{path}, p99 ms", f"{p99(found):,.0f}") for path, found in durations.items()]
    rows.append(("all, p99 ms", f"{p99(everything):,.0f}"))
    rows.append(("server CPU a viewer and minute, ms", f"{spent / VIEWERS / (lasted / 60) * 1e3:,.0f}"))
    rows.append(("server CPU, share of two cores", f"{spent / lasted / 2:.0%}"))
    return rows


def _server_seconds() -> float:
    """CPU seconds that gunicorn's processes have taken so far."""
    children = psutil.Process().children(recursive=True)
    servers = [child for child in children if "gunicorn" in child.cmdline()]
    return sum(sum(server.cpu_times()[:2]) for server in servers)


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A headless browser whose pages record in `watched` when they are useful, what changes, and what blocks them."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1440,900", "--disable-background-networking"):
        options.add_argument(argument)
    # Named explicitly, so that selenium does not look for a driver on the internet.
    browser = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        yield browser
    finally:
        browser.quit()
