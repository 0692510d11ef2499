"""The wiring between browser and pages. Each module adds one page's callbacks to the app it is given."""

from dash import Dash

from callbacks import alerts, compare, deliveries, metric, pages, ranking, shell, status
from services.market.ports import Clock, Deliveries, MarketReader


def register(app: Dash, reader: MarketReader, clock: Clock, messages: Deliveries) -> None:
    """Add every callback to `app`; they read through `reader` and tell the time by `clock`."""
    shell.register(app)
    pages.register(app, reader, clock, messages)
    ranking.register(app)
    metric.register(app, reader, clock)
    compare.register(app, reader, clock)
    alerts.register(app, reader)
    deliveries.register(app, messages, clock)
    status.register(app, reader, clock)
