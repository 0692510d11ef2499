"""Store: write what the exchanges gave, keyed (period, metric)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.market.types import Catalogue, Floats, Ints
from services.pipeline.fetch import Answer
from services.store import prices, ticks, volumes
from services.store.engine import Connection


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The period's prices and 24 h volumes of the metrics at `places` of the catalogue, one each."""

    places: Ints
    prices: Floats
    volumes: Floats


def select_tracked(answers: Sequence[Answer], catalogue: Catalogue) -> Arrivals:
    """Of all that the exchanges gave, what belongs to active tracked metrics."""
    places: list[int] = []
    found_prices: list[float] = []
    found_volumes: list[float] = []
    for answer in answers:
        if answer.quotes is None:
            continue
        place_of = catalogue.rows.get(answer.market, {})
        quotes = answer.quotes
        for pair, price, volume in zip(quotes.pairs, quotes.prices.tolist(), quotes.volumes.tolist(), strict=True):
            place = place_of.get(pair)
            if place is not None:
                places.append(place)
                found_prices.append(price)
                found_volumes.append(volume)
    chosen = np.array(places, dtype=np.int64)
    trading = catalogue.active[chosen] if len(chosen) else np.empty(0, dtype=np.bool_)
    return Arrivals(chosen[trading], np.array(found_prices)[trading], np.array(found_volumes)[trading])


def store(
    connection: Connection,
    minute: int,
    answers: Sequence[Answer],
    arrivals: Arrivals,
    catalogue: Catalogue,
    period_seconds: int,
) -> None:
    """Write the arrivals, and how each exchange did; `minute` is the period in epoch seconds."""
    ids = catalogue.ids[arrivals.places]
    prices.store(connection, minute, ids, arrivals.prices, period_seconds)
    volumes.store(connection, minute, ids, arrivals.volumes)
    for answer in answers:
        if answer.quotes is None:
            detail = answer.error.detail if answer.error is not None else ""
            ticks.exchange_failed(connection, answer.market, minute, detail)
        else:
            rejected = sum(answer.quotes.rejected.values())
            ticks.exchange_answered(connection, answer.market, minute, answer.latency_ms, rejected)
