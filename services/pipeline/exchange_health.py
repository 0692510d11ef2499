"""Exchange health: which exchanges fail, lack prices or have stalled, as the status page shows it."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from services.market.alerting.states import Mask
from services.market.stats import measures, metric_stats
from services.market.types import Ints
from services.pipeline.fetch import FetchResult
from services.pipeline.tick_context import TickContext
from services.store.ranking import discoveries, exchange_states
from services.store.ranking.exchange_states import Success

STALLED_PERIODS = 3
MIN_STALLED_PAIRS = 5
"""A quiet pair may keep its price. An exchange has stalled when at least this many of its pairs do, for this long."""

_FIGURES = re.compile(r"\d+")

log = logging.getLogger(__name__)


def record_health(context: TickContext, answers: Sequence[FetchResult]) -> Ints:
    """Record how each exchange answered; return the catalogue places of all metrics of stalled exchanges.

    A stalled exchange repeats the same prices, so that nothing can be concluded from them.
    """
    connection, arrivals, catalogue = context.connection, context.arrivals, context.catalogue
    unchanged = exchange_states.unchanged_periods(connection)
    moved = _moved(context)
    before = context.before.statistics
    frozen = before["id"][measures.frozen(before)]
    missing = arrivals.missing[~np.isin(catalogue.ids[arrivals.missing], frozen)]
    notes = exchange_states.notes(connection)
    stalled = [np.empty(0, dtype=np.int64)]
    for answer in answers:
        market = answer.market
        if answer.quotes is None:
            error = answer.error.explanation if answer.error is not None else ""
            exchange_states.record_failure(connection, market, context.minute, error)
            continue
        places = catalogue.places.get(market, stalled[0])
        arrived = np.isin(arrivals.places, places)
        priced = int(arrived.sum())
        periods = 0 if moved[arrived].any() or not priced else unchanged.get(market, 0) + 1
        if _has_stalled(periods, priced):
            stalled.append(places)
        unpriced = missing[np.isin(missing, places)].tolist()
        refused = Counter(arrivals.refused[place] for place in unpriced if place in arrivals.refused)
        note = _note(refused, len(unpriced), priced, periods)
        refusals = len(set(places.tolist()) & arrivals.refused.keys())
        success = Success(context.minute, answer.latency_ms, refusals, periods, note)
        exchange_states.record_success(connection, market, success)
        discoveries.record_moving_inactive(connection, market, int(np.isin(arrivals.moving_inactive, places).sum()))
        _log_change(market, note, notes.get(market))
    return np.concatenate(stalled)


def _has_stalled(periods: int, priced: int) -> bool:
    return periods >= STALLED_PERIODS and priced >= MIN_STALLED_PAIRS


def _moved(context: TickContext) -> Mask:
    """Which arrivals differ from the metric's last price. A metric's first price counts as a move."""
    before, arrivals = context.before.statistics, context.arrivals
    rows, known = metric_stats.rows_of(before, context.catalogue.ids[arrivals.places])
    moved = np.ones(len(rows), dtype=np.bool_)
    moved[known] = before["price"][rows[known]] != arrivals.prices[known]
    return moved


def _log_change(market: str, note: str | None, before: str | None) -> None:
    """Log a note when it begins and when it ends, and not again when only its figures have changed."""
    if note is None and before is not None:
        log.info("%s: nothing is odd any more", market)
    elif note is not None and _FIGURES.sub("", note) != _FIGURES.sub("", before or ""):
        log.warning("%s: %s", market, note)


def _note(refused: Mapping[str, int], missing: int, priced: int, periods: int) -> str | None:
    parts = []
    if refused:
        parts.append("refused values: " + ", ".join(f"{count} {reason}" for reason, count in refused.items()))
    if missing:
        parts.append(f"{missing} of {missing + priced} tracked pairs without a price")
    if _has_stalled(periods, priced):
        parts.append(f"no price has moved for {periods} periods")
    return "; ".join(parts) or None
