"""The page of one metric: its chart, its statistics, its other markets and its alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import alerting, ids, metric_markets, notation, parts
from layouts.axes import ZOOMABLE, Figure
from layouts.markup import Markup
from layouts.metric_notice import is_partial, notice
from layouts.paths import at
from layouts.price_chart import KINDS, LINE, Subject, threshold_of
from layouts.spans import FIRST_SPAN, SPANS
from services.market.alerting.alerts import Alert
from services.market.ranking import RankedMetric
from services.market.status import Profile, Status

MAX_ALERTS = 1_000
"""Alerts on the chart."""
MAX_LISTED = 50
"""Alerts in the list below it."""


@dataclass(frozen=True, slots=True)
class Present:
    """The state of the tracker, the time `now` that it describes, and all metrics in rank order."""

    state: Status
    now: datetime
    metrics: Sequence[RankedMetric]


def page(subject: Subject, figure: Figure, present: Present, zone: tzinfo, *, threshold: bool) -> Component:
    """The page of the metric of `subject`; `threshold` says whether `figure` shows the alert threshold."""
    row, profile, now = subject.row, subject.profile, present.now
    return html.Div(
        [
            dcc.Store(id=ids.METRIC_ID, data=row.id),
            dcc.Store(id=ids.METRIC_TITLE, data=tab_title(row)),
            dcc.Store(id=ids.METRIC_ASK),
            dcc.Store(id=ids.METRIC_UPDATE),
            html.Div(
                [
                    dcc.Link([parts.icon("back"), "Ranking"], href=at("/"), className="back-link"),
                    dcc.Link("Compare with …", href=at(f"/compare?ids={row.id}"), className="compare-link"),
                    dcc.Link("New alert rule …", href=_new_rule(row), className="compare-link"),
                    Markup(
                        rank_links(row, present.metrics),
                        id=ids.METRIC_RANKS,
                        className="rank-links",
                        role="navigation",
                        **parts.aria(label="Neighbours in rank"),
                    ),
                ],
                className="metric-ways",
            ),
            Markup(notice(row, present.state, now, profile, zone), id=ids.METRIC_NOTICE, className="metric-notice"),
            Markup(headline(row, now), id=ids.METRIC_HEADLINE, className="headline"),
            html.Div(
                [
                    _chart_card(row, figure, threshold),
                    parts.card("Statistics", Markup(figures(row, profile, zone), id=ids.METRIC_FIGURES)),
                    parts.card(
                        f"{row.base} on other markets",
                        Markup(metric_markets.elsewhere(row, present.metrics, now), id=ids.METRIC_NEIGHBOURS),
                    ),
                    parts.card(
                        "Alerts",
                        Markup(alert_list(subject.alerts, zone), id=ids.METRIC_ALERTS),
                        className="metric-alerts",
                    ),
                ],
                className="metric-layout",
            ),
        ],
        className="metric-page",
    )


def _new_rule(row: RankedMetric) -> str:
    """The address of the form for a new rule on this metric."""
    return alerting.address(alerting.RULES, edit=alerting.NEW, scope=f"{row.market}:{row.pair}")


def unknown(wanted: str) -> Component:
    """The page for an address that names no metric."""
    return parts.empty(
        "search",
        "This metric is not tracked",
        [
            html.P([html.Code(wanted), " is neither the number nor the key of a tracked metric."]),
            html.P(
                [
                    "Keys look like ",
                    html.Code("kraken:BTC-USD"),
                    "; what is tracked is set by ",
                    html.Code("TRACK"),
                    ".",
                ]
            ),
            dcc.Link("Go to the ranking", href=at("/"), className="button"),
        ],
    )


def tab_title(row: RankedMetric) -> str:
    """The title of the browser's tab."""
    return f"{notation.price(row.price)} {row.pair}"


def headline(row: RankedMetric, now: datetime) -> list[Component]:
    """Name, state, price and changes."""
    rank = html.Span(f"Rank {row.rank}", className="chip") if row.rank else html.Span("Unranked", className="chip")
    name = html.Div(
        [
            html.H1([html.Span(row.base), html.Span("/" + row.quote, className="quote")], className="pair-title"),
            html.Span(row.market, className="chip"),
            rank,
            *parts.state_chips(row, now),
        ],
        className="headline-name",
    )
    changes = [
        html.Span(
            [
                html.Span(notation.change(value), className=f"value {parts.tone(value)}"),
                html.Span(label, className="of"),
            ],
            className="change",
        )
        for label, value in (("1 h", row.change_1h), ("24 h", row.change_24h))
    ]
    price = html.Div(
        [
            html.Span(notation.price(row.price), className="big-price"),
            html.Span(row.quote, className="unit"),
            html.Span(changes, className="changes"),
        ],
        className="headline-price is-stale" if row.stale else "headline-price",
    )
    return [name, price]


def figures(row: RankedMetric, profile: Profile, zone: tzinfo) -> Component:
    """The metric's statistics, with their units."""
    window = f"{profile.window_hours:g} h"
    items = (
        (f"Standard deviation, {window}", notation.price(row.stdev)),
        (f"Volatility, {window}", notation.share(row.volatility)),
        (f"Mean, {window}", notation.price(row.mean)),
        ("Average, 1 h", notation.price(row.average_1h)),
        (f"Alert above ({profile.alert_factor:g}{notation.TIMES})", notation.price(threshold_of(row, profile))),
        (
            "Volume, 24 h",
            f"{notation.amount(row.volume_24h)} {row.base}" if row.volume_24h is not None else notation.UNKNOWN,
        ),
        (f"Samples, {window}", f"{row.samples:,}"),
    )
    coverage = notation.share(row.coverage)
    return parts.figures(
        [
            *(parts.figure(label, value) for label, value in items),
            parts.figure(f"Coverage of {window}", coverage, "is-warning" if is_partial(row, profile) else ""),
            parts.figure("Updated", notation.stamp(row.updated_at, zone), "is-warning" if row.stale else ""),
        ],
        className="figure-list",
    )


def rank_links(row: RankedMetric, metrics: Sequence[RankedMetric]) -> list[Component]:
    """Links to the neighbours in rank, which the arrow keys follow; `metrics` are in rank order."""
    place = next((place for place, one in enumerate(metrics) if one.id == row.id), None)
    before = metrics[place - 1] if place else None
    after = metrics[place + 1] if place is not None and place + 1 < len(metrics) else None
    return [
        _rank_link(ids.METRIC_PREVIOUS, "left", "Previous in rank", before),
        _rank_link(ids.METRIC_NEXT, "right", "Next in rank", after),
    ]


def _rank_link(identity: str, arrow: str, title: str, other: RankedMetric | None) -> Component:
    drawing = parts.icon(f"arrow-{arrow}")
    if other is None:
        return html.Span(drawing, id=identity, className="rank-link is-off", **parts.aria(hidden="true"))
    name = html.Span(str(other.pair))
    return dcc.Link(
        [drawing, name] if arrow == "left" else [name, drawing],
        id=identity,
        href=parts.metric_path(other.id),
        title=f"{title}: {other.pair} on {other.market} (arrow {arrow})",
        className="rank-link",
    )


def alert_list(alerts: Sequence[Alert], zone: tzinfo) -> Component:
    """The newest MAX_LISTED alerts of this metric, newest first."""
    if not alerts:
        return html.P("No alert has fired.", className="quiet")
    columns = (
        (f"Fired ({notation.zone_label(zone)})", "alert-time nowrap"),
        ("Rule", "alert-rule"),
        ("Price", "num"),
        ("Average", "num wide-only"),
        ("Cause", "alert-why"),
        ("State", "alert-state nowrap"),
    )
    rows = {
        f"alert-{alert.id}": (
            notation.stamp(alert.fired_at, zone),
            notation.rule_name(alert),
            notation.price(alert.price),
            notation.price(alert.average),
            notation.cause(alert),
            parts.firing_chip(alert),
        )
        for alert in alerts[:MAX_LISTED]
    }
    return parts.table(columns, rows, "Alerts of this metric")


def _chart_card(row: RankedMetric, figure: Figure, threshold: bool) -> Component:
    options = [{"value": span.key, "label": span.label} for span in SPANS.values()]
    spans = parts.segments(ids.METRIC_SPAN, options, FIRST_SPAN.key)
    kinds = parts.segments(ids.METRIC_KIND, [{"value": kind, "label": name} for kind, name in KINDS.items()], LINE)
    switch = dbc.Switch(id=ids.METRIC_THRESHOLD, label="Alert threshold", value=threshold, className="threshold-switch")
    chart = dcc.Graph(
        id=ids.METRIC_CHART,
        figure=figure,
        config=ZOOMABLE,
        responsive=True,
        className="price-chart",
    )
    downloads = html.Div(
        [
            html.Button([parts.icon("download"), name], id=identity, title=title, className="tool-button")
            for identity, name, title in (
                (ids.METRIC_CSV, "CSV", "Download the prices of this range"),
                (ids.METRIC_PNG, "PNG", "Download this chart as an image"),
            )
        ],
        className="tool-group",
    )
    tools = html.Div(
        [
            switch,
            downloads,
            html.Div(kinds, role="group", **parts.aria(label="Chart type")),
            html.Div(spans, role="group", className="span-choice", **parts.aria(label="Range")),
        ],
        className="chart-tools",
    )
    return parts.card(f"Price in {row.quote}", [chart, dcc.Download(id=ids.METRIC_FILE)], tools, className="chart-card")
