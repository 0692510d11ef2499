"""An exchange stops answering and comes back while the ranking or a metric's page is open."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest

from layouts import ids
from services.market.errors import Unavailable
from services.pipeline.backfill import Backfill
from services.store.database.engine import open_engine
from services.store.reader import StoreReader
from tests.browser.conftest import Server, size
from tests.browser.pages import Chart, Site, Table
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness

SILENT = ("BTC/USD", "ETH/USD", "SOL/USD")
STATUS = f"#{ids.CONNECTION_STATUS}"
STALE = f"#{ids.STALE_CHOICE}"
NOTICE = f"#{ids.METRIC_NOTICE}"
GONE = Unavailable("kraken", "maintenance")


@pytest.fixture
def kraken() -> FakeExchange:
    return FakeExchange("kraken", dict.fromkeys(SILENT, 100.0))


@pytest.fixture
def pipeline(migrated_sqlite_url: str, kraken: FakeExchange) -> Iterator[PipelineHarness]:
    """Seventy minutes of rising prices, those of kraken by one in every five minutes."""
    engine = open_engine(migrated_sqlite_url)
    pipeline = PipelineHarness(engine, [kraken, FakeExchange("okx", {"BTC/USDT": 1_000.0, "DOT/USDT": 7.0})])
    pipeline.discover()
    for _ in range(15):
        rise(pipeline)
    yield pipeline
    engine.dispose()


def rise(pipeline: PipelineHarness, minutes: int = 5) -> None:
    for exchange in pipeline.exchanges:
        for pair in exchange.prices:
            exchange.prices[pair] += 1.0
    pipeline.tick(minutes)


@pytest.fixture
def reader(pipeline: PipelineHarness) -> StoreReader:
    return pipeline.reader


@pytest.fixture
def server(reader: StoreReader, pipeline: PipelineHarness) -> Iterator[Server]:
    server = Server(reader, now=pipeline.now + timedelta(seconds=2))
    server.start()
    yield server
    server.stop()


def tick_for(pipeline: PipelineHarness, server: Server, minutes: int) -> None:
    """Runs this many ticks, a period apart."""
    for _ in range(minutes):
        rise(pipeline, 1)
        server.now = pipeline.now + timedelta(seconds=2)


def rows(site: Site) -> dict[str, tuple[bool, str]]:
    """For each pair, whether its row is dimmed, and its note."""
    shown = site.script(
        f"""return [...document.querySelectorAll('#{ids.RANKING_TABLE} .ag-row')].map(row => [
            row.querySelector('[col-id="pair"] a')?.textContent, row.classList.contains('is-stale'),
            [...row.querySelectorAll('.row-note')].map(note => note.innerText).join()])"""
    )
    return {pair: (dimmed, note) for pair, dimmed, note in shown if pair}


def colour(site: Site, pair: str) -> str:
    return str(
        site.script(
            f"""const row = [...document.querySelectorAll('#{ids.RANKING_TABLE} .ag-row')].find(
                row => row.querySelector('[col-id="pair"] a')?.textContent === arguments[0]);
            return getComputedStyle(row.querySelector('[col-id="price"]')).color""",
            pair,
        )
    )


def test_rows_with_stale_prices_are_dimmed_and_show_their_age_until_new_ones_come(
    site: Site, pipeline: PipelineHarness, kraken: FakeExchange, server: Server
) -> None:
    site.open("/?columns=price,change_1h,updated&sort=updated.desc")
    table = Table(site).wait()
    site.shows(STATUS, "Live")
    assert not any(dimmed for dimmed, _ in rows(site).values())
    usual = colour(site, "ETH/USD")

    kraken.error = GONE
    tick_for(pipeline, server, 3)

    site.shows(STATUS, "3 of 5 stale")
    assert "Live" not in site.text(STATUS)
    site.until(lambda: rows(site)["ETH/USD"] == (True, "3 min old"))
    shown = rows(site)
    assert {pair: shown[pair] for pair in SILENT} == dict.fromkeys(SILENT, (True, "3 min old"))
    assert not shown["DOT/USDT"][0]
    assert colour(site, "ETH/USD") != usual == colour(site, "DOT/USDT")
    assert site.text(f"#{ids.STALE}") == "3"
    changes = [table.cell(index, "change_1h") for index in (2, 3, 4)]
    tick_for(pipeline, server, 2)
    site.until(lambda: rows(site)["ETH/USD"] == (True, "5 min old"))
    assert [table.cell(index, "updated") for index in range(2, 7)] == ["5 min ago"] * 3 + ["0 s ago"] * 2
    assert [table.cell(index, "change_1h") for index in (2, 3, 4)] == changes == ["+11.65 %"] * 3

    kraken.error = None
    tick_for(pipeline, server, 1)
    site.shows(STATUS, "Live")
    site.until(lambda: not any(dimmed for dimmed, _ in rows(site).values()))


@pytest.mark.parametrize("width", [1440, 390])
def test_a_click_on_the_number_of_stale_metrics_filters_by_them_in_the_address_too(
    site: Site, pipeline: PipelineHarness, kraken: FakeExchange, server: Server, width: int
) -> None:
    size(site.browser, width, 844)
    kraken.error = GONE
    tick_for(pipeline, server, 3)
    site.open("/")
    table = Table(site).wait()
    site.shows(f"#{ids.STALE}", "3")

    site.click(STALE)

    site.until(lambda: table.count() == 3)
    assert set(rows(site)) == set(SILENT)
    assert site.script("return location.search") == "?age=stale"
    site.until(lambda: site.script(f"return document.querySelector('{STALE}').ariaPressed") == "true")
    site.open("/?age=stale")
    Table(site).wait()
    site.until(lambda: table.count() == 3)
    site.click(STALE)
    site.until(lambda: table.count() == 5)
    assert site.script("return location.search") == ""


def test_all_rows_become_stale_without_ticks_and_revisions(
    site: Site, pipeline: PipelineHarness, server: Server
) -> None:
    site.open("/")
    Table(site).wait()
    site.shows(STATUS, "Live")

    server.now = pipeline.now + timedelta(minutes=4)

    site.shows(STATUS, "Stale data")
    site.until(lambda: all(dimmed for dimmed, _ in rows(site).values()))
    site.shows(f"#{ids.STALE}", "5")


def test_a_row_shows_how_much_of_its_window_is_known_and_full_ones_can_be_filtered(
    site: Site, pipeline: PipelineHarness
) -> None:
    """Only DOT has earlier prices."""
    okx = pipeline.exchanges[1]
    assert isinstance(okx, FakeExchange)
    okx.close_at = lambda pair, _second: 7.0 if pair == "DOT/USDT" else None
    Backfill(pipeline.plan, okx, FakeClock(pipeline.now + timedelta(seconds=2))).run(Event())
    site.open("/")
    table = Table(site).wait()

    assert rows(site)["ETH/USD"] == (False, "15 min of 24 h")
    assert rows(site)["DOT/USDT"] == (False, "")
    marked = site.script(
        f"return [...document.querySelectorAll('#{ids.RANKING_TABLE} .is-partial[col-id=\\'stdev\\']')].length"
    )
    assert marked == 4

    site.click(f"#{ids.FILTER_FULL} label")

    site.until(lambda: table.count() == 1)
    assert site.script("return location.search") == "?window=full"
    assert list(rows(site)) == ["DOT/USDT"]


def test_the_page_of_a_metric_shows_the_age_of_a_stale_price_and_its_reason(
    site: Site, pipeline: PipelineHarness, kraken: FakeExchange, server: Server
) -> None:
    site.open(f"/metric/{pipeline.row('kraken:ETH-USD').id}")
    Chart(site).wait()
    then = site.script("return new Date(arguments[0]).toTimeString().slice(0, 5)", pipeline.now.timestamp() * 1e3)
    failed = site.script(
        "return new Date(arguments[0]).toTimeString().slice(0, 5)", pipeline.now.timestamp() * 1e3 + 6e4
    )
    assert site.text(NOTICE) == "Its statistics cover 15 min of 24 h."

    kraken.error = GONE
    tick_for(pipeline, server, 3)

    site.shows(NOTICE, f"This price is 3 min old: kraken has not answered since {failed} (maintenance).")
    site.shows(NOTICE, f"Price, changes and volume are as of {then}.")
    site.shows(f"#{ids.METRIC_HEADLINE} .chip.is-warning", "3 min old")
    site.shows(f"#{ids.METRIC_HEADLINE}", "+11.65 %")
    tick_for(pipeline, server, 4)
    site.shows(NOTICE, "This price is 7 min old")
    site.shows(f"#{ids.METRIC_HEADLINE}", "+11.65 %")

    kraken.error = None
    tick_for(pipeline, server, 1)
    site.until(lambda: "old" not in site.text(NOTICE))
    site.lacks(f"#{ids.METRIC_HEADLINE}", "old")


def test_the_page_of_a_metric_says_that_ticks_have_stopped(
    site: Site, pipeline: PipelineHarness, server: Server
) -> None:
    site.open(f"/metric/{pipeline.row('kraken:ETH-USD').id}")
    Chart(site).wait()
    stopped = site.script("return new Date(arguments[0]).toTimeString().slice(0, 5)", pipeline.now.timestamp() * 1e3)

    server.now = pipeline.now + timedelta(minutes=10)

    site.shows(NOTICE, f"This price is 10 min old: nothing has been stored since {stopped}.")
