from dataclasses import replace
from datetime import timedelta

import pytest

from layouts import ids
from tests import builders
from tests.browser.conftest import Requests, Server
from tests.browser.pages import Chart, Site, Table
from tests.fakes import FakeReader

PATHS = ("/", "/metric/1", "/alerting", "/status", "/nowhere", "/metric/77")
BANNER = f"#{ids.ALERT_BANNER}"
STATUS = f"#{ids.CONNECTION_STATUS}"


@pytest.fixture
def alerted(reader: FakeReader) -> FakeReader:
    reader.fired = (builders.alert(1, market="okx"),)
    return reader


def wait_for_page(site: Site) -> None:
    site.until(lambda: site.script(f"return !document.querySelector('#{ids.PAGE} > .skeleton')"))
    if site.path() == "/":
        Table(site).wait()
    elif site.path() == "/metric/1":
        Chart(site).wait()


@pytest.mark.usefixtures("alerted")
def test_an_alert_is_announced_on_every_page_with_its_multiple(site: Site):
    for path in PATHS:
        site.open(path)
        site.shows(BANNER, "BTC/USD")
        for words in ("okx", "190,000.00", "3.2\N{MULTIPLICATION SIGN} its average of 60,000.00"):
            assert words in site.text(BANNER)
    site.until(lambda: site.browser.title.startswith("(1) "))


@pytest.mark.usefixtures("alerted")
def test_an_alert_leads_to_its_metric(site: Site):
    site.open("/status")
    site.click(f"{BANNER} a")

    site.arrives_at("/metric/1")
    site.shows("h1", "BTC/USD")


def test_a_dismissed_alert_stays_away_and_a_new_one_comes(site: Site, alerted: FakeReader):
    site.open("/")
    site.shows(BANNER, "BTC/USD")
    site.click(f"#{ids.ALERT_DISMISS}")
    site.lacks(BANNER, "BTC/USD")

    site.open("/")
    Table(site).wait()
    assert site.text(BANNER) == ""

    alerted.fired += (builders.alert(2, base="DOGE", fired_at=builders.NOON),)
    alerted.put(*alerted.metrics)
    site.shows(BANNER, "DOGE/USD")
    assert "BTC/USD" not in site.text(BANNER)


def test_many_alerts_are_summed_up(site: Site, reader: FakeReader):
    reader.fired = tuple(builders.alert(number) for number in range(1, 6))
    site.open("/status")

    site.shows(BANNER, "and 2 more")


def test_an_alert_older_than_an_hour_is_not_announced(site: Site, reader: FakeReader):
    reader.fired = (builders.alert(fired_at=builders.NOON - timedelta(minutes=61)),)
    site.open("/alerting")

    site.shows(f"#{ids.PAGE} table", "BTC/USD")
    assert site.text(BANNER) == ""


def test_the_status_tells_live_from_stale(site: Site, reader: FakeReader):
    site.open("/")
    site.shows(STATUS, "Live")
    site.shows(STATUS, "13:00")

    reader.state = replace(reader.state, stale=True, revision=reader.state.revision + 1)

    site.shows(STATUS, "Stale data")
    assert "Live" not in site.text(STATUS)


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

    for words in (
        "refused values: 2 negative",
        "okx unreachable",
        "timed out after 10 s",
        "Backfill kraken",
        "5/20",
        "kraken has no FOO/USD",
    ):
        site.shows(STATUS, words)
    assert "kraken unreachable" not in site.text(STATUS)
    assert site.script(f"return document.querySelector('{STATUS} progress').position") == 0.25


def test_a_lost_connection_is_told_and_comes_back_by_itself(site: Site, server: Server, reader: FakeReader):
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


def test_a_database_that_is_away_is_told_and_the_page_comes_back_by_itself(site: Site, reader: FakeReader):
    reader.down = True
    site.open("/metric/1")
    site.shows(STATUS, "Database unavailable")
    site.shows(f"#{ids.PAGE}", "tried again every few seconds")

    reader.down = False

    site.shows(STATUS, "Live")
    Chart(site).wait()


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


@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_wider_than_a_phone(phone: Site, alerted: FakeReader, path: str):
    failing = builders.exchange_state("okx", failing_since=builders.NOON, error="x" * 300)
    alerted.state = replace(alerted.state, exchanges=(failing,))
    phone.open(path)
    wait_for_page(phone)
    phone.shows(BANNER, "BTC/USD")

    assert phone.script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_quiet_and_stays_at_home(site: Site, alerted: FakeReader, hosts_asked: Requests, path: str):
    site.open(path)
    wait_for_page(site)
    alerted.put(*alerted.metrics)
    site.until(lambda: alerted.calls.count("revision") > 2)

    assert site.console() == []
    assert hosts_asked() == {"127.0.0.1"}


def test_walking_through_all_pages_leaves_the_console_empty(site: Site, alerted: FakeReader):
    site.open("/")
    Table(site).wait().click(2, "price")
    site.arrives_at("/metric/1")
    Chart(site).wait()
    alerted.put(*alerted.metrics)
    for number, words in ((2, "Alerts"), (3, "Status"), (1, "Ranking")):
        site.click(f"nav a:nth-child({number})")
        site.shows("h1", words)
        alerted.put(*alerted.metrics)
    Table(site).wait()

    assert site.console() == []


def test_a_chart_asks_for_the_small_plotly_alone(site: Site):
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
    site.open("/compare")

    site.shows("h2", "There is no such page")
    site.click(f"#{ids.PAGE} .button")
    site.arrives_at("/")


def test_the_page_has_landmarks_and_names_for_what_can_be_used(site: Site):
    site.open("/")
    wait_for_page(site)

    count = "return ['header','nav','main','aside','h1'].map(name => document.querySelectorAll(name).length)"
    assert site.script(count) == [1, 1, 1, 1, 1]
    unnamed = """return [...document.querySelectorAll('main input, header input, aside button')].filter(e =>
        !(e.getAttribute('aria-label') || (e.labels && [...e.labels].some(l => l.textContent.trim())))
    ).map(e => e.outerHTML)"""
    assert [one for one in site.script(unnamed) if "ag-" not in one] == []
