from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Semaphore

import pytest

from layouts import ids
from services.market.alerting.alerts import OpenAlerts
from services.market.status import ShownSetting
from tests import builders
from tests.browser.conftest import Requests, Server, size
from tests.browser.pages import CHART, Chart, Site, Table
from tests.browser.paths import PATHS, wait_for_page
from tests.fakes import FakeAlertService, FakeReader

BANNER = f"#{ids.ALERT_BANNER}"
STATUS = f"#{ids.CONNECTION_STATUS}"
TOAST = f"#{ids.TOAST}"

STOPPED = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET")
"""What the browser logs of a server that is stopped: a reset where it had connected just before."""


@pytest.fixture
def alerted(reader: FakeReader, server: Server) -> FakeReader:
    assert isinstance(server.alert_service, FakeAlertService)
    reader.fired = (builders.alert(1, market="okx"),)
    server.alert_service.fired = {1: reader.fired[0]}
    return reader


@pytest.mark.usefixtures("alerted")
def test_an_alert_is_announced_on_every_page_with_its_multiple(site: Site):
    for path in PATHS:
        site.open(path)
        site.shows(BANNER, "BTC/USD")
        for text in ("okx", "190,000.00", "3.2\N{MULTIPLICATION SIGN} its average of 60,000.00"):
            assert text in site.text(BANNER)
    site.until(lambda: site.browser.title.startswith("(1) "))


@pytest.mark.usefixtures("alerted")
def test_an_alert_leads_to_its_metric(site: Site):
    site.open("/status")
    site.click(f"{BANNER} a")

    site.arrives_at("/metric/1")
    site.shows("h1", "BTC/USD")


def test_the_first_of_many_alerts_are_named_and_the_rest_counted(site: Site, reader: FakeReader):
    reader.fired = tuple(
        builders.alert(number, base=f"C{number}", fired_at=builders.NOON - timedelta(minutes=number))
        for number in range(1, 30)
    )
    site.open("/status")
    site.shows(BANNER, "and 26 more")
    assert [name in site.text(BANNER) for name in ("C1/USD", "C3/USD", "C4/USD")] == [True, True, False]
    site.until(lambda: site.browser.title.startswith("(29) "))


def test_a_phone_names_the_newest_alert_in_one_line_and_counts_all(phone: Site, reader: FakeReader):
    text = "price falls by more than 50 % within 24 h"
    reader.fired = tuple(
        builders.alert(
            number,
            base=f"C{number}",
            fired_at=builders.NOON - timedelta(minutes=number),
            rule="Halved in a single day, or nearly",
            condition=text,
        )
        for number in range(1, 30)
    )
    phone.open("/status")
    phone.shows(BANNER, "29 open")
    assert [name in phone.text(BANNER) for name in ("C1/USD", "C2/USD", "26 more")] == [True, False, False]
    assert phone.script(f"return document.querySelector('{BANNER}').offsetHeight") <= 44
    assert phone.script("return document.documentElement.scrollWidth") <= 390

    phone.click(f"{BANNER} .alert-count")
    phone.arrives_at("/alerting")
    assert phone.script("return location.search") == "?state=open&unseen=1"


def test_resolved_muted_and_acknowledged_alerts_are_not_announced(site: Site, reader: FakeReader):
    reader.fired = (
        builders.alert(1, resolved_at=builders.NOON),
        builders.alert(2, muted=True),
        builders.alert(3, acknowledged_at=builders.NOON),
    )
    site.open("/status")
    wait_for_page(site)

    assert site.text(BANNER) == ""


def test_the_status_distinguishes_live_from_stale(site: Site, reader: FakeReader):
    site.open("/")
    site.shows(STATUS, "Live")
    site.shows(STATUS, "13:00")

    reader.state = replace(reader.state, stale=True, revision=reader.state.revision + 1)

    site.shows(STATUS, "Stale data")
    assert "Live" not in site.text(STATUS)


def test_the_status_does_not_claim_that_all_is_live_while_prices_are_stale(site: Site, reader: FakeReader):
    reader.state = replace(reader.state, tracked=415, trading=410, priced=345)
    site.open("/status")
    site.shows(STATUS, "65 of 415 stale")
    assert "Live" not in site.text(STATUS)

    reader.state = replace(reader.state, priced=410, revision=reader.state.revision + 1)
    site.shows(STATUS, "Live")


def test_the_status_says_that_the_database_cannot_be_written(site: Site, reader: FakeReader):
    reader.state = replace(reader.state, cannot_write="database or disk is full")
    site.open("/status")
    site.shows(STATUS, "Database cannot be written")
    site.shows(STATUS, "database or disk is full, last tick")
    site.shows(f"#{ids.PAGE}", "no tick is stored: database or disk is full")

    reader.state = replace(reader.state, cannot_write=None, revision=reader.state.revision + 1)
    site.shows(STATUS, "Live")


def test_the_status_names_a_failing_exchange_a_backfill_and_warnings(site: Site, reader: FakeReader):
    failing = builders.exchange_state("okx", failing_since=builders.NOON, error="timed out after 10 s")
    reader.state = replace(
        reader.state,
        exchanges=(
            builders.exchange_state(),
            failing,
            builders.exchange_state("htx", note="refused values: 2 negative"),
        ),
        backfills=(builders.backfill_state("kraken", done=5, total=20),),
        warnings=("kraken has no FOO/USD",),
    )
    site.open("/metric/1")

    for text in (
        "refused values: 2 negative",
        "okx unreachable",
        "timed out after 10 s",
        "Backfill kraken",
        "5/20",
        "kraken has no FOO/USD",
    ):
        site.shows(STATUS, text)
    assert "kraken unreachable" not in site.text(STATUS)
    assert site.script(f"return document.querySelector('{STATUS} progress').position") == 0.25


def test_a_lost_connection_is_shown_and_comes_back_by_itself(site: Site, server: Server, reader: FakeReader):
    site.expect(*STOPPED)
    site.open("/")
    table = Table(site).wait()
    server.stop()
    site.shows(STATUS, "Connection lost")
    assert table.cell(2, "price") == "60,123.40"

    first, *others = reader.metrics
    reader.put(replace(first, price=61_000.0), *others)
    server.start()

    site.shows(STATUS, "Live")
    site.until(lambda: table.cell(2, "price") == "61,000.00")


def test_an_unavailable_database_is_shown_and_the_page_comes_back_by_itself(site: Site, reader: FakeReader):
    site.expect("503")
    reader.down = True
    site.open("/metric/1")
    site.shows(STATUS, "Database unavailable")
    site.shows(f"#{ids.PAGE}", "retries every few seconds")

    reader.down = False

    site.shows(STATUS, "Live")
    Chart(site).wait()


def test_cached_data_are_shown_with_their_age_while_the_database_is_unavailable(site: Site, reader: FakeReader):
    reader.state = builders.status(away_since=builders.NOON)
    site.open("/")
    site.shows(STATUS, "Database unavailable")
    site.shows(STATUS, "13:00")
    site.until(lambda: Table(site).cell(2, "price") == "60,123.40")

    reader.state = builders.status(revision=8)

    site.shows(STATUS, "Live")


@dataclass
class SlowReader(FakeReader):
    """Answers the poller on demand of the test."""

    answers: Semaphore = field(default_factory=lambda: Semaphore(0))

    def open_alerts(self) -> OpenAlerts:
        self.answers.acquire()
        return super().open_alerts()


def test_answers_slower_than_the_polling_interval_are_used(site: Site, server: Server):
    server.stop()
    slow = SlowReader()
    server.reader = slow
    server.start()
    site.browser.get(f"{site.address}/nowhere")

    def looks() -> int:
        intervals = f"dash_component_api.getLayout('{ids.POLL}').props.n_intervals || 0"
        return int(site.script(f"try {{ return {intervals} }} catch {{ return 0 }}"))  # the page is not loaded yet

    def answer_late() -> bool:
        before = looks()
        site.until(lambda: looks() >= before + 2)
        slow.answers.release()
        return "Live" in site.text(STATUS, "")

    site.until(answer_late)
    slow.answers.release(100)


def test_a_failed_update_is_shown_with_a_button_that_retries_it(site: Site, reader: FakeReader):
    site.expect("503")
    site.open("/metric/1")
    chart = Chart(site).wait()
    reader.down = True
    site.click(f"#{ids.METRIC_SPAN} .form-check:nth-child(1) label")
    site.shows(TOAST, "The database is unavailable")
    assert chart.points() == 1440

    reader.down = False
    site.click(f"#{ids.TOAST_RETRY}")

    site.until(lambda: chart.points() == 60)
    site.until(lambda: site.text(TOAST, "") == "")


def test_unanswered_updates_are_retried_when_the_server_is_back(site: Site, server: Server):
    site.expect(*STOPPED, "the server did not respond")
    site.open("/metric/1")
    chart = Chart(site).wait()
    server.stop()
    site.click(f"#{ids.METRIC_SPAN} .form-check:nth-child(1) label")
    site.shows(TOAST, "The server did not answer")
    site.shows(STATUS, "Connection lost, retrying")

    server.start()

    site.until(lambda: chart.points() == 60)
    site.until(lambda: site.text(TOAST, "") == "")
    site.shows(STATUS, "Live")


def choose_zone(site: Site, number: int) -> None:
    site.click(f"#{ids.ZONE} .form-check:nth-child({number}) label")


@pytest.mark.usefixtures("alerted")
def test_utc_is_shown_at_once_everywhere_and_remembered(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    site.until(lambda: chart.first_clock() == "28 Feb 13:01")
    site.shows(STATUS, "13:00")
    site.shows(BANNER, "12:55")

    choose_zone(site, 2)

    site.until(lambda: chart.first_clock() == "28 Feb 12:01")
    site.shows(STATUS, "12:00")
    site.shows(BANNER, "11:55")
    site.shows(f"#{ids.METRIC_FIGURES}", "1 Mar 2026, 12:00")

    site.open("/alerting")
    site.shows(f"#{ids.PAGE}", "Fired (UTC)")
    site.shows(f"#{ids.PAGE} table", "11:55")

    choose_zone(site, 1)
    site.shows(f"#{ids.PAGE}", "Fired (Europe/Berlin)")
    site.shows(f"#{ids.PAGE} table", "12:55")
    site.shows(STATUS, "13:00")


def test_another_zone_keeps_the_zoom_and_the_hidden_lines_of_a_chart(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    chart.choose("6 h")
    chart.drag()
    site.until(lambda: site.script(f"return {CHART}._fullLayout.xaxis.autorange") is False)
    site.script(f"return Plotly.restyle({CHART}, {{visible: 'legendonly'}}, [1])")
    before, height = chart.range(), chart.range("yaxis")

    choose_zone(site, 2)

    site.shows(f"#{ids.METRIC_FIGURES}", "1 Mar 2026, 12:00")
    site.until(lambda: chart.first_clock() == "1 Mar 06:01")
    site.until(lambda: chart.range() == before)
    assert chart.range("yaxis") == height
    assert site.script(f"return {CHART}.data[1].visible") == "legendonly"
    assert site.console() == []


def test_another_zone_keeps_the_search_and_the_open_drawer_of_the_ranking(site: Site):
    site.open("/")
    table = Table(site).wait()
    table.search("C01")
    site.until(lambda: table.count() == 10)
    site.script("document.getElementById(arguments[0]).dataset.same = 'yes'", ids.RANKING_TABLE)
    site.shows(f"#{ids.LAST_TICK}", "13:00")

    choose_zone(site, 2)

    site.shows(f"#{ids.LAST_TICK}", "12:00")
    assert table.count() == 10
    assert site.script("return document.getElementById(arguments[0]).dataset.same", ids.RANKING_TABLE) == "yes"


def test_another_zone_updates_the_status_and_the_comparison_in_place(site: Site):
    site.open("/status")
    site.shows(f"#{ids.PAGE}", "Times are Europe/Berlin")
    choose_zone(site, 2)
    site.shows(f"#{ids.PAGE}", "Times are UTC")
    site.lacks(f"#{ids.STATUS_TICKS}", "13:00")

    site.open("/compare?ids=1,2")
    wait_for_page(site)
    clock = f"return document.querySelector('#{ids.COMPARE_CHART} .js-plotly-plot')?.data[0].text?.[0]"
    site.until(lambda: site.script(clock) == "28 Feb 12:15")
    choose_zone(site, 1)
    site.until(lambda: site.script(clock) == "28 Feb 13:15")
    assert site.console() == []


WATCH = """window.seen = [];
(function look() {
    if (document.body) seen.push(getComputedStyle(document.body).backgroundColor);
    if (seen.length < 400) requestAnimationFrame(look);
})()"""


@pytest.mark.parametrize(
    ("theme", "system", "background"),
    [
        ("dark", "light", "rgb(13, 17, 25)"),
        ("light", "dark", "rgb(245, 246, 250)"),
        ("system", "dark", "rgb(13, 17, 25)"),
    ],
)
def test_the_first_frame_already_has_the_theme(site: Site, theme: str, system: str, background: str):
    chrome = site.browser.execute_cdp_cmd
    chrome("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": system}]})
    script = chrome("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    try:
        site.choose_theme(theme)
        for _visit in range(2):  # the second one is a reload
            site.open("/status")
            wait_for_page(site)
            assert set(site.script("return seen")) == {background}
            assert site.script("return getComputedStyle(document.documentElement).colorScheme") == (
                "dark" if background == "rgb(13, 17, 25)" else "light"
            )
    finally:
        chrome("Page.removeScriptToEvaluateOnNewDocument", script)
        chrome("Emulation.setEmulatedMedia", {"features": []})


def theme_of(site: Site) -> tuple[str, str]:
    root = site.script(
        "return [document.documentElement.dataset.bsTheme, getComputedStyle(document.body).backgroundColor]"
    )
    return root[0], root[1]


def test_the_theme_is_switched_at_once_and_remembered(site: Site):
    site.open("/metric/1")
    Chart(site).wait()
    site.click(f"#{ids.THEME} label[for$='dark'], #{ids.THEME} .form-check:nth-child(2) label")
    site.until(lambda: theme_of(site) == ("dark", "rgb(13, 17, 25)"))
    line = f"return getComputedStyle(document.querySelector('#{ids.METRIC_CHART} .scatterlayer .js-line')).stroke"
    assert site.script(line) == "rgb(142, 166, 255)"

    site.open("/")
    Table(site).wait()
    assert theme_of(site)[0] == "dark"
    cell = site.script(
        f"return getComputedStyle(document.querySelector('#{ids.RANKING_TABLE} .ag-row')).backgroundColor"
    )
    assert cell == "rgb(21, 27, 39)"

    site.click(f"#{ids.THEME} .form-check:nth-child(1) label")
    site.until(lambda: theme_of(site) == ("light", "rgb(245, 246, 250)"))


def test_the_systems_theme_is_followed_while_none_is_chosen(site: Site):
    site.open("/")
    wait_for_page(site)
    for mode in ("dark", "light"):
        site.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": mode}]}
        )
        site.until(lambda mode=mode: theme_of(site)[0] == mode)


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_wider_than_a_phone(phone: Site, alerted: FakeReader, server: Server, path: str, width: int):
    size(phone.browser, width, 844)
    server.stop()
    alerted.profile = builders.profile(simulated=True, settings=(ShownSetting("DATABASE_URL", "x" * 99, False),))
    server.start()
    failing = builders.exchange_state("okx", failing_since=builders.NOON, error="x" * 300)
    alerted.state = replace(alerted.state, exchanges=(failing,))
    phone.open(path)
    wait_for_page(phone)
    phone.shows(BANNER, "BTC/USD")

    assert phone.script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_console_messages_or_requests_to_other_hosts(
    site: Site, alerted: FakeReader, requested_hosts: Requests, path: str
):
    site.open(path)
    wait_for_page(site)
    alerted.put(*alerted.metrics)
    site.until(lambda: alerted.calls.count("revision") > 2)

    assert site.console() == []
    assert requested_hosts() == {"127.0.0.1"}


def test_walking_through_all_pages_leaves_the_console_empty(site: Site, alerted: FakeReader):
    site.open("/")
    Table(site).wait().click(2, "price")
    site.arrives_at("/metric/1")
    Chart(site).wait()
    alerted.put(*alerted.metrics)
    for number, text in ((2, "Compare"), (3, "Alerts"), (4, "Status"), (1, "Ranking")):
        site.click(f".places a:nth-child({number})")
        site.shows("h1", text)
        alerted.put(*alerted.metrics)
    Table(site).wait()

    assert site.console() == []


def test_the_header_leads_to_the_documentation_and_that_back(site: Site):
    site.open("/status")
    site.click(".places a[href='/docs']")
    site.arrives_at("/docs")
    wait_for_page(site)
    assert site.script("return document.querySelectorAll('#react-entry-point').length") == 0

    site.click(".docs-head a")

    site.arrives_at("/")
    Table(site).wait()
    assert site.console() == []


def test_a_chart_loads_the_small_plotly_alone(site: Site):
    site.open("/metric/1")
    Chart(site).wait()

    loaded = site.script(
        "return performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('plotly'))"
    )

    assert [name.rsplit("/", 1)[1] for name in loaded] == ["plotly-finance-4.1.0.min.js"]


def test_simulated_data_are_marked_on_every_page(site: Site, reader: FakeReader, server: Server):
    server.stop()
    reader.profile = builders.profile(simulated=True)
    server.start()

    for path in PATHS:
        site.open(path)
        site.shows("header", "Simulated data")


def test_real_data_are_not_marked(site: Site):
    site.open("/")

    assert "Simulated" not in site.text("body")


def test_an_unknown_path_gets_a_friendly_page(site: Site):
    site.open("/nowhere")

    site.shows("h2", "Page not found")
    site.click(f"#{ids.PAGE} .button")
    site.arrives_at("/")


def test_the_page_has_landmarks_and_named_controls(site: Site):
    site.open("/")
    wait_for_page(site)

    count = "return ['header','nav','main','aside','h1'].map(name => document.querySelectorAll(name).length)"
    assert site.script(count) == [1, 1, 1, 1, 1]
    unnamed = """return [...document.querySelectorAll('main input, header input, aside button')].filter(e =>
        !(e.getAttribute('aria-label') || e.textContent.trim() ||
          (e.labels && [...e.labels].some(l => l.textContent.trim())))
    ).map(e => e.outerHTML)"""
    assert [one for one in site.script(unnamed) if "ag-" not in one] == []
