"""The page of alerts: what fired, and who was told."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from layouts import alert_history, deliveries, parts

LEAD = "What has fired, who has seen it, and who was told."


def page(search: str, channels: Sequence[str]) -> Component:
    """The history as the query string chooses it, and the messages to these channels."""
    return html.Div(
        [parts.heading("Alerts", LEAD), alert_history.section(search), deliveries.section(channels)],
        className="alerts-page",
    )
