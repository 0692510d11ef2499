"""The time axes of charts: positions in UTC, labels by the viewer's clock."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from layouts import ids
from tests import builders
from tests.browser.conftest import Server, size
from tests.browser.pages import CHART, Chart, Site

BERLIN = ZoneInfo("Europe/Berlin")
AFTER = datetime(2026, 10, 25, 3, 0, tzinfo=UTC)
"""In Berlin the clocks went back two hours before, from 3:00 to 2:00."""

BARE_AXIS = """
window.bare = []; (function look() {
    for (const plot of document.querySelectorAll('.js-plotly-plot')) {
        const drawn = plot.querySelector('.js-line, .point, .boxes path');
        if (drawn && !plot.querySelector('.xtick text, .xaxislayer-above text')) bare.push(plot.parentElement.id);
    }
    requestAnimationFrame(look); })();
"""
"""Records each frame in which a chart is drawn without labels on its axis."""

LABELS = """
const places = [...document.querySelectorAll(`#${arguments[0]} .xtick text`)].map(text => text.getBoundingClientRect());
const edges = places.map(place => [place.left, place.right]).sort((one, other) => one[0] - other[0]);
return edges;
"""


@pytest.fixture
def night(server: Server) -> Server:
    """A day of prices that ends two hours after the clocks went back."""
    reader, server.now = server.reader, AFTER
    reader.price_series[1] = builders.series([60_000.0 + minute for minute in range(1440)], until=AFTER)
    reader.price_series[2] = builders.series([3_000.0 + minute % 7 for minute in range(1440)], until=AFTER)
    reader.fired = (builders.alert(metric_id=1, fired_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),)
    reader.put(*(replace(row, updated_at=AFTER) for row in reader.metrics))
    return server


@pytest.fixture
def in_utc(site: Site) -> Iterator[Site]:
    site.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
    yield site
    site.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})


def axis(site: Site, chart: str = ids.METRIC_CHART) -> tuple[list[str], list[str]]:
    """The positions of the ticks, and their labels."""
    plot = f"document.querySelector('#{chart} .js-plotly-plot')"
    site.until(lambda: site.script(f"return {plot}?.layout?.xaxis.tickvals.length"))
    places, texts = site.script(f"return [{plot}.layout.xaxis.tickvals, {plot}.layout.xaxis.ticktext]")
    return places, [text.replace("<br>", " ") for text in texts]


def places_of(site: Site, selector: str) -> list[float]:
    """The distance of each point of the line at `selector` from the left, in pixels."""
    drawn = site.script("return document.querySelector(arguments[0]).getAttribute('d')", selector)
    return [float(point.split(",")[0]) for point in drawn.removeprefix("M").split("L")]


@pytest.mark.usefixtures("night")
def test_when_clocks_go_back_no_line_does_and_two_o_clock_comes_twice(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    chart.choose("6 h")

    places, texts = axis(site)
    assert places.index("2026-10-25T01:00:00") > places.index("2026-10-25T00:00:00")
    assert [texts[places.index(f"2026-10-25T0{hour}:00:00")] for hour in range(4)] == [
        "02:00",
        "02:00",
        "03:00",
        "04:00",
    ]
    line = places_of(site, f"#{ids.METRIC_CHART} .scatterlayer .js-line")
    assert len(line) > 2
    assert all(one < other for one, other in pairwise(line))
    x, labels = site.script(f"return [{CHART}.data[0].x, {CHART}.data[0].text]")
    assert x == sorted(set(x))
    assert labels[x.index("2026-10-25T00:30:00")] == labels[x.index("2026-10-25T01:30:00")] == "25 Oct 02:30"
    assert site.script(f"return {CHART}.data[3].customdata") == ["25 Oct 2026, 02:30"]
    assert site.console() == []


@pytest.mark.usefixtures("night")
def test_in_utc_each_hour_of_that_night_comes_once(in_utc: Site):
    in_utc.open("/metric/1")
    Chart(in_utc).wait().choose("6 h")

    places, texts = axis(in_utc)

    assert [text[:5] for text in texts] == [place[11:16] for place in places]
    assert len(set(texts)) == len(texts)


@pytest.mark.usefixtures("night")
def test_every_chart_shows_times_by_the_viewers_clock(site: Site):
    for path, chart in (
        ("/compare?ids=1,2&span=6", ids.COMPARE_CHART),
        ("/status", ids.STATUS_CHART),
    ):
        site.open(path)
        places, texts = axis(site, chart)
        moments = [datetime.fromisoformat(f"{place}Z") for place in places]
        clocks = [f"{moment.astimezone(BERLIN):%H:%M}" for moment in moments]
        assert [text[:5] for text in texts] == clocks, path
    assert site.console() == []


@pytest.mark.usefixtures("night")
def test_the_hover_label_shows_the_viewers_time(site: Site):
    site.open("/compare?ids=1,2&span=6")
    axis(site, ids.COMPARE_CHART)
    plot = f"document.querySelector('#{ids.COMPARE_CHART} .js-plotly-plot')"

    point = f"{plot}.data[0].x.indexOf('2026-10-25T01:30:00')"
    site.script(f"Plotly.Fx.hover({plot}, [{{curveNumber: 0, pointNumber: {point}}}])")

    labels = f"return [...{plot}.querySelectorAll('.hoverlayer text')].map(text => text.textContent).join(' ')"
    site.until(lambda: "25 Oct 02:30" in site.script(labels))
    assert "01:30" not in site.script(labels)


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_axes_always_have_labels_and_none_overlap(site: Site, width: int):
    size(site.browser, width, 900)
    page = site.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": BARE_AXIS})
    try:
        for path, chart in (("/metric/1", ids.METRIC_CHART), ("/compare?ids=1,2", ids.COMPARE_CHART)):
            site.open(path)
            _, texts = axis(site, chart)
            edges = site.until(lambda: site.script(LABELS, chart))  # noqa: B023 - asked at once
            assert len(edges) == len(texts) >= 3
            assert all(one[1] < other[0] for one, other in pairwise(edges))
            assert edges[0][0] >= 0
            assert edges[-1][1] <= width
            assert site.script("return bare") == []
    finally:
        site.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", page)


@pytest.mark.usefixtures("night")
def test_a_zoomed_range_stays_in_another_zone_and_its_labels_change(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    stretch = ["2026-10-25 00:10:00", "2026-10-25 01:50:00"]
    site.script(f"return Plotly.relayout({CHART}, {{'xaxis.range': {stretch}}})")
    site.until(lambda: axis(site)[1][0].startswith("02:"))

    site.click(f"#{ids.ZONE} .form-check:nth-child(2) label")
    site.until(lambda: site.script(f"return {CHART}.layout.meta.zone") == "UTC")

    site.until(lambda: axis(site)[1][0].startswith("00:"))
    site.until(lambda: chart.range() == stretch)
