"""The metric's chart: growth, candles and panels, downloads, and links to the neighbours in rank."""

import base64
import csv
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from layouts import ids
from services.market.types import Series
from tests import builders
from tests.browser.conftest import Server
from tests.browser.pages import CHART, Chart, Site
from tests.fakes import FakeReader
from tests.waiting import wait_for

TRACES = f"""return {CHART}.data.map(trace => ['x', 'y', 'open', 'high', 'low', 'close', 'text', 'customdata']
    .map(name => (trace[name] || []).slice()))"""

SPANS_SHOWN = ("1 h", "6 h", "24 h", "7 d")
KINDS_SHOWN = ("Line", "Candles")
ASK_NOW = "dash_clientside.set_props(arguments[0], {n_intervals: -Date.now()})"


@pytest.fixture
def volumes(reader: FakeReader) -> FakeReader:
    reader.volume_series[1] = builders.series([5_000.0 + minute for minute in range(1440)])
    return reader


def tick(server: Server, price: float) -> None:
    """Adds the price of the next minute."""
    reader = server.reader
    server.now += timedelta(minutes=1)
    for stored, value in ((reader.price_series, price), (reader.volume_series, 7_000.0)):
        old = stored.get(1, builders.series([]))
        stored[1] = Series(
            np.append(old.times, int(server.now.timestamp())), np.append(old.values, value), np.append(old.widths, 60)
        )
    first, *others = reader.metrics
    reader.put(replace(first, price=price, updated_at=server.now), *others)


def draw_as(site: Site, kind: str) -> None:
    site.click(f"#{ids.METRIC_KIND} .form-check:nth-child({KINDS_SHOWN.index(kind) + 1}) label")


def watch_requests(site: Site) -> None:
    """Records the bytes of every answer to a callback, and whether it has a whole figure."""
    site.script("""window.answers = []; const ask = window.fetch;
        window.fetch = async (...given) => {
            const answer = await ask(...given);
            const address = String(given[0].url || given[0]);
            if (address.includes('_dash-update')) answer.clone().text().then(text => answers.push(text));
            return answer; }""")


def draw(site: Site, span: str, kind: str) -> None:
    """Opens this view of the chart, and waits for it."""
    for choice, number in (
        (ids.METRIC_SPAN, SPANS_SHOWN.index(span) + 1),
        (ids.METRIC_KIND, KINDS_SHOWN.index(kind) + 1),
    ):
        site.click(f"#{choice} .form-check:nth-child({number}) label")
    hours = {"1 h": 1, "6 h": 6, "24 h": 24, "7 d": 168}[span]
    shown = f"return ({CHART}?.layout?.meta?.view || '').startsWith('1 {hours} {kind.lower()} ')"
    site.until(lambda: site.script(shown))


@pytest.mark.usefixtures("volumes")
def test_a_chart_that_has_grown_equals_one_that_is_drawn_anew(site: Site, server: Server):
    """Grown by one price, by those that complete bars and an hour, and by the first of the next bars."""
    site.open("/metric/1")
    Chart(site).wait()
    for span in ("1 h", "24 h", "7 d"):
        for kind in KINDS_SHOWN:
            draw(site, span, kind)
            for minutes in (1, 59 - server.now.minute, 2):
                for minute in range(minutes):
                    tick(server, 61_000.0 + 10 * minute)
                site.script(ASK_NOW, ids.POLL)
                site.until(lambda: site.script(f"return {CHART}.layout.meta.revision") == server.reader.state.revision)
            grown = site.script(TRACES)

            draw(site, "6 h", kind)
            draw(site, span, kind)

            assert grown == site.script(TRACES), (span, kind)
            assert [len(trace[0]) > 0 for trace in grown[:3]] == [kind == "Line", True, True]
    assert site.console() == []


@pytest.mark.usefixtures("volumes")
def test_the_update_of_a_new_price_is_small_and_has_no_old_points(site: Site, server: Server):
    site.open("/metric/1")
    Chart(site).wait()
    watch_requests(site)

    tick(server, 61_234.5)

    (answer,) = site.until(lambda: site.script("return answers"))
    update = json.loads(answer)["response"][ids.METRIC_UPDATE]["data"]
    assert len(json.dumps(update)) < 2_500
    assert ids.METRIC_CHART not in answer
    site.until(lambda: Chart(site).last_price() == 61_234.5)


def test_a_history_that_is_filled_in_appears_in_the_open_chart(site: Site, reader: FakeReader):
    whole = reader.price_series[1]
    present = np.r_[0:600, 900:1440]
    reader.price_series[1] = Series(whole.times[present], whole.values[present], whole.widths[present])
    site.open("/metric/1")
    chart = Chart(site).wait()
    assert chart.points() == 1141

    reader.price_series[1] = whole
    reader.put(*reader.metrics)

    site.until(lambda: chart.points() == 1440)


def test_a_late_update_of_another_span_is_not_drawn(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    late = site.script(f"return {CHART}.layout.meta")
    chart.choose("1 h")
    before = site.script(TRACES)

    late["revision"] += 5
    columns = {"x": ["2026-03-01T13:01:00"], "y": [1.0]}
    traces = [{"columns": columns, "look": {}}] * 8
    site.script(
        "window.dash_clientside.set_props(arguments[0], {data: arguments[1]})",
        ids.METRIC_UPDATE,
        {"meta": late, "from": None, "traces": traces},
    )

    site.until(lambda: site.script(f"return {CHART}.data[0].x[0]") == "2026-03-01T11:01:00")
    assert site.script(TRACES) == before


def test_a_pan_and_a_hidden_line_survive_updates(site: Site, server: Server):
    site.open("/metric/1")
    chart = Chart(site).wait()
    pan = f"return Plotly.relayout({CHART}, {{'xaxis.range': ['2026-03-01T06:00:00', '2026-03-01T09:00:00']}})"
    site.script(pan)
    site.script(f"return Plotly.restyle({CHART}, {{visible: 'legendonly'}}, [1])")
    held = chart.range()

    tick(server, 99_000.0)
    site.until(lambda: chart.last_price() == 99_000.0)

    assert chart.range() == held
    assert site.script(f"return {CHART}.data[1].visible") == "legendonly"


@pytest.mark.usefixtures("volumes")
def test_candles_volumes_and_volatility_are_drawn(site: Site):
    site.open("/metric/1")
    Chart(site).wait()
    draw_as(site, "Candles")

    site.until(lambda: site.script(f"return {CHART}.querySelectorAll('.boxlayer .trace path').length") >= 90)
    assert site.script(f"return {CHART}.querySelectorAll('.barlayer .point').length") == 96
    assert site.script(f"return {CHART}.querySelectorAll('.scatterlayer .js-line').length") >= 2
    site.until(lambda: "Candles of 15 min" in Chart(site).legend())
    captions = site.script(f"return [...{CHART}.querySelectorAll('.annotation-text')].map(text => text.textContent)")
    assert captions == ["24 h volume", "Volatility: standard deviation / mean of 1 h"]
    assert site.console() == []


def test_the_mouse_has_a_crosshair(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    surface = site.script(f"return {CHART}.querySelector('.nsewdrag')")

    ActionChains(site.browser).move_to_element(surface).perform()

    lines = f"""return [...{CHART}.querySelectorAll('.spikeline')].filter(line => line.getAttribute('stroke-dasharray'))
        .map(line => line.getAttribute('x1') === line.getAttribute('x2'))"""
    site.until(lambda: sorted(site.script(lines)) == [False, True])
    assert chart.points() == 1440


def downloads_to(site: Site, folder: Path) -> None:
    site.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})


def test_the_shown_span_is_downloaded_as_csv(site: Site, tmp_path: Path):
    downloads_to(site, tmp_path)
    site.open("/metric/1")
    Chart(site).wait().choose("1 h")

    site.click(f"#{ids.METRIC_CSV}")

    file = tmp_path / "okx-BTC-USD-1h.csv"
    wait_for(file.exists, what="the download")
    text = file.read_text()
    assert text[0] == "\ufeff"
    rows = list(csv.DictReader(text[1:].splitlines()))
    assert len(rows) == 60
    assert rows[-1] == {"time": "2026-03-01T12:00:00Z", "price": "65900.0", "width_seconds": "60"}


@pytest.mark.parametrize(("theme", "corner"), [("light", [255, 255, 255, 255]), ("dark", [21, 27, 39, 255])])
def test_the_chart_is_downloaded_as_a_picture_in_the_pages_theme(site: Site, tmp_path: Path, theme: str, corner: list):
    downloads_to(site, tmp_path)
    site.open("/metric/1")
    Chart(site).wait()
    site.script("document.documentElement.dataset.bsTheme = arguments[0]", theme)

    site.click(f"#{ids.METRIC_PNG}")

    file = tmp_path / "BTC-USD-okx-24-h.png"
    wait_for(file.exists, what="the download")
    wait_for(lambda: file.read_bytes().endswith(b"IEND\xaeB`\x82"), what="the whole picture")
    site.browser.set_script_timeout(10)
    drawn = site.browser.execute_async_script(
        """const [address, done] = arguments; const image = new Image();
        image.onload = () => { const canvas = document.createElement('canvas');
            canvas.width = image.width; canvas.height = image.height;
            const pen = canvas.getContext('2d', { willReadFrequently: true });
            pen.drawImage(image, 0, 0);
            done([image.width, [...pen.getImageData(2, 2, 1, 1).data], [...pen.getImageData(2, 300, 1, 1).data]]); };
        image.src = 'data:image/png;base64,' + address;""",
        base64.b64encode(file.read_bytes()).decode(),
    )
    assert drawn[0] > 1_500
    assert drawn[1:] == [corner, corner]
    assert site.console() == []


def test_arrow_keys_and_buttons_lead_to_the_neighbours_in_rank(site: Site):
    site.open("/metric/2")
    Chart(site).wait()

    site.press(Keys.ARROW_RIGHT)
    site.arrives_at("/metric/3")
    site.shows("h1", "C003")
    site.until(lambda: site.script(f"return {CHART}.layout.meta.view").startswith("3 "))
    site.press(Keys.ARROW_LEFT)
    site.arrives_at("/metric/2")
    site.shows("h1", "ETH")
    site.click(f"#{ids.METRIC_PREVIOUS}")
    site.arrives_at("/metric/1")
    site.shows("h1", "BTC")
    site.press(Keys.ARROW_LEFT)  # there is none before the first
    site.press(Keys.ARROW_RIGHT)
    site.arrives_at("/metric/2")
    assert site.console() == []


def test_arrow_keys_that_choose_a_span_do_not_change_the_metric(site: Site):
    site.open("/metric/2")
    Chart(site).wait()

    site.click(f"#{ids.METRIC_SPAN} .form-check:nth-child(1) label")
    site.press(Keys.ARROW_RIGHT)

    checked = f"return document.querySelector('#{ids.METRIC_SPAN} input:checked + label').textContent"
    site.until(lambda: site.script(checked) == "6 h")
    assert site.path() == "/metric/2"


def test_the_threshold_stays_as_chosen_when_the_span_changes(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    site.click(f"#{ids.METRIC_THRESHOLD}")
    site.until(lambda: site.script(f"return {CHART}.data[2].visible") is True)

    chart.choose("6 h")

    assert site.script(f"return {CHART}.data[2].visible") is True


def test_the_same_pair_elsewhere_shows_its_spread(site: Site, reader: FakeReader):
    reader.put(*reader.metrics, builders.ranked_metric(500, market="bitstamp", price=60_183.5234))
    site.open("/metric/1")

    site.shows(f"#{ids.METRIC_NEIGHBOURS}", "+0.100 %")
    site.shows(f"#{ids.METRIC_NEIGHBOURS} tbody tr:first-child", "Highest")
