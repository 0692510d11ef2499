"""The clock of this process: in the foreground until a signal stops it, or in the background of a server."""

import signal
from threading import Event

from services.bootstrap import Services
from services.runners.scheduler import Scheduler


def run_clock(scheduler: Scheduler) -> int:
    """Run `scheduler` until SIGTERM or Ctrl-C. Returns the exit status."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler.start()
    stop.wait()
    scheduler.stop()
    return 0


def start_clock(services: Services) -> Scheduler | None:
    """The started clock of a process that serves; None if SCHEDULER is `off`. Its lease lets one clock tick."""
    if services.settings.scheduler == "off":
        return None
    scheduler = Scheduler(services)
    scheduler.start()
    return scheduler
