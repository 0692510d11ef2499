"""The list of all pages, over which what holds for every page is tested."""

from layouts import ids
from tests.browser.pages import Chart, Site, Table

COMPARISON = "/compare?ids=1,2"

RULES = "/alerting?tab=rules"
RULE = "/alerting?tab=rules&edit=new&template=pumps&scope=okx:*"
DELIVERIES = "/alerting?tab=deliveries"

PATHS = (
    "/",
    "/metric/1",
    COMPARISON,
    "/compare",
    "/alerting",
    RULES,
    RULE,
    DELIVERIES,
    "/status",
    "/nowhere",
    "/metric/77",
)
"""The dashboard's pages; the last two are not found."""

DOCUMENTATION = "/docs"
"""Not a page of the dashboard: it has neither header nor poller."""


def wait_for_page(site: Site) -> None:
    """Waits for the page, and for its table or chart if it has one."""
    site.until(lambda: site.script(f"return !document.querySelector('#{ids.PAGE} > .skeleton')"))
    if site.path() == "/":
        Table(site).wait()
    elif site.path() == "/metric/1":
        Chart(site).wait()
    elif site.path() == "/compare" and site.script("return location.search"):
        drawn = f"return !!document.querySelector('#{ids.COMPARE_CHART} .js-plotly-plot .scatterlayer')"
        site.until(lambda: site.script(drawn))
    elif site.path() == DOCUMENTATION:
        site.shows("#docs .opblock", "/metrics")
    elif site.path() == "/status":
        drawn = f"return !!document.querySelector('#{ids.STATUS_CHART} .js-plotly-plot .point')"
        site.until(lambda: site.script(drawn))
