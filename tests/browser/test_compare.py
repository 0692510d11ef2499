"""The comparison: whatever the user does there is in the address."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from layouts import ids
from services.market.types import Series
from tests import builders
from tests.browser.conftest import Server
from tests.browser.pages import Site
from tests.fakes import FakeReader

CHART = f"document.querySelector('#{ids.COMPARE_CHART} .js-plotly-plot')"


@pytest.fixture(autouse=True)
def histories(reader: FakeReader) -> None:
    random = np.random.default_rng(5)
    for number in range(1, 11):
        walk = 100 * number * np.exp(np.cumsum(random.normal(0, 0.001, 1500)))
        reader.price_series[number] = builders.series(walk.tolist())


def wait_for_lines(site: Site, count: int) -> None:
    site.until(lambda: site.script(f"return {CHART} && {CHART}.data && {CHART}.data.length") == count)


def query(site: Site) -> str:
    return str(site.script("return location.search"))


def test_an_address_shows_its_comparison_without_console_messages(site: Site):
    site.open("/compare?ids=1,2,kraken:C004-USD")

    wait_for_lines(site, 3)
    site.shows(f"#{ids.COMPARE_CHOSEN}", "C004/USD")
    rows = site.script(f"return document.querySelectorAll('#{ids.COMPARE_MATRIX} tbody tr').length")
    assert rows == 3
    site.shows(f"#{ids.COMPARE_MATRIX}", "1,439")
    assert site.browser.title == "Compare · Data Tracker"
    assert site.console() == []


def test_metrics_are_found_added_and_removed(site: Site):
    site.open("/compare")
    site.shows("h2", "No metrics chosen yet")

    site.click(f"#{ids.COMPARE_SEARCH}")
    site.press("btc")
    site.shows(f"#{ids.COMPARE_RESULTS}", "BTC/USD")
    site.press(Keys.ENTER)
    site.until(lambda: query(site) == "?ids=okx:BTC-USD")
    wait_for_lines(site, 1)
    site.shows(f"#{ids.COMPARE_MATRIX}", "Add a second metric")

    site.click(f"#{ids.COMPARE_SEARCH}")
    site.press("eth kraken")
    site.shows(f"#{ids.COMPARE_RESULTS}", "ETH/USD")
    site.click(f"#{ids.COMPARE_RESULTS} a")
    site.until(lambda: query(site) == "?ids=okx:BTC-USD,kraken:ETH-USD")
    wait_for_lines(site, 2)
    site.until(lambda: site.script(f"return document.querySelector('#{ids.COMPARE_SEARCH}').value") == "")

    site.click(".compare-chip .compare-remove")
    site.until(lambda: query(site) == "?ids=kraken:ETH-USD")
    wait_for_lines(site, 1)
    site.browser.back()
    wait_for_lines(site, 2)
    assert site.console() == []


def test_scale_and_span_are_in_the_address(site: Site):
    site.open("/compare?ids=1,2")
    wait_for_lines(site, 2)
    assert site.script(f"return {CHART}.layout.yaxis.ticksuffix") == " %"

    site.click(".chart-tools nav:nth-child(1) a:nth-child(2)")
    site.until(lambda: query(site) == "?ids=1,2&as=own")
    site.until(lambda: site.script(f"return !!{CHART}.layout.yaxis2"))
    site.click(".chart-tools nav:nth-child(2) a:nth-child(1)")
    site.until(lambda: query(site) == "?ids=1,2&span=1&as=own")

    site.until(lambda: site.script(f"return {CHART}.data[0].x.length") == 60)
    assert site.script(f"return {CHART}.data.map(trace => trace.yaxis)") == ["y", "y2"]


def test_the_open_comparison_grows(site: Site, server: Server, reader: FakeReader):
    site.open("/compare?ids=1,2&span=1")
    wait_for_lines(site, 2)
    before = site.script(f"return {CHART}.data[0].x.length")

    server.now += timedelta(minutes=1)
    for number in (1, 2):
        old = reader.price_series[number]
        reader.price_series[number] = Series(
            np.append(old.times, int(server.now.timestamp())),
            np.append(old.values, 2 * old.values[-1]),
            np.append(old.widths, 60),
        )
    first, *others = reader.metrics
    reader.put(replace(first, price=777.25, updated_at=server.now), *others)

    site.until(lambda: site.script(f"return {CHART}.data.map(trace => trace.x.length)") == [before + 1, before + 1])
    assert site.script(f"return {CHART}.data[0].y.at(-1)") > 80
    site.shows(f"#{ids.COMPARE_CHOSEN}", "777.25")
    assert site.console() == []


def test_unknown_metrics_are_named(site: Site):
    site.open("/compare?ids=kraken:NO-SUCH,1")

    site.shows(".compare-notice", "kraken:NO-SUCH is not tracked.")
    wait_for_lines(site, 1)


def test_a_metrics_page_leads_to_its_comparison(site: Site):
    site.open("/metric/1")
    site.click(".compare-link")
    site.arrives_at("/compare")
    wait_for_lines(site, 1)

    site.click(".places a[href='/']")

    site.arrives_at("/")
    site.shows("h1", "Ranking")
    assert site.console() == []


def test_a_phone_has_room_for_a_comparison(phone: Site):
    phone.open("/compare?ids=1,2,3,4,5,6,7,8")
    wait_for_lines(phone, 8)

    assert phone.script("return document.documentElement.scrollWidth") <= 390
    tops = phone.script("return [...document.querySelectorAll('.places a')].map(a => a.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
