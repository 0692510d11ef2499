"""Every page of the dashboard, in one place: what all of them have to keep is tested over this list."""

from layouts import ids
from tests.browser.pages import Chart, Site, Table

PATHS = ("/", "/metric/1", "/alerting", "/status", "/nowhere", "/metric/77")
"""A line a page; the last two are those that find nothing."""


def wait_for_page(site: Site) -> None:
    """Until the page is there, with its table or its chart where it has one."""
    site.until(lambda: site.script(f"return !document.querySelector('#{ids.PAGE} > .skeleton')"))
    if site.path() == "/":
        Table(site).wait()
    elif site.path() == "/metric/1":
        Chart(site).wait()
    elif site.path() == "/status":
        drawn = f"return !!document.querySelector('#{ids.STATUS_CHART} .js-plotly-plot .point')"
        site.until(lambda: site.script(drawn))
