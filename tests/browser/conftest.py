"""A real Chromium before the real dashboard, over a fake reader that the test controls.

One browser serves the whole session; each test gets its own server, and a browser that has cached files alone.
Without a browser these tests fail.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from dash.testing.browser import Browser
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app import create_app
from services.market.ports import AlertService, MarketReader
from tests import builders
from tests.browser.pages import Site
from tests.fakes import FakeAlertService, FakeDeliveries, FakeReader, fake_dependencies
from tests.processes import lasting_port

BROWSERS = ("chromium-headless-shell", "chromium")
"""The first installed one is used. The headless shell takes a sixth less processor time for the same pages."""

MEMORIES = "cookies,local_storage,indexeddb,cache_storage,service_workers"
"""What Chromium stores of a site besides cached files."""


class LoggingOptions(Options):
    """Logs every console message and every request; Dash logs errors alone."""

    def set_capability(self, name: str, value: Any) -> None:
        super().set_capability(name, {"browser": "ALL", "performance": "ALL"} if name == "goog:loggingPrefs" else value)


@pytest.fixture(scope="session", autouse=True)
def _offline_selenium() -> None:
    """Selenium looks for a newer driver on the internet, unless this says not to."""
    os.environ["SE_OFFLINE"] = "true"


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None or shutil.which("chromedriver") is None:
        pytest.fail("these tests need Chromium and its driver (Debian: chromium-headless-shell chromium-driver)")
    options = LoggingOptions()
    options.binary_location = binary
    options.add_argument("--disable-background-networking")
    options.add_argument("--disable-features=BackForwardCache,SpareRendererForSitePerProcess")
    # All pages in one process, which compiles the scripts once: a quarter of the processor time less.
    options.add_argument("--renderer-process-limit=1")
    with Browser(browser="Chrome", headless=True, options=[options], percy_run=False) as browser:
        driver: webdriver.Chrome = browser.driver
        processes = psutil.Process(driver.service.process.pid).children(recursive=True)
        driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
        yield driver
    # On a busy machine the driver can end before the browser that it has asked to close.
    _, alive = psutil.wait_procs(processes, timeout=5)
    for process in alive:
        process.kill()


class QuietRequestHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Logs nothing, so that the output of a failing test stays readable."""


@dataclass
class Server:
    """The dashboard on its own port; it can be stopped and started again."""

    reader: MarketReader
    port: int = 0
    now: datetime = builders.NOON
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    alert_service: AlertService = field(default_factory=FakeAlertService)
    prefix: str = "/"
    _running: BaseWSGIServer | None = None

    def start(self) -> None:
        app = create_app(
            fake_dependencies(self.reader, lambda: self.now, self.deliveries, self.alert_service), prefix=self.prefix
        )
        self._running = make_server(
            "127.0.0.1", self.port, app.server, threaded=True, request_handler=QuietRequestHandler
        )
        self.port = self._running.server_port
        Thread(target=self._running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._running is not None:
            self._running.shutdown()
            self._running.server_close()
            self._running = None


@pytest.fixture(scope="session")
def port() -> int:
    """One for all servers, so that Chromium has the scripts in its cache after the first test."""
    return lasting_port()


@pytest.fixture
def server(reader: FakeReader, port: int) -> Iterator[Server]:
    server = Server(reader, port)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def reader() -> FakeReader:
    """Two hundred metrics; the first has a day's history."""
    metrics = tuple(
        builders.ranked_metric(
            number,
            base=f"C{number:03}" if number > 2 else ("BTC", "ETH")[number - 1],
            market=("kraken", "okx")[number % 2],
            price=60_123.4 / number,
            stdev=812.25 / number,
            change_1h=(-1) ** number * number / 1000,
        )
        for number in range(1, 201)
    )
    prices = [60_000.0 + 100 * (minute % 60) for minute in range(1440)]
    return FakeReader(metrics=metrics, price_series={1: builders.series(prices)})


@contextmanager
def visited(chromium: webdriver.Chrome, address: str) -> Iterator[Site]:
    """The dashboard at `address` in a browser of desktop size on its first visit. Fails at the end if the console has
    unexpected messages."""
    size(chromium, 1440, 900)
    chromium.get("about:blank")
    for log in ("browser", "performance"):
        chromium.get_log(log)
    site = Site(chromium, address)
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": site.address, "storageTypes": MEMORIES})
    yield site
    messages = site.console()
    chromium.get("about:blank")
    assert messages == [], "unexpected console messages"


@pytest.fixture
def site(chromium: webdriver.Chrome, server: Server) -> Iterator[Site]:
    """The dashboard in a browser of desktop size on its first visit.

    A test fails if it leaves an error or a warning in the console that it did not expect.
    """
    with visited(chromium, f"http://127.0.0.1:{server.port}") as site:
        yield site


def size(chromium: webdriver.Chrome, width: int, height: int) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


@pytest.fixture
def phone(site: Site) -> Site:
    size(site.browser, 390, 844)
    return site


Requests = Callable[[], set[str]]


@pytest.fixture
def requested_hosts(chromium: webdriver.Chrome) -> Requests:
    """The hosts to which Chromium has sent requests since the test began."""

    def read() -> set[str]:
        events: list[dict[str, Any]] = [
            json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")
        ]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).hostname or "" for url in urls if urlsplit(url).scheme in ("http", "https", "ws", "wss")}

    return read
