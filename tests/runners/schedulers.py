"""Schedulers that run within a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.bootstrap import Services, open_services, utc_now
from services.market.ports import Clock
from services.runners.scheduler import Scheduler
from services.settings import Settings
from tests.waiting import wait_for

Start = Callable[..., tuple[Services, Scheduler]]


@contextmanager
def started_schedulers(settings: Settings) -> Iterator[Start]:
    """A function that migrates the database and starts a scheduler, by the clock given to it. All end with the test."""
    running: list[tuple[Services, Scheduler]] = []
    before = set(threading.enumerate())

    def start(clock: Clock = utc_now) -> tuple[Services, Scheduler]:
        services = open_services(settings, clock)
        services.migrate()
        scheduler = Scheduler(services)
        scheduler.start()
        running.append((services, scheduler))
        return services, scheduler

    yield start
    for _, scheduler in running:
        scheduler.stop()
    # A job at work has a connection, which would be closed by nobody.
    begun = set(threading.enumerate()) - before
    wait_for(lambda: not any(thread.is_alive() for thread in begun), seconds=30, what="the end of all jobs")
    for services, _ in running:
        services.engine.dispose()
