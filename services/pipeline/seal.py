"""Seal: after a tick, move samples that no window needs into chunks, and remove what is older than the retention."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.market.alerting.rules import longest_windows
from services.market.times import HOUR, to_epoch
from services.market.window_sums import ROLLING
from services.pipeline.tick import Plan
from services.store import sizes
from services.store.alerting import rules
from services.store.database import leases
from services.store.database.engine import MAINTENANCE_TIMEOUTS, Connection, writing
from services.store.history import retention, sealing
from services.store.ranking import ticks

MARGIN_SECONDS = HOUR
"""Samples stay rows for this much longer than the windows need them, because a backfill may still add to them."""

STEP_SAMPLES = 40_000
"""Prices moved in one transaction: with as many volumes, some tenths of a second."""

STEP_CHUNKS = 2_000
"""Chunks removed in one transaction."""

log = logging.getLogger(__name__)


@dataclass
class Upkeep:
    """The work done: prices `sealed`, chunks `removed`, and `steps`, the transactions that it took."""

    sealed: int = 0
    removed: int = 0
    steps: int = 0


def seal(plan: Plan, minute: datetime, owner: str | None, goes_on: Callable[[], bool]) -> Upkeep:
    """Seal and remove what is due as of the tick of `minute`, step by step, while `goes_on` returns True.

    `owner` must hold the lease in each step. Raises LeaseLost, StoreUnavailable; the steps before stay.
    """
    done = Upkeep()
    now = to_epoch(minute)
    with writing(plan.engine) as connection:
        sizes.record(connection, now)
    while goes_on():
        with writing(plan.engine, MAINTENANCE_TIMEOUTS) as connection:
            if owner is not None:
                leases.require(connection, owner)
            if not _seal_some(connection, plan, now, done) and not _remove_some(connection, plan, now, done):
                break
        done.steps += 1
    if done.steps:
        log.info("history: %d prices sealed, %d chunks removed in %d steps", done.sealed, done.removed, done.steps)
    return done


def _seal_some(connection: Connection, plan: Plan, now: int, done: Upkeep) -> bool:
    step = sealing.next_step(connection, _needed_since(plan, now), plan.period_seconds, STEP_SAMPLES)
    if step is None:
        return False
    done.sealed += sealing.seal(connection, step)
    return True


def _remove_some(connection: Connection, plan: Plan, now: int, done: Upkeep) -> bool:
    if plan.retention_seconds is None:
        return False
    # Samples sealed under shorter windows may be within the present ones, whose statistics need them. And rules compare
    # with earlier standard deviations, each computed over the window before it.
    longest = longest_windows(rules.stored(connection))
    rule_window = max((longest[quantity] for quantity in ROLLING if quantity in longest), default=0)
    retained_seconds = max(plan.retention_seconds, now - _needed_since(plan, now) + rule_window)
    removed = retention.remove(connection, ticks.age_cutoff(connection, now, retained_seconds), STEP_CHUNKS)
    done.removed += removed
    return removed > 0


def _needed_since(plan: Plan, now: int) -> int:
    """The epoch second from which windows need samples. Rules on prices or volumes need none before it either, because
    they look back a day at most (`services.market.alerting.rules.WINDOWS`)."""
    return now - plan.windows.longest - MARGIN_SECONDS
