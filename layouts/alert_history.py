"""The history of alerts on the alerts page: its filters, the alerts that they choose, and its dialogs."""

from dataclasses import asdict

from dash import dcc, html
from dash.development.base_component import Component

from layouts import alert_dialogs, alert_filters, ids, parts
from layouts.markup import Markup


def section(search: str) -> Component:
    """The controls, set as the query string says; what they choose comes with the first update."""
    filters = alert_filters.filters_at(search)
    return html.Div(
        [
            dcc.Store(id=ids.HISTORY_ASK, data=asdict(filters)),
            dcc.Store(id=ids.HISTORY_CHOSEN),
            dcc.Store(id=ids.HISTORY_UNMUTE),
            dcc.Store(id=ids.HISTORY_DONE),
            alert_filters.toolbar(filters),
            Markup(parts.skeleton(), id=ids.ALERT_HISTORY),
            alert_dialogs.acknowledging(),
            alert_dialogs.muting(),
        ],
        className="alert-history",
    )
