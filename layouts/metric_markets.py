"""The same base on other markets and against other quotes, on the page of a metric."""

from collections.abc import Sequence
from datetime import datetime

from dash import dcc, html
from dash.development.base_component import Component

from layouts import notation, parts
from layouts.paths import at
from services.market.ranking import RankedMetric

MAX_NEIGHBOURS = 12


def other_markets(row: RankedMetric, metrics: Sequence[RankedMetric]) -> tuple[list[RankedMetric], list[RankedMetric]]:
    """The same pair on other markets, highest price first, and the same base against other quotes, by quote."""
    related = [other for other in metrics if other.base == row.base and other.id != row.id]
    same = [other for other in related if other.quote == row.quote]
    others = [other for other in related if other.quote != row.quote]
    return (
        sorted(same, key=lambda other: (-(other.price or 0.0), other.market))[:MAX_NEIGHBOURS],
        sorted(others, key=lambda other: (other.quote, other.market))[:MAX_NEIGHBOURS],
    )


def elsewhere(row: RankedMetric, metrics: Sequence[RankedMetric], now: datetime) -> Component:
    """The prices of the same pair on other markets, and links to the base against other quotes."""
    same, others = other_markets(row, metrics)
    if not same and not others:
        return html.P("Tracked on no other market and against no other quote.", className="quiet")
    sections = (
        [_spreads(row, same, now)] if same else [html.P("This pair is tracked on no other market.", className="quiet")]
    )
    if others:
        sections += [html.H3("Against other quotes", className="card-subtitle"), _links(others)]
    return html.Div(sections)


def _spreads(row: RankedMetric, same: Sequence[RankedMetric], now: datetime) -> Component:
    """A line per market, highest price first, with this one. `Highest` and `Lowest` are marked among the markets that
    trade and whose price is not stale."""
    markets = sorted([row, *same], key=lambda one: -(one.price or 0.0))
    prices = [one.price for one in markets if one.price is not None and _is_current(one)]
    edges = {max(prices): "Highest", min(prices): "Lowest"} if len(set(prices)) > 1 else {}

    def line(one: RankedMetric) -> tuple[parts.Content, parts.Content, parts.Content]:
        here = one.id == row.id
        name = html.Span(one.market, className="strong") if here else parts.metric_link(one.id, one.market)
        chips: list[str | Component] = [name]
        if here:
            chips.append(html.Span("This", className="chip"))
        if one.price in edges and _is_current(one):
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
                f"{row.pair} on every market, with the spread to the price on {row.market}",
            ),
            dcc.Link("Compare these markets", href=at(f"/compare?ids={compared}"), className="card-link"),
        ]
    )


def _is_current(row: RankedMetric) -> bool:
    return row.active and not row.stale


def spread_of(other: RankedMetric, row: RankedMetric) -> float | None:
    """The difference of the other market's price to this one, as a fraction of this one; None if either is unknown."""
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
