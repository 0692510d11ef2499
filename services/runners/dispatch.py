"""A clock that sends the jobs to Celery's workers."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from celery import Celery
from celery.result import AsyncResult, denied_join_result
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from services.bootstrap import Services
from services.jobs import (
    BACKFILL_SECONDS,
    JOBS,
    NOTIFY_SECONDS,
    REST_SECONDS,
    Job,
    retries_end,
    run_backfill,
    run_discovery,
    run_notify,
    run_tick,
)
from services.market.errors import StoreUnavailable, Unavailable
from services.market.present import is_within
from services.market.times import period_of, to_epoch
from services.pipeline.fetch import FetchResult
from services.pipeline.tick import markets_to_ask
from services.runners import celery_app
from services.runners.answer_codec import Wire, pack
from services.runners.scheduler import Scheduler

BROKER_ERRORS = (OperationalError, RedisError, ConnectionError)
"""Errors of Celery and Redis while the broker is away."""

CLOSE_SECONDS = 10.0
"""Limit of the closing step, and a quarter of a period at most: a worker that has died does not answer."""

DISCOVER_SECONDS = 60.0
SILENCE_TIMEOUTS = 2
SILENCE_SHARE = 0.7
"""Without an answer of any worker, no request reached the exchange. The wait is then this many times as long as for an
exchange's own answer, up to this share of the period."""

POLL_SECONDS = 0.02
"""Seconds between two checks for the result of a task."""

BROKER, DATABASE, DISPATCH = "broker", "database", "dispatch"
"""Names in the log of parts that may fail."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Sends tasks, and waits for the tasks of a tick."""

    celery: Celery

    def jobs(self) -> tuple[Job, ...]:
        """The jobs of `services.jobs`, each of which sends its work to a worker."""
        senders: Mapping[Callable[[Services, datetime], None], Callable[[Services, datetime], None]] = {
            run_tick: self.tick,
            run_notify: self._notify,
            run_discovery: self._discover,
            run_backfill: self._backfill,
        }
        return tuple(replace(job, function=self._guarded(senders[job.function])) for job in JOBS)

    def tick(self, services: Services, now: datetime) -> None:
        """Have the current period's tick stored: one fetch task per exchange, then the closing step. After the loss of
        a worker, the broker or the database it starts again, as long as the period lasts."""
        minute = period_of(now, services.settings.period_seconds)
        ends_at = retries_end(minute, services.settings.period_seconds)
        with services.ticking:
            while not self._is_done(services, minute, ends_at):
                if services.stopping.wait(REST_SECONDS) or not is_within(services.clock(), minute, ends_at):
                    text = f"tick {minute:%H:%M:%S} is given up"
                    services.plan.failures.failed(DISPATCH, text, reason="given up", level=logging.ERROR)
                    return
            services.plan.failures.ended(DISPATCH, "ticks come to their end again")

    def _is_done(self, services: Services, minute: datetime, ends_at: datetime) -> bool:
        """Try once, unless nothing is left to do. Returns True if the tick is done."""
        failures = services.plan.failures
        try:
            markets = markets_to_ask(services.plan, minute)
            failures.ended(DATABASE)
            if not markets:
                return True
            if self._try(services, minute, markets, ends_at):
                self._send(services, celery_app.KEEP, (to_epoch(minute), services.owner), ends_at)
                return True
            failures.failed(DISPATCH, f"tick {minute:%H:%M:%S} did not come to its end", reason="no end")
        except BROKER_ERRORS as error:
            failures.failed(BROKER, f"away: {error}", reason=str(error))
        except StoreUnavailable as error:
            failures.failed(DATABASE, f"away: {error}", reason=str(error))
        return False

    def _try(self, services: Services, minute: datetime, markets: Sequence[str], ends_at: datetime) -> bool:
        started = services.clock()
        answers = self._fetch(services, minute, markets, ends_at)
        if not any(answers.values()):
            return False
        asked = services.clock()
        late_ms, fetch_ms = (
            (one - other) / timedelta(milliseconds=1) for one, other in ((started, minute), (asked, started))
        )
        packed = [answer or _silence(market) for market, answer in answers.items()]
        arguments = (packed, to_epoch(minute), late_ms, fetch_ms, services.owner)
        closing = self._send(services, celery_app.CLOSE, arguments, ends_at)
        seconds = min(CLOSE_SECONDS, services.settings.period_seconds / 4)
        until = min(ends_at, asked + timedelta(seconds=seconds))
        _await(services, {"close": [closing]}, minute, until)
        return bool(closing.ready() and closing.successful())

    def _fetch(
        self, services: Services, minute: datetime, markets: Sequence[str], ends_at: datetime
    ) -> Mapping[str, Wire | None]:
        """One answer per exchange, None when no worker gave any. A fetch that is not answered after half of an
        exchange's time is sent again, and again after each further half: its worker may be gone."""
        timeout = timedelta(seconds=services.timeout_seconds)
        period = timedelta(seconds=services.settings.period_seconds)
        started = services.clock()
        last = max(started + timeout / 2, minute + SILENCE_SHARE * period)
        last = min(last, started + SILENCE_TIMEOUTS * timeout, ends_at)
        asked: dict[str, list[AsyncResult[Any]]] = {market: [] for market in markets}
        waiting = list(markets)
        until = started
        while waiting and until < last and is_within(services.clock(), minute, ends_at):
            for market in waiting:
                asked[market].append(self._send(services, celery_app.FETCH, (market, to_epoch(minute)), ends_at))
            until = min(until + timeout / 2, last)
            waiting = _await(services, asked, minute, until)
        answers = {}
        for market, results in asked.items():
            done = next((result for result in results if result.ready() and result.successful()), None)
            answers[market] = done.result if done is not None else None
            for result in results:
                result.forget()
        return answers

    def _notify(self, services: Services, now: datetime) -> None:
        services.senders.give_up_removed()
        if services.notifiers:
            self._send(services, celery_app.NOTIFY, (), now + timedelta(seconds=2 * NOTIFY_SECONDS))

    def _discover(self, services: Services, now: datetime) -> None:
        until = now + timedelta(seconds=DISCOVER_SECONDS)
        found = self._send(services, celery_app.DISCOVER, (), until)
        _await(services, {"discover": [found]}, now, until)
        if found.ready() and found.successful() and found.result:
            self.tick(services, services.clock())
            self._backfill(services, services.clock())

    def _backfill(self, services: Services, now: datetime) -> None:
        for market in dict.fromkeys(pattern.market for pattern in services.settings.track):
            self._send(services, celery_app.BACKFILL, (market,), now + timedelta(seconds=BACKFILL_SECONDS))

    def _send(self, services: Services, name: str, arguments: tuple[Any, ...], until: datetime) -> "AsyncResult[Any]":
        seconds = max((until - services.clock()).total_seconds(), 0.1)
        # Results are polled: a subscription does not survive a restart of the broker.
        with denied_join_result():
            sent = self.celery.tasks[name].apply_async(arguments, expires=seconds, retry=False)
        services.plan.failures.ended(BROKER, "takes tasks again")
        return sent

    def _guarded(self, function: Callable[[Services, datetime], None]) -> Callable[[Services, datetime], None]:
        def run(services: Services, now: datetime) -> None:
            try:
                function(services, now)
            except BROKER_ERRORS as error:
                services.plan.failures.failed(BROKER, f"away: {error}", reason=str(error))

        return run


def dispatcher(services: Services) -> Scheduler:
    """A clock that sends its jobs to workers. Raises TrackerError when no broker is set."""
    return Scheduler(services, Dispatch(celery_app.make_app(services.settings)).jobs())


def _await(
    services: Services, tasks: Mapping[str, Sequence["AsyncResult[Any]"]], begins: datetime, until: datetime
) -> list[str]:
    """Wait until each of `tasks` has a result from one of its workers.

    Returns the names of those without one at `until`, or when the clock was set back to before `begins`.
    """
    while True:
        waiting = [name for name, results in tasks.items() if not any(result.ready() for result in results)]
        in_time = is_within(services.clock(), begins, until)
        if not waiting or not in_time or services.stopping.wait(POLL_SECONDS):
            return waiting


def _silence(market: str) -> Wire:
    return pack(
        FetchResult(market, 0.0, error=Unavailable(market, "no worker answered", advice="See whether one runs"))
    )
