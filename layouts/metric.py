"""One metric: its chart, its figures, its kin on other markets and what it fired."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import alerting, ids, notation, parts
from layouts.axes import ZOOMABLE, Figure
from layouts.markup import Markup
from layouts.metric_notice import is_partial, notice
from layouts.paths import at
from layouts.price_chart import KINDS, LINE, threshold_of
from layouts.spans import FIRST_SPAN, SPANS
from services.market.alerting.alerts import Alert
from services.market.ranking import RankedMetric
from services.market.status import Profile, Status

MAX_NEIGHBOURS = 12
MAX_ALERTS = 1_000
"""Marks on the chart."""
MAX_LISTED = 50
"""Lines in the list below it."""


def page(
    row: RankedMetric,
    figure: Figure,
    metrics: Sequence[RankedMetric],
    alerts: Sequence[Alert],
    state: Status,
    now: datetime,
    profile: Profile,
    zone: tzinfo,
    threshold: bool,
) -> Component:
    """All of one metric as it is `now`, the present of `state`; `metrics` are all in rank order, `threshold` is whether
    `figure` draws it."""
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
                    dcc.Link("Alert me on this …", href=_new_rule(row), className="compare-link"),
                    Markup(
                        rank_links(row, metrics),
                        id=ids.METRIC_RANKS,
                        className="rank-links",
                        role="navigation",
                        **parts.aria(label="Neighbours in rank"),
                    ),
                ],
                className="metric-ways",
            ),
            Markup(notice(row, state, now, profile, zone), id=ids.METRIC_NOTICE, className="metric-notice"),
            Markup(headline(row, now), id=ids.METRIC_HEADLINE, className="headline"),
            html.Div(
                [
                    _chart_card(row, figure, threshold),
                    parts.card("Figures", Markup(figures(row, profile, zone), id=ids.METRIC_FIGURES)),
                    parts.card(f"{row.base} elsewhere", Markup(elsewhere(row, metrics, now), id=ids.METRIC_NEIGHBOURS)),
                    parts.card(
                        "Alerts", Markup(alert_list(alerts, zone), id=ids.METRIC_ALERTS), className="metric-alerts"
                    ),
                ],
                className="metric-layout",
            ),
        ],
        className="metric-page",
    )


def _new_rule(row: RankedMetric) -> str:
    """The address at which a rule for this metric is begun."""
    return alerting.address(alerting.RULES, edit=alerting.NEW, scope=f"{row.market}:{row.pair}")


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
            dcc.Link("Go to the ranking", href=at("/"), className="button"),
        ],
    )


def tab_title(row: RankedMetric) -> str:
    """What the browser's tab says of this metric."""
    return f"{notation.price(row.price)} {row.pair}"


def headline(row: RankedMetric, now: datetime) -> list[Component]:
    """Name and price, as large as they matter."""
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
    )
    known = notation.share(row.coverage)
    return parts.figures(
        [
            *(parts.figure(label, value) for label, value in items),
            parts.figure(f"Known of {window}", known, "is-warning" if is_partial(row, profile) else ""),
            parts.figure("Updated", notation.stamp(row.updated_at, zone), "is-warning" if row.stale else ""),
        ],
        className="figure-list",
    )


def other_markets(row: RankedMetric, metrics: Sequence[RankedMetric]) -> tuple[list[RankedMetric], list[RankedMetric]]:
    """The same pair on other markets, dearest first, and the same base against other quotes, by quote and market."""
    kin = [other for other in metrics if other.base == row.base and other.id != row.id]
    same = [other for other in kin if other.quote == row.quote]
    others = [other for other in kin if other.quote != row.quote]
    return (
        sorted(same, key=lambda other: (-(other.price or 0.0), other.market))[:MAX_NEIGHBOURS],
        sorted(others, key=lambda other: (other.quote, other.market))[:MAX_NEIGHBOURS],
    )


def elsewhere(row: RankedMetric, metrics: Sequence[RankedMetric], now: datetime) -> Component:
    """What the same pair costs on other markets, beside this one, and links to the base against other quotes."""
    same, others = other_markets(row, metrics)
    if not same and not others:
        return html.P("Tracked on no other market and against no other quote.", className="quiet")
    parts_ = (
        [_spreads(row, same, now)] if same else [html.P("This pair is tracked on no other market.", className="quiet")]
    )
    if others:
        parts_ += [html.H3("Against other quotes", className="card-subtitle"), _links(others)]
    return html.Div(parts_)


def _spreads(row: RankedMetric, same: Sequence[RankedMetric], now: datetime) -> Component:
    """A line a market, dearest first, this one among them; `Highest` and `Lowest` of those that trade, and whose prices
    are of the present."""
    markets = sorted([row, *same], key=lambda one: -(one.price or 0.0))
    prices = [one.price for one in markets if one.price is not None and _is_of_the_present(one)]
    edges = {max(prices): "Highest", min(prices): "Lowest"} if len(set(prices)) > 1 else {}

    def line(one: RankedMetric) -> tuple[parts.Content, parts.Content, parts.Content]:
        here = one.id == row.id
        name = html.Span(one.market, className="strong") if here else parts.metric_link(one.id, one.market)
        chips: list[str | Component] = [name]
        if here:
            chips.append(html.Span("This", className="chip"))
        if one.price in edges and _is_of_the_present(one):
            chips.append(html.Span(edges[one.price], className="chip is-new"))
        chips += parts.state_chips(one, now)
        spread = None if here else spread_of(one, row)
        return (
            html.Span(chips, className="market-name"),
            notation.price(one.price),
            html.Span(notation.UNKNOWN if here else notation.spread(spread), className=parts.tone(spread)),
        )

    compared = ",".join(str(one.id) for one in [row, *same][:8])
    return html.Div(
        [
            parts.table(
                (("Market", ""), ("Price", "num"), ("Spread", "num")),
                {f"metric-{one.id}": line(one) for one in markets},
                f"{row.pair} on every market, and how far each price is from the one on {row.market}",
            ),
            dcc.Link("Compare these markets", href=at(f"/compare?ids={compared}"), className="card-link"),
        ]
    )


def _is_of_the_present(row: RankedMetric) -> bool:
    return row.active and not row.stale


def spread_of(other: RankedMetric, row: RankedMetric) -> float | None:
    """How far the other market's price is from this one's, as a fraction of this one's."""
    if other.price is None or row.price is None:
        return None
    return other.price / row.price - 1


def _links(others: Sequence[RankedMetric]) -> Component:
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
        for other in others
    ]
    return html.Div(rows, className="neighbours")


def rank_links(row: RankedMetric, metrics: Sequence[RankedMetric]) -> list[Component]:
    """The metrics ranked before and after this one; `metrics` are in rank order. Arrow keys follow these links."""
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
    """The newest MAX_LISTED of what this metric fired, newest first."""
    if not alerts:
        return html.P("None has fired.", className="quiet")
    columns = (
        (f"Fired ({notation.zone_label(zone)})", "alert-time nowrap"),
        ("Rule", "alert-rule"),
        ("Price", "num"),
        ("Average", "num wide-only"),
        ("Why", "alert-why"),
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
    return parts.table(columns, rows, "Alerts this metric fired")


def _chart_card(row: RankedMetric, figure: Figure, threshold: bool) -> Component:
    spans = _choice(ids.METRIC_SPAN, {span.key: span.label for span in SPANS.values()}, FIRST_SPAN.key)
    kinds = _choice(ids.METRIC_KIND, KINDS, LINE)
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
                (ids.METRIC_PNG, "PNG", "Download this chart as a picture"),
            )
        ],
        className="tool-group",
    )
    tools = html.Div(
        [
            switch,
            downloads,
            html.Div(kinds, role="group", **parts.aria(label="Drawn as")),
            html.Div(spans, role="group", className="span-choice", **parts.aria(label="Range")),
        ],
        className="chart-tools",
    )
    return parts.card(f"Price in {row.quote}", [chart, dcc.Download(id=ids.METRIC_FILE)], tools, className="chart-card")


def _choice(identity: str, labels: Mapping[str, str], chosen: str) -> Component:
    choice: Component = dbc.RadioItems(
        id=identity,
        options=[{"label": label, "value": value} for value, label in labels.items()],
        value=chosen,
        className="segments",
        inputClassName="btn-check",
        labelClassName="segment",
    )
    return choice
