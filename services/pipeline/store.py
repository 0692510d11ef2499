"""Store: write what the exchanges gave, keyed (period, metric)."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market import stats
from services.market.stats import Kept, rows_of
from services.market.types import Catalogue, Floats, Ints
from services.pipeline.fetch import Answer
from services.store import look_ups, prices, ticks, volumes
from services.store.engine import Connection

STILL_PERIODS = 3
STILL_PAIRS = 5
"""A quiet pair may stand still; this many of them for this long are an exchange that repeats itself."""

_FIGURES = re.compile(r"\d+")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The period's prices and 24 h volumes of the metrics at `places` of the catalogue, one each; the places of those
    that are `missing`: active, but without a price in the answer of their exchange, and why those among them have none
    whose price was `refused`; and the places of those that are `stirring`: not active, but with a price that moves."""

    places: Ints
    prices: Floats
    volumes: Floats
    missing: Ints
    refused: Mapping[int, str]
    stirring: Ints


def select_tracked(answers: Sequence[Answer], catalogue: Catalogue) -> Arrivals:
    """Of all that the exchanges gave, what belongs to active tracked metrics."""
    places, found_prices, found_volumes = [np.empty(0, dtype=np.int64)], [np.empty(0)], [np.empty(0)]
    missing = np.zeros(len(catalogue.metrics), dtype=np.bool_)
    stirring = missing.copy()
    refused: dict[int, str] = {}
    for answer in answers:
        if answer.quotes is None:
            continue
        place_of = catalogue.rows.get(answer.market, {})
        quotes = answer.quotes
        found = np.fromiter((place_of.get(pair, -1) for pair in quotes.pairs), np.int64, len(quotes.pairs))
        known = found >= 0
        tracked = known.copy()
        tracked[known] = catalogue.active[found[known]]
        for place in np.flatnonzero(known & ~tracked).tolist():
            stirring[found[place]] = quotes.pairs[place] not in quotes.idle
        refused |= {
            place: why
            for pair, why in quotes.refused.items()
            if (place := place_of.get(pair, -1)) >= 0 and catalogue.active[place]
        }
        missing[catalogue.places.get(answer.market, found[:0])] = True
        missing[found[tracked]] = False
        places.append(found[tracked])
        found_prices.append(quotes.prices[tracked])
        found_volumes.append(quotes.volumes[tracked])
    return Arrivals(
        np.concatenate(places),
        np.concatenate(found_prices),
        np.concatenate(found_volumes),
        np.flatnonzero(missing & catalogue.active).astype(np.int64),
        refused,
        np.flatnonzero(stirring & ~catalogue.active).astype(np.int64),
    )


def store(
    connection: Connection,
    minute: int,
    answers: Sequence[Answer],
    arrivals: Arrivals,
    catalogue: Catalogue,
    before: Kept,
    period_seconds: int,
) -> None:
    """Write the arrivals, and how each exchange did; `minute` is the period in epoch seconds, `before` the
    statistics of the period before it."""
    ids = catalogue.ids[arrivals.places]
    prices.store(connection, minute, ids, arrivals.prices, period_seconds)
    volumes.store(connection, minute, ids, arrivals.volumes)
    still = ticks.still_periods(connection)
    moved = _moved(arrivals, catalogue, before)
    frozen = before["id"][stats.frozen(before)]
    missed = arrivals.missing[~np.isin(catalogue.ids[arrivals.missing], frozen)]
    told = ticks.notes(connection)
    for answer in answers:
        if answer.quotes is None:
            error = answer.error.explanation if answer.error is not None else ""
            ticks.exchange_failed(connection, answer.market, minute, error)
            continue
        places = catalogue.places.get(answer.market, np.empty(0, dtype=np.int64))
        mine = np.isin(arrivals.places, places)
        periods = 0 if moved[mine].any() or not mine.any() else still.get(answer.market, 0) + 1
        lacking = missed[np.isin(missed, places)].tolist()
        refused = Counter(arrivals.refused[place] for place in lacking if place in arrivals.refused)
        note = _note(refused, len(lacking), int(mine.sum()), periods)
        count = len(set(places.tolist()) & arrivals.refused.keys())
        ticks.exchange_answered(connection, answer.market, minute, answer.latency_ms, count, periods, note)
        look_ups.note_stirring(connection, answer.market, int(np.isin(arrivals.stirring, places).sum()))
        _tell(answer.market, note, told.get(answer.market))


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


def _moved(arrivals: Arrivals, catalogue: Catalogue, before: Kept) -> npt.NDArray[np.bool_]:
    """Which arrivals differ from the price before; one that has none before it counts as moved."""
    rows, known = rows_of(before, catalogue.ids[arrivals.places])
    moved = np.ones(len(rows), dtype=np.bool_)
    moved[known] = before["price"][rows[known]] != arrivals.prices[known]
    return moved


def _tell(market: str, note: str | None, before: str | None) -> None:
    """Log what is odd about an answer when it begins and when it ends, and not again because a figure has changed."""
    if note is None and before is not None:
        log.info("%s: nothing is odd any more", market)
    elif note is not None and _FIGURES.sub("", note) != _FIGURES.sub("", before or ""):
        log.warning("%s: %s", market, note)


def _note(refused: Mapping[str, int], missing: int, priced: int, still: int) -> str | None:
    parts = []
    if refused:
        parts.append("refused values: " + ", ".join(f"{n} {why}" for why, n in refused.items()))
    if missing:
        parts.append(f"{missing} of {missing + priced} tracked pairs without a price")
    if _repeats_itself(still, priced):
        parts.append(f"no price has moved for {still} periods")
    return "; ".join(parts) or None
