"""Which page an address leads to. Routing is our own: dash.pages keeps a global registry of one app."""

from datetime import tzinfo
from typing import Any
from urllib.parse import unquote

from dash import ClientsideFunction, Dash, Input, Output
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks import alerting
from callbacks.compare import compared_at
from callbacks.metric import chart_with_rules, present_of, subject_of
from callbacks.shell import BROWSER
from layouts import compare, ids, metric, notation, price_chart, ranking, shell, status
from layouts.price_chart import LINE, View
from layouts.spans import FIRST_SPAN
from services.market.dependencies import Dependencies
from services.market.errors import StoreUnavailable, UnknownMetric

MAX_ID_DIGITS = 18
"""Digits of the largest metric number worth asking for."""

PAGE_SEGMENTS = frozenset({"alerting", "status", "compare", "metric"})
"""What the paths of pages begin with."""

Page = tuple[Component, str]
"""What to show, and what to call it in the browser's tab."""


def register(app: Dash, dependencies: Dependencies) -> None:
    # The browser adds its time zone to the path, so that a page is right at its first paint. When another zone is
    # chosen later, the pages that listen to `ids.ZONE_NAME` change their times and keep the rest.
    app.clientside_callback(
        ClientsideFunction(BROWSER, "view"),
        Output(ids.VIEW, "data"),
        Input(ids.LOCATION, "pathname"),
        Input(ids.RETRY, "n_intervals"),
        Input(ids.ZONE_NAME, "data"),
    )

    @app.callback(
        Output(ids.PAGE, "children"),
        Output(ids.TITLE, "data"),
        Output(ids.RETRY, "disabled"),
        Input(ids.VIEW, "data"),
    )
    def show_page(view: dict[str, Any] | None) -> tuple[Component, str, bool]:
        if view is None:
            raise PreventUpdate
        try:
            page, title = _page(view, dependencies)
        except StoreUnavailable:
            return shell.unavailable(), "", False
        return page, title, True


def _page(view: dict[str, Any], dependencies: Dependencies) -> Page:
    zone = notation.zone_named(view.get("zone"))
    return page_at(str(view.get("path") or "/"), str(view.get("search") or ""), dependencies, zone)


def page_at(path: str, search: str, dependencies: Dependencies, zone: tzinfo) -> Page:
    """The page at `path` with its query string, times in `zone`; a friendly one where nothing is.

    Raises StoreUnavailable.
    """
    reader, clock = dependencies.reader, dependencies.clock
    match path.strip("/").split("/"):
        case [""]:
            return ranking.page(reader.profile), ""
        case ["alerting"]:
            return alerting.page_at(search, dependencies, zone), "Alerts"
        case ["status"]:
            now = clock()
            return status.page(reader.status(now), reader.day(now), reader.profile, zone), "Status"
        case ["compare"]:
            return compare.page(*compared_at(search, reader, clock, zone)), "Compare"
        case ["metric", wanted]:
            return _metric_page(unquote(wanted), dependencies, zone)
        case _:
            return shell.not_found(path), "Not found"


def _metric_page(wanted: str, dependencies: Dependencies, zone: tzinfo) -> Page:
    reader, clock = dependencies.reader, dependencies.clock
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) <= MAX_ID_DIGITS
    try:
        subject = subject_of(reader, dependencies.alert_service, int(wanted) if is_number else wanted, clock())
        chart = chart_with_rules(reader, subject, clock(), FIRST_SPAN)
    except UnknownMetric:
        return metric.unknown(wanted), "Unknown metric"
    row = subject.row
    near = price_chart.threshold_is_near(chart, subject)
    figure = price_chart.price_figure(chart, View(row.id, FIRST_SPAN, LINE, zone), subject, near)
    state, present, metrics = present_of(reader, clock())
    page = metric.page(row, figure, metrics, subject.alerts, state, present, reader.profile, zone, near)
    return page, metric.tab_title(row)
