"""Components that pages share: cards, figures, chips, links, tables."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import notation
from layouts.paths import at
from services.market.alerting.alerts import Alert
from services.market.ranking import RankedMetric
from services.market.stats.measures import FROZEN_PERIODS

STATE_MEANINGS = {
    "new": "Its exchange has listed it within the last day",
    "delisted": "Its exchange has delisted it",
    "halted": "Its exchange lists it, but has halted its trading",
    "frozen": f"The last {FROZEN_PERIODS} answers of its exchange had no price for it",
}
"""The meaning of the chips after a pair; all but the first exclude it from the ranking."""

Content = str | Component | Sequence[str | Component] | None


def aria(**attributes: str) -> dict[str, Any]:
    """ARIA attributes as keyword arguments: `html.Nav(..., **aria(label="Main"))`."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def icon(name: str) -> Component:
    """An icon of assets/icons.css, hidden from screen readers."""
    return html.Span(className=f"icon icon-{name}", **aria(hidden="true"))


def heading(title: str, lead: Content, tools: Content = None) -> Component:
    """A page's title and lead, with its tools on the right."""
    titles = [html.H1(title, className="page-title"), html.P(lead, className="page-lead")]
    return html.Div([html.Div(titles), html.Div(tools, className="page-tools")], className="page-head")


def card(title: str | None, body: Content, tools: Content = None, **attributes: Any) -> Component:
    """A surface with an optional title line."""
    head = [] if title is None else [html.Div([html.H2(title), html.Div(tools)], className="card-head")]
    name = " ".join(filter(None, ["panel", attributes.pop("className", "")]))
    return html.Section([*head, html.Div(body, className="card-content")], className=name, **attributes)


def segments(identity: object, options: Sequence[Any], chosen: str) -> Component:
    """Buttons of which one is chosen, in a row without gaps."""
    buttons: Component = dbc.RadioItems(
        id=identity,
        options=options,
        value=chosen,
        className="segments",
        inputClassName="btn-check",
        labelClassName="segment",
    )
    return buttons


def toggle(identity: str, value: str, label: Component, *, is_on: bool = False) -> Component:
    """A button that is on or off; its value is a list, with `value` if it is on."""
    button: Component = dbc.Checklist(
        id=identity,
        options=[{"label": label, "value": value}],
        value=[value] if is_on else [],
        className="toggle",
        inputClassName="btn-check",
        labelClassName="toggle-label",
    )
    return button


def figure(label: str, value: Content, tone: str = "", **attributes: Any) -> Component:
    """One number with its name; `tone` is a class that colours it."""
    return html.Div(
        [html.Dt(label), html.Dd(value, className=tone, **attributes)],
        className="figure",
    )


def figures(items: Iterable[Component], **attributes: Any) -> Component:
    return html.Dl(list(items), **attributes)


def tone(fraction: float | None) -> str:
    """The class that colours a change; none for zero and for unknown changes."""
    if not fraction:
        return ""
    return "is-up" if fraction > 0 else "is-down"


def state_chips(row: RankedMetric, now: datetime | None = None) -> list[Component]:
    """Chips for the state of a metric; assets/ranking/cells.js makes the same of STATE_MEANINGS. With `now`, the chip
    of a stale price has its age."""
    states = [("new", "is-new")] if row.new_at else []
    if not row.active:
        states.append((row.reason or "inactive", "is-warning"))
    chips: list[Component] = [
        html.Span(word.capitalize(), className=f"chip {look}", title=STATE_MEANINGS.get(word)) for word, look in states
    ]
    if row.stale and row.active:
        age = "Stale" if now is None or row.updated_at is None else notation.age(row.updated_at, now)
        chips.append(html.Span(age, className="chip is-warning", title="Its price is not current"))
    return chips


def firing_chip(alert: Alert) -> Component:
    """The state of an alert."""
    if alert.state == "firing":
        return html.Span("Firing", className="chip is-alert")
    if alert.state == "no_data":
        return html.Span(
            "No data", className="chip is-warning", title="No price for three periods: the alert may still be firing"
        )
    return html.Span("Resolved", className="chip is-good")


def metric_link(metric_id: int, text: Content) -> Component:
    return dcc.Link(text, href=metric_path(metric_id))


def metric_path(metric_id: int) -> str:
    return at(f"/metric/{metric_id}")


def table(columns: Sequence[tuple[str, str]], rows: Mapping[str, Sequence[Content]], caption: str) -> Component:
    """A table. `columns` are (title, class); the class `num` aligns numbers to the right. `rows` are cells by a key
    that identifies the row wherever it moves to."""
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
        tabIndex="0",  # scrolled by the arrow keys without a pointer
        role="group",
        **aria(label=caption),
    )


def button(text: Content, action: str, label: str | None = None, **attributes: Any) -> Component:
    """A small button in a Markup whose `action` it sets to `action`; `label` describes it to screen readers."""
    look = {"className": "small-button", "type": "button", "data-act": action}
    named = {} if label is None else aria(label=label)
    return html.Button(text, **{**look, **named, **attributes})


def data(**values: object) -> dict[str, Any]:
    """`data-` attributes as keyword arguments; the action of a button has those of the elements around it."""
    return {f"data-{name}": str(value) for name, value in values.items()}


def pager(text: str, of: str, page: int, *, at_end: bool) -> Component:
    """The range of the rows shown (`text`), and buttons to the pages before and after `page`, which counts from 1."""

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
    """The hint where there is nothing to show: why, and what to do about it."""
    name = " ".join(filter(None, ["empty-state", attributes.pop("className", "")]))
    return html.Div(
        [icon(icon_name), html.H2(title), html.Div(text, className="empty-text")], className=name, **attributes
    )


def skeleton() -> Component:
    """Grey shapes while a page loads."""
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
