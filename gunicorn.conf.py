"""gunicorn's settings for `app:server`: each worker runs the server of `app.py` and a clock, one of which ticks."""

import os
import sys

from gunicorn.glogging import Logger

import app
from api.server.gunicorn_worker import Worker, hold_stop_signals
from api.server.uvicorn_server import BACKLOG, END_SECONDS, KEEP_ALIVE_SECONDS
from services.bootstrap import open_services
from services.caching.warming import keep_warm
from services.commands.clock import start_clock
from services.commands.start_messages import shown_host
from services.logs import LineFormatter
from services.malloc import limit_arenas
from services.market.errors import TrackerError
from services.settings import read_settings

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _or_stop(work, *given):
    """The result of `work`; a TrackerError ends the start with one line, as on the command line."""
    try:
        return work(*given)
    except TrackerError as error:
        print(f"data-tracker: {error}", file=sys.stderr)
        sys.exit(2)


def _migrate(settings):
    services = open_services(settings)
    services.migrate()
    services.engine.dispose()


class Log(Logger):
    """gunicorn's log, with control characters escaped as in all other lines."""

    def setup(self, cfg):
        super().setup(cfg)
        for log, look in ((self.error_log, self.error_fmt), (self.access_log, self.access_fmt)):
            for handler in log.handlers:
                handler.setFormatter(LineFormatter(look, self.datefmt))


_settings = _or_stop(read_settings)

bind = f"{shown_host(_settings.host)}:{_settings.port}"
backlog = BACKLOG
worker_class = Worker
timeout = 60
graceful_timeout = END_SECONDS + 5  # the last seconds are for the clock
keepalive = KEEP_ALIVE_SECONDS
preload_app = False  # each worker opens its own connections after the fork
logger_class = Log
forwarder_headers = ""  # gunicorn would trust SCRIPT_NAME, PATH_INFO and the scheme from loopback;
secure_scheme_headers = {}  # PROXY_HOPS says what to trust
control_socket_disable = True  # it would be one file in the user's home for all installations


def on_starting(server):
    """Pass the address of `--bind` to the workers, and update the database's schema before they use it. They
    inherit the limits of the allocator."""
    limit_arenas()
    hold_stop_signals()
    addresses = [address[0] for address in server.address if isinstance(address, tuple)]
    if addresses:  # otherwise a Unix socket, which no other machine can reach
        os.environ["HOST"] = next((address for address in addresses if address not in _LOOPBACK), addresses[0])
        os.environ.pop("HOST_FILE", None)
    _or_stop(_migrate, _settings)


def post_worker_init(worker):
    """Set what this worker serves, and start its clock."""
    services = app.process_services()
    worker.bridge = app.bridge_of(worker.wsgi, services.settings)
    keep_warm(services.reader, services.clock, services.stopping, services.settings.period_seconds)
    worker.data_tracker_clock = start_clock(services)


def worker_exit(_server, worker):
    """Stop the clock, which frees the lease for another."""
    clock = getattr(worker, "data_tracker_clock", None)
    if clock is not None:
        clock.stop()
