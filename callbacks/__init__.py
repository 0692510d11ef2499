"""The wiring between browser and pages. Each module adds one page's callbacks to the app it is given."""

from dash import Dash

from callbacks import (
    alert_history,
    alerting,
    compare,
    deliveries,
    metric,
    pages,
    ranking,
    rule_form,
    rules,
    shell,
    status,
)
from callbacks.dependencies import Doors


def register(app: Dash, doors: Doors) -> None:
    """Add every callback to `app`; they read, write and tell the time through `doors`."""
    reader, clock = doors.reader, doors.clock
    shell.register(app)
    pages.register(app, doors)
    ranking.register(app)
    metric.register(app, reader, doors.desk, clock)
    compare.register(app, reader, clock)
    alerting.register(app, doors)
    alert_history.register(app, doors)
    deliveries.register(app, doors.deliveries, clock)
    rules.register(app, doors)
    rule_form.register(app, doors)
    status.register(app, reader, clock)
