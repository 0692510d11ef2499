"""The dashboard below a path prefix, behind a proxy that strips the prefix and behind one that passes it on."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from selenium import webdriver

from layouts import ids
from tests.browser.conftest import Server, visited
from tests.browser.pages import Site
from tests.fakes import FakeReader
from tests.proxy import proxied

PREFIX = "/tracker/"
ACTIVE = "return [...document.querySelectorAll('nav.places a.active')].map((one) => one.innerText).join()"


def requested(site: Site) -> list[str]:
    """The requested addresses."""
    events = [json.loads(entry["message"])["message"] for entry in site.browser.get_log("performance")]
    return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]


@pytest.fixture(params=["taken off", "passed on"])
def below(request: pytest.FixtureRequest, reader: FakeReader, chromium: webdriver.Chrome) -> Iterator[Site]:
    server = Server(reader, prefix=PREFIX)
    server.start()
    strips = request.param == "taken off"
    with proxied(server.port, PREFIX, strips=strips) as origin, visited(chromium, origin) as site:
        yield site
    server.stop()


def test_links_reach_all_pages_and_every_request_is_within_the_prefix(below: Site) -> None:
    below.open("/tracker")
    below.until(lambda: below.script("return location.pathname") == PREFIX)
    below.shows(f"#{ids.RANKING_TABLE}", "BTC")
    below.shows(f"#{ids.CONNECTION_STATUS}", "Live")

    below.script("document.querySelector('.metric-name a').click()")
    below.until(lambda: below.script(f"return document.querySelector('#{ids.METRIC_CHART} .js-plotly-plot') !== null"))
    assert below.script("return location.pathname") == "/tracker/metric/1"
    for name, path, text in (
        ("Compare", "/tracker/compare", "Compare"),
        ("Alerts", "/tracker/alerting", "Alerts"),
        ("Status", "/tracker/status", "Status"),
        ("Ranking", PREFIX, "Ranking"),
    ):
        click = "[...document.querySelectorAll('nav.places a')].find((one) => one.innerText === arguments[0]).click()"
        below.script(click, name)
        below.until(lambda path=path: below.script("return location.pathname") == path)
        below.shows(f"#{ids.PAGE} h1", text)
        assert below.until(lambda: below.script(ACTIVE)) == name

    below.browser.back()
    below.until(lambda: below.script("return location.pathname") == "/tracker/status")
    below.shows(f"#{ids.PAGE} h1", "Status")

    below.open("/tracker/?view=map")
    below.until(lambda: below.script(f"return document.querySelectorAll('#{ids.RANKING_MAP} .tile').length") > 20)

    below.browser.get(f"{below.address}/tracker/docs")
    below.shows("#docs", "/metrics/{id}/prices")
    linked = below.script("return [...document.querySelectorAll('a[href]')].map((one) => one.href)")
    assert all(urlsplit(address).path.startswith(PREFIX) for address in linked if address.startswith(below.address))
    asked = [urlsplit(address).path for address in requested(below) if address.startswith(below.address)]
    assert len(asked) > 20
    assert [path for path in asked if not path.startswith("/tracker")] == []
