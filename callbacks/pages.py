"""Which page an address leads to. Routing is our own: dash.pages keeps a global registry of one app."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any
from urllib.parse import unquote

from dash import ClientsideFunction, Dash, Input, Output
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.compare import compared_at
from callbacks.metric import subject_of
from callbacks.shell import BROWSER
from callbacks.spans import past_of
from layouts import alerts, compare, ids, metric, notation, price_chart, ranking, shell, status
from layouts.price_chart import LINE, View
from layouts.spans import FIRST_SPAN
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.ports import Clock, Deliveries, MarketReader

LONGEST_NUMBER = 18
"""Digits of the largest metric number worth asking for."""

Page = tuple[Component, str]
"""What to show, and what to call it in the browser's tab."""


def register(app: Dash, reader: MarketReader, clock: Clock, deliveries: Deliveries) -> None:
    # The browser adds its time zone to the path, so that a page is right at its first paint.
    app.clientside_callback(
        ClientsideFunction(BROWSER, "view"),
        Output(ids.VIEW, "data"),
        Input(ids.LOCATION, "pathname"),
        Input(ids.RETRY, "n_intervals"),
        Input(ids.ZONE, "value"),
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
            page, title = _page(view, reader, clock, deliveries.channels)
        except StoreUnavailable:
            return shell.unavailable(), "", False
        return page, title, True


def _page(view: dict[str, Any], reader: MarketReader, clock: Clock, channels: Sequence[str]) -> Page:
    zone = notation.zone_named(view.get("zone"))
    return page_at(str(view.get("path") or "/"), str(view.get("search") or ""), reader, clock, channels, zone)


def page_at(path: str, search: str, reader: MarketReader, clock: Clock, channels: Sequence[str], zone: tzinfo) -> Page:
    """The page at `path` with its query string, times in `zone`; a friendly one where nothing is.

    Raises StoreUnavailable.
    """
    match path.strip("/").split("/"):
        case [""]:
            return ranking.page(reader.profile), ""
        case ["alerting"]:
            return alerts.page(search, channels), "Alerts"
        case ["status"]:
            now = clock()
            return status.page(reader.status(now), reader.day(now), reader.profile, zone), "Status"
        case ["compare"]:
            return compare.page(*compared_at(search, reader, clock, zone)), "Compare"
        case ["metric", wanted]:
            return _metric_page(unquote(wanted), reader, clock, zone)
        case _:
            return shell.not_found(path), "Not found"


def _metric_page(wanted: str, reader: MarketReader, clock: Clock, zone: tzinfo) -> Page:
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) <= LONGEST_NUMBER
    try:
        subject = subject_of(reader, int(wanted) if is_number else wanted)
        past = past_of(reader, subject.row.id, clock(), FIRST_SPAN)
    except UnknownMetric:
        return metric.unknown(wanted), "Unknown metric"
    row = subject.row
    near = price_chart.threshold_is_near(past.history, row, reader.profile)
    figure = price_chart.price_figure(past, View(row.id, FIRST_SPAN, LINE, zone), subject, near)
    page = metric.page(row, figure, reader.ranking().metrics, subject.alerts, reader.profile, zone, near)
    return page, metric.tab_title(row)
