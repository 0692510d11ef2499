"""The ports that the web side is given."""

from collections.abc import Callable
from dataclasses import dataclass

from services.market.ports import AlertService, Clock, Deliveries, MarketReader


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The ports through which routes and callbacks read and make changes.

    `alert_service` and `deliveries` make changes. The guard refuses a visitor who may only read before any route or
    callback runs.
    """

    reader: MarketReader
    clock: Clock
    deliveries: Deliveries
    alert_service: AlertService
    current_user: Callable[[], str | None] = lambda: None
    """The name of the user who sends the present request; None where the server asks for no names."""
    step_aside: Callable[[], None] = lambda: None
    """Called between the steps of a large response; it may block while more urgent work runs."""
