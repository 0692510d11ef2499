"""What became of the messages about alerts, and the channels that they go to."""

from collections.abc import Sequence
from datetime import tzinfo

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts
from layouts.markup import Markup
from services.market.alerting.messages import Delivery

PAGE_ROWS = 50

REFRESH_MS = 5_000
"""Messages go out every few seconds, between the ticks that all else follows."""

CHIPS = {"queued": "is-warning", "sent": "is-good", "failed": "is-alert"}


def section(channels: Sequence[str]) -> Component:
    """The channels, and under them the messages, which come with the first refresh."""
    return html.Div(
        [
            parts.card("Channels", _channels(channels), className="channels"),
            Markup(id=ids.DELIVERIES),
            dcc.Store(id=ids.DELIVERIES_PAGE, data=1),
            dcc.Interval(id=ids.DELIVERIES_POLL, interval=REFRESH_MS),
        ],
        className="deliveries",
    )


def _channels(channels: Sequence[str]) -> Component:
    if not channels:
        text = ["Alerts are only shown here. To be told elsewhere, by mail, chat, push or webhook, set "]
        return html.P([*text, html.Code("NOTIFY_URLS"), "."], className="quiet channel-none")
    return html.Ul([_channel(name) for name in channels], className="channel-list")


def _channel(name: str) -> Component:
    return html.Li(
        [
            html.Span(name, className="strong channel-name"),
            html.Span(id=ids.channel_result(name), role="status", className="channel-result"),
            html.Button("Send a test", id=ids.channel_test(name), className="small-button", type="button"),
        ]
    )


def accepted() -> Component:
    """What a test met that arrived."""
    return html.Span([html.Span(className="dot is-good"), "Accepted"], className="state")


def refused(why: str) -> Component:
    """What a test met that did not."""
    return html.Span([html.Span(className="dot is-bad"), f"Not accepted: {why}"], className="state error-text")


def history(deliveries: Sequence[Delivery], page: int, zone: tzinfo) -> list[Component]:
    """A page of the messages, newest first: `deliveries` are those on it, and more where there is another page."""
    columns = (
        ("Created", "nowrap"),
        ("Channel", "nowrap"),
        ("Message", "delivery-title"),
        ("State", "delivery-state"),
        ("Attempts", "num wide-only"),
        ("", "delivery-action"),
    )
    shown = deliveries[:PAGE_ROWS]
    rows = {
        f"message-{one.id}": (
            notation.stamp(one.created_at, zone),
            one.channel,
            one.title,
            _state(one, zone),
            f"{one.attempts:,}",
            _retry(one) if one.state == "failed" else None,
        )
        for one in shown
    }
    table = parts.table(columns, rows, "Messages about alerts, newest first")
    card = parts.card("Deliveries", table, className="flush")
    at_end = len(deliveries) <= PAGE_ROWS
    if page == 1 and at_end:
        return [card]
    first = (page - 1) * PAGE_ROWS + 1
    return [card, parts.pager(f"{first:,} to {first + len(shown) - 1:,}", "messages", page, at_end=at_end)]


def nothing() -> list[Component]:
    """What stands there while no channel was owed a message."""
    text = "What each channel is told stands here, with what became of it. A test is not kept."
    return [parts.card(None, parts.empty("bell", "No message yet", html.P(text)))]


def _state(delivery: Delivery, zone: tzinfo) -> list[Component]:
    chip = html.Span(delivery.state.capitalize(), className=f"chip {CHIPS[delivery.state]}")
    if delivery.error is None:
        return [chip]
    again = f", next try {notation.stamp(delivery.due_at, zone)}" if delivery.state == "queued" else ""
    return [chip, html.Div(f"{delivery.error}{again}", className="delivery-error")]


def _retry(delivery: Delivery) -> Component:
    label = f"Retry the message to {delivery.channel}: {delivery.title}"
    return parts.button("Retry", "retry", label, **parts.data(number=delivery.id))
