"""Delivery status of messages, and the configured channels."""

from collections.abc import Sequence
from datetime import tzinfo

from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts
from layouts.markup import Markup
from services.market.alerting.messages import Delivery

PAGE_ROWS = 50

REFRESH_MS = 5_000
"""Messages are sent every few seconds, independent of the ticks."""

CHIPS = {"queued": "is-warning", "sent": "is-good", "failed": "is-alert"}


def section(channels: Sequence[str]) -> Component:
    """The channels, and below them the messages, which the first refresh brings."""
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
        text = "No channel is configured: alerts are only shown here. To send them by mail, chat, push or webhook, set "
        return html.P([text, html.Code("NOTIFY_URLS"), "."], className="quiet channel-none")
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
    """The result of a test that was accepted."""
    return html.Span([html.Span(className="dot is-good"), "Accepted"], className="state")


def refused(why: str) -> Component:
    """The result of a test that was not accepted."""
    return html.Span([html.Span(className="dot is-bad"), f"Not accepted: {why}"], className="state error-text")


def history(deliveries: Sequence[Delivery], page: int, zone: tzinfo) -> list[Component]:
    """A page of messages, newest first. `deliveries` has one more than a page holds if there is another page."""
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
    """The page while there are no messages."""
    text = "Messages to each channel appear here with their delivery status. Tests are not recorded."
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
