"""The content security policy: what every page needs is allowed, and nothing else is."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from layouts import ids
from services.market.alerting.alerts import Mute
from services.market.alerting.messages import Entry
from tests import builders, hostile
from tests.browser.conftest import Server
from tests.browser.pages import Chart, Site, Table
from tests.browser.paths import PATHS, wait_for_page
from tests.browser.test_rules import PUMPS
from tests.fakes import FakeAlertService
from tests.test_hostile import reader as hostile_reader

RECORD = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.refused.push(event.violatedDirective + " " + event.blockedURI + " " + event.sourceFile));
"""


@pytest.fixture
def watched(site: Site) -> Iterator[Site]:
    """A browser that records policy violations from before the first script on."""
    recorder = site.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORD})
    yield site
    site.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", recorder)


def refused(site: Site) -> list[str]:
    return list(site.script("return window.refused"))


@pytest.mark.parametrize("path", PATHS)
def test_no_page_needs_what_the_policy_blocks(watched: Site, path: str) -> None:
    watched.open(path)
    wait_for_page(watched)
    if path == "/":
        table = Table(watched)
        table.sort_by("price")
        table.search("BTC")
        watched.until(lambda: table.count() == 1)
    if path == "/metric/1":
        chart = Chart(watched)
        chart.choose("7 d")
        chart.drag()
    for theme in ("dark", "light"):
        watched.click(f"#{ids.THEME} input[value={theme}] + label")
        watched.until(lambda theme=theme: watched.script("return document.documentElement.dataset.bsTheme") == theme)

    assert refused(watched) == []


INJECTED = """
const add = (name, settings) => document.body.append(Object.assign(document.createElement(name), settings));
add("script", {textContent: "window.broken = 'an inline script'"});
add("div", {innerHTML: "<img src='/nothing.png' onerror=\\"window.broken = 'an attribute'\\">"});
add("script", {src: "http://127.0.0.2:9/x.js"});
add("img", {src: "http://127.0.0.2:9/x.png"});
add("iframe", {src: "/status"});
setTimeout(() => new Function("window.broken = 'made of text'")()); // not at once: what a driver runs may do that
"""


def test_injected_content_is_blocked(watched: Site) -> None:
    watched.open("/status")
    watched.shows(f"#{ids.PAGE}", "Status")
    watched.script("const s = document.createElement('script'); s.src = '/assets/live.js'; document.body.append(s)")
    assert refused(watched) == []

    watched.expect("Content Security Policy")
    watched.script(INJECTED)

    watched.until(lambda: len(refused(watched)) >= 6)
    refusals = " ".join(refused(watched))
    for directive in (
        "script-src-elem inline",
        "script-src-attr inline",
        "script-src-elem http",
        "img-src",
        "frame-src",
        "script-src eval",
    ):
        assert directive in refusals
    assert watched.script("return window.broken") is None
    assert watched.console() == []
    assert any("Content Security Policy" in line for line in watched.messages)


@pytest.mark.parametrize("path", PATHS)
def test_hostile_names_and_errors_are_text_on_every_page(watched: Site, server: Server, path: str) -> None:
    source = hostile_reader()
    server.reader.metrics, server.reader.fired = source.metrics, source.fired
    # Only a few of the errors: all of them would fill the screen.
    server.reader.state = replace(
        source.state, exchanges=source.state.exchanges[:3], warnings=source.state.warnings[:3]
    )
    assert isinstance(server.alert_service, FakeAlertService)
    few = tuple(enumerate(hostile.NAMES[:8], 1))
    server.alert_service.fired = {
        number: replace(source.fired[number], rule=name, condition=name, note=name, acknowledged_at=builders.NOON)
        for number, name in few
    }
    server.alert_service.stored = {
        number: replace(PUMPS, id=number, name=name, channels=(name,)) for number, name in few
    }
    server.alert_service.muted = {number: Mute(number, None, number, None, name, builders.NOON) for number, name in few}
    server.deliveries.channels = tuple(name for _, name in few)
    server.deliveries.messages = tuple(
        builders.delivery(number, channel=name, state="failed", error=name, first=Entry("fired", source.fired[number]))
        for number, name in few
    )

    watched.open(path)
    watched.until(lambda: watched.script(f"return !document.querySelector('#{ids.PAGE} > .skeleton')"))
    if path == "/":
        Table(watched).wait()
    watched.until(lambda: watched.script("return document.body.textContent.includes(arguments[0])", hostile.NAMES[0]))

    assert watched.script("return window.broken") is None
    assert watched.script("return document.querySelectorAll('[onerror],[onload],[src=x]').length") == 0
    assert refused(watched) == []
