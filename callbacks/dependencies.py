"""What the alerts page reads and changes through, in one piece."""

from collections.abc import Callable
from dataclasses import dataclass

from services.market.ports import AlertDesk, Clock, Deliveries, MarketReader


@dataclass(frozen=True, slots=True)
class Doors:
    """`desk` and `deliveries` change things; whoever may only read is refused before any callback is asked."""

    reader: MarketReader
    clock: Clock
    deliveries: Deliveries
    desk: AlertDesk
    who: Callable[[], str | None]
    """The name of whoever sends the present request; None where the server asks nobody for a name."""
