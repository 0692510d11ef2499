"""What the alerts page reads and changes through, in one piece."""

from collections.abc import Callable
from dataclasses import dataclass

from services.market.ports import AlertService, Clock, Deliveries, MarketReader


@dataclass(frozen=True, slots=True)
class Dependencies:
    """`alert_service` and `deliveries` change things; whoever may only read is refused before any callback is asked."""

    reader: MarketReader
    clock: Clock
    deliveries: Deliveries
    alert_service: AlertService
    who: Callable[[], str | None]
    """The name of whoever sends the present request; None where the server asks nobody for a name."""
