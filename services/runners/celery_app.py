"""Celery: the tasks that workers run for `services.jobs`, by `celery -A services.runners.celery_app worker`.

Tasks are named by what they do. Each may be delivered twice and may be interrupted anywhere, so what they write has
keys and is in one commit. Each expires with its period, so that a backlog never stores late prices as current.
"""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from os import getpid
from threading import Event, Timer
from typing import Any

from celery import Celery, Task, signals

from services import jobs
from services.bootstrap import Services, open_services
from services.logs import set_up_logs
from services.market.errors import LeaseLost, StoreUnavailable, TrackerError, Unavailable
from services.market.times import from_epoch
from services.pipeline.tick import close
from services.runners.answer_codec import Wire, pack, unpack
from services.settings import Settings, read_settings
from services.store.database.engine import writing

TICKS, HISTORY = "ticks", "history"
"""The queues: work that a tick waits for, and work that must never delay it."""

FETCH, CLOSE, NOTIFY, DISCOVER, BACKFILL, KEEP = (
    "tick.fetch",
    "tick.close",
    "notify.send",
    "history.discover",
    "history.backfill",
    "history.keep",
)

RETRIES = 2
RETRY_SECONDS = (0.2, 0.8)
"""Between an exchange's failure and the next request, at random, so that many clients do not retry at once."""

BACKFILL_SECONDS = 60
"""A round of backfill ends after so long, and the next one continues: no worker is occupied for good."""

LEASE_SECONDS = 20.0
"""A worker that has not renewed its lease on an exchange's backfill for so long is gone."""

TASK_SECONDS = 120
"""A task that takes longer is ended together with its process."""

REDIS_SECONDS = 3.0
"""Seconds to wait for the broker. It answers a worker that waits for a task within a second."""

log = logging.getLogger(__name__)


def make_app(settings: Settings) -> Celery:
    """The Celery application over the Redis of these settings. Raises TrackerError where none is set."""
    if settings.redis_url is None:
        raise TrackerError("REDIS_URL: Celery needs one, and it is not set")
    url = settings.redis_url.get_secret_value()
    app = Celery("data_tracker", broker=url, backend=url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_serializer="json",
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=TASK_SECONDS,
        worker_consumer="services.runners.celery_consumer:LastingConsumer",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        # The sender learns at once that the broker is away, and decides what to do.
        broker_transport_options={
            "visibility_timeout": 2 * TASK_SECONDS,
            "max_retries": 1,
            "interval_start": 0.1,
            "socket_timeout": REDIS_SECONDS,
            "socket_connect_timeout": REDIS_SECONDS,
            "health_check_interval": round(REDIS_SECONDS),
        },
        redis_socket_timeout=REDIS_SECONDS,
        redis_socket_connect_timeout=REDIS_SECONDS,
        result_backend_transport_options={"retry_policy": {"max_retries": 2, "interval_start": 0.2}},
        result_expires=timedelta(minutes=10),
        result_backend_always_retry=False,
        task_default_queue=TICKS,
        task_routes={"history.*": {"queue": HISTORY}},
        task_ignore_result=True,
        timezone="UTC",
    )
    app.task(fetch, name=FETCH, bind=True, max_retries=RETRIES, ignore_result=False)
    app.task(send_messages, name=NOTIFY)
    # `_reported` logs that the database is away; otherwise Celery would log a traceback each time.
    app.task(close_tick, name=CLOSE, ignore_result=False, throws=(StoreUnavailable,))
    app.task(discover, name=DISCOVER, ignore_result=False, throws=(StoreUnavailable,))
    app.task(backfill, name=BACKFILL, throws=(StoreUnavailable,))
    app.task(keep, name=KEEP)
    return app


def fetch(self: Task, market: str, minute: int) -> Wire:
    """One exchange's result for the tick of epoch second `minute`; tried again when it is unavailable."""
    services = worker_services()
    started = services.clock()
    (answer,) = services.ingestion.fetcher.fetch([market], from_epoch(minute))
    spent = (services.clock() - started).total_seconds()
    soon = spent < services.timeout_seconds / (RETRIES + 1)
    if isinstance(answer.error, Unavailable) and soon and self.request.retries < RETRIES:
        raise self.retry(countdown=random.uniform(*RETRY_SECONDS), exc=answer.error)
    return pack(answer)


def close_tick(answers: list[Wire], minute: int, late_ms: float, fetch_ms: float, owner: str) -> bool:
    """Store, rank and alert in one commit, while `owner` holds the lease. Returns True if this call stored the tick."""
    services = worker_services()
    found = [unpack(answer) for answer in answers]
    try:
        with _reported("tick"):
            report = close(services.plan, found, from_epoch(minute), timedelta(milliseconds=late_ms), owner, fetch_ms)
    except LeaseLost as error:
        log.warning("tick: nothing stored: %s", error)
        return False
    jobs.send_heartbeat(services, report)
    return report is not None


def send_messages() -> None:
    """Send the pending messages, with a thread per channel besides this worker's tasks, so that slow receivers take no
    worker from the tick."""
    worker_services().senders.run()


def discover() -> bool:
    """Fetch the lists of pairs that are due. Returns True if any exchange sent one."""
    services = worker_services()
    with _reported("discovery"):
        return services.ingestion.discovery.run(services.clock())


def backfill(market: str) -> None:
    """A round of one exchange's backfill, by one worker at a time."""
    services = worker_services()
    with _reported(f"backfill {market}"), _alone(services, f"backfill {market}") as is_free:
        if not is_free:
            return
        stop = Event()
        timer = Timer(BACKFILL_SECONDS, stop.set)
        timer.daemon = True
        timer.start()
        try:
            services.ingestion.backfills.run_one(market, stop)
        finally:
            timer.cancel()


def keep(minute: int, owner: str) -> None:
    """The upkeep after the tick of epoch second `minute`, while `owner` holds the lease."""
    try:
        jobs.keep_history(worker_services(), from_epoch(minute), owner)
    except LeaseLost as error:
        log.warning("history: nothing moved: %s", error)


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Log once that a task fails because the database is away, and once when it works again. The error is raised again,
    so that the task fails for its sender."""
    failures, name = worker_services().plan.failures, f"task {name}"
    try:
        yield
    except StoreUnavailable as error:
        failures.failed(name, f"the database is away: {error}", level=logging.ERROR)
        raise
    failures.ended(name)


@contextmanager
def _alone(services: Services, name: str) -> Iterator[bool]:
    """Yields True if this worker holds the lease `name`, which the context renews and then releases."""
    lease_holder = services.lease_holder(name, LEASE_SECONDS)
    if not lease_holder.try_acquire(services.engine):
        yield False
        return
    try:
        with lease_holder.renewing(services.engine):
            yield True
    finally:
        with writing(services.engine) as connection:
            lease_holder.release(connection)


def worker_services() -> Services:
    """This process's own services, made on first use: nothing is carried across the fork of a worker."""
    return _services_of(getpid())


@cache
def _services_of(_pid: int) -> Services:
    return open_services(read_settings())


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def _import_before_the_fork(**_: Any) -> None:
    """Import what all children need, ccxt above all, so that they share the memory and start at once. The services
    made here are not used."""
    _services_of(getpid()).ingestion  # noqa: B018 - its first use opens the exchanges


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _finish_messages(**_: Any) -> None:
    """Wait until messages under way are marked as sent: the process ends without waiting for its threads."""
    services = worker_services()
    services.close()
    services.senders.wait()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def _set_up_logs(**_: Any) -> None:
    settings = read_settings()
    set_up_logs(settings.log_level, settings.log_format)
    for name in ("celery.app.trace", "celery.worker.strategy"):  # they log each task with its arguments
        logging.getLogger(name).setLevel(logging.WARNING)


@cache
def _process_app() -> Celery:
    return make_app(read_settings())


def __getattr__(name: str) -> Any:
    """`app`, made when Celery's command asks for it: the import itself builds nothing."""
    if name not in ("app", "celery"):
        raise AttributeError(name)
    return _process_app()
