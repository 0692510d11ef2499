"""One metric: its chart, its figures, its kin on other markets and what it fired."""

from collections.abc import Sequence
from datetime import tzinfo

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts
from layouts.figures import Figure, threshold_of
from services.market.types import Alert, Profile, RankedMetric

SPANS = {"1": "1 h", "6": "6 h", "24": "24 h", "168": "7 d", "720": "30 d", "8760": "1 y"}
"""The ranges one can choose, by hours."""

FIRST_SPAN = "24"
LONGEST_BY_SAMPLE = 24
"""Hours up to which every sample is drawn; beyond, one point an hour."""

MOST_NEIGHBOURS = 12
MOST_ALERTS = 1_000
"""Marks on the chart."""
MOST_LISTED = 50
"""Lines in the list below it."""


def page(
    row: RankedMetric,
    figure: Figure,
    neighbours: Sequence[RankedMetric],
    alerts: Sequence[Alert],
    profile: Profile,
    zone: tzinfo,
    threshold: bool,
) -> Component:
    """All of one metric; `threshold` is whether `figure` draws it."""
    return html.Div(
        [
            dcc.Store(id=ids.METRIC_ID, data=row.id),
            dcc.Store(id=ids.METRIC_TITLE, data=tab_title(row)),
            dcc.Link([parts.icon("back"), "Ranking"], href="/", className="back-link"),
            html.Div(headline(row), id=ids.METRIC_HEADLINE, className="headline"),
            html.Div(
                [
                    _chart_card(row, figure, threshold),
                    parts.card("Figures", html.Div(figures(row, profile, zone), id=ids.METRIC_FIGURES)),
                    parts.card(f"{row.base} elsewhere", html.Div(neighbour_list(neighbours), id=ids.METRIC_NEIGHBOURS)),
                    parts.card(
                        "Alerts", html.Div(alert_list(alerts, zone), id=ids.METRIC_ALERTS), className="metric-alerts"
                    ),
                ],
                className="metric-layout",
            ),
        ],
        className="metric-page",
    )


def unknown(wanted: str) -> Component:
    """For an address that names no metric."""
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
            dcc.Link("Go to the ranking", href="/", className="button"),
        ],
    )


def tab_title(row: RankedMetric) -> str:
    """What the browser's tab says of this metric."""
    return f"{notation.price(row.price)} {row.pair}"


def headline(row: RankedMetric) -> list[Component]:
    """Name and price, as large as they matter."""
    rank = html.Span(f"Rank {row.rank}", className="chip") if row.rank else html.Span("Unranked", className="chip")
    name = html.Div(
        [
            html.H1([html.Span(row.base), html.Span("/" + row.quote, className="quote")], className="pair-title"),
            html.Span(row.market, className="chip"),
            rank,
            *parts.marks(row),
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
        className="headline-price",
    )
    return [name, price]


def figures(row: RankedMetric, profile: Profile, zone: tzinfo) -> Component:
    """The metric's numbers, with their units."""
    window = f"{profile.window_hours:g} h"
    items = (
        ("Standard deviation", notation.price(row.stdev)),
        ("Volatility", notation.share(row.volatility)),
        (f"Mean, {window}", notation.price(row.mean)),
        ("Average, 1 h", notation.price(row.average_1h)),
        (f"Alert above ({profile.alert_factor:g}{notation.TIMES})", notation.price(threshold_of(row, profile))),
        (
            "Volume, 24 h",
            f"{notation.amount(row.volume_24h)} {row.base}" if row.volume_24h is not None else notation.UNKNOWN,
        ),
        (f"Samples, {window}", f"{row.samples:,}"),
        ("Updated", notation.stamp(row.updated_at, zone)),
    )
    return parts.figures([parts.figure(label, value) for label, value in items], className="figure-list")


def neighbours_of(row: RankedMetric, metrics: Sequence[RankedMetric]) -> list[RankedMetric]:
    """The same base on other markets or against other quotes: same quote first, then by market."""
    kin = [other for other in metrics if other.base == row.base and other.id != row.id]
    return sorted(kin, key=lambda other: (other.quote != row.quote, other.quote, other.market))[:MOST_NEIGHBOURS]


def neighbour_list(neighbours: Sequence[RankedMetric]) -> Component:
    """Links to the kin, with their prices."""
    if not neighbours:
        return html.P("Tracked on no other market and against no other quote.", className="quiet")
    rows = [
        dcc.Link(
            [
                html.Span(
                    [html.Span(str(other.pair), className="strong"), html.Span(other.market, className="market")]
                ),
                html.Span(
                    [
                        html.Span(notation.price(other.price), className="strong"),
                        html.Span(notation.change(other.change_24h), className=parts.tone(other.change_24h)),
                    ],
                    className="num",
                ),
            ],
            href=parts.metric_path(other.id),
            className="neighbour",
        )
        for other in neighbours
    ]
    return html.Div(rows, className="neighbours")


def alert_list(alerts: Sequence[Alert], zone: tzinfo) -> Component:
    """The newest MOST_LISTED of what this metric fired, newest first."""
    if not alerts:
        return html.P("None has fired.", className="quiet")
    return parts.table(
        ((f"Fired ({notation.zone_label(zone)})", ""), ("Price", "num"), ("Average", "num"), ("Multiple", "num")),
        [
            (
                notation.stamp(alert.fired_at, zone),
                notation.price(alert.price),
                notation.price(alert.average),
                notation.cause(alert),
            )
            for alert in alerts[:MOST_LISTED]
        ],
        "Alerts this metric fired",
    )


def _chart_card(row: RankedMetric, figure: Figure, threshold: bool) -> Component:
    spans = dbc.RadioItems(
        id=ids.METRIC_SPAN,
        options=[{"label": label, "value": value} for value, label in SPANS.items()],
        value=FIRST_SPAN,
        className="segments",
        inputClassName="btn-check",
        labelClassName="segment",
    )
    switch = dbc.Switch(id=ids.METRIC_THRESHOLD, label="Alert threshold", value=threshold, className="threshold-switch")
    chart = dcc.Graph(
        id=ids.METRIC_CHART,
        figure=figure,
        config={
            "displaylogo": False,
            "responsive": True,
            "modeBarButtonsToRemove": ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {"scale": 2, "filename": "chart"},
        },
        responsive=True,
        className="price-chart",
    )
    tools = html.Div(
        [switch, html.Div(spans, role="group", **parts.aria(label="Range"))],
        className="chart-tools",
    )
    return parts.card(f"Price in {row.quote}", chart, tools, className="chart-card")
