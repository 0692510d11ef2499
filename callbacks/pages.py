"""Routing of addresses to pages. It is our own, because dash.pages has one global registry."""

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
from services.market.text import number_or_key

PAGE_SEGMENTS = frozenset({"alerting", "status", "compare", "metric"})
"""The first segments of the paths of pages."""

Page = tuple[Component, str]
"""The page, and the title of the browser's tab."""


def register(app: Dash, dependencies: Dependencies) -> None:
    # The browser sends its time zone with the path, so that the first paint has the right times. When the user selects
    # another zone, the pages that listen to `ids.ZONE_NAME` update their times and keep the rest.
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
    """The page at `path` with its query string, with times in `zone`; a friendly one if there is none.

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
    try:
        subject = subject_of(reader, dependencies.alert_service, number_or_key(wanted), clock())
        chart = chart_with_rules(reader, subject, clock(), FIRST_SPAN)
    except UnknownMetric:
        return metric.unknown(wanted), "Unknown metric"
    row = subject.row
    near = price_chart.threshold_is_near(chart, subject)
    figure = price_chart.price_figure(chart, View(row.id, FIRST_SPAN, LINE, zone), subject, near)
    page = metric.page(subject, figure, present_of(reader, clock()), zone, threshold=near)
    return page, metric.tab_title(row)
