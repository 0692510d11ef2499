"""Pages with many records: the browser's work does not grow with them, and an update redraws only what changed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from selenium.webdriver.common.keys import Keys

from layouts import ids
from services.market.alerting.alerts import NEWEST_ALERTS, Alert, AlertQuery, Mute
from services.market.status import ShownSetting
from tests import builders
from tests.browser.conftest import Server
from tests.browser.pages import Site
from tests.browser.paths import COMPARISON, DELIVERIES, RULES, wait_for_page
from tests.browser.test_rules import PUMPS, action
from tests.fakes import FakeAlertService, FakeReader

HISTORY = "/alerting"
LIST = f"#{ids.RULES_LIST}"
PAGES = (HISTORY, RULES, DELIVERIES, "/status", "/metric/1", "/compare?ids=1,2,3,4,5,6,7,8", "/")

MAX_COMPONENTS = 160
"""Dash components on a page: the work of the renderer at every change is the square of their number."""

COMPONENTS = """
const count = (part) => Array.isArray(part) ? part.reduce((sum, one) => sum + count(one), 0)
  : part && part.props ? 1 + count(part.props.children) : 0;
return count(window.dash_stores[0].getState().layout.components);
"""
WATCH = """
window.touched = [], window.rules = [];
const place = ({ target }) => target.closest ? target : target.parentElement;
const isCharts = (one) => !place(one).isConnected || place(one).closest(".dash-graph"); // they draw themselves anew
new MutationObserver((found) => {
  const others = found.filter((one) => one.attributeName !== "data-dash-is-loading" && !isCharts(one));
  window.touched.push(...others.map((one) => one.type + " at " + place(one).outerHTML.slice(0, 120)));
  window.rules.push(...others.map((one) => place(one).closest("[data-rule]")?.dataset.rule));
}).observe(document.querySelector(".shell"), { subtree: true, childList: true, characterData: true, attributes: true });
"""
ANSWERED = """return performance.getEntriesByType("resource")
  .filter((one) => one.responseEnd && one.name.includes("_dash-update-component")).length"""
PAINTED = "const tell = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => tell(true)))"


def fill(server: Server, count: int) -> None:
    """`count` records of the common kinds, a fifth or a tenth of the others."""
    reader, alert_service = server.reader, server.alert_service
    assert isinstance(reader, ServiceReader)
    assert isinstance(alert_service, FakeAlertService)
    reader.service = alert_service
    numbers, few, some = range(count, 0, -1), range(1, count // 5 + 1), range(1, count // 10 + 1)
    alerts = [builders.alert(number, fired_at=builders.NOON - timedelta(seconds=count - number)) for number in numbers]
    alert_service.fired = {alert.id: alert for alert in alerts}
    reader.fired = tuple(alerts)
    alert_service.stored = {number: replace(PUMPS, id=number, name=f"Rule {number}") for number in few}
    alert_service.states = {number: {"firing": 2} for number in few}
    alert_service.muted = {number: Mute(number, None, number, None, "known", builders.NOON) for number in some}
    failed = [builders.delivery(number, state="failed", sent_at=None, error="500") for number in numbers]
    server.deliveries.channels, server.deliveries.messages = ("ops",), tuple(failed)
    elsewhere = [builders.ranked_metric(1000 + number, market=f"market{number}") for number in some]
    reader.put(*(row for row in reader.metrics if row.id < 1_000), *elsewhere)
    reader.state = replace(
        reader.state,
        exchanges=tuple(builders.exchange_state(f"x{number}") for number in some),
        backfills=(builders.backfill_state(),),  # like the next, in the head of every page: many would fill the screen
        warnings=("kraken has no FOO/USD",),
        ticks=tuple(builders.tick_state(minute=builders.NOON - timedelta(minutes=number)) for number in few),
    )
    reader.profile = builders.profile(settings=tuple(ShownSetting(f"S{number}", "1", False) for number in some))


@dataclass
class ServiceReader(FakeReader):
    """Reads the alerts of an alert service, as one database has them for both."""

    service: FakeAlertService = field(default_factory=FakeAlertService)

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        self.fired = tuple(self.service.fired.values())
        return super().alerts(query)


@pytest.fixture
def reader(reader: FakeReader) -> FakeReader:
    return ServiceReader(metrics=reader.metrics, price_series=reader.price_series)


@pytest.fixture
def storm(server: Server) -> Server:
    """A thousand alerts and messages, two hundred rules; no backfill, in which pages are renewed once a period only."""
    fill(server, 1_000)
    assert isinstance(server.reader, FakeReader)
    server.reader.state = replace(server.reader.state, backfills=())
    return server


@pytest.fixture
def alert_service(server: Server) -> FakeAlertService:
    assert isinstance(server.alert_service, FakeAlertService)
    return server.alert_service


def open_page(site: Site, path: str) -> None:
    site.open(path)
    wait_for_page(site)
    site.shows(f"#{ids.ALERT_BANNER}", "BTC/USD")
    if path == HISTORY:
        site.shows(f"#{ids.ALERT_HISTORY}", "BTC/USD")
    if path == DELIVERIES:
        site.shows(f"#{ids.DELIVERIES}", "BTC/USD")
    if path == RULES:
        site.shows(LIST, "Rule 1")


def until_updated(site: Site, change: Callable[[], None]) -> None:
    """Makes the change, and waits until the page has been answered since and has been painted."""
    before = site.script(ANSWERED)
    change()
    site.until(lambda: site.script(ANSWERED) > before)
    site.browser.execute_async_script(PAINTED)


def commit(server: Server) -> Callable[[], None]:
    """A new revision without changes."""
    reader = server.reader
    assert isinstance(reader, FakeReader)
    return lambda: reader.put(*reader.metrics)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_as_many_components_for_a_thousand_records_as_for_ten(site: Site, server: Server, path: str) -> None:
    counts = []
    for count in (10, 1_000):
        fill(server, count)
        open_page(site, path)
        counts.append(site.script(COMPONENTS))

    assert counts[0] == counts[1] <= MAX_COMPONENTS


@pytest.mark.parametrize("path", PAGES[:-1])
def test_an_update_without_changes_touches_nothing(site: Site, storm: Server, path: str) -> None:
    open_page(site, path)
    until_updated(site, commit(storm))  # requests of the page itself are answered, too
    site.script(WATCH)

    until_updated(site, commit(storm))

    assert site.script("return touched") == []


def test_a_new_alert_moves_the_others_without_redrawing_them(
    site: Site, storm: Server, alert_service: FakeAlertService
) -> None:
    open_page(site, HISTORY)
    table = f"#{ids.ALERT_HISTORY}"
    first = f"{table} tbody tr:first-child"
    site.script(f"document.querySelector('{first}').dataset.same = 'yes'")
    site.script(f"document.querySelector('{first} [data-act=mute]').focus()")
    site.script(f"getSelection().selectAllChildren(document.querySelector('{first} .history-rule'))")
    site.script("window.scrollTo(0, 400)")

    alert_service.fired = {1_001: builders.alert(1_001, base="NEW", fired_at=builders.NOON)} | alert_service.fired
    until_updated(site, commit(storm))

    site.shows(first, "NEW/USD")
    assert site.text(f"{table} .pager").startswith("1 to 50 of 1,001")
    assert site.script(f"return document.querySelector('{table} tbody tr:nth-child(2)').dataset.same") == "yes"
    assert site.script("return document.activeElement.closest('tr').dataset.same") == "yes"
    assert "Built-in rule" in site.script("return getSelection().toString()")
    assert site.script("return window.scrollY") == 400


def test_focus_stays_in_the_row_whose_button_was_removed(site: Site, storm: Server) -> None:
    del storm
    open_page(site, HISTORY)
    row = f"#{ids.ALERT_HISTORY} tbody tr:nth-child(3)"
    site.script("document.querySelector(arguments[0]).focus()", f"{row} [data-act=acknowledge]")
    site.press(Keys.ENTER)
    site.shows(f"#{ids.ACKNOWLEDGE_DIALOG}", "The alert on")
    site.click(f"#{ids.ACKNOWLEDGE_DO}")

    site.shows(row, "Acknowledged")
    site.until(lambda: site.script("return document.activeElement.innerText") == "Mute")
    inside = "return document.querySelector(arguments[0]).contains(document.activeElement)"
    assert site.script(inside, row)


def test_an_open_menu_stays_open_while_other_rules_change(
    site: Site, storm: Server, alert_service: FakeAlertService
) -> None:
    open_page(site, RULES)
    menu = f"{LIST} [data-rule='2'] .menu"
    site.click(f"{menu} summary")
    site.shows(f"{menu} .menu-panel", "For 8 h")
    site.script("document.querySelector(arguments[0]).focus()", f"{menu} [data-length='8h']")

    alert_service.states[1], alert_service.states[2] = {"firing": 7}, {"firing": 8}
    until_updated(site, commit(storm))

    site.shows(f"{LIST} [data-rule='1']", "7 firing")
    site.shows(f"{LIST} [data-rule='2']", "8 firing")
    assert site.script("return document.activeElement.dataset.length") == "8h"


def test_a_menu_is_used_by_the_keyboard_alone(site: Site, storm: Server, alert_service: FakeAlertService) -> None:
    del storm
    open_page(site, RULES)
    focused = "return document.activeElement.innerText"
    site.script("document.querySelector(arguments[0]).focus()", f"{LIST} [data-rule='1'] .menu summary")
    site.press(Keys.ENTER)
    site.shows(f"{LIST} .menu[open] .menu-panel", "For 8 h")
    site.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert site.script(focused) == "For 1 h"
    site.press(Keys.ESCAPE)
    site.until(lambda: site.script("return !document.querySelector('.menu[open]')"))
    assert site.script(focused).startswith("Mute")
    site.until(lambda: site.script("return !document.querySelector('.menu-panel')"))  # as long as all are closed

    site.press(Keys.ENTER)
    site.shows(f"{LIST} .menu[open] .menu-panel", "For 8 h")
    site.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)

    site.shows(f"{LIST} [data-rule='1']", "Muted until")
    assert [mute.rule_id for mute in alert_service.muted.values() if mute.metric_id is None] == [1]


def test_switching_one_of_two_hundred_rules_redraws_no_other(
    site: Site, storm: Server, alert_service: FakeAlertService
) -> None:
    del storm
    open_page(site, RULES)
    site.script(WATCH)
    site.click(action("off", 150))
    site.shows(f"{LIST} [data-rule='150']", "Off")

    assert not alert_service.stored[150].enabled
    assert site.script("return document.activeElement.getAttribute('aria-checked')") == "false"
    assert set(site.script("return rules.filter(Boolean)")) == {"150"}


def test_content_with_a_missing_row_is_requested_as_a_whole(
    site: Site, storm: Server, alert_service: FakeAlertService
) -> None:
    open_page(site, RULES)
    site.script(
        "dash_clientside.set_props(arguments[0], {content: {known: ['b', 'a'], rows: {a: ['', {}, {row: 'b'}]}}})",
        ids.RULES_LIST,
    )
    site.until(
        lambda: site.script("return dash_component_api.getLayout(arguments[0]).props.known", ids.RULES_LIST) == []
    )
    assert "Rule 200" in site.text(LIST)

    alert_service.states[200] = {"pending": 5}
    until_updated(site, commit(storm))

    site.shows(f"{LIST} [data-rule='200']", "5 pending")
    assert site.script(f"return document.querySelectorAll('{LIST} .rule').length") == 201


def test_old_messages_are_shown_in_pages_and_can_be_retried(site: Site, storm: Server) -> None:
    table = f"#{ids.DELIVERIES}"
    open_page(site, DELIVERIES)
    assert site.script(f"return document.querySelectorAll('{table} tbody tr').length") == 50

    site.click(f"{table} .pager button:last-child")
    site.shows(f"{table} .pager", "51 to 100")
    site.click(f"{table} tbody tr:first-child button")

    site.shows(f"{table} tbody tr:first-child", "Queued")
    assert [one.id for one in storm.deliveries.messages if one.state == "queued"] == [950]
    site.click(f"{table} .pager button:first-child")
    site.shows(f"{table} .pager", "1 to 50")


@pytest.mark.parametrize(
    ("path", "link", "there"),
    [
        (HISTORY, f"#{ids.ALERT_HISTORY} tbody a", "/metric/1"),
        (RULES, f"{LIST} [data-rule='3'] a", "/alerting"),
        ("/metric/1", f"#{ids.METRIC_NEIGHBOURS} .card-link", "/compare"),
        (COMPARISON, f"#{ids.COMPARE_CHOSEN} a", "/metric/1"),
        ("/status", f"#{ids.ALERT_BANNER} a", "/metric/1"),
    ],
)
def test_links_in_drawn_content_do_not_load_the_page_again(
    site: Site, storm: Server, path: str, link: str, there: str
) -> None:
    del storm
    open_page(site, path)
    site.script("window.stays = 'yes'")
    before = site.script("return location.href")

    site.click(link)

    site.until(lambda: site.script("return location.href") != before)
    site.arrives_at(there)
    wait_for_page(site)
    assert site.script("return window.stays") == "yes"
    site.browser.back()
    site.until(lambda: site.script("return location.href") == before)
    wait_for_page(site)
