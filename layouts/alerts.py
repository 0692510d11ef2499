"""The history of fired alerts."""

from collections.abc import Sequence
from datetime import tzinfo

from dash import html
from dash.development.base_component import Component

from layouts import notation, parts
from services.market.types import Alert

MOST = 500


def history(alerts: Sequence[Alert], zone: tzinfo) -> Component:
    """The table, newest first; what to expect where there is none."""
    if not alerts:
        words = html.P("When one does, it is kept here and shown on every page.")
        return parts.card(None, parts.empty("bell", "No alert has fired yet", words))
    rows = [
        (
            notation.stamp(alert.fired_at, zone),
            parts.metric_link(alert.metric_id, str(alert.pair)),
            alert.market,
            notation.price(alert.price),
            notation.price(alert.average),
            html.Span(notation.cause(alert), className="chip is-alert"),
            notation.price(alert.threshold) if alert.factor is None else f"{alert.factor:g}{notation.TIMES}",
            f"{alert.samples:,}",
        )
        for alert in alerts
    ]
    columns = (
        ("Fired", "nowrap"),
        ("Pair", "strong nowrap"),
        ("Market", "market wide-only"),
        ("Price", "num strong"),
        ("Average before", "num wide-only"),
        ("Multiple", "num"),
        ("Threshold", "num wide-only"),
        ("Samples", "num wide-only"),
    )
    return parts.card(None, parts.table(columns, rows, "Fired alerts, newest first"), className="flush")
