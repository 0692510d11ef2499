"""The page that compares up to eight metrics: what is chosen, the chart, and the correlations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts
from layouts.axes import ZOOMABLE, Figure
from layouts.compare_choice import MAX_METRICS, OWN, SCALES, Choice
from layouts.comparison_chart import Compared, change_of
from layouts.markup import Markup
from layouts.spans import SPANS
from services.market.correlation import MIN_COMMON_SAMPLES, Correlations
from services.market.ranking import RankedMetric
from services.market.times import span_text

RESULTS = 8
PANEL_HEIGHT = 130  # px


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that the page shows: the address's choice, the metrics found, and the names not found."""

    choice: Choice
    compared: Sequence[Compared]
    unknown: Sequence[str]
    left_out: Sequence[str]
    """Metrics beyond MAX_METRICS."""
    correlations: Correlations
    step_seconds: int
    """The length of the correlated returns."""


def page(comparison: Comparison, figure: Figure | None) -> Component:
    """The page with this comparison; `figure` is None if there is nothing to draw."""
    return html.Div(
        [
            parts.heading(
                "Compare", f"Up to {MAX_METRICS} metrics in one chart, and the correlation of their returns.", _picker()
            ),
            html.Div(body(comparison, figure), id=ids.COMPARE_BODY),
        ],
        className="compare-page",
    )


def body(comparison: Comparison, figure: Figure | None) -> list[Component]:
    """The part of the page that changes with the address."""
    notices = _notices(comparison)
    if figure is None:
        return [*notices, _nothing_chosen()]
    count = len(comparison.compared)
    height = max(440, PANEL_HEIGHT * count) if comparison.choice.scale == OWN else 440
    chart = dcc.Graph(
        id=ids.COMPARE_CHART,
        figure=figure,
        config=ZOOMABLE,
        responsive=True,
        style={"height": f"{height}px"},
    )
    span = comparison.choice.span
    return [
        *notices,
        dcc.Store(id=ids.COMPARE_ASK),
        dcc.Store(id=ids.COMPARE_UPDATE),
        Markup(chips(comparison), id=ids.COMPARE_CHOSEN, className="compare-chosen"),
        parts.card(f"{SCALES[comparison.choice.scale]} over {span.label}", chart, _tools(comparison.choice)),
        parts.card(
            "Correlation of returns",
            Markup(matrix(comparison), id=ids.COMPARE_MATRIX),
            className="compare-correlation",
        ),
    ]


def chips(comparison: Comparison) -> list[Component]:
    """The compared metrics in the colours of the chart, each with its price, its change and a link that removes it."""
    return [
        html.Span(
            [
                _swatch(place),
                dcc.Link(str(one.row.pair), href=parts.metric_path(one.row.id), className="strong"),
                html.Span(one.row.market, className="market"),
                *parts.state_chips(one.row),
                html.Span(notation.price(one.row.price), className="num"),
                html.Span(notation.change(change_of(one)), className=f"num {parts.tone(change_of(one))}"),
                dcc.Link(
                    html.Span(
                        [
                            parts.icon("close"),
                            html.Span(f"Remove {one.row.pair} on {one.row.market}", className="visually-hidden"),
                        ]
                    ),
                    href=comparison.choice.without(one.wanted).address,
                    className="compare-remove",
                ),
            ],
            className="compare-chip",
            key=one.wanted,
        )
        for place, one in enumerate(comparison.compared)
    ]


def matrix(comparison: Comparison) -> Component:
    """The correlation of each pair of metrics, and beneath it the number of common returns."""
    compared, found = comparison.compared, comparison.correlations
    if len(compared) < 2:
        return html.P("Add a second metric to see the correlation of their returns.", className="quiet")
    names = [
        html.Span(
            [_swatch(place), html.Span(str(one.row.pair)), html.Span(one.row.market, className="market")],
            className="compare-name",
        )
        for place, one in enumerate(compared)
    ]
    head = html.Thead(html.Tr([html.Td(), *(html.Th(name, scope="col") for name in names)]))
    rows = [
        html.Tr(
            [
                html.Th(name, scope="row"),
                *(
                    _cell(float(found.values[row, column]), int(found.common[row, column]), row == column)
                    for column in range(len(compared))
                ),
            ]
        )
        for row, name in enumerate(names)
    ]
    width = span_text(comparison.step_seconds)
    text = f"Pearson's r of log returns over {width}, where both have a price at both ends; beneath it, how many."
    return html.Div(
        [
            html.Div(
                html.Table(
                    [html.Caption("Correlation of returns", className="visually-hidden"), head, html.Tbody(rows)],
                    className="correlation-table",
                ),
                className="table-frame",
                tabIndex="0",
                role="group",
                **parts.aria(label="Correlation of returns"),
            ),
            html.P(text, className="quiet compare-note"),
        ]
    )


def results(found: Sequence[RankedMetric], choice: Choice, query: str, full: bool) -> list[Component]:
    """The metrics found, each a link that adds it to the comparison."""
    if not query.strip():
        return []
    if full:
        return [html.P(f"{MAX_METRICS} metrics are compared already: remove one first.", className="compare-none")]
    if not found:
        return [html.P(["Nothing tracked matches ", html.Strong(query[:40]), "."], className="compare-none")]
    return [
        dcc.Link(
            [
                html.Span(str(row.pair), className="strong"),
                html.Span(row.market, className="market"),
                html.Span(notation.price(row.price), className="num"),
            ],
            href=choice.with_metric(row.key).address,
            className="compare-result",
        )
        for row in found
    ]


def _picker() -> Component:
    return html.Div(
        [
            html.Label("Add a pair or market", htmlFor=ids.COMPARE_SEARCH, className="visually-hidden"),
            html.Div(
                [
                    parts.icon("search"),
                    dbc.Input(
                        id=ids.COMPARE_SEARCH,
                        type="search",
                        placeholder="Add a pair or market",
                        autocomplete="off",
                        className="search-field",
                    ),
                ],
                className="search-box",
            ),
            Markup(
                id=ids.COMPARE_RESULTS,
                className="compare-results",
                role="region",
                **parts.aria(live="polite", label="Search results"),
            ),
        ],
        className="compare-picker",
    )


def _tools(choice: Choice) -> Component:
    scales = [(name, replace(choice, scale=scale), scale == choice.scale) for scale, name in SCALES.items()]
    spans = [(span.label, replace(choice, span=span), span is choice.span) for span in SPANS.values()]
    return html.Div([_segments(scales, "Scale"), _segments(spans, "Range")], className="chart-tools")


def _segments(options: Sequence[tuple[str, Choice, bool]], label: str) -> Component:
    links = [
        dcc.Link(name, href=choice.address, className="segment is-chosen" if chosen else "segment")
        for name, choice, chosen in options
    ]
    return html.Nav(links, className="segments", **parts.aria(label=label))


def _notices(comparison: Comparison) -> list[Component]:
    lines: list[parts.Content] = []
    if comparison.unknown:
        names = [html.Code(one[:80]) for one in comparison.unknown]
        lines.append([*_listed(names), " is not tracked." if len(names) == 1 else " are not tracked."])
    if comparison.left_out:
        lines.append(
            [
                f"Only {MAX_METRICS} metrics can be compared. Left out: ",
                *_listed([html.Code(one[:80]) for one in comparison.left_out]),
                ".",
            ]
        )
    return [html.P(line, className="compare-notice", role="status") for line in lines]


def _listed(names: Sequence[Component]) -> list[str | Component]:
    listed: list[str | Component] = []
    for name in names:
        listed += [", ", name] if listed else [name]
    return listed


def _nothing_chosen() -> Component:
    return parts.empty(
        "search",
        "No metrics chosen yet",
        [
            html.P("Search for a pair or a market above and choose from the results."),
            html.P(["Or open an address such as ", html.Code("/compare?ids=kraken:BTC-USD,kraken:ETH-USD"), "."]),
        ],
    )


def _swatch(place: int) -> Component:
    return html.Span(className=f"swatch swatch-{place + 1}", **parts.aria(hidden="true"))


def _cell(value: float, common: int, same: bool) -> Component:
    count = html.Span(f"{common:,}", className="common")
    if value != value:  # NaN is not itself
        why = (
            f"Fewer than {MIN_COMMON_SAMPLES} common returns"
            if common < MIN_COMMON_SAMPLES
            else "One of the two did not move"
        )
        return html.Td([notation.UNKNOWN, count], className="is-unknown", title=why)
    text = f"{abs(value):.2f}"
    sign = notation.MINUS if value < 0 and float(text) else ""
    look = "is-same" if same else "is-negative" if value < 0 else "is-positive"
    return html.Td([sign + text, count], className=look, style={"--strength": f"{abs(value) * 45:.0f}%"})
