"""`python -m scripts.pictures`: renew the screenshots in docs/pictures from the running program.

The program tracks the simulated exchange and runs a day of ticks with a clock that is set by hand, so that two runs on
one machine give the same pictures.
"""

import argparse
import io
import itertools
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Thread

import numpy as np
from PIL import Image, ImageChops
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import WSGIRequestHandler, make_server

from app import serve_by
from layouts import ids
from services.bootstrap import Services, open_services
from services.exchanges.registry import open_exchange
from services.jobs import keep_history
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.pipeline.backfill import Backfills
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import tick
from services.settings import SIMULATED_TRACK, Settings, read_settings
from services.store.database import leases
from services.store.database.engine import writing

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"

LAST_TICK = datetime(2026, 3, 1, 15, 25, tzinfo=UTC)
LOOKED_AT = LAST_TICK + timedelta(seconds=22)
"""The time of all pictures, on the program's clock and on the browser's."""
NEXT_TICK = "0:38"
"""The countdown to the next tick at that time."""

TICKED = timedelta(hours=26)
"""How long the program has run by then: a day of volumes and ticks is stored, and some history is sealed."""
PAIRS = 40
MARKET = "demo"

WIDTH, HEIGHT = 1440, 900
TIMEOUT_SECONDS = 60.0

INVISIBLE = 24
"""Largest difference of a colour value (0 to 255) between two pictures of the same page."""

RULES = (
    {
        "name": "Up 4 % within an hour",
        "scope": ["demo:*/USD"],
        "condition": {"kind": "change", "direction": "up", "percent": 4, "window_seconds": 3600},
        "cooldown_seconds": 14_400,
    },
    {
        "name": "Down 4 % within four hours",
        "scope": ["demo:*/USD", "demo:*/USDT"],
        "condition": {"kind": "change", "direction": "down", "percent": 4, "window_seconds": 14_400},
        "cooldown_seconds": 14_400,
    },
    {
        "name": "Most volatile five",
        "scope": ["demo:*"],
        "quantity": "rank",
        "condition": {"kind": "top", "places": 5},
        "channels": [],
    },
)
NOTE = "Thin book, no news: leave it"

CLOCK_SCRIPT = """
(() => {
  const shift = %d - Date.now(), Real = Date;
  window.fixedNow = null;
  const now = () => window.fixedNow ?? Real.now() + shift;
  window.Date = class extends Real {
    constructor(...parts) { parts.length ? super(...parts) : super(now()); }
    static now() { return now(); }
  };
})();
"""
"""Sets the browser's clock to LOOKED_AT: at first it runs, because timers need that, then it stands."""

PAGE_IS_THERE = (
    f"document.querySelector('#{ids.CONNECTION_STATUS}')?.innerText.includes('Live')"
    f" && !document.querySelector('#{ids.PAGE} > .skeleton')"
)
COUNTDOWN_STANDS = f"['{NEXT_TICK}', undefined].includes(document.querySelector('#{ids.NEXT_TICK}')?.textContent)"
GRID_IS_DRAWN = f'!!document.querySelector(\'#{ids.RANKING_TABLE} [row-index="0"] [col-id="spark"] svg\')'
MAP_IS_DRAWN = f"!!document.querySelector('#{ids.RANKING_MAP} .tile')"
CHART_IS_DRAWN = "!!document.querySelector('.js-plotly-plot .js-line, .js-plotly-plot .point')"
TEXT_IS_THERE = "true"


@dataclass(frozen=True, slots=True)
class Picture:
    """One file of docs/pictures: the page at `path` in a theme, taken when the script `ready` is true."""

    name: str
    path: str
    theme: str
    ready: str

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.theme}.png"


def _in_both_themes(name: str, path: str, ready: str) -> tuple[Picture, Picture]:
    return Picture(name, path, "light", ready), Picture(name, path, "dark", ready)


PICTURES = (
    *_in_both_themes(
        "ranking",
        "/?by=volatility&columns=market,price,change_1h,change_24h,volatility,range_24h,turnover,spark,alerted",
        GRID_IS_DRAWN,
    ),
    *_in_both_themes("map", "/?view=map", MAP_IS_DRAWN),
    *_in_both_themes("metric", "/metric/demo:WIF-USD", CHART_IS_DRAWN),
    *_in_both_themes(
        "compare", "/compare?ids=demo:BTC-USD,demo:ETH-USD,demo:SOL-USD,demo:NEAR-USD&span=24", CHART_IS_DRAWN
    ),
    *_in_both_themes("alerting", "/alerting", TEXT_IS_THERE),
    *_in_both_themes("rules", "/alerting?tab=rules", TEXT_IS_THERE),
    *_in_both_themes("status", "/status", CHART_IS_DRAWN),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures that were asked for; returns the exit status."""
    names = [picture.file_name for picture in PICTURES]
    parser = argparse.ArgumentParser(prog="python -m scripts.pictures", description="Renew the screenshots in docs.")
    parser.add_argument("--only", nargs="+", metavar="FILE", choices=names, help="renew only these")
    wanted = parser.parse_args(arguments).only or names
    logging.disable(logging.WARNING)
    for name in list(os.environ):
        if name.lower().removesuffix("_file") in Settings.model_fields:
            del os.environ[name]  # pictures do not depend on this machine's settings
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data-tracker-pictures-") as folder, chdir(folder):
        print(f"running the simulated exchange through {TICKED} of ticks", flush=True)
        with program(TICKED) as services, served(services) as address, chromium() as browser:
            for picture in PICTURES:
                if picture.file_name in wanted:
                    print(f"{picture.file_name}: {renewed(picture, taken(browser, address, picture))}", flush=True)
    return 0


@dataclass
class ManualClock:
    """A clock that stands at `now`."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def program(ticked: timedelta) -> Iterator[Services]:
    """The program with the simulated exchange after `ticked` of ticks up to LAST_TICK. Its database is in the current
    folder."""
    clock = ManualClock(LAST_TICK - ticked)
    services = open_services(read_settings(env_file=None, track=SIMULATED_TRACK, demo_pairs=PAIRS), clock)
    services.owner = "tracker:1:pictures"  # /status shows it
    services.plan = replace(services.plan, timer=steady_timer())
    try:
        services.migrate()
        with writing(services.engine) as connection:
            leases.take(connection, services.owner, LOOKED_AT.timestamp(), leases.MAX_SECONDS)
        services.ingestion.discovery.run(clock.now)
        for rule in RULES:
            services.alert_service.add_rule(parse_rule(rule))
        tick_through(services, clock)
        clock.now = LOOKED_AT
        acknowledge_older_alerts(services)
        yield services
    finally:
        services.close()
        services.engine.dispose()


def tick_through(services: Services, clock: ManualClock) -> None:
    """Run every tick up to LAST_TICK, the backfill after the first one and the upkeep once an hour."""
    fetcher = Fetcher([open_exchange(MARKET, None, PAIRS)], services.timeout_seconds, steady_timer())
    chance = Random(2)
    backfilled = False
    while clock.now <= LAST_TICK:
        minute = clock.now
        tick(services.plan, fetcher, minute, timedelta(milliseconds=chance.uniform(15, 60)), services.owner)
        if not backfilled:
            Backfills(services.plan, [open_exchange(MARKET, None, PAIRS)], clock).run_one(MARKET, services.stopping)
            backfilled = True
        if minute.minute == 0 or minute == LAST_TICK:
            keep_history(services, minute, services.owner)
        clock.now = minute + timedelta(seconds=services.plan.period_seconds)
    fetcher.close()


def steady_timer() -> Callable[[], float]:
    """A timer by which everything takes a few milliseconds, the same in each run."""
    chance = Random(1)
    steps = itertools.accumulate(iter(lambda: chance.uniform(0.004, 0.012), None))
    return lambda: next(steps)


def acknowledge_older_alerts(services: Services) -> None:
    """Acknowledge all alerts but those of the last two hours."""
    fired = services.reader.alerts(AlertQuery(until=LOOKED_AT - timedelta(hours=2)))
    for place, alert in enumerate(fired):
        note = NOTE if place == 0 else None
        services.alert_service.acknowledge(alert.id, note, alert.fired_at + timedelta(minutes=4), "anna")


@contextmanager
def served(services: Services) -> Iterator[str]:
    """The address of the dashboard of `services` on a free port."""
    server = make_server("127.0.0.1", 0, serve_by(services).server, threaded=True, request_handler=QuietRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class QuietRequestHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no requests, only the pictures."""


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A headless Chromium whose clock shows LOOKED_AT in UTC."""
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-background-networking"):
        options.add_argument(argument)
    # Named explicitly, so that selenium does not look for a driver on the internet.
    browser = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [still]})
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        source = CLOCK_SCRIPT % (LOOKED_AT.timestamp() * 1e3)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        yield browser
    finally:
        browser.quit()


def taken(browser: webdriver.Chrome, address: str, picture: Picture) -> Image.Image:
    """A screenshot of the picture's page."""
    browser.get(f"{address}/healthz")
    browser.execute_script("localStorage.setItem('theme', arguments[0])", picture.theme)
    browser.get(address + picture.path)
    wait_until(browser, PAGE_IS_THERE)
    wait_until(browser, picture.ready)
    browser.execute_script(f"window.fixedNow = {LOOKED_AT.timestamp() * 1e3}")
    wait_until(browser, COUNTDOWN_STANDS)
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as screenshot:
        return screenshot.convert("RGB")


def wait_until(browser: webdriver.Chrome, condition: str) -> None:
    """Wait until this script is true in the page. Raises TimeoutException."""
    wait = WebDriverWait(browser, TIMEOUT_SECONDS, poll_frequency=0.1)
    wait.until(lambda page: page.execute_script(f"return {condition}"), condition)


def renewed(picture: Picture, image: Image.Image) -> str:
    """Write the picture's file if it looks different. Returns its size, or "as before".

    256 colours take a third of the bytes and look the same.
    """
    path = FOLDER / picture.file_name
    image = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    if path.exists() and looks_alike(path, image):
        return "as before"
    image.save(path, "PNG", optimize=True)
    return f"{path.stat().st_size / 1e3:,.0f} kB"


def looks_alike(path: Path, image: Image.Image) -> bool:
    """Whether no pixel differs by more than a browser's rounding errors."""
    with Image.open(path) as before:
        if before.size != image.size:
            return False
        difference = ImageChops.difference(before.convert("RGB"), image.convert("RGB"))
    return int(np.asarray(difference).max()) <= INVISIBLE


if __name__ == "__main__":
    sys.exit(main())
