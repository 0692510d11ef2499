from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from layouts import ids
from tests import builders
from tests.browser.pages import CHART, Chart, Site
from tests.fakes import FakeReader


def add_price(reader: FakeReader, price: float) -> None:
    """Replaces the last sample and raises the revision, as a tick does."""
    series = reader.price_series[1]
    reader.price_series[1] = replace(series, values=np.append(series.values[:-1], price))
    first, *others = reader.metrics
    reader.put(replace(first, price=price), *others)


def test_a_metric_shows_its_day_and_names_its_figures(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()

    assert chart.points() == 1440
    assert site.text("h1") == "BTC/USD"
    assert "60,123.40" in site.text(f"#{ids.METRIC_HEADLINE}")
    assert "812.25" in site.text(f"#{ids.METRIC_FIGURES}")
    assert site.script(f"return {CHART}._fullLayout.xaxis.title.text") == "Time (Europe/Berlin)"
    site.until(lambda: site.browser.title == "60,123.40 BTC/USD · Data Tracker")


def test_a_metric_that_stops_trading_says_why_while_one_looks(site: Site, reader: FakeReader):
    first, *others = reader.metrics
    reader.put(replace(first, new_at=builders.NOON), *others)
    site.open("/metric/1")
    site.shows(f"#{ids.METRIC_HEADLINE} .chip.is-new", "New")

    reader.put(*others, replace(first, rank=None, active=False, reason="halted"))

    site.shows(f"#{ids.METRIC_HEADLINE} .chip.is-warning", "Halted")
    site.lacks(f"#{ids.METRIC_HEADLINE}", "New")


def test_a_metric_is_found_by_its_key_too(site: Site):
    site.open("/metric/okx:btc-usd")

    site.shows("h1", "BTC/USD")


def test_an_unknown_metric_gets_a_friendly_page(site: Site):
    site.open("/metric/kraken:NO-SUCH")

    site.shows("h2", "This metric is not tracked")
    site.shows("code", "kraken:NO-SUCH")
    site.click(f"#{ids.PAGE} .button")
    site.arrives_at("/")


def test_the_open_metric_follows_by_itself(site: Site, reader: FakeReader):
    site.open("/metric/1")
    chart = Chart(site).wait()

    add_price(reader, 61_234.5)

    site.until(lambda: chart.last_price() == 61_234.5)
    site.shows(f"#{ids.METRIC_HEADLINE}", "61,234.50")
    site.until(lambda: site.browser.title.startswith("61,234.50"))


def test_a_zoom_by_the_mouse_survives_updates(site: Site, reader: FakeReader):
    site.open("/metric/1")
    chart = Chart(site).wait()
    whole = chart.range()
    chart.drag()
    zoomed = site.until(lambda: chart.range() != whole and chart.range())

    for price in (61_000.0, 62_000.0):
        add_price(reader, price)
        site.until(lambda price=price: chart.last_price() == price)

    assert chart.range() == zoomed


def test_an_unzoomed_chart_grows_with_its_data(site: Site, reader: FakeReader):
    site.open("/metric/1")
    chart = Chart(site).wait()

    add_price(reader, 99_000.0)

    site.until(lambda: chart.last_price() == 99_000.0)
    site.until(lambda: chart.range("yaxis")[1] > 99_000)


def test_a_range_button_shows_that_range_and_updates_keep_it(site: Site, reader: FakeReader):
    site.open("/metric/1")
    chart = Chart(site).wait()

    chart.choose("1 h")
    assert chart.points() == 60
    add_price(reader, 61_000.0)

    site.until(lambda: chart.last_price() == 61_000.0)
    assert chart.points() == 60


@pytest.fixture
def month(reader: FakeReader) -> FakeReader:
    """The first metric has forty days of history, with a price every ten minutes."""
    swing = np.sin(np.arange(6 * 24 * 40) / 60)
    reader.price_series[1] = builders.series((60_000 + 1000 * swing).tolist(), step=600, width=600)
    return reader


@pytest.mark.usefixtures("month")
@pytest.mark.parametrize(("span", "hours", "share"), [("7 d", 168, 1.0), ("30 d", 720, 1.0), ("1 y", 960, 40 / 365)])
def test_a_span_beyond_a_day_shows_hourly_points_before_their_range(site: Site, span: str, hours: int, share: float):
    site.open("/metric/1")
    chart = Chart(site).wait()
    assert chart.points() == 144
    site.until(lambda: chart.legend() == ["Price", "1 h average"])

    chart.choose(span)

    assert chart.points() == hours + 1
    times = site.script(f"return {CHART}.data[0].x.map(x => new Date(x + 'Z').getTime())")
    assert set(np.diff(times)) == {3_600_000}
    site.until(lambda: chart.legend() == ["Hourly close", "Low to high", "1 h average"])
    width, whole = site.script(
        f"return [{CHART}.querySelector('.js-fill').getBBox().width, {CHART}._fullLayout.xaxis._length]"
    )
    assert whole > 700
    assert width / whole == pytest.approx(share, abs=0.02)
    begins = f"return {CHART}.querySelector('.annotation:last-child').textContent.startsWith('History begins 20 Jan ')"
    assert site.script(begins) is (span == "1 y")
    assert site.console() == []


def test_a_zoom_into_a_month_survives_updates_that_move_the_running_hour(site: Site, month: FakeReader):
    site.open("/metric/1")
    chart = Chart(site).wait()
    chart.choose("30 d")
    whole = chart.range()
    chart.drag()
    zoomed = site.until(lambda: chart.range() != whole and chart.range())

    for price in (61_000.0, 99_000.0):
        add_price(month, price)
        site.until(lambda price=price: chart.last_price() == price)

    assert chart.range() == zoomed
    assert chart.points() == 721
    assert site.script(f"return Math.max(...{CHART}.data[4].y)") == 99_000
    assert site.console() == []


def test_a_day_after_a_month_is_drawn_by_sample_again(site: Site, month: FakeReader):
    site.open("/metric/1")
    chart = Chart(site).wait()
    chart.choose("30 d")
    chart.choose("24 h")
    assert chart.points() == 144

    add_price(month, 61_000.0)

    site.until(lambda: chart.last_price() == 61_000.0)
    assert site.script(f"return {CHART}.data.slice(0, 5).map(trace => trace.y.length)") == [144, 144, 144, 0, 0]


def test_missing_hours_are_a_gap_in_the_line_and_in_its_band(site: Site, month: FakeReader):
    series = month.price_series[1]
    present = np.r_[0:4000, 4600 : len(series.times)]
    month.price_series[1] = replace(
        series, times=series.times[present], values=series.values[present], widths=series.widths[present]
    )
    site.open("/metric/1")
    chart = Chart(site).wait()
    chart.choose("30 d")

    site.until(lambda: chart.lines() == 2)
    rings = site.script(f"return {CHART}.data[4].x.join().split(',,').filter(Boolean).map(ring => ring.split(','))")
    ends = [(ring[0], ring[len(ring) // 2]) for ring in rings]  # a ring returns to its begin
    apart = [before[1] != after[0] for before, after in pairwise(ends)]
    assert apart.count(True) == 1


def test_earlier_alerts_are_marked_among_hourly_points(site: Site, month: FakeReader):
    month.fired = (builders.alert(1), builders.alert(2, fired_at=builders.NOON - timedelta(days=20)))
    site.open("/metric/1")
    chart = Chart(site).wait()
    markers = f"return {CHART}.querySelectorAll('.scatterlayer .point').length"
    site.until(lambda: site.script(markers) == 1)

    chart.choose("30 d")

    site.until(lambda: site.script(markers) == 2)


@pytest.mark.usefixtures("month")
def test_a_phone_has_room_for_all_spans(phone: Site):
    phone.open("/metric/1")
    chart = Chart(phone).wait()
    boxes = phone.script(
        f"""return [...document.querySelectorAll('#{ids.METRIC_SPAN} label')]
        .map(label => label.getBoundingClientRect()).map(box => [box.left, box.right, box.top, box.height])"""
    )
    assert len(boxes) == 6
    assert len({top for _, _, top, _ in boxes}) == 1
    assert all(left >= 16 and right <= 374 and height >= 28 for left, right, _, height in boxes)

    chart.choose("1 y")

    assert phone.script("return document.documentElement.scrollWidth") <= 390


def test_a_phone_has_room_for_the_text_of_alerts(phone: Site, reader: FakeReader):
    condition = "24 h volume is above 12.5 times its average of 24 h"
    reader.fired = (builders.alert(1, rule_id=1, rule="Large volumes of anything", condition=condition, average=None),)
    phone.open("/metric/1")
    Chart(phone).wait()
    phone.shows(f"#{ids.METRIC_ALERTS}", condition)

    cells = phone.script(
        f"""return [...document.querySelectorAll('#{ids.METRIC_ALERTS} td')].filter(cell => cell.checkVisibility())
        .map(cell => [cell.getBoundingClientRect().left, cell.getBoundingClientRect().right, cell.innerText])"""
    )
    assert len(cells) == 5
    assert [text for left, right, text in cells if left < 16 or right > 374] == []
    why = f"return document.querySelector('#{ids.METRIC_ALERTS} .alert-why').clientHeight"
    assert phone.script(why) < 60  # not one word in each line


def test_the_threshold_is_there_when_asked_for(site: Site):
    site.open("/metric/1")
    chart = Chart(site).wait()
    assert chart.range("yaxis")[1] < 100_000

    site.click(f"#{ids.METRIC_THRESHOLD}")

    site.until(lambda: chart.range("yaxis")[1] > 180_000)


def test_a_gap_in_the_history_is_a_gap_in_the_line(site: Site, reader: FakeReader):
    series = reader.price_series[1]
    present = np.r_[0:600, 720:1440]
    reader.price_series[1] = replace(
        series, times=series.times[present], values=series.values[present], widths=series.widths[present]
    )
    site.open("/metric/1")
    chart = Chart(site).wait()

    assert site.script(f"return {CHART}.data[0].y.indexOf(null)") == 600
    assert chart.lines() == 2


def test_neighbours_lead_to_the_same_base_elsewhere(site: Site, reader: FakeReader):
    reader.put(*reader.metrics, builders.ranked_metric(500, market="bitstamp", price=60_200.0))
    site.open("/metric/1")

    site.shows(f"#{ids.METRIC_NEIGHBOURS}", "bitstamp")
    site.shows(f"#{ids.METRIC_NEIGHBOURS}", "60,200.00")
    site.click(f"#{ids.METRIC_NEIGHBOURS} a")

    site.arrives_at("/metric/500")
    site.shows(f"#{ids.METRIC_HEADLINE}", "bitstamp")


def test_fired_alerts_are_listed(site: Site, reader: FakeReader):
    reader.fired = (builders.alert(),)
    site.open("/metric/1")

    site.shows(f"#{ids.PAGE} table", "1 Mar 2026, 12:55")
    site.shows(f"#{ids.PAGE} table", "3.2\N{MULTIPLICATION SIGN}")
