"""The entry points: `python app.py` runs the program, `app:server` is the WSGI application."""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from socket import gethostname
from threading import Event
from typing import Any

from dash import Dash
from flask import Flask, Response
from flask_compress import Compress

import callbacks
from api.middleware.access import OPEN, Access, ProxyUsers, visitor_name
from api.middleware.forwarded import forwarded
from api.middleware.guard import MAX_BODY_BYTES, guarded
from api.middleware.hosts import ANY_HOST, Hosts, hosts_of
from api.middleware.prefix import below
from api.middleware.rate_limits import Limits
from api.middleware.security_headers import YEAR_SECONDS, script_hash, with_headers
from api.responses.cached_response import MIN_COMPRESSED_BYTES
from api.routes import mount
from api.server import uvicorn_server
from api.server.asgi import WsgiBridge
from callbacks.pages import PAGE_SEGMENTS
from callbacks.requests import check_requests
from callbacks.shell import reporting
from layouts import shell
from services.bootstrap import Services, open_services
from services.caching.at_hand import keep_at_hand
from services.commands import tokens
from services.logs import set_up_logs
from services.malloc import limit_arenas
from services.market.dependencies import Dependencies
from services.market.errors import TrackerError
from services.runners.scheduler import Scheduler
from services.settings import SIMULATED_TRACK, BadSettings, Settings, read_settings
from services.store.database.engine import open_existing

WEB_THREADS = 8
"""Requests that one process handles at once."""

FILE_COMMANDS = ("backup", "export", "transfer")
"""Modules of `services.commands`, imported on demand, because their dependencies take long to import."""

OWN_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The address for a browser on this machine, by the address that the server listens on."""

log = logging.getLogger("data_tracker")


def create_app(
    dependencies: Dependencies,
    access: Access = OPEN,
    hosts: Hosts = ANY_HOST,
    limits: Limits | None = None,
    proxies: int = 0,
    prefix: str = "/",
) -> Dash:
    """The dashboard and the JSON interface on one Flask server.

    `access` decides who is let in, `hosts` under which host names the server answers, and `limits` how often a visitor
    may ask (None: only failed logins are limited). `proxies` is the number of trusted proxies in front of the server,
    and `prefix` the path that it is served under. Raises BadSettings for a
    prefix that is one of the server's own paths.
    """
    dependencies = replace(dependencies, current_user=visitor_name)
    with _without_dash_variables():
        app = Dash(
            __name__,
            title="Data Tracker",
            update_title=None,  # type: ignore[arg-type] # Dash means "leave the title alone" by it
            index_string=shell.index(prefix.rstrip("/")),
            routes_pathname_prefix="/",
            requests_pathname_prefix=prefix,
            suppress_callback_exceptions=True,
            serve_locally=True,
            enable_mcp=False,
            add_log_handler=False,  # it would bypass our handler, which escapes control characters
            assets_path_ignore=["vendor", "docs"],  # loaded by the pages that need it
            on_error=reporting(),
        )
    mount(app.server, dependencies)
    app.layout = lambda: shell.page(dependencies.reader.profile)
    callbacks.register(app, dependencies)
    check_requests(app)
    app.server.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES  # also for a body without Content-Length
    # Responses that the JSON routes have compressed already, or found too small, are left unchanged.
    app.server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_BR_LEVEL=5,  # an eighth smaller than gzip in hardly more time; 9 takes four times as long for 3 % less
        COMPRESS_LEVEL=4,
        COMPRESS_MIN_SIZE=MIN_COMPRESSED_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=YEAR_SECONDS,  # scripts and styles carry their version in the address
    )
    Compress(app.server)
    app.server.after_request(_read_whole)  # runs before functions that were registered earlier
    app.server.after_request(_require_revalidation)
    # Requests pass these from the last to the first.
    application = guarded(app.server.wsgi_app, access, hosts, limits or Limits(0), dependencies.clock)
    application = with_headers(application, [script_hash(shell.THEME_SCRIPT), *app.csp_hashes()])
    if proxies:
        application = forwarded(application, proxies)
    own = {rule.rule.split("/")[1] for rule in app.server.url_map.iter_rules()} | PAGE_SEGMENTS
    if prefix.split("/")[1] in own - {""} and prefix != "/":
        raise BadSettings(f"URL_PREFIX: {prefix} is a path of the server's own; choose another name")
    app.server.wsgi_app = below(application, prefix)
    return app


@contextmanager
def _without_dash_variables() -> Iterator[None]:
    """Hide `DASH_*` variables while Dash is set up: they may be meant for another program."""
    foreign = {name: value for name, value in os.environ.items() if name.upper().startswith("DASH_")}
    for name in foreign:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(foreign)


def serve_by(services: Services) -> Dash:
    """The web application over `services`, with access by its settings."""
    settings = services.settings
    if settings.exposed:
        log.warning(
            "OPEN TO EVERYBODY: %s is reachable from other machines, and no password is required; set AUTH_USERNAME"
            " and AUTH_PASSWORD, or AUTH_PROXY_HEADER and AUTH_PROXY_ADDRESSES, or serve on 127.0.0.1",
            settings.host,
        )
    proxy = settings.auth_proxy_header
    users = None if proxy is None else ProxyUsers(proxy, settings.auth_proxy_addresses)
    access = Access(settings.credentials, users, services.tokens)
    hosts = hosts_of(
        settings.allowed_hosts, gethostname(), on_loopback=settings.on_loopback, is_closed=access.is_closed
    )
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    limits = Limits(settings.rate_limit, redis_url)
    return create_app(dependencies_of(services), access, hosts, limits, settings.proxy_hops, settings.url_prefix)


def dependencies_of(services: Services) -> Dependencies:
    """The part of `services` that the web side uses."""
    return Dependencies(
        services.reader,
        services.clock,
        services.deliveries,
        services.alert_service,
        step_aside=services.step_aside,
    )


def shown_host(host: str) -> str:
    """`host` as it is written before a port."""
    return f"[{host}]" if ":" in host else host


def _read_whole(response: Response) -> Response:
    """Read a file into memory before it is compressed: a compressed stream leaves its file open."""
    if response.direct_passthrough:
        response.direct_passthrough = False
        response.make_sequence()
    return response


def _require_revalidation(response: Response) -> Response:
    """Have browsers revalidate responses without a lifetime of their own, such as pages, and proxies cache nothing."""
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


@cache
def process_services() -> Services:
    """This process's services, by the environment; made on first use, after any fork."""
    settings = read_settings()
    set_up_logs(settings.log_level, settings.log_format)
    return open_services(settings)


def __getattr__(name: str) -> Any:
    """`app:server`, made on first access: importing this module builds nothing."""
    if name != "server":
        raise AttributeError(name)
    services = process_services()
    return serve_by(services).server


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program until it is stopped; returns its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given[:1] == ["token"]:
            return _run_token_command(tokens.parse(given[1:]))
        if given[:1] and given[0] in FILE_COMMANDS:
            return int(import_module(f"services.commands.{given[0]}").main(given[1:]))
        return _run(_parser().parse_args(given))
    except (TrackerError, MemoryError, RuntimeError) as error:
        message = str(error) if isinstance(error, TrackerError) else _shortage(error)
        if message is None:
            raise
        print(f"data-tracker: {message}", file=sys.stderr)
        return 2


def _shortage(error: Exception) -> str | None:
    """The message for a lack of memory or threads; None for any other error."""
    if isinstance(error, MemoryError):
        return "the system gives this process too little memory; see `ulimit -v` and the limits of its container"
    if "can't start new thread" in str(error):
        return (
            "the system lets this process start no more threads, because its memory or their number is limited; see"
            " `ulimit -v`, `ulimit -u` and the limits of its container"
        )
    return None


def _run(given: argparse.Namespace) -> int:
    limit_arenas()
    overrides = {name: getattr(given, name) for name in ("host", "port") if getattr(given, name) is not None}
    if given.demo:
        overrides["track"] = SIMULATED_TRACK
    settings = read_settings(**overrides)
    set_up_logs(settings.log_level, settings.log_format)
    services = open_services(settings)
    if given.part == "check":
        return _check(services)
    services.migrate()
    match given.part:
        case "migrate":
            return 0
        case "clock":
            return _run_clock(Scheduler(services))
        case "dispatch":
            from services.runners.dispatch import dispatcher  # Celery takes its time to import

            return _run_clock(dispatcher(services))
        case _:
            return _run_all(services)


def _run_token_command(given: argparse.Namespace) -> int:
    services = process_services()
    services.migrate()
    return tokens.run(given, services.tokens, services.clock())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="Track crypto prices and rank them by volatility.",
        epilog="Other commands: app.py token, backup, export, transfer; each has a --help.",
    )
    parser.add_argument(
        "part",
        nargs="?",
        choices=("all", "clock", "dispatch", "migrate", "check"),
        default="all",
        help="all: web and clock (default); clock: tick without serving; dispatch: tick by Celery's workers; migrate:"
        " update the database's schema; check: report by the exit status whether ticks are stored",
    )
    parser.add_argument("--demo", action="store_true", help="track the built-in simulated exchange: needs no network")
    parser.add_argument("--host", help="address to serve on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to serve on (default 8888)")
    return parser


def _check(services: Services) -> int:
    """The checks of /readyz, for a host that supervises processes without a web server. Raises TrackerError."""
    open_existing(services.settings.database).dispose()
    services.require_current()
    now = services.clock()
    status = services.reader.status(now)
    if status.minute is None:
        raise TrackerError("no tick has been stored yet")
    if status.stale:
        raise TrackerError(f"the last tick is of {status.minute.isoformat()}, {status.why_stale(now)}")
    return 0


def _run_all(services: Services) -> int:
    settings = services.settings
    bridge = bridge_of(serve_by(services).server, settings)
    try:
        sockets = uvicorn_server.listen(settings.host, settings.port)
    except OSError as error:
        reason = "no such address" if isinstance(error, socket.gaierror) else error.strerror
        raise TrackerError(f"cannot serve on {settings.host} port {settings.port}: {reason}") from error
    keep_at_hand(services.reader, services.clock, services.stopping, settings.period_seconds)
    scheduler = _start_scheduler(settings, services)
    log.info(
        "serving: open http://%s:%s%s in a browser%s",
        shown_host(OWN_ADDRESSES.get(settings.host, settings.host)),
        settings.port,
        settings.url_prefix.rstrip("/") and settings.url_prefix,
        " (simulated data)" * settings.simulated,
    )
    uvicorn_server.serve(bridge, sockets)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends the process at once
    log.info("stopping")
    if scheduler is not None:
        scheduler.stop()
    return 0


def bridge_of(server: Flask, settings: Settings) -> WsgiBridge:
    """`server` behind the event loop of one process."""
    return WsgiBridge(server, WEB_THREADS, alive=("/healthz", f"{settings.url_prefix}healthz"))


def _start_scheduler(settings: Settings, services: Services) -> Scheduler | None:
    if settings.scheduler == "off":
        return None
    scheduler = Scheduler(services)
    scheduler.start()
    return scheduler


def _run_clock(scheduler: Scheduler) -> int:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler.start()
    stop.wait()
    scheduler.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
