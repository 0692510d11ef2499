"""The alert history on the alerts page: the filters, the alerts that pass them, and the dialogs."""

from dash import dcc, html
from dash.development.base_component import Component

from layouts import alert_dialogs, alert_filters, ids, parts
from layouts.alert_query import filters_at
from layouts.markup import Markup


def section(search: str) -> Component:
    """The controls, set as the query string says. The first update brings the alerts."""
    filters = filters_at(search)
    return html.Div(
        [
            dcc.Store(id=ids.HISTORY_ASK, data=filters.parameters),
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
