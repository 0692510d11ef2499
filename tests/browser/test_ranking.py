from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from layouts import ids
from tests import builders
from tests.browser.conftest import Server, size
from tests.browser.pages import GRID, Site, Table
from tests.fakes import FakeAlertService, FakeReader


def test_the_ranking_is_in_order_with_readable_numbers(site: Site):
    site.open("/")
    table = Table(site).wait()

    assert table.row(2, "rank", "pair", "market", "price", "change_1h", "change_24h", "stdev", "volatility") == [
        "1",
        "BTC/USD",
        "okx",
        "60,123.40",
        "\N{MINUS SIGN}0.10 %",
        "\N{MINUS SIGN}3.40 %",
        "812.25",
        "1.35 %",
    ]
    assert [table.cell(index, "rank") for index in range(2, 8)] == ["1", "2", "3", "4", "5", "6"]
    assert table.row(3, "price", "change_1h") == ["30,061.70", "+0.20 %"]


def test_the_figures_above_the_table_summarise_the_market(site: Site, reader: FakeReader):
    reader.state = replace(reader.state, tracked=200, trading=200, priced=197)
    reader.fired = (builders.alert(), builders.alert(id=2, fired_at=datetime.now(UTC)))  # an old one and one of today
    site.open("/")

    site.shows(f"#{ids.TRACKED}", "200")
    site.shows(f"#{ids.ALERTED}", "1")
    assert [site.text(f"#{one}") for one in (ids.LIVE_NOW, ids.STALE, ids.ALERTED)] == ["197", "3", "1"]
    assert "13:00" in site.text(f"#{ids.LAST_TICK}")  # in the viewer's zone


def test_a_new_price_appears_by_itself(site: Site, reader: FakeReader):
    site.open("/")
    table = Table(site).wait()
    first, *others = reader.metrics

    reader.put(replace(first, price=61_000.0), *others)

    site.until(lambda: table.cell(2, "price") == "61,000.00")


def test_sort_filter_and_search_survive_a_new_revision(site: Site, reader: FakeReader):
    site.open("/")
    table = Table(site).wait()
    table.search("c1")
    table.sort_by("price")
    table.sort_by("price")
    site.script(f"{GRID}.setFilterModel({{market: {{filterType: 'text', type: 'equals', filter: 'okx'}}}})")
    site.until(lambda: table.cell(2, "pair") == "C199/USD")

    reader.put(*(replace(metric, stdev=1.0, volatility=0.5) for metric in reader.metrics))
    site.until(lambda: table.cell(2, "volatility") == "50.00 %")

    assert table.cell(2, "pair") == "C199/USD"
    assert table.count() == 50
    site.shows(f"#{ids.RANKING_COUNT}", "50 of 200")


def test_scroll_and_selection_survive_a_new_revision(site: Site, reader: FakeReader):
    site.open("/")
    table = Table(site).wait()
    site.script(f"{GRID}.ensureIndexVisible(120, 'top'); {GRID}.getRowNode('125').setSelected(true)")
    site.until(lambda: table.cell(126, "pair") == "C125/USD")
    before = table.scrolled()

    reader.put(*(replace(metric, volatility=0.5) for metric in reader.metrics))
    site.until(lambda: table.cell(126, "volatility") == "50.00 %")

    assert table.scrolled() == before > 0
    assert site.script(f"return {GRID}.getSelectedNodes().map(node => node.id)") == ["125"]


def test_a_metric_that_leaves_the_ranking_leaves_the_table(site: Site, reader: FakeReader):
    site.open("/")
    table = Table(site).wait()

    reader.put(*reader.metrics[1:])

    site.until(lambda: table.cell(2, "pair") == "ETH/USD")
    assert table.count() == 199


def test_a_new_metric_takes_its_place_and_a_changed_state_is_shown(site: Site, reader: FakeReader):
    site.open("/")
    table = Table(site).wait()
    first, second, *others = (replace(metric, rank=metric.rank + 1) for metric in reader.metrics)
    halted = replace(second, active=False, reason="halted")

    reader.put(builders.ranked_metric(901, base="NEW", rank=1), first, halted, *others)

    site.until(lambda: table.cell(2, "pair") == "NEW/USD")
    assert [table.cell(index, "pair") for index in (3, 4)] == ["BTC/USD", "ETH/USD\nHalted"]
    assert "is-inactive" in site.script("return document.querySelector('.ag-row[row-id=\"2\"]').className")
    assert table.count() == 201


def test_without_a_sort_rows_are_sorted_by_rank(site: Site, reader: FakeReader):
    site.open("/")
    table = Table(site).wait()
    first, second, *others = reader.metrics
    reader.put(replace(second, rank=1), replace(first, rank=2), *others)
    site.until(lambda: table.cell(2, "pair") == "ETH/USD")

    for ways in ("desc", "asc", "null"):
        table.sort_by("price")
        site.until(lambda ways=ways: str(site.script(f"return {GRID}.getColumn('price').getSort() ?? 'null'")) == ways)

    site.until(lambda: table.cell(2, "pair") == "ETH/USD")
    assert site.script(f"return {GRID}.getColumn('rank').getSort()") == "asc"


def test_thousands_of_rows_are_all_updated_and_the_last_update_stays(site: Site, reader: FakeReader):
    reader.put(*(builders.ranked_metric(number, rank=number, base=f"C{number}") for number in range(1, 3001)))
    site.open("/")
    table = Table(site).wait()
    site.until(lambda: table.count() == 3000)

    for price in (500.0, 600.0):  # the second while the rows of the first are being set, or just after
        reader.put(*(replace(metric, price=price) for metric in reader.metrics))

    site.until(lambda: table.cell(2, "price") == "600.00")
    prices = f"const all = new Set(); {GRID}.forEachNode(node => all.add(node.data.price)); return [...all]"
    assert site.script(prices) == [600]


def test_metrics_without_a_price_come_last_in_every_order(site: Site, reader: FakeReader):
    silent = {"rank": None, "price": None, "stdev": None, "volatility": None, "active": False, "reason": "delisted"}
    reader.put(builders.ranked_metric(900, base="DEAD", **silent), *reader.metrics[:3])
    site.open("/")
    table = Table(site).wait()

    for _ in range(2):
        assert table.row(5, "pair", "price") == ["DEAD/USD\nDelisted", "\N{EN DASH}"]
        table.sort_by("price")
        site.until(lambda: "sort" in str(site.script(f"return {GRID}.getColumn('price').getSort() + ' sort'")))


@pytest.mark.parametrize("width", [1440, 390])
def test_new_and_inactive_pairs_are_marked_as_soon_as_it_is_known(site: Site, reader: FakeReader, width: int):
    size(site.browser, width, 844)
    first, second, *others = reader.metrics
    site.open("/")
    table = Table(site).wait()
    assert "chip" not in site.script(f"return document.querySelector('#{ids.RANKING_TABLE}').innerHTML")

    frozen = replace(second, rank=None, active=False, reason="frozen")
    reader.put(replace(first, new_at=builders.NOON), *others[:5], frozen)
    site.until(lambda: table.cell(2, "pair").endswith("New"))
    site.until(lambda: table.row(8, "rank", "pair")[1].endswith("Frozen"))

    assert table.cell(2, "pair").startswith("BTC/USD")
    assert table.row(8, "rank", "price") == ["\N{EN DASH}", "30,061.70"]
    dimmed = f"document.querySelector('#{ids.RANKING_TABLE} .ag-row.is-inactive')"
    assert site.script(f"return {dimmed}.getAttribute('aria-rowindex')") == "8"
    whole = "part => part.scrollWidth <= part.clientWidth"
    markets = f"[...document.querySelectorAll('#{ids.RANKING_TABLE} .metric-name > .under-market:last-child')]"
    assert site.script(f"return {markets}.every({whole})")
    chips = f"[...document.querySelectorAll('#{ids.RANKING_TABLE} .chip')].filter(chip => chip.checkVisibility())"
    assert site.script(f"return {chips}.every({whole})")
    inside = "chip => chip.getBoundingClientRect().right <= chip.closest('.ag-cell').getBoundingClientRect().right"
    assert site.script(f"return {chips}.every({inside})")
    title = "The last 10 answers of its exchange had no price for it"
    assert site.script(f"return {dimmed}.querySelector('.chip').title") == title

    site.script(f"{GRID}.setFilterModel({{pair: {{filterType: 'text', type: 'equals', filter: 'BTC/USD'}}}})")
    site.until(lambda: table.count() == 1)
    reader.put(first, second, *others)
    site.until(lambda: "New" not in table.cell(2, "pair"))
    assert site.console() == []


def test_a_click_on_a_row_leads_to_its_metric_and_back(site: Site):
    site.open("/")
    table = Table(site).wait()
    table.sort_by("price")
    table.search("okx")
    site.until(lambda: table.count() == 100 and table.cell(3, "pair").startswith("C003"))

    table.click(3, "price")

    site.arrives_at("/metric/3")
    site.shows("h1", "C003/USD")
    site.browser.back()
    Table(site).wait()
    site.until(lambda: site.script(f"return {GRID}.getColumn('price').getSort()") == "desc")
    site.until(lambda: table.count() == 100)


def test_the_keyboard_leads_to_a_metric(site: Site):
    for key in (Keys.ENTER, Keys.SPACE):
        site.open("/")
        Table(site).wait().search("eth")
        site.until(lambda: Table(site).count() == 1)
        site.script(f"{GRID}.setFocusedCell(0, 'pair')")
        site.press(Keys.ARROW_RIGHT, key)
        site.arrives_at("/metric/2")


def test_the_pair_is_a_link_that_opens_a_tab(site: Site):
    site.open("/")
    Table(site).wait()
    first = site.script(f"return document.querySelector('#{ids.RANKING_TABLE} .metric-name a')")

    assert first.get_attribute("href") == site.address + "/metric/1"
    ActionChains(site.browser).key_down(Keys.SHIFT).click(
        site.script("return document.querySelector(\"[aria-rowindex='3'] [col-id='price']\")")
    ).key_up(Keys.SHIFT).perform()
    assert site.path() == "/"


def test_sparklines_are_drawn_as_lines(site: Site, reader: FakeReader):
    site.open("/")
    Table(site).wait()

    path = site.until(
        lambda: site.script(
            "const p = document.querySelector(\"[aria-rowindex='2'] .spark path\"); return p && p.getAttribute('d')"
        )
    )

    assert path.startswith("M0.0 25.0L4.9 24.0")
    assert path.count("L") == 23
    assert len(reader.lines_asked) == 1


LAST_POINT = f"""return [...document.querySelectorAll("#{ids.RANKING_TABLE} [row-id='1'] .spark path")]
    .map(path => path.getAttribute('d').split(/[ML]/).at(-1))[0]"""


def test_a_sparkline_ends_at_the_price_of_each_tick_without_requests(site: Site, reader: FakeReader):
    site.open("/")
    Table(site).wait()
    first, *others = reader.metrics
    assert first.price is not None
    site.until(lambda: site.script(LAST_POINT) == "112.0 1.0")  # the highest of the day
    asked = len(reader.lines_asked)

    reader.metrics = (replace(first, price=first.price / 3), *others)  # far below what it was all day
    later = builders.NOON + timedelta(minutes=1)
    reader.state = replace(reader.state, revision=reader.state.revision + 1, minute=later)

    site.until(lambda: site.script(LAST_POINT) == "112.0 25.0")
    assert len(reader.lines_asked) == asked


def test_a_sparkline_is_whole_as_soon_as_history_is_there(site: Site, reader: FakeReader):
    reader.no_history = 18
    reader.state = replace(reader.state, backfills=(builders.backfill_state(done=3, total=9),))
    site.open("/")
    Table(site).wait()
    points = "document.querySelector(\"[row-id='1'] .spark path\")?.getAttribute('d').split(/[ML]/).length - 1"
    site.until(lambda: site.script(f"return {points}") == 6)

    reader.no_history = 0
    reader.put(*reader.metrics)
    reader.state = replace(reader.state, backfills=(builders.backfill_state(done=9, total=9),))

    site.until(lambda: site.script(f"return {points}") == 24)


def test_sparklines_are_requested_when_their_rows_come_into_view(site: Site, reader: FakeReader):
    site.open("/")
    Table(site).wait()
    site.until(lambda: reader.lines_asked)
    assert 190 not in {number for asked in reader.lines_asked for number in asked}

    site.script(f"{GRID}.ensureIndexVisible(189, 'top')")

    site.until(lambda: site.script("return !!document.querySelector(\"[row-id='190'] .spark path\")"))
    assert max(len(asked) for asked in reader.lines_asked) <= 60


def test_an_empty_ranking_says_what_to_do_until_the_first_tick(site: Site, reader: FakeReader):
    metrics, reader.metrics = reader.metrics, ()
    reader.state = builders.status(revision=0, minute=None, tracked=0, trading=0, priced=0, exchanges=(), ticks=())
    site.open("/")

    site.shows(f"#{ids.RANKING_EMPTY}", "Waiting for the first prices")
    site.shows(f"#{ids.CONNECTION_STATUS}", "Waiting for the first tick")

    reader.put(*metrics)
    reader.state = replace(reader.state, minute=builders.NOON)
    Table(site).wait()
    site.until(lambda: site.text(f"#{ids.RANKING_EMPTY}") == "")


def test_an_empty_ranking_shows_the_known_cause_in_place_of_possible_ones(site: Site, reader: FakeReader):
    why = "cannot resolve the host name api.kraken.com. Check the network."
    failing = builders.exchange_state("kraken", last_success=None, failing_since=builders.NOON, error=why)
    none = {"minute": None, "tracked": 0, "trading": 0, "priced": 0, "ticks": ()}
    reader.metrics = ()
    reader.state = builders.status(revision=0, **none, exchanges=())
    site.open("/")
    site.shows(f"#{ids.RANKING_EMPTY}", "The first tick fills this table")

    reader.state = builders.status(revision=1, **none, exchanges=(failing,), warnings=("TRACK: htx: no such exchange",))

    site.shows(f"#{ids.RANKING_CAUSE}", f"kraken gives no prices: {why}\nTRACK: htx: no such exchange")
    assert "The first tick fills this table" not in site.text(f"#{ids.RANKING_EMPTY}")

    reader.state = builders.status(revision=2, **none, exchanges=(builders.exchange_state(),))

    site.shows(f"#{ids.RANKING_EMPTY}", "The first tick fills this table")


def test_on_a_phone_the_key_columns_fit(phone: Site):
    phone.open("/")
    table = Table(phone).wait()

    phone.until(lambda: table.columns() == ["star", "rank", "pair", "price", "change_24h"])
    assert table.cell(2, "pair") == "BTC/USD\nokx"
    cells = f"document.querySelectorAll('#{ids.RANKING_TABLE} .ag-cell')"
    right_edge = f"return Math.max(...[...{cells}].map(cell => cell.getBoundingClientRect().right))"
    phone.until(lambda: phone.script(right_edge) <= 390)


def test_names_from_outside_are_text_wherever_they_appear(site: Site, server: Server, reader: FakeReader):
    name = "<img src=x onerror=window.owned=1>"
    reader.put(replace(reader.metrics[0], base=name, active=False, reason=name), *reader.metrics[1:])
    reader.fired = (builders.alert(base=name, market=name),)
    assert isinstance(server.alert_service, FakeAlertService)
    server.alert_service.fired[1] = builders.alert(base=name, market=name)
    failing = builders.exchange_state(name, failing_since=builders.NOON, error=name)
    reader.state = replace(reader.state, exchanges=(failing,), warnings=(name,))

    for path in ("/", "/metric/1", "/alerting", "/status"):
        site.open(path)
        site.shows(f"#{ids.ALERT_BANNER}", name)
        site.shows(f"#{ids.PAGE}", name)
        assert site.script("return document.querySelectorAll('img').length") == 0
        assert site.script("return window.owned") is None
