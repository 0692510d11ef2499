"""The replay of a rule: how often it would have fired on the stored prices, on which metrics, and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, NotRequired, final

import dash_bootstrap_components as dbc
import numpy as np
from dash import dcc, html
from dash.development.base_component import Component
from pydantic import Field
from typing_extensions import TypedDict  # pydantic refuses typing's own before Python 3.12

from layouts import ids, notation, parts, theme
from layouts.axes import TIME, TIMED, Figure, axis, in_zone, layout, stamps, time_axis
from layouts.markup import Markup
from services.market.alerting.rule_json import rule_fields
from services.market.alerting.rules import AlertRule
from services.market.ranking import RankedMetric
from services.market.times import DAY, from_epoch
from services.market.types import Floats, Ints

SPANS: Mapping[str, tuple[str, timedelta]] = {
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
}
MAX_METRICS = 20
"""Metrics to choose from: those that fire most."""
MAX_MARKERS = 500
"""Markers on the chart of one metric."""
MAX_LISTED = 8
"""Lines of the table of newest firings."""

LAST_SECOND = 253_402_300_799
"""The last second of the year 9999."""

Second = Annotated[int, Field(ge=0, le=LAST_SECOND)]
Price = Annotated[float, Field(ge=0, le=1e18)]
Count = Annotated[int, Field(ge=0, le=10**15)]


class ReplayBody(TypedDict):
    """The body of a POST to `/alerts/rules/replay`."""

    rule: dict[str, Any]
    since: str
    until: str


class ReplayRequest(TypedDict):
    """The `body` that the browser sends, the key of the `span`, and how much of the answer it passes on (`limits`)."""

    body: ReplayBody
    span: str
    limits: dict[str, int]


class ReplayFiring(TypedDict):
    """One time that the rule would have fired."""

    metric_id: Count
    price: Price
    fired_at: str


@final
class ReplayResult(TypedDict):
    """The part of the answer that the browser passes on, see assets/rule-replay.js. The page keeps it to draw the chart
    of another metric."""

    span: Literal["24h", "7d"]
    since: Second
    until: Second
    count: Count
    metrics: Count
    top: list[Annotated[list[Count], Field(min_length=2, max_length=2)]]
    """[metric number, count]."""
    markers: dict[str, list[Annotated[list[Price], Field(min_length=2, max_length=2)]]]
    """By metric number: [epoch second, price]."""
    newest: list[ReplayFiring]


@final
class ReplayProblem(TypedDict):
    """Why there is no result, and the HTTP status of the answer, if there was one."""

    problem: str
    status: NotRequired[int | None]


def card() -> Component:
    """The card in which a rule is replayed."""
    buttons = [
        html.Button(label, id=ids.rule_replay(name), className="small-button", type="button")
        for name, (label, _) in SPANS.items()
    ]
    tools = html.Div([html.Span("over the last", className="quiet"), *buttons], className="replay-tools")
    hint = "How often would it have fired? Replay it on the stored prices before you save it."
    waiting = html.Div(
        [
            html.Span(className="spinner"),
            html.Span(id=ids.RULE_REPLAY_TEXT),
            html.Progress(id=ids.RULE_REPLAY_PROGRESS, max="1", **parts.aria(label="Progress of the replay")),
            html.Button("Cancel", id=ids.RULE_REPLAY_CANCEL, className="small-button", type="button"),
        ],
        id=ids.RULE_REPLAY_WAIT,
        className="replay-wait is-hidden",
        role="status",
    )
    result = html.Div(html.P(hint, className="quiet"), id=ids.RULE_REPLAY, **parts.aria(live="polite"))
    stores = [dcc.Store(id=ids.RULE_REPLAY_REQUEST), dcc.Store(id=ids.RULE_REPLAY_RESULT)]
    return parts.card(
        "Replay",
        [waiting, result, *stores],
        tools,
        className="replay",
    )


def problem(text: str) -> Component:
    """Why the rule could not be replayed."""
    return html.P(text, className="error-text")


def request_of(rule: AlertRule, span: str, until: datetime) -> ReplayRequest:
    """The request to replay `rule` on the `span` up to `until`."""
    since = until - SPANS[span][1]
    return {
        "body": {"rule": dict(rule_fields(rule)), "since": since.isoformat(), "until": until.isoformat()},
        "span": span,
        "limits": {"metrics": MAX_METRICS, "markers": MAX_MARKERS, "listed": MAX_LISTED},
    }


def result_view(
    result: ReplayResult, watched: int, metrics: Mapping[int, RankedMetric], figure: Figure | None, zone: tzinfo
) -> Component:
    """How often the rule would have fired, on which of the `watched` metrics, and when.

    `figure` shows the metric that fired most; None if the rule did not fire.
    """
    label, fired = SPANS[result["span"]][0], int(result["count"])
    if figure is None:
        return html.P(
            [html.Span("It would not have fired", className="strong"), f" in the last {label}, on any of {watched:,}."],
            className="replay-count",
        )
    times = "once" if fired == 1 else f"{fired:,} times"
    headline = html.P(
        [
            html.Span(f"It would have fired {times}", className="strong"),
            f" in the last {label}, on {result['metrics']:,} of {watched:,} metrics.",
        ],
        className="replay-count",
    )
    options = [
        {"value": str(number), "label": f"{_name(number, metrics)} ({count:,})"} for number, count in result["top"]
    ]
    choose = html.Label(
        [
            html.Span("Shown", className="field-label"),
            dbc.Select(id=ids.RULE_REPLAY_METRIC, options=options, value=options[0]["value"]),
        ],
        className="replay-choice",
    )
    newest = {
        f"firing-{place}": (
            notation.stamp(datetime.fromisoformat(firing["fired_at"]), zone),
            parts.metric_link(firing["metric_id"], _name(firing["metric_id"], metrics)),
            notation.price(firing["price"]),
        )
        for place, firing in enumerate(result["newest"])
    }
    columns = (("Would have fired", "nowrap"), ("Metric", "strong"), ("Price", "num"))
    table = parts.table(columns, newest, "When it would have fired, newest first")
    more = fired - len(newest)
    rest = [html.P(f"and {more:,} before", className="quiet hint")] if more > 0 else []
    chart = dcc.Graph(
        id=ids.RULE_REPLAY_CHART,
        figure=figure,
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        className="replay-chart",
    )
    return html.Div(
        [
            headline,
            html.Div([html.Div([choose, chart]), Markup([table, *rest])], className="replay-result"),
        ]
    )


def most_fired(result: ReplayResult) -> int | None:
    """The number of the metric that fired most; None if none did."""
    return next((int(number) for number, _ in result["top"]), None)


def by_sample(result: ReplayResult) -> bool:
    """True if the chart shows every price; over more than a day it shows hours."""
    return result["until"] - result["since"] <= DAY


def bounds(result: ReplayResult) -> tuple[datetime, datetime]:
    """The beginning and the end of the replayed span."""
    return from_epoch(result["since"]), from_epoch(result["until"])


def replay_figure(times: Ints, prices: Floats, firings: Sequence[Sequence[float]], zone: tzinfo) -> Figure:
    """The metric's price, `times` in epoch seconds, with a marker at each of `firings` (epoch second, price)."""
    at = np.array([firing[0] for firing in firings], dtype=np.int64)
    digits = f",.{notation.decimals(float(prices[-1]) if len(prices) else 1.0)}f"
    hover = f"<b>%{{y:{digits}}}</b><extra></extra>"
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "Price",
        "x": stamps(times),
        "y": prices.tolist(),
        "line": {"color": theme.ACCENT, "width": 1.6},
        "hovertemplate": f"{TIME}{hover}",
        **TIMED,
    }
    markers = {
        "type": "scatter",
        "mode": "markers",
        "name": "Would have fired",
        "x": stamps(at),
        "y": [firing[1] for firing in firings],
        "marker": {"color": theme.ALERT, "size": 9, "line": {"color": "#fff", "width": 1.5}},
        "hovertemplate": f"{TIME}fired at {hover}",
        **TIMED,
    }
    look = layout() | {
        "showlegend": False,
        "hovermode": "closest",
        "xaxis": time_axis(),
        "yaxis": axis() | {"side": "right", "exponentformat": "none", "separatethousands": True},
        "margin": {"l": 8, "r": 64, "t": 8, "b": 32},
        "meta": in_zone(zone),
    }
    return {"data": [line, markers], "layout": look}


def _name(number: int, metrics: Mapping[int, RankedMetric]) -> str:
    row = metrics.get(number)
    return f"metric {number}" if row is None else f"{row.pair} {row.market}"
