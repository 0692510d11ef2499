"""What the alerts page reads and changes through, in one piece."""

from dataclasses import dataclass

from services.market.ports import AlertDesk, Clock, Deliveries, MarketReader


@dataclass(frozen=True, slots=True)
class Doors:
    """`desk` and `deliveries` change things; whoever may only read is refused before any callback is asked."""

    reader: MarketReader
    clock: Clock
    deliveries: Deliveries
    desk: AlertDesk
