"""Every page is accessible according to axe-core, in both themes, on a desktop and on a phone."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from layouts import ids
from services.market.alerting.alerts import Mute
from tests import builders
from tests.browser.conftest import Server, size
from tests.browser.pages import Site
from tests.browser.paths import DOCUMENTATION, PATHS, RULES, wait_for_page
from tests.browser.test_rules import PUMPS, open_menu
from tests.fakes import FakeAlertService, FakeReader

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
"""From the locked npm package."""

LOOK = """const done = arguments[0];
axe.run(document, {resultTypes: ['violations']}).then(
    found => done(found.violations.map(one => [one.impact, one.id, one.nodes.map(node => node.html.slice(0, 160))])),
    error => done([['critical', String(error), []]]))"""

SEVERE = ("serious", "critical")

MUTING = f"#{ids.MUTE_DIALOG}"
DIALOGS = (
    ("tbody [data-act='acknowledge']", f"#{ids.ACKNOWLEDGE_DIALOG}"),
    ("tbody [data-act='mute']", MUTING),
    (f"#{ids.HISTORY_TOOLS} button", f"#{ids.ACKNOWLEDGE_DIALOG}"),
)
"""Buttons that open a dialog, and that dialog."""


@pytest.fixture
def busy(reader: FakeReader, server: Server) -> FakeReader:
    """Content on every page: alerts, rules, messages, a failing exchange, a backfill, a warning, missed
    ticks, new pairs, a stale price, partial windows."""
    assert isinstance(server.alert_service, FakeAlertService)
    server.alert_service.stored = {1: PUMPS, 2: replace(PUMPS, id=2, enabled=False), 3: replace(PUMPS, id=3)}
    server.alert_service.states = {1: {"firing": 3, "pending": 1}}
    server.alert_service.muted = {
        1: Mute(1, 3, None, None, None, builders.NOON),
        2: Mute(2, None, 1, builders.NOON, "known", builders.NOON),
    }
    seen = builders.alert(3, resolved_at=builders.NOON, acknowledged_at=builders.NOON, note="a listing", muted=True)
    server.alert_service.fired = {1: builders.alert(1), 3: seen}
    server.deliveries.channels = ("ops", "mail")
    server.deliveries.messages = (builders.delivery(1), builders.delivery(2, state="failed", sent_at=None, error="500"))
    reader.fired = (builders.alert(1), builders.alert(2, base="ETH", metric_id=2))
    failing = builders.exchange_state("okx", failing_since=builders.NOON, error="timed out")
    recovered = builders.exchange_state(failed_at=builders.NOON, error="HTTP 502", note="refused values: 2 negative")
    reader.state = replace(
        reader.state,
        exchanges=(recovered, failing),
        backfills=(builders.backfill_state(),),
        warnings=("kraken has no FOO/USD",),
        storage=builders.storage(),
        ticks=(builders.tick_state(missed=2, failed=("okx",)),),
        holder="box:4711:0a1b2c3d",
    )
    reader.today = builders.eventful_day()
    first, second, third, *others = reader.metrics
    reader.put(
        replace(first, new_at=builders.NOON, stale=True, updated_at=builders.NOON - timedelta(minutes=5), coverage=0.5),
        replace(third, coverage=0.125),
        *others,
        replace(second, rank=None, active=False, reason="delisted"),
    )
    reader.state = replace(reader.state, priced=9)
    return reader


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("busy")
def test_every_page_is_accessible(site: Site, path: str, theme: str, width: int) -> None:
    size(site.browser, width, 900)
    site.choose_theme(theme)
    site.open(path)
    wait_for_page(site)
    site.shows(f"#{ids.ALERT_BANNER}", "BTC/USD")

    assert severe(site) == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_documentation_is_accessible(site: Site, theme: str, width: int) -> None:
    size(site.browser, width, 900)
    site.choose_theme(theme)
    site.open(DOCUMENTATION)
    wait_for_page(site)

    assert severe(site) == []


def test_the_page_of_an_outage_is_accessible(site: Site, reader: FakeReader) -> None:
    site.expect("503", "500")
    reader.down = True
    site.open("/status")
    site.shows("h2", "The database is unavailable")

    assert severe(site) == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("button", "dialog"), DIALOGS)
@pytest.mark.usefixtures("busy")
def test_every_dialog_is_accessible(site: Site, button: str, dialog: str, theme: str, width: int) -> None:
    size(site.browser, width, 900)
    site.choose_theme(theme)
    site.open("/alerting")
    site.until(lambda: site.script("return !!document.querySelector(arguments[0] + ':not(:disabled)')", button))
    site.click(button)
    site.until(lambda: site.text(dialog, ""))
    if dialog == MUTING:  # with all that it can show
        site.click(f"#{ids.MUTE_LENGTH} .form-check:last-child label")
        site.click(f"#{ids.MUTE_DO}")
        site.shows(f"#{ids.MUTE_REFUSED}", "Choose a date")

    assert severe(site) == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["Mute", "Delete"])
@pytest.mark.usefixtures("busy")
def test_every_menu_of_a_rule_is_accessible(site: Site, name: str, theme: str, width: int) -> None:
    size(site.browser, width, 900)
    site.choose_theme(theme)
    site.open(RULES)
    wait_for_page(site)
    open_menu(site, name)
    site.until(lambda: site.text(".rule-menu[open] .menu-panel", ""))

    assert severe(site) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_toast_is_accessible(site: Site, reader: FakeReader, theme: str) -> None:
    site.choose_theme(theme)
    site.open("/compare?ids=1,2")
    wait_for_page(site)
    site.expect("503", "500")
    reader.down = True
    site.click("a[href*='span=168']")
    site.shows(f"#{ids.TOAST}", "The database is unavailable")

    assert severe(site) == []


def test_the_check_finds_elements_without_a_name(site: Site) -> None:
    site.open("/nowhere")
    wait_for_page(site)
    site.script("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><img src=data:,>')")

    assert {name for _, name, _ in severe(site)} == {"button-name", "image-alt"}


def severe(site: Site) -> list[list[object]]:
    """The severe findings: impact, rule and elements."""
    if not AXE.exists():
        pytest.fail("the accessibility tests need axe-core: npm ci")
    site.script(AXE.read_text())
    found = site.browser.execute_async_script(LOOK)
    return [finding for finding in found if finding[0] in SEVERE]
