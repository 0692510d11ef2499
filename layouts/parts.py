"""The pieces that pages share: cards, figures, notices, links, tables."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from layouts import notation
from layouts.paths import at
from services.market.alerting.alerts import Alert
from services.market.ranking import RankedMetric
from services.market.stats.measures import FROZEN_PERIODS

STATE_MEANINGS = {
    "new": "Its exchange began to list it within the last day",
    "delisted": "Its exchange lists it no more",
    "halted": "Its exchange lists it, but does not trade it",
    "frozen": f"Its exchange has answered {FROZEN_PERIODS} times running without a price for it",
}
"""What the chips beside a pair mean; all but the first keep it from being ranked."""

Content = str | Component | Sequence[str | Component] | None


def aria(**attributes: str) -> dict[str, Any]:
    """ARIA attributes as keyword arguments: `html.Nav(..., **aria(label="Main"))`."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def icon(name: str) -> Component:
    """One of the drawings in assets/icons.css; says nothing to a screen reader."""
    return html.Span(className=f"icon icon-{name}", **aria(hidden="true"))


def heading(title: str, lead: Content, tools: Content = None) -> Component:
    """A page's first line, with what belongs beside it."""
    text = [html.H1(title, className="page-title"), html.P(lead, className="page-lead")]
    return html.Div([html.Div(text), html.Div(tools, className="page-tools")], className="page-head")


def card(title: str | None, body: Content, tools: Content = None, **attributes: Any) -> Component:
    """A surface with an optional title line."""
    head = [] if title is None else [html.Div([html.H2(title), html.Div(tools)], className="card-head")]
    name = " ".join(filter(None, ["panel", attributes.pop("className", "")]))
    return html.Section([*head, html.Div(body, className="card-content")], className=name, **attributes)


def figure(label: str, value: Content, tone: str = "", **attributes: Any) -> Component:
    """One number at a glance with its name; `tone` is a class that colours it."""
    return html.Div(
        [html.Dt(label), html.Dd(value, className=tone, **attributes)],
        className="figure",
    )


def figures(items: Iterable[Component], **attributes: Any) -> Component:
    return html.Dl(list(items), **attributes)


def tone(fraction: float | None) -> str:
    """The class that colours a change; what has no direction has none."""
    if not fraction:
        return ""
    return "is-up" if fraction > 0 else "is-down"


def state_chips(row: RankedMetric, now: datetime | None = None) -> list[Component]:
    """Chips for what is special about a metric; assets/ranking/cells.js makes the same of `MARKS`. With `now`, the
    present, a stale price has its age."""
    text = [("new", "is-new")] if row.new_at else []
    if not row.active:
        text.append((row.reason or "inactive", "is-warning"))
    chips: list[Component] = [
        html.Span(word.capitalize(), className=f"chip {look}", title=STATE_MEANINGS.get(word)) for word, look in text
    ]
    if row.stale and row.active:
        age = "Stale" if now is None or row.updated_at is None else notation.age(row.updated_at, now)
        chips.append(html.Span(age, className="chip is-warning", title="Its price is none of the present"))
    return chips


def firing_chip(alert: Alert) -> Component:
    """Whether what an alert is about goes on."""
    if alert.state == "firing":
        return html.Span("Firing", className="chip is-alert")
    if alert.state == "no_data":
        return html.Span("No data", className="chip is-warning", title="No price for three periods: it may go on")
    return html.Span("Resolved", className="chip is-good")


def metric_link(metric_id: int, text: Content) -> Component:
    return dcc.Link(text, href=metric_path(metric_id))


def metric_path(metric_id: int) -> str:
    return at(f"/metric/{metric_id}")


def table(columns: Sequence[tuple[str, str]], rows: Mapping[str, Sequence[Content]], caption: str) -> Component:
    """A plain table; `columns` are (title, class), the class `num` setting numbers to the right, `rows` are cells by a
    key of the row's own, by which it is known again wherever it moves to."""
    head = html.Thead(html.Tr([html.Th(title, className=look, scope="col") for title, look in columns]))
    looks = [look for _, look in columns]
    lines = [
        html.Tr([html.Td(cell, className=look) for cell, look in zip(cells, looks, strict=True)], key=key)
        for key, cells in rows.items()
    ]
    return html.Div(
        html.Table(
            [html.Caption(caption, className="visually-hidden"), head, html.Tbody(lines)], className="plain-table"
        ),
        className="table-frame",
        tabIndex="0",  # who has no pointer scrolls it by the arrow keys
        role="group",
        **aria(label=caption),
    )


def button(text: Content, action: str, label: str | None = None, **attributes: Any) -> Component:
    """A small button in a Markup, of which it makes `action` the action; `label` says more than its words do."""
    look = {"className": "small-button", "type": "button", "data-act": action}
    named = {} if label is None else aria(label=label)
    return html.Button(text, **{**look, **named, **attributes})


def data(**told: object) -> dict[str, Any]:
    """What an element tells of what is in it, for the actions of its buttons, as keyword arguments."""
    return {f"data-{name}": str(value) for name, value in told.items()}


def pager(text: str, of: str, page: int, *, at_end: bool) -> Component:
    """Which rows are shown, and ways to the pages beside `page`, which counts from 1; the action is `page`."""

    def turn(name: str, to: int, disabled: bool) -> Component:
        return button(name, "page", f"{name} {of}", disabled=disabled, **data(page=to))

    turns = [turn("Newer", page - 1, page == 1), turn("Older", page + 1, at_end)]
    return html.Nav(
        [html.Span(text, className="quiet num"), html.Div(turns, className="button-group")],
        className="pager",
        **aria(label=f"Pages of {of}"),
    )


def chart_frame(place: str, figure: dict[str, Any], **attributes: Any) -> Component:
    """A chart without tools in a frame of the class `place`, which has the chart's size before it is drawn."""
    chart = dcc.Graph(
        figure=figure,
        config={"displayModeBar": False, "responsive": True},
        responsive=True,
        style={"height": "100%"},
        **attributes,
    )
    return html.Div(chart, className=place)


def empty(icon_name: str, title: str, text: Content, **attributes: Any) -> Component:
    """What stands where there is nothing to show: why, and what to do about it."""
    name = " ".join(filter(None, ["empty-state", attributes.pop("className", "")]))
    return html.Div(
        [icon(icon_name), html.H2(title), html.Div(text, className="empty-text")], className=name, **attributes
    )


def skeleton() -> Component:
    """Grey shapes where a page is about to be."""
    return html.Div(
        [
            html.Div(className="bone bone-title"),
            html.Div(className="bone bone-row"),
            html.Div(className="bone bone-body"),
        ],
        className="skeleton",
        role="status",
        **aria(label="Loading"),
    )
