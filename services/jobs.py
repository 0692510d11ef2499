"""The jobs and their intervals: one list for every runner."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.bootstrap import Services
from services.market.errors import StoreUnavailable
from services.market.present import is_within
from services.market.times import period_of
from services.pipeline.backfill_running_sums import backfill_running_sums
from services.pipeline.seal import seal
from services.pipeline.tick import TickReport, tick

MIN_PAUSE_SECONDS = timedelta(seconds=1)
"""The time between the end of a period's upkeep and the next tick."""

BREATH_SECONDS = 0.05
"""Seconds between two steps of the upkeep, for other threads."""

REST_SECONDS = 0.5
"""Seconds between two tries of a tick that could not be stored."""

RETRY_SHARE = 0.9
"""A tick is retried during this share of its period; after that, the next tick comes as soon."""

NOTIFY_SECONDS = 5
DISCOVERY_SECONDS = 30
BACKFILL_SECONDS = 15
"""Seconds between two calls of these jobs."""


@dataclass(frozen=True, slots=True)
class Job:
    """`function(services, now)` is called every `seconds` (None: every period) while this process holds the lease.

    One call of a job runs at a time. Calls that come due meanwhile are replaced by a single one.
    """

    name: str
    seconds: int | None
    function: Callable[[Services, datetime], None]


def retries_end(minute: datetime, period_seconds: int) -> datetime:
    """The time at which the tick of `minute` is given up."""
    return minute + RETRY_SHARE * timedelta(seconds=period_seconds)


def run_tick(services: Services, now: datetime) -> None:
    """Store the current period's tick, unless it is stored, and try again while the database is away and the period
    lasts. Then use the rest of the period for the upkeep of the history, so that it never delays a tick."""
    begins = period_of(now, services.settings.period_seconds)
    ends = retries_end(begins, services.settings.period_seconds)
    while True:
        try:
            minute = _tick(services, now)
        except StoreUnavailable as error:
            if services.stopping.wait(REST_SECONDS) or not is_within(services.clock(), begins, ends):
                raise
            services.plan.failures.failed("tick", f"the database is away, it is tried again: {error}")
            now = services.clock()
        else:
            break
    services.plan.failures.ended("tick", "nothing keeps it from being stored any more")
    keep_history(services, minute, services.owner)


def keep_history(services: Services, minute: datetime, owner: str) -> None:
    """The upkeep of the history as of the tick of `minute`, until shortly before the next one: compute the running sums
    of new rules, seal and remove samples. Raises LeaseLost."""
    period = timedelta(seconds=services.settings.period_seconds)
    begins = minute - period  # the clock of the process that ticked may be ahead of this one
    ends = minute + period - max(period / 5, MIN_PAUSE_SECONDS)
    try:
        backfill_running_sums(services.plan, minute, owner, lambda: _has_time(services, begins, ends))
        seal(services.plan, minute, owner, lambda: _has_time(services, begins, ends))
    except StoreUnavailable as error:
        text = f"nothing moved, the next period tries again: {error}"
        services.plan.failures.failed("history", text, level=logging.ERROR)
    else:
        services.plan.failures.ended("history", "moves again")


def _has_time(services: Services, begins: datetime, ends: datetime) -> bool:
    """Pause, so that other threads get the processor. Returns True if there is time for another step."""
    return not services.stopping.wait(BREATH_SECONDS) and is_within(services.clock(), begins, ends)


def _tick(services: Services, now: datetime) -> datetime:
    minute = period_of(now, services.settings.period_seconds)
    with services.ticking:  # the second of two threads finds the tick stored
        report = tick(services.plan, services.ingestion.fetcher, minute, now - minute, services.owner)
    send_heartbeat(services, report)
    return minute


def send_heartbeat(services: Services, report: TickReport | None) -> None:
    """Ping the monitor in the background, if the tick stored prices: once a period."""
    if services.heartbeat is not None and report is not None and report.state.stored:
        services.heartbeat.beat()


def run_notify(services: Services, now: datetime) -> None:  # noqa: ARG001 - it takes long, and reads the clock itself
    """Send the pending messages, also those of earlier ticks and of processes that died, with a thread per channel."""
    services.senders.give_up_removed()
    services.senders.run()


def run_discovery(services: Services, now: datetime) -> None:
    """Fetch the lists of pairs that are more than an hour old. If there were any, also run the current period's tick,
    which may have had no metrics before, and start the backfill of new ones."""
    if services.ingestion.discovery.run(now) and not services.stopping.is_set():
        _tick(services, services.clock())
        services.ingestion.backfills.run()


def run_backfill(services: Services, now: datetime) -> None:  # noqa: ARG001 - it takes long, and reads the clock itself
    """Fill the gaps in the history, with a thread per exchange."""
    services.ingestion.backfills.run()


JOBS = (
    Job("tick", None, run_tick),
    Job("notify", NOTIFY_SECONDS, run_notify),
    Job("discovery", DISCOVERY_SECONDS, run_discovery),
    Job("backfill", BACKFILL_SECONDS, run_backfill),
)
