"""How gunicorn runs `app:server`: threads in each worker, and in each worker a clock, of which one ticks."""

import app
from services.runners.scheduler import Scheduler

_settings = app.read_settings()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
threads = app.WEB_THREADS
timeout = 60
graceful_timeout = 15
keepalive = 5
preload_app = False  # each worker opens its own connections; none crosses the fork


def on_starting(_server):
    """Bring the database up to date before any worker asks it."""
    services = app.open_services(_settings)
    services.migrate()
    services.engine.dispose()


def post_worker_init(worker):
    """Start this worker's clock; the lease lets one of them tick."""
    services = app.process_services()
    worker.data_tracker_clock = None
    if services.settings.scheduler == "auto":
        worker.data_tracker_clock = Scheduler(services)
        worker.data_tracker_clock.start()


def worker_exit(_server, worker):
    """Free the lease for the next one."""
    clock = getattr(worker, "data_tracker_clock", None)
    if clock is not None:
        clock.stop()
