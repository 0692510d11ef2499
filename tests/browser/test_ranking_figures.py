"""No figure is cut, whatever the prices, the names, the window and the columns."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from layouts import ids, notation
from services.market.ranking import RankedMetric
from tests import builders
from tests.browser.conftest import Server, size
from tests.browser.pages import GRID, Site, Table
from tests.fakes import FakeAlertService, FakeReader

NAMES = ("BTC/USD", "1000000BABYDOGE/USDT", "WIFHATONCATS/EUR", "AVAX/USDT", "1000CHEEMS/FDUSD", "NEAR/BTC")
RISES = (4.0272, -0.9999, 0.0001, 99_999.0, 9.9999, 1e30)


def hostile() -> tuple[RankedMetric, ...]:
    """One metric for each power of ten from 1e-18 to 1e12 and more, with the longest figures."""
    return tuple(
        builders.ranked_metric(
            number,
            base=NAMES[number % len(NAMES)].split("/")[0],
            quote=NAMES[number % len(NAMES)].split("/")[1],
            market=("kraken", "binanceus", "coinbaseexchange")[number % 3],
            rank=number,
            rank_1h_ago=1 if number % 2 else 99_999,
            price=digits * 10.0**power,
            stdev=digits * 10.0 ** (power - 3),
            high_24h=digits * 10.0 ** (power + 1),
            low_24h=digits * 10.0 ** (power - 1),
            change_1h=RISES[number % len(RISES)],
            change_24h=RISES[(number + 1) % len(RISES)],
            volatility=abs(RISES[number % len(RISES)]),
            log_volatility=abs(RISES[(number + 2) % len(RISES)]),
            range_1h=abs(RISES[(number + 3) % len(RISES)]),
            range_24h=abs(RISES[(number + 4) % len(RISES)]),
            volume_24h=digits * 10.0 ** (12 - power),
            alerted_at=builders.NOON - timedelta(seconds=number),
            active=number % 7 != 0,
            reason=None if number % 7 else "delisted",
        )
        for number, (power, digits) in enumerate(
            ((power, digits) for power in range(-18, 13) for digits in (1.0, 9.9999999)), start=1
        )
    )


WRITERS: dict[str, Callable[[RankedMetric], str]] = {
    "price": lambda row: notation.price(row.price),
    "stdev": lambda row: notation.price(row.stdev),
    "high_24h": lambda row: notation.price(row.high_24h),
    "low_24h": lambda row: notation.price(row.low_24h),
    "change_1h": lambda row: notation.change(row.change_1h),
    "change_24h": lambda row: notation.change(row.change_24h),
    "volatility": lambda row: notation.share(row.volatility),
    "log_volatility": lambda row: notation.share(row.log_volatility),
    "range_1h": lambda row: notation.share(row.range_1h),
    "range_24h": lambda row: notation.share(row.range_24h),
    "volume": lambda row: notation.amount(row.volume_24h),
}

# The text of every cell and header of the table while it is scrolled, and whether the text is cut.
LOOK = """
const grid = %(grid)s, root = document.getElementById(arguments[0]), done = arguments[1];
const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
function isCut(box) {
    const style = getComputedStyle(box), frame = box.getBoundingClientRect(), range = document.createRange();
    const left = frame.left + parseFloat(style.paddingLeft), right = frame.right - parseFloat(style.paddingRight);
    const walk = document.createTreeWalker(box, NodeFilter.SHOW_TEXT), texts = [];
    while (walk.nextNode()) {
        range.selectNodeContents(walk.currentNode);
        if (!walk.currentNode.parentElement.matches('.under-market')) texts.push(range.getBoundingClientRect());
    }
    const parts = [box, ...box.querySelectorAll('*')].filter(one => one.clientWidth && !one.matches('.under-market'));
    return texts.some(text => text.left < left - 1 || text.right > right + 1)
        || parts.some(one => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 2);
}
(async () => {
    const cells = {}, headers = {};
    const columns = grid.getAllDisplayedColumns().map(column => column.getColId());
    for (const column of columns) {
        grid.ensureColumnVisible(column);
        for (let index = 0; index < grid.getDisplayedRowCount(); index += 8) {
            grid.ensureIndexVisible(index, 'top');
            await frame();
            for (const cell of root.querySelectorAll('.ag-cell')) {
                const [row, name] = [cell.closest('[row-id]').getAttribute('row-id'), cell.getAttribute('col-id')];
                if (name === 'star' || name === 'spark') continue;
                cells[row + ' ' + name] = [cell.innerText, cell.innerText !== '' && isCut(cell)];
            }
        }
        for (const header of root.querySelectorAll('.ag-header-cell')) {
            const text = header.querySelector('.ag-header-cell-text');
            if (text.innerText) headers[header.getAttribute('col-id')] = text.scrollWidth > text.clientWidth;
        }
    }
    done({columns, cells, headers});
})();
""" % {"grid": GRID}  # noqa: UP031 - a script has braces of its own


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(metrics=hostile())


@pytest.mark.parametrize("all_columns", [False, True], ids=["usual columns", "all columns"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_figure_is_cut_from_a_price_of_1e_18_to_1e12(
    site: Site, reader: FakeReader, width: int, all_columns: bool
) -> None:
    size(site.browser, width, 900)
    site.open("/")
    Table(site).wait()
    if all_columns:
        every = f"{GRID}.getColumns().map(column => column.getColId())"
        site.script(f"trackerRanking.changeView({{columns: {every}}})")
        site.until(lambda: len(Table(site).columns()) == site.script(f"return {GRID}.getColumns().length"))
    site.browser.set_script_timeout(60)

    found = site.browser.execute_async_script(LOOK, ids.RANKING_TABLE)

    rows = {str(row.id): row for row in reader.metrics}
    seen = {tuple(key.split(" ")): text for key, text in found["cells"].items()}
    assert len(seen) == len(rows) * len([name for name in found["columns"] if name not in ("star", "spark")])
    assert {key: text for key, (text, is_cut) in seen.items() if is_cut} == {}
    assert {name for name, is_cut in found["headers"].items() if is_cut} == set()
    for (number, column), (text, _) in seen.items():
        if column in WRITERS:
            assert text == WRITERS[column](rows[number]), (rows[number].pair, column)
        if column == "pair":
            assert text.split("\n")[0] == str(rows[number].pair)


NO_FIGURES = (
    "svg, .ag-root-wrapper, option, .visually-hidden, .alert-pair, .rank-link, .tile b"  # names may have digits too
)

# Texts with a digit that are cut or end with an ellipsis. Charts are tested elsewhere.
LOOK_AT_PAGE = """
const cut = [], walk = document.createTreeWalker(document.querySelector('.shell'), NodeFilter.SHOW_TEXT);
const range = document.createRange();
while (walk.nextNode()) {
    const node = walk.currentNode, inside = node.parentElement;
    if (!/\\d/.test(node.data) || !inside.checkVisibility() || inside.closest(arguments[0])) continue;
    let block = inside;
    while (getComputedStyle(block).display === 'inline') block = block.parentElement;
    range.selectNodeContents(node);
    const text = range.getBoundingClientRect(), room = block.getBoundingClientRect();
    const isOver = block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight + 2;
    const isHidden = getComputedStyle(block).overflowX === 'hidden' && isOver;
    if (isHidden || text.left < room.left - 1 || text.right > room.right + 1)
        cut.push(node.data + ' in ' + block.className);
}
return cut;
"""


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_figure_is_cut_on_the_other_pages(site: Site, server: Server, reader: FakeReader, width: int) -> None:
    size(site.browser, width, 900)
    ends = (reader.metrics[0], reader.metrics[1], reader.metrics[41], reader.metrics[-1])
    assert isinstance(server.alert_service, FakeAlertService)
    for number, row in enumerate(ends, start=1):
        assert row.price is not None
        fired = builders.alert(
            number, metric_id=row.id, market=row.market, base=row.base, quote=row.quote, price=row.price
        )
        server.alert_service.fired[number] = replace(fired, average=row.price * 10.0 ** (-9 * number))
    reader.fired = tuple(server.alert_service.fired.values())
    for row in ends:
        reader.price_series[row.id] = builders.series([row.price or 1.0] * 60)

    for path, text in (
        *((f"/metric/{row.id}", notation.price(row.price)) for row in ends),
        ("/compare?ids=" + ",".join(str(row.id) for row in ends), notation.price(ends[0].price)),
        ("/alerting", notation.price(ends[0].price)),
        ("/", "1 Mar"),  # the tile of a last tick that is not today's
        ("/?view=map&size=equal", "1 Mar"),
    ):
        site.open(path)
        site.shows(f"#{ids.PAGE}", text)
        assert site.script(LOOK_AT_PAGE, NO_FIGURES) == [], path


def test_the_tiles_of_the_map_have_room_for_their_figures(site: Site) -> None:
    site.open("/?view=map&size=equal")
    site.until(lambda: site.script("return document.querySelectorAll('.tile').length") > 20)

    inside = """[...document.querySelectorAll('.tile span')].filter(figure => figure.textContent).every(figure => {
        const text = figure.getBoundingClientRect(), tile = figure.parentElement.getBoundingClientRect();
        return text.left >= tile.left && text.right <= tile.right && text.bottom <= tile.bottom;
    })"""
    assert site.script(f"return {inside}")
