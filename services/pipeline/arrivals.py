"""Arrivals: the prices of one period that belong to tracked metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.market.types import Catalogue, Floats, Ints
from services.pipeline.fetch import FetchResult


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The prices of one period, with the metrics as places in the catalogue.

    `prices` and 24 h `volumes` belong to the metrics at `places`, one each. `missing` are active metrics without a
    price in their exchange's answer, and `refused` the reason for those whose price was refused. `moving_inactive` are
    inactive metrics whose price has moved.
    """

    places: Ints
    prices: Floats
    volumes: Floats
    missing: Ints
    refused: Mapping[int, str]
    moving_inactive: Ints


def select_tracked(answers: Sequence[FetchResult], catalogue: Catalogue) -> Arrivals:
    """Select what belongs to tracked metrics from the answers of all exchanges."""
    places, found_prices, found_volumes = [np.empty(0, dtype=np.int64)], [np.empty(0)], [np.empty(0)]
    missing = np.zeros(len(catalogue.metrics), dtype=np.bool_)
    moving_inactive = missing.copy()
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
            moving_inactive[found[place]] = quotes.pairs[place] not in quotes.idle
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
        np.flatnonzero(moving_inactive & ~catalogue.active).astype(np.int64),
    )
