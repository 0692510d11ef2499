"""The clock in this process: APScheduler runs the jobs while the process holds the lease."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC
from threading import Thread

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from services.bootstrap import Services
from services.jobs import JOBS, Job
from services.market.errors import LeaseLost, StoreUnavailable
from services.runners.clock_watch import Beat, ClockWatch, describe_jump
from services.store.database import leases
from services.store.database.engine import writing
from services.store.database.lease_holder import LeaseHolder

LEASE_SHARE = 0.4
"""The lease lasts no longer than this share of a period: when a process dies during a tick, its successor still has
time for that tick."""

RENEWALS_PER_LEASE = 3
"""Renewals before the lease would run out. Other processes try to take it as often, and so within ten seconds."""

WATCH_SECONDS = 1.0
"""Seconds between two checks for a jump of the clock."""

OVERRUN = "slow ticks"
"""The name in the log of ticks that take longer than a period."""

log = logging.getLogger(__name__)


class Scheduler:
    """Runs `jobs` in the background while this process holds the lease, and otherwise tries to get it."""

    def __init__(self, services: Services, jobs: Sequence[Job] = JOBS) -> None:
        self._services = services
        self._jobs = jobs
        self._lease_seconds = min(leases.MAX_SECONDS, LEASE_SHARE * services.settings.period_seconds)
        self._leading: bool | None = None  # not known before the first try
        self._lease_holder = LeaseHolder(services.owner, self._lease_seconds, services.clock, services.plan.timer)
        names = [*(job.name for job in jobs), "lease"]
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={name: ThreadPoolExecutor(1) for name in names},
            # A missed call is run however late, once: the job looks at the clock when it runs.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_listener(self._note_skipped, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._note_ended, EVENT_JOB_EXECUTED)
        self._watch = ClockWatch(services.clock, services.plan.timer)
        self._failures = services.plan.failures
        self._was_skipped = False

    def start(self) -> None:
        """Start the jobs in the background."""
        # Aligned to the epoch, a period's job comes due when the period begins.
        for job in self._jobs:
            seconds = job.seconds or self._services.settings.period_seconds
            self._add(job.name, seconds, self._guarded(job))
        self._add("lease", self._lease_seconds / RENEWALS_PER_LEASE, self._renew)
        self._scheduler.add_job(self._renew, executor="lease")
        self._scheduler.start()
        Thread(target=self._keep_watch, name="clock watch", daemon=True).start()

    def look_at_clock(self) -> None:
        """After a jump of the clock, run all jobs now and schedule them by the new time. APScheduler waits for moments
        of the clock: after it was set back, each job would wait until the old moment comes again."""
        jump = self._watch.jump()
        if not jump or not self._scheduler.running:
            return
        log.warning("%s: ticks go on by the new time", describe_jump(jump))
        for job in self._scheduler.get_jobs():
            if isinstance(job.trigger, Beat):
                job.reschedule(job.trigger)
        self._scheduler.add_job(self._renew, executor="lease")
        self._run_all()

    def stop(self) -> None:
        """Stop starting jobs, and release the lease. A second call does nothing."""
        if not self._scheduler.running:
            return
        # Let its thread finish handing out the jobs that are due: a shutdown would interrupt it.
        self._scheduler.pause()
        self._scheduler.get_jobs()
        self._scheduler.shutdown(wait=False)
        self._services.close()
        if self._leading:
            try:
                with writing(self._services.engine) as connection:
                    leases.release(connection, self._services.owner)
            except StoreUnavailable as error:
                log.warning("the lease could not be released and will run out: %s", error)

    def _add(self, name: str, seconds: float, function: Callable[[], None]) -> None:
        self._scheduler.add_job(function, Beat(seconds), id=name, name=name, executor=name)

    def _run_all(self) -> None:
        for job in self._jobs:
            self._scheduler.add_job(self._guarded(job), executor=job.name, name=job.name)

    def _keep_watch(self) -> None:
        while not self._services.stopping.wait(WATCH_SECONDS):
            self.look_at_clock()

    def _guarded(self, job: Job) -> Callable[[], None]:
        def run() -> None:
            if not self._leading:
                return
            try:
                job.function(self._services, self._services.clock())
            except LeaseLost as error:
                log.warning("%s: nothing stored: %s", job.name, error)
                self._leading = False
            except StoreUnavailable as error:
                text = f"nothing stored, the next one tries again: {error}"
                self._failures.failed(job.name, text, level=logging.ERROR)
            except Exception as error:  # noqa: BLE001 - the last frame of this thread: elsewhere it is never seen
                if self._services.stopping.is_set():  # its threads have ended
                    log.info("%s: ended with the program: %s", job.name, error)
                    return
                self._failures.crashed(job.name, error)
            else:
                self._failures.ended(job.name)

        return run

    def _renew(self) -> None:
        try:
            leading = self._lease_holder.try_acquire(self._services.engine)
        except StoreUnavailable as error:
            self._failures.failed("lease", f"cannot be renewed: {error}")
            return  # the tick's own commit checks whether it is still ours
        self._failures.ended("lease", "can be renewed again")
        if leading and not self._leading:
            log.info("this process has the clock")
            self._leading = True
            self._run_all()
        elif self._leading and not leading:
            log.warning("another process has the clock")
        elif self._leading is None:
            log.info("another process has the clock, this one stands by")
        self._leading = leading

    def _note_skipped(self, event: JobEvent) -> None:
        if event.job_id == "tick":
            self._was_skipped = True
            self._failures.failed(OVERRUN, "a tick is left out, the one before is still running")

    def _note_ended(self, event: JobEvent) -> None:
        if event.job_id == "tick":
            if not self._was_skipped:  # none was due while it ran: it took less than a period
                self._failures.ended(OVERRUN, "ticks take no longer than a period again")
            self._was_skipped = False
