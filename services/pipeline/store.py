"""Store: write what the exchanges gave, keyed (period, metric)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from services.market import stats
from services.market.stats import MetricStats
from services.market.types import Catalogue
from services.pipeline.arrivals import Arrivals
from services.pipeline.exchange_health import moved, note_of, report
from services.pipeline.fetch import FetchResult
from services.store.database.engine import Connection
from services.store.history import prices, volumes
from services.store.ranking import discoveries, ticks


def store(
    connection: Connection,
    minute: int,
    answers: Sequence[FetchResult],
    arrivals: Arrivals,
    catalogue: Catalogue,
    before: MetricStats,
    period_seconds: int,
) -> None:
    """Write the arrivals, and how each exchange did; `minute` is the period in epoch seconds, `before` the
    statistics of the period before it."""
    ids = catalogue.ids[arrivals.places]
    prices.store(connection, minute, ids, arrivals.prices, period_seconds)
    volumes.store(connection, minute, ids, arrivals.volumes)
    still = ticks.still_periods(connection)
    moving = moved(arrivals, catalogue, before)
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
        periods = 0 if moving[mine].any() or not mine.any() else still.get(answer.market, 0) + 1
        lacking = missed[np.isin(missed, places)].tolist()
        refused = Counter(arrivals.refused[place] for place in lacking if place in arrivals.refused)
        note = note_of(refused, len(lacking), int(mine.sum()), periods)
        count = len(set(places.tolist()) & arrivals.refused.keys())
        ticks.exchange_answered(connection, answer.market, minute, answer.latency_ms, count, periods, note)
        discoveries.note_stirring(connection, answer.market, int(np.isin(arrivals.stirring, places).sum()))
        report(answer.market, note, told.get(answer.market))
