"""The cost of long pages in a browser: after a storm of alerts, with the maximum number of rules."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from selenium import webdriver

from benchmarks.clock import Clock
from benchmarks.dashboard import chromium
from benchmarks.databases import PERIOD, Dataset, Span, filled
from benchmarks.timings import median, p95, print_table
from benchmarks.web import served
from services.actions.alerts import StoreAlertService
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import MAX_RULES
from services.market.times import HOUR, period_of
from services.store.alerting import alerts, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database.engine import writing

METRICS = 400
ALERTS = 1_000
"""Each with a message that failed."""
LOADS = 3
TICKS = 5
PRESSES = 5
REST_SECONDS = 4.0
"""By then a page is idle again after a load or an update."""
TIMEOUT_SECONDS = 120

HISTORY, RULES, DELIVERIES = "/alerting", "/alerting?tab=rules", "/alerting?tab=deliveries"

_COMPONENTS = """
const count = (part) => Array.isArray(part) ? part.reduce((sum, one) => sum + count(one), 0)
  : part && part.props ? 1 + count(part.props.children) : 0;
return count(window.dash_stores[0].getState().layout.components);
"""
_PRESS = """
const [button, effect, tell] = arguments, begun = performance.now();
document.querySelector(button).click();
(function look() {
  if (document.querySelector(effect)) tell(performance.now() - begun);
  else requestAnimationFrame(look);
})();
"""


def measure() -> None:
    """Print each page's components and longest tasks, and the time from a press to its effect on the page."""
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(hours=1)  # the ticks that follow are of that hour
    second = int(last.timestamp())
    with filled(METRICS, last, [Span(second - HOUR, second)]) as dataset, Clock(dataset) as clock:
        clock.tick()
        _storm(dataset)
        with served(dataset, "app:server") as port, chromium() as browser:
            browser.set_script_timeout(TIMEOUT_SECONDS)
            rows = [_page(browser, f"http://127.0.0.1:{port}{path}", path, clock) for path in _paths(dataset)]
            presses = list(_presses(browser, f"http://127.0.0.1:{port}"))
    title = f"{ALERTS:,} alerts and messages, {MAX_RULES} rules"
    columns = ("page", "Dash's components", "longest task of a load, ms", "of an update, ms", "its blocking, ms")
    print_table(f"Pages of {title} (0: below 50)", columns, rows)
    print_table(f"From a press to its effect, {title}", ("", "median, ms", "p95, ms"), presses)


def _storm(dataset: Dataset) -> None:
    ids = dataset.ids.tolist()
    firings = [
        NewAlert(ids[number % len(ids)], dataset.last - HOUR + 3 * number, 400.0, 100.0, 3.0, 60)
        for number in range(ALERTS)
    ]
    with writing(dataset.engine) as connection:
        numbers = alerts.insert_alerts(connection, firings)
        for number in numbers:
            outbox.enqueue(connection, dataset.last, [AlertNotice(number, "fired", ["ops"])])
        while (pending := outbox.claim(connection, "ops", dataset.last, "benchmark")) is not None:
            outbox.mark_failed(connection, pending, dataset.last, "answered 500")
    alert_service = StoreAlertService(dataset.engine, ())
    change = {"kind": "change", "direction": "up", "percent": 60.0, "window_seconds": 900}
    for number in range(MAX_RULES):
        alert_service.add_rule(parse_rule({"name": f"Rule {number}", "scope": ["demo:*"], "condition": change}))


def _paths(dataset: Dataset) -> tuple[str, ...]:
    first = dataset.ids.tolist()[:8]
    compared = f"/compare?ids={','.join(map(str, first))}"
    return HISTORY, RULES, DELIVERIES, "/status", f"/metric/{first[0]}", compared


def _page(browser: webdriver.Chrome, address: str, path: str, clock: Clock) -> tuple[str, ...]:
    loads, updates, blocked = [], [], []
    for _ in range(LOADS):
        browser.get(address)
        time.sleep(REST_SECONDS)
        loads.append(max(_tasks(browser, 0.0), default=0.0))
    for _ in range(TICKS):
        committed = clock.tick()
        time.sleep(REST_SECONDS)
        tasks = _tasks(browser, committed)
        updates.append(max(tasks, default=0.0))
        blocked.append(sum(task - 50.0 for task in tasks))
    figures = (f"{max(found):,.0f}" for found in (loads, updates, blocked))
    return path, f"{browser.execute_script(_COMPONENTS):,}", *figures


def _tasks(browser: webdriver.Chrome, since: float) -> list[float]:
    tasks = browser.execute_script("return watched.taken")
    return [length for begun, length in tasks if begun > since]


def _presses(browser: webdriver.Chrome, address: str) -> Iterator[tuple[str, str, str]]:
    def mute(number: int) -> tuple[str, str]:
        row = f"#alert-history tbody tr:nth-child({2 * number})"
        browser.execute_async_script(_PRESS, f"{row} [data-act=mute]", "#mute-do")
        return "#mute-do", f".muted-list li:nth-child({number})"

    def switch(number: int) -> tuple[str, str]:
        row = f"#rules-list [data-rule='{20 * number}']"
        return f"{row} [data-act=off]", f"{row} [data-act=on]"

    def retry(number: int) -> tuple[str, str]:
        row = f"#deliveries tbody tr:nth-child({2 * number})"
        return f"{row} [data-act=retry]", f"{row} .chip.is-warning"

    actions: tuple[tuple[str, str, Callable[[int], tuple[str, str]]], ...] = (
        ("a metric is muted", HISTORY, mute),
        ("a rule is switched off", RULES, switch),
        ("a message is tried again", DELIVERIES, retry),
    )
    for name, path, prepare in actions:
        browser.get(address + path)
        time.sleep(REST_SECONDS)
        taken = []
        for number in range(1, PRESSES + 1):
            taken.append(browser.execute_async_script(_PRESS, *prepare(number)))
            time.sleep(REST_SECONDS)
        yield name, f"{median(taken):,.0f}", f"{p95(taken):,.0f}"
