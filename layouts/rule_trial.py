"""What a rule would have done: how often it would have fired on what is stored, on which metrics, and when."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, NotRequired, final

import dash_bootstrap_components as dbc
import numpy as np
from dash import dcc, html
from dash.development.base_component import Component
from pydantic import Field
from typing_extensions import TypedDict  # of typing's own pydantic knows nothing before Python 3.12

from layouts import ids, notation, parts, theme
from layouts.axes import TIME, TIMED, Figure, axis, in_zone, layout, stamps, time_axis
from layouts.markup import Markup
from services.market.alerting.rule_json import rule_fields
from services.market.alerting.rules import AlertRule
from services.market.ranking import RankedMetric
from services.market.types import Floats, Ints

SPANS: Mapping[str, tuple[str, timedelta]] = {
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
}
MAX_METRICS = 20
"""Those that fire most are told one by one."""
MAX_MARKS = 500
MAX_LISTED = 8
DAY = 86_400

LAST_SECOND = 253_402_300_799
"""Of the year 9999."""

Second = Annotated[int, Field(ge=0, le=LAST_SECOND)]
Price = Annotated[float, Field(ge=0, le=1e18)]
Count = Annotated[int, Field(ge=0, le=10**15)]


class Replay(TypedDict):
    """What is asked of `/alerts/rules/replay`."""

    rule: dict[str, Any]
    since: str
    until: str


class Order(TypedDict):
    """What the browser is to ask for: the `body` of a replay, the `span` by its key, and of how much of the answer the
    page tells."""

    body: Replay
    span: str
    most: dict[str, int]


class FoundFiring(TypedDict):
    """One of the newest."""

    metric_id: Count
    price: Price
    fired_at: str


@final
class Found(TypedDict):
    """What the browser makes of the answer, see assets/rule-trial.js, and keeps to draw another of its metrics."""

    span: Literal["24h", "7d"]
    since: Second
    until: Second
    count: Count
    metrics: Count
    top: list[Annotated[list[Count], Field(min_length=2, max_length=2)]]
    """[metric number, count]."""
    marks: dict[str, list[Annotated[list[Price], Field(min_length=2, max_length=2)]]]
    """By metric number: [epoch second, price]."""
    newest: list[FoundFiring]


@final
class Trouble(TypedDict):
    """Why there is no answer, and the status that said so."""

    trouble: str
    status: NotRequired[int | None]


def card() -> Component:
    """Where rules are tried."""
    buttons = [
        html.Button(label, id=ids.rule_trial(name), className="small-button", type="button")
        for name, (label, _) in SPANS.items()
    ]
    tools = html.Div([html.Span("over the last", className="quiet"), *buttons], className="trial-tools")
    words = html.P("How often would it have fired? Try it on the stored prices before you save it.", className="quiet")
    waiting = html.Div(
        [
            html.Span(className="spinner"),
            html.Span(id=ids.RULE_TRIAL_WORDS),
            html.Progress(id=ids.RULE_TRIAL_SHARE, max="1", **parts.aria(label="How much of it is done")),
            html.Button("Cancel", id=ids.RULE_TRIAL_CANCEL, className="small-button", type="button"),
        ],
        id=ids.RULE_TRIAL_WAIT,
        className="trial-wait is-hidden",
        role="status",
    )
    told = html.Div(words, id=ids.RULE_TRIAL, **parts.aria(live="polite"))
    stores = [dcc.Store(id=ids.RULE_TRIAL_ORDER), dcc.Store(id=ids.RULE_TRIAL_FOUND)]
    return parts.card(
        "Try it on the past",
        [waiting, told, *stores],
        tools,
        className="trial",
    )


def refused(words: str) -> Component:
    """Why it could not be tried."""
    return html.P(words, className="error-text")


def order_of(rule: AlertRule, span: str, until: datetime) -> Order:
    """Try that rule on the `span` up to `until`."""
    since = until - SPANS[span][1]
    return {
        "body": {"rule": dict(rule_fields(rule)), "since": since.isoformat(), "until": until.isoformat()},
        "span": span,
        "most": {"metrics": MAX_METRICS, "marks": MAX_MARKS, "listed": MAX_LISTED},
    }


def result(
    found: Found, watched: int, metrics: Mapping[int, RankedMetric], figure: Figure | None, zone: tzinfo
) -> Component:
    """How often, on what and when; `figure` is of the metric that fired most, None where none did."""
    label, fired = SPANS[found["span"]][0], int(found["count"])
    if figure is None:
        return html.P(
            [html.Span("It would not have fired", className="strong"), f" in the last {label}, on any of {watched:,}."],
            className="trial-count",
        )
    times = "once" if fired == 1 else f"{fired:,} times"
    headline = html.P(
        [
            html.Span(f"It would have fired {times}", className="strong"),
            f" in the last {label}, on {found['metrics']:,} of {watched:,} metrics.",
        ],
        className="trial-count",
    )
    options = [
        {"value": str(number), "label": f"{_name(number, metrics)} ({count:,})"} for number, count in found["top"]
    ]
    choose = html.Label(
        [
            html.Span("Shown", className="field-label"),
            dbc.Select(id=ids.RULE_TRIAL_METRIC, options=options, value=options[0]["value"]),
        ],
        className="trial-choice",
    )
    newest = {
        f"firing-{place}": (
            notation.stamp(datetime.fromisoformat(firing["fired_at"]), zone),
            parts.metric_link(firing["metric_id"], _name(firing["metric_id"], metrics)),
            notation.price(firing["price"]),
        )
        for place, firing in enumerate(found["newest"])
    }
    columns = (("Would have fired", "nowrap"), ("Metric", "strong"), ("Price", "num"))
    table = parts.table(columns, newest, "When it would have fired, newest first")
    more = fired - len(newest)
    rest = [html.P(f"and {more:,} before", className="quiet hint")] if more > 0 else []
    chart = dcc.Graph(
        id=ids.RULE_TRIAL_CHART,
        figure=figure,
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        className="trial-chart",
    )
    return html.Div(
        [
            headline,
            html.Div([html.Div([choose, chart]), Markup([table, *rest])], className="trial-result"),
        ]
    )


def most_fired(found: Found) -> int | None:
    """The metric that fired most."""
    return next((int(number) for number, _ in found["top"]), None)


def by_sample(found: Found) -> bool:
    """Whether the chart shows every price; what is longer than a day, hours."""
    return found["until"] - found["since"] <= DAY


def moments(found: Found) -> tuple[datetime, datetime]:
    """The span of the trial."""
    return datetime.fromtimestamp(found["since"], UTC), datetime.fromtimestamp(found["until"], UTC)


def trial_figure(times: Ints, prices: Floats, marks: Sequence[Sequence[float]], zone: tzinfo) -> Figure:
    """The metric's price, `times` in epoch seconds, with a mark where the rule would have fired."""
    at = np.array([mark[0] for mark in marks], dtype=np.int64)
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
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": "Would have fired",
        "x": stamps(at),
        "y": [mark[1] for mark in marks],
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
    return {"data": [line, dots], "layout": look}


def _name(number: int, metrics: Mapping[int, RankedMetric]) -> str:
    row = metrics.get(number)
    return f"metric {number}" if row is None else f"{row.pair} {row.market}"
