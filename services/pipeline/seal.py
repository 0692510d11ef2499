"""Seal: after a tick, move what no window needs any more into chunks, and remove what is not to be kept."""

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
"""Samples stay, and stay rows, this much longer than the windows need them: the backfill may still add to what is
near."""

STEP_SAMPLES = 40_000
"""Prices moved in one transaction; with as many volumes, some tenths of a second."""

STEP_CHUNKS = 2_000
"""Chunks removed in one transaction."""

log = logging.getLogger(__name__)


@dataclass
class Upkeep:
    """What was done: prices `sealed`, chunks `removed`, transactions that took (`steps`)."""

    sealed: int = 0
    removed: int = 0
    steps: int = 0


def seal(plan: Plan, minute: datetime, owner: str | None, goes_on: Callable[[], bool]) -> Upkeep:
    """Work off what is due as of the tick of `minute`, step by step, while `goes_on` says so.

    `owner` is checked to hold the lease in each step. Raises LeaseLost, StoreUnavailable; the steps before stay.
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
    # What was sealed under shorter windows may be in the present ones, whose figures rest on it; and rules compare with
    # standard deviations of the past, each of which has such a window before it.
    longest = longest_windows(rules.stored(connection))
    looked_back = max((longest[quantity] for quantity in ROLLING if quantity in longest), default=0)
    kept_seconds = max(plan.retention_seconds, now - _needed_since(plan, now) + looked_back)
    removed = retention.remove(connection, ticks.age_cutoff(connection, now, kept_seconds), STEP_CHUNKS)
    done.removed += removed
    return removed > 0


def _needed_since(plan: Plan, now: int) -> int:
    """Up to this epoch second no window needs any sample, nor does a rule on prices or volumes: those look back on a
    day at most (alert_rules.WINDOWS)."""
    return now - plan.windows.longest - MARGIN_SECONDS
