"""How gunicorn runs `app:server`: in each worker the server of `app.py`, and a clock, of which one ticks."""

import os
import sys

from gunicorn.glogging import Logger

import app
from api.server.gunicorn_worker import Worker
from api.server.uvicorn_server import BACKLOG, END_SECONDS, KEEP_ALIVE_SECONDS
from services.logs import LineFormatter
from services.malloc import bound_heaps
from services.market.errors import TrackerError
from services.runners.scheduler import Scheduler

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _or_stop(work, *given):
    """What `work` answers; where it cannot, the start ends with one line, as that of `app.py`."""
    try:
        return work(*given)
    except TrackerError as error:
        print(f"data-tracker: {error}", file=sys.stderr)
        sys.exit(2)


def _migrate(settings):
    services = app.open_services(settings)
    services.migrate()
    services.engine.dispose()


class Log(Logger):
    """gunicorn's own lines, quoted as all others are."""

    def setup(self, cfg):
        super().setup(cfg)
        for log, look in ((self.error_log, self.error_fmt), (self.access_log, self.access_fmt)):
            for handler in log.handlers:
                handler.setFormatter(LineFormatter(look, self.datefmt))


_settings = _or_stop(app.read_settings)

bind = f"{app.shown_host(_settings.host)}:{_settings.port}"
backlog = BACKLOG
worker_class = Worker
timeout = 60
graceful_timeout = END_SECONDS + 5  # of which the last seconds are the clock's
keepalive = KEEP_ALIVE_SECONDS
preload_app = False  # each worker opens its own connections; none crosses the fork
logger_class = Log
forwarder_headers = ""  # with threads of its own it believes SCRIPT_NAME and PATH_INFO, and the scheme, from loopback:
secure_scheme_headers = {}  # PROXY_HOPS says who is to be believed
control_socket_disable = True  # it would be one file in the home of the user, for all installations there


def on_starting(server):
    """Tell the workers the address that `--bind` chose, and bring the database up to date before they ask it. They take
    over how memory is had."""
    bound_heaps()
    addresses = [address[0] for address in server.address if isinstance(address, tuple)]
    if addresses:  # else a socket in the file system, which nobody elsewhere reaches
        os.environ["HOST"] = next((address for address in addresses if address not in _LOOPBACK), addresses[0])
        os.environ.pop("HOST_FILE", None)
    _or_stop(_migrate, _settings)


def post_worker_init(worker):
    """Tell this worker what it serves, and start its clock; the lease lets one of them tick."""
    services = app.process_services()
    worker.front = app.front_of(worker.wsgi, services.settings)
    worker.data_tracker_clock = None
    if services.settings.scheduler == "auto":
        worker.data_tracker_clock = Scheduler(services)
        worker.data_tracker_clock.start()


def worker_exit(_server, worker):
    """Free the lease for the next one."""
    clock = getattr(worker, "data_tracker_clock", None)
    if clock is not None:
        clock.stop()
