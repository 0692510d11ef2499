"""Exchange health: which exchanges stand still or lack prices, as the status page tells it."""

import logging
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from services.market.stats import MetricStats, rows_of
from services.market.types import Catalogue, Ints
from services.pipeline.arrivals import Arrivals
from services.store.database.engine import Connection
from services.store.ranking import ticks

STILL_PERIODS = 3
STILL_PAIRS = 5
"""A quiet pair may stand still; this many of them for this long are an exchange that repeats itself."""

_FIGURES = re.compile(r"\d+")

log = logging.getLogger(__name__)


def frozen_places(connection: Connection, arrivals: Arrivals, catalogue: Catalogue) -> Ints:
    """Where the catalogue has the metrics of exchanges that repeat themselves, once the arrivals are stored."""
    found = [np.empty(0, dtype=np.int64)]
    for market, periods in ticks.still_periods(connection).items():
        places = catalogue.places.get(market, found[0])
        if _repeats_itself(periods, int(np.isin(arrivals.places, places).sum())):
            found.append(places)
    return np.concatenate(found)


def _repeats_itself(still: int, priced: int) -> bool:
    return still >= STILL_PERIODS and priced >= STILL_PAIRS


def moved(arrivals: Arrivals, catalogue: Catalogue, before: MetricStats) -> npt.NDArray[np.bool_]:
    """Which arrivals differ from the price before; one that has none before it counts as moved."""
    rows, known = rows_of(before, catalogue.ids[arrivals.places])
    moved = np.ones(len(rows), dtype=np.bool_)
    moved[known] = before["price"][rows[known]] != arrivals.prices[known]
    return moved


def report(market: str, note: str | None, before: str | None) -> None:
    """Log what is odd about an answer when it begins and when it ends, and not again because a figure has changed."""
    if note is None and before is not None:
        log.info("%s: nothing is odd any more", market)
    elif note is not None and _FIGURES.sub("", note) != _FIGURES.sub("", before or ""):
        log.warning("%s: %s", market, note)


def note_of(refused: Mapping[str, int], missing: int, priced: int, still: int) -> str | None:
    parts = []
    if refused:
        parts.append("refused values: " + ", ".join(f"{n} {why}" for why, n in refused.items()))
    if missing:
        parts.append(f"{missing} of {missing + priced} tracked pairs without a price")
    if _repeats_itself(still, priced):
        parts.append(f"no price has moved for {still} periods")
    return "; ".join(parts) or None
