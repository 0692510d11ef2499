from dataclasses import replace

from layouts import ids
from tests import builders
from tests.browser.pages import Site
from tests.browser.paths import wait_for_page
from tests.fakes import FakeReader

CHART = f"document.querySelector('#{ids.STATUS_CHART} .js-plotly-plot')"


def test_the_day_is_drawn_with_missed_ticks(site: Site, reader: FakeReader) -> None:
    reader.today = builders.eventful_day()
    site.open("/status")
    wait_for_page(site)

    assert site.script(f"return {CHART}.data.map(trace => trace.x.length)") == [96, 96, 3, 1]
    site.shows(f"#{ids.STATUS_OVERVIEW} .glance", "23")
    for text in ("SOL/USD", "XMR/EUR", "Delisted"):
        site.shows(f"#{ids.STATUS_LISTINGS}", text)


def test_the_open_status_page_is_updated(site: Site, reader: FakeReader) -> None:
    site.open("/status")
    wait_for_page(site)
    site.shows(f"#{ids.STATUS_OVERVIEW}", "Answering")

    failing = builders.exchange_state("okx", failing_since=builders.NOON, error="timed out after 10 s", permitted=9.1)
    reader.state = replace(reader.state, exchanges=(failing,), holder="box:4711:0a1b", revision=8)
    reader.today = builders.eventful_day()

    site.shows(f"#{ids.STATUS_OVERVIEW}", "timed out after 10 s")
    site.shows(f"#{ids.STATUS_OVERVIEW}", "9.1 a second")
    site.shows(f"#{ids.STATUS_TICKS}", "box, process 4711")
    site.until(lambda: site.script(f"return {CHART}.data[2].x.length") == 3)
