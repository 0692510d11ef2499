"""The wiring between browser and pages. Each module adds one page's callbacks to the app it is given."""

from dash import Dash

from callbacks import alert_history, compare, deliveries, metric, pages, ranking, shell, status
from callbacks.alert_history import Who
from services.market.ports import AlertDesk, Clock, Deliveries, MarketReader


def register(app: Dash, reader: MarketReader, clock: Clock, messages: Deliveries, desk: AlertDesk, who: Who) -> None:
    """Add every callback to `app`: they read through `reader`, change through `desk` in the name that `who` tells, and
    know the time by `clock`."""
    shell.register(app)
    pages.register(app, reader, clock, messages)
    ranking.register(app)
    metric.register(app, reader, clock)
    compare.register(app, reader, clock)
    alert_history.register(app, reader, clock, desk, who)
    deliveries.register(app, messages, clock)
    status.register(app, reader, clock)
