"""The view of the ranking: its measure, filters and columns, and the address that reproduces it."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from layouts import ids
from tests import builders
from tests.browser.colours import colour, contrast
from tests.browser.pages import GRID, Site, Table
from tests.fakes import FakeReader
from tests.waiting import wait_for

MINUS = "\N{MINUS SIGN}"


def choose(site: Site, identity: str, text: str) -> None:
    """Chooses `text` from the list `identity` once it has that option."""
    options = f"[...document.getElementById('{identity}').options]"
    site.until(lambda: text in site.script(f"return {options}.map(option => option.text)"))
    site.click(f"#{identity}")
    site.script(
        f"const list = document.getElementById('{identity}');"
        f"const setter = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set;"
        f"setter.call(list, {options}.find(option => option.text === arguments[0]).value);"
        "list.dispatchEvent(new Event('change', {bubbles: true}))",
        text,
    )
    site.press(Keys.ESCAPE)


def query(site: Site) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(site.script("return location.href")).query).items()}


def pairs(site: Site) -> list[str]:
    """All filtered rows in the order shown."""
    rows = f"(rows => ({GRID}.forEachNodeAfterFilterAndSort(node => rows.push(node.data.pair)), rows))([])"
    return list(site.script(f"return {rows}"))


@pytest.fixture
def reader() -> FakeReader:
    """Six metrics that differ in every measure and filter."""
    metrics = (
        metric(1, "BTC", "USD", price=60_000.0, stdev=600.0, volatility=0.010, change_24h=-0.02, volume_24h=100.0),
        metric(2, "ETH", "USD", price=3_000.0, stdev=60.0, volatility=0.020, change_24h=0.01, volume_24h=900.0),
        metric(3, "ETH", "BTC", price=0.05, stdev=0.0005, volatility=0.011, change_24h=0.03, volume_24h=4_000.0),
        metric(4, "SOL", "USDT", price=150.0, stdev=6.0, volatility=0.040, change_24h=0.08, volume_24h=10_000.0),
        metric(5, "USDT", "USD", price=1.0, stdev=0.0002, volatility=0.0002, change_24h=0.0, volume_24h=9e6),
        metric(6, "DEAD", "USD", rank=None, price=2.0, stdev=None, volatility=None, change_24h=None, active=False),
    )
    return FakeReader(metrics=metrics)


def metric(number: int, base: str, quote: str, **figures: object) -> builders.RankedMetric:
    exchange = "okx" if number in (2, 4) else "kraken"
    return builders.ranked_metric(number, base=base, quote=quote, market=exchange, **figures)


def test_ranks_follow_the_chosen_measure(site: Site):
    site.open("/")
    table = Table(site).wait()
    table.sort_by("price")

    choose(site, ids.RANK_BY, "Volume")
    order = ["ETH/BTC", "USDT/USD", "BTC/USD", "ETH/USD", "SOL/USDT"]  # in dollars
    site.until(lambda: pairs(site) == [*order, "DEAD/USD"])

    assert [table.cell(index, "rank") for index in range(2, 8)] == ["1", "2", "3", "4", "5", "\N{EN DASH}"]
    assert query(site) == {"by": "volume"}


def test_only_rows_that_pass_the_quick_filters_are_shown(site: Site):
    site.open("/")
    Table(site).wait()

    choose(site, ids.FILTER_MARKET, "okx")
    site.until(lambda: pairs(site) == ["ETH/USD", "SOL/USDT"])
    choose(site, ids.FILTER_MARKET, "All markets")
    choose(site, ids.FILTER_QUOTE, "USD")
    site.until(lambda: pairs(site) == ["BTC/USD", "ETH/USD", "USDT/USD", "DEAD/USD"])
    site.click(f"#{ids.FILTER_STABLECOINS} label")
    site.until(lambda: pairs(site) == ["BTC/USD", "ETH/USD", "DEAD/USD"])
    assert query(site) == {"quote": "USD", "hide": "stablecoins"}

    site.click(f"#{ids.FILTER_RESET}")
    site.until(lambda: len(pairs(site)) == 6)
    assert query(site) == {}


def test_favourites_come_first_are_remembered_and_can_be_shown_alone(site: Site):
    site.open("/?only=favourites")
    site.shows(f"#{ids.RANKING_NO_MATCH}", "The star before a pair")
    site.click(f"#{ids.FILTER_RESET}")
    table = Table(site).wait()

    site.click(f"#{ids.RANKING_TABLE} [aria-rowindex='5'] .star")
    site.until(lambda: table.cell(2, "pair") == "SOL/USDT")
    table.sort_by("price")
    site.until(lambda: pairs(site)[:2] == ["SOL/USDT", "BTC/USD"])
    assert site.path() == "/"

    site.open("/?only=favourites&sort=price.asc")
    Table(site).wait()
    site.until(lambda: pairs(site) == ["SOL/USDT"])
    site.script(f"{GRID}.setFocusedCell(0, 'star')")
    site.press(Keys.SPACE)
    site.shows(f"#{ids.RANKING_NO_MATCH}", "The star before a pair")
    assert site.console() == []


def test_a_link_reproduces_the_view(site: Site):
    where = '{"price":{"filterType":"number","type":"greaterThan","filter":100}}'
    site.open(
        "/?by=volatility&q=s&hide=stablecoins&sort=change_24h.asc&columns=price,volatility,high_24h&view=both"
        f"&size=equal&colour=volatility&where={where}"
    )
    table = Table(site).wait()

    site.until(lambda: pairs(site) == ["BTC/USD", "ETH/USD", "SOL/USDT"])
    assert [table.cell(index, "rank") for index in (2, 3, 4)] == ["4", "2", "1"]
    site.until(lambda: table.columns() == ["star", "rank", "pair", "price", "volatility", "high_24h"])
    values = "return arguments[0].map(id => document.getElementById(id).value)"
    lists = [ids.RANK_BY, ids.RANKING_SEARCH, ids.MAP_SIZE, ids.MAP_COLOUR]
    site.until(lambda: site.script(values, lists) == ["volatility", "s", "equal", "volatility"])
    site.until(lambda: len(tiles(site)) == 3)
    assert query(site)["where"] == where

    table.click(2, "price")
    site.arrives_at("/metric/1")
    site.browser.back()
    Table(site).wait()
    site.until(lambda: pairs(site) == ["BTC/USD", "ETH/USD", "SOL/USDT"])
    assert query(site)["sort"] == "change_24h.asc"


def test_invalid_values_in_the_address_are_ignored(site: Site):
    where = '{"price":{"filterType":"text","type":"contains","filter":"1"},"pair":7}'
    site.open(f"/?where={where}&sort=nothing.asc,__proto__.asc&columns=nothing&by=luck&only=all&%%%")
    Table(site).wait()

    site.until(lambda: pairs(site) == ["BTC/USD", "ETH/USD", "ETH/BTC", "SOL/USDT", "USDT/USD", "DEAD/USD"])
    assert site.console() == []


def test_columns_are_chosen_from_a_menu(site: Site):
    site.open("/")
    table = Table(site).wait()

    site.click(".menu > summary")
    for name in ("24 h high", "Market"):
        label = (
            f"[...document.querySelectorAll('#{ids.RANKING_COLUMNS} label')].find(one => one.innerText === '{name}')"
        )
        site.until(lambda label=label: site.script(f"return !!{label}"))  # type: ignore[misc]
        site.script(f"{label}.click()")
    site.until(lambda: "high_24h" in table.columns() and "market" not in table.columns())
    site.press(Keys.ESCAPE)
    site.until(lambda: not site.script("return document.querySelector('.menu').open"))
    assert "high_24h" in query(site)["columns"].split(",")

    site.click(f"#{ids.FILTER_RESET}")
    site.until(lambda: "high_24h" not in table.columns() and "market" in table.columns())


def test_a_search_without_matches_says_how_to_go_on(site: Site):
    site.open("/?q=nowhere")

    site.shows(f"#{ids.RANKING_NO_MATCH}", "Clear shows all pairs")
    site.click(f"#{ids.FILTER_RESET}")
    Table(site).wait()
    assert site.text(f"#{ids.RANKING_NO_MATCH}") == ""


def test_the_file_has_the_rows_and_columns_shown(site: Site, reader: FakeReader, tmp_path: Path):
    first, *others = reader.metrics
    reader.put(replace(first, base='=HYPERLINK("x")'), *others)
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    site.browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    site.open("/?columns=price,change_24h,market&sort=change_24h.asc&quote=USD")
    Table(site).wait()

    site.click(f"#{ids.RANKING_EXPORT}")
    wait_for(lambda: list(tmp_path.glob("ranking-*Z.csv")) != [])

    (file,) = tmp_path.glob("ranking-*Z.csv")
    assert file.read_bytes().decode().split("\r\n") == [
        "\ufeff#,Pair,Market,Price,24 h %",
        '1,"\'=HYPERLINK(""x"")/USD",kraken,60000,-2',
        "5,USDT/USD,kraken,1,0",
        "2,ETH/USD,okx,3000,1",
        ",DEAD/USD,kraken,2,",
        "",
    ]


WATCH_FLASHES = """
window.flashed = [];
new MutationObserver(changes => changes.forEach(({target}) => {
    if (!target.classList.contains('ag-cell-data-changed')) return;
    const {color, backgroundColor} = getComputedStyle(target);
    const row = target.closest('[row-id]').getAttribute('row-id'), column = target.getAttribute('col-id');
    if (!flashed.some(one => one.row === row && one.column === column))
        flashed.push({row, column, color, backgroundColor});
})).observe(document.getElementById(arguments[0]), {subtree: true, attributeFilter: ['class']})
"""


def test_only_changed_prices_flash_readably_in_the_colour_of_their_direction(site: Site, reader: FakeReader):
    others = reader.metrics[2:]
    flashes = {}
    for theme in ("light", "dark"):
        reader.put(*(replace(one, price=60_000.0, stdev=1.0, change_1h=0.5) for one in reader.metrics[:2]), *others)
        site.choose_theme(theme)
        site.open("/")
        table = Table(site).wait()
        site.script(WATCH_FLASHES, ids.RANKING_TABLE)

        up, down = (replace(reader.metrics[place], price=60_000.0 + way) for place, way in ((0, 1e3), (1, -1e3)))
        reader.put(replace(up, stdev=2.0, change_1h=-0.1), down, *others)
        site.until(lambda table=table: table.row(2, "price", "stdev") == ["61,000.00", "2.0000"])
        site.until(lambda: len(site.script("return flashed")) >= 2)

        flashes[theme] = {(one["row"], one["column"]): one for one in site.script("return flashed")}
        assert set(flashes[theme]) == {("1", "price"), ("2", "price")}
        teal, orange = (colour(flashes[theme][row, "price"]["backgroundColor"]) for row in "12")
        assert teal.green > teal.red
        assert orange.red > orange.blue
        for one in flashes[theme].values():
            assert contrast(colour(one["color"]), colour(one["backgroundColor"])) >= 4.5


def test_nothing_flashes_if_reduced_motion_is_preferred(site: Site, reader: FakeReader):
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    site.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": calm})
    try:
        site.open("/")
        table = Table(site).wait()
        site.script(WATCH_FLASHES, ids.RANKING_TABLE)
        first, *others = reader.metrics
        reader.put(replace(first, price=61_000.0), *others)
        site.until(lambda: table.cell(2, "price") == "61,000.00")
        (flash,) = site.until(lambda: site.script("return flashed"))
    finally:
        site.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    assert flash["backgroundColor"] == "rgba(0, 0, 0, 0)"


def test_there_is_a_countdown_to_the_next_tick(site: Site):
    site.open("/")
    Table(site).wait()

    def seconds() -> int:
        minutes, rest = site.text(f"#{ids.NEXT_TICK}").split(":")
        return int(minutes) * 60 + int(rest)

    first = site.until(lambda: ":" in site.text(f"#{ids.NEXT_TICK}") and seconds())
    site.until(lambda: seconds() != first)


# ---- the map


def tiles(site: Site) -> list[str]:
    return list(
        site.script("return [...document.querySelectorAll('.tile')].map(one => one.getAttribute('aria-label'))")
    )


def test_the_map_is_loaded_when_it_is_opened_and_folds_away(site: Site):
    site.open("/")
    Table(site).wait()
    loaded = "return performance.getEntriesByType('resource').filter(e => e.name.includes('d3-hierarchy')).length"
    assert site.script(loaded) == 0

    site.click(f"#{ids.RANKING_VIEW} .form-check:nth-child(2) label")
    site.until(lambda: len(tiles(site)) == 5)  # not the delisted one
    assert site.script(loaded) == 1
    assert not site.script(f"return document.getElementById('{ids.RANKING_TABLE}').checkVisibility()")
    assert query(site) == {"view": "map"}
    site.click(f"#{ids.RANKING_VIEW} .form-check:nth-child(1) label")
    site.until(lambda: not site.script(f"return document.getElementById('{ids.RANKING_MAP}').checkVisibility()"))
    assert site.console() == []


def test_tiles_are_sized_coloured_and_filtered_as_chosen_and_follow_the_prices(site: Site, reader: FakeReader):
    site.open("/?view=map")
    site.until(lambda: len(tiles(site)) == 5)
    assert tiles(site)[:2] == ["ETH/BTC kraken, +3.00 %", "USDT/USD kraken, 0.00 %"]
    area = (
        "const box = document.querySelector(`[data-id='${arguments[0]}']`); return box.offsetWidth * box.offsetHeight"
    )
    assert site.script(area, "3") > site.script(area, "2") > site.script(area, "4")

    choose(site, ids.MAP_SIZE, "Volatility")
    choose(site, ids.MAP_COLOUR, "Volatility")
    site.until(lambda: tiles(site)[:2] == ["SOL/USDT okx, 4.00 %", "ETH/USD okx, 2.00 %"])
    strength = "return document.querySelector(`[data-id='${arguments[0]}']`).style.getPropertyValue('--strength')"
    assert (site.script(strength, "4"), site.script(strength, "2")) == ("80%", "40%")  # of a scale to 5 %

    first, *others = reader.metrics
    reader.put(replace(first, volatility=0.05), *others)
    site.until(lambda: tiles(site)[0] == "BTC/USD kraken, 5.00 %")
    choose(site, ids.FILTER_MARKET, "okx")
    site.until(lambda: len(tiles(site)) == 2)


def test_a_tile_shows_its_figures_and_opens_its_metric(site: Site):
    site.open("/?view=map")
    site.until(lambda: len(tiles(site)) == 5)

    site.script("document.querySelector('.tile').focus()")
    site.shows(f"#{ids.MAP_TIP}", "ETH/BTC")
    assert "Turnover\n12.00 M" in site.text(f"#{ids.MAP_TIP}")
    site.press(Keys.ARROW_RIGHT)
    site.shows(f"#{ids.MAP_TIP}", "USDT/USD")
    site.press(Keys.ENTER)
    site.arrives_at("/metric/5")


def test_a_phone_has_no_room_for_a_tiles_figures(phone: Site):
    phone.open("/?view=map")
    phone.until(lambda: len(tiles(phone)) == 5)

    phone.script("document.querySelector('.tile').focus()")

    assert phone.script("return getComputedStyle(document.getElementById(arguments[0])).display", ids.MAP_TIP) == "none"
    assert phone.console() == []


def test_of_many_metrics_the_largest_are_shown_and_the_rest_are_counted(site: Site, reader: FakeReader):
    reader.metrics = tuple(
        builders.ranked_metric(number, base=f"C{number}", volume_24h=None if number > 990 else 1.0 * number)
        for number in range(1, 1001)
    )
    site.open("/?view=map")

    shown = site.until(lambda: len(tiles(site)))
    assert 100 < shown <= 300
    assert tiles(site)[0].startswith("C990/USD")
    site.shows(f"#{ids.MAP_NOTE}", f"The largest {shown}; {990 - shown} more not shown, 10 without a size")


def test_on_a_phone_the_filters_are_in_a_drawer(phone: Site):
    phone.open("/?market=kraken")
    Table(phone).wait()
    assert phone.text(f"#{ids.FILTER_COUNT}") == "1"
    assert not phone.script(f"return document.getElementById('{ids.FILTER_QUOTE}').checkVisibility()")

    phone.click(f"#{ids.FILTERS_OPEN}")
    phone.until(lambda: phone.script(f"return document.getElementById('{ids.FILTER_QUOTE}').checkVisibility()"))
    choose(phone, ids.FILTER_QUOTE, "BTC")
    phone.until(lambda: pairs(phone) == ["ETH/BTC"])
    assert phone.script("return document.documentElement.scrollWidth") <= 390
