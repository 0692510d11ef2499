"""Data Tracker's front door: `python app.py` runs all of it, `app:server` is the WSGI application."""

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
from api.server.asgi import Front
from callbacks.pages import PAGE_SEGMENTS
from callbacks.requests import check_requests
from callbacks.shell import reporting
from layouts import shell
from services.bootstrap import Services, open_services
from services.commands import tokens
from services.logs import set_up_logs
from services.malloc import bound_heaps
from services.market.dependencies import Dependencies
from services.market.errors import TrackerError
from services.runners.scheduler import Scheduler
from services.settings import SIMULATED_TRACK, BadSettings, Settings, read_settings
from services.store.database.engine import open_existing

WEB_THREADS = 8
"""Requests that one process answers at once."""

FILE_COMMANDS = ("backup", "export", "transfer")
"""Modules of `services.commands`, imported when asked for: what they need takes its time to import."""

OWN_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""By which a browser on this machine reaches what serves on all addresses."""

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
            add_log_handler=False,  # which would write past the one that quotes
            assets_path_ignore=["vendor", "docs"],  # loaded by the pages that need it
            on_error=reporting(),
        )
    mount(app.server, dependencies)
    app.layout = lambda: shell.page(dependencies.reader.profile)
    callbacks.register(app, dependencies)
    check_requests(app)
    app.server.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES  # also of a body that does not tell its length
    # What the JSON routes have zipped already, or found too small for it, is left as it is.
    app.server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_BR_LEVEL=5,  # an eighth less than gzip in hardly more time; 9 takes four times as long for 3 % less
        COMPRESS_LEVEL=4,
        COMPRESS_MIN_SIZE=MIN_COMPRESSED_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=YEAR_SECONDS,  # scripts and styles carry their version in the address
    )
    Compress(app.server)
    app.server.after_request(_read_whole)  # called before what was registered earlier
    app.server.after_request(_keep_for_nobody)
    # What comes in passes these from the last to the first.
    door = guarded(app.server.wsgi_app, access, hosts, limits or Limits(0), dependencies.clock)
    door = with_headers(door, [script_hash(shell.THEME_SCRIPT), *app.csp_hashes()])
    if proxies:
        door = forwarded(door, proxies)
    own = {rule.rule.split("/")[1] for rule in app.server.url_map.iter_rules()} | PAGE_SEGMENTS
    if prefix.split("/")[1] in own - {""} and prefix != "/":
        raise BadSettings(f"URL_PREFIX: {prefix} is a path of the server's own; choose another name")
    app.server.wsgi_app = below(door, prefix)
    return app


@contextmanager
def _without_dash_variables() -> Iterator[None]:
    """While Dash is set up it reads `DASH_*` of the environment, which may be another program's."""
    foreign = {name: value for name, value in os.environ.items() if name.upper().startswith("DASH_")}
    for name in foreign:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(foreign)


def serve_by(services: Services) -> Dash:
    """The web side of `services`, as open as its settings say."""
    settings = services.settings
    if settings.exposed:
        log.warning(
            "OPEN TO EVERYBODY: %s is reached from other machines, and no password is asked for; set AUTH_USERNAME"
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
    """`host` as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def _read_whole(response: Response) -> Response:
    """Take a file into memory before it is zipped: a stream that is zipped on its way leaves its file open."""
    if response.direct_passthrough:
        response.direct_passthrough = False
        response.make_sequence()
    return response


def _keep_for_nobody(response: Response) -> Response:
    """Have browsers ask again for what does not say how long it holds, pages above all, and proxies keep none of it."""
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


@cache
def process_services() -> Services:
    """This process's own services, by the environment; made when first asked for, after any fork."""
    settings = read_settings()
    set_up_logs(settings.log_level, settings.log_format)
    return open_services(settings)


def __getattr__(name: str) -> Any:
    """`app:server`, made when a WSGI host asks for it: importing this module alone builds nothing."""
    if name != "server":
        raise AttributeError(name)
    services = process_services()
    return serve_by(services).server


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program until it is told to stop; answers its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if words[:1] == ["token"]:
            return _run_token_command(tokens.parse(words[1:]))
        if words[:1] and words[0] in FILE_COMMANDS:
            return int(import_module(f"services.commands.{words[0]}").main(words[1:]))
        return _run(_parser().parse_args(words))
    except (TrackerError, MemoryError, RuntimeError) as error:
        told = str(error) if isinstance(error, TrackerError) else _shortage(error)
        if told is None:
            raise
        print(f"data-tracker: {told}", file=sys.stderr)
        return 2


def _shortage(error: Exception) -> str | None:
    """What the machine gives this process too little of; None where `error` is no such thing."""
    if isinstance(error, MemoryError):
        return "the system gives this process too little memory; see `ulimit -v` and what its container may have"
    if "can't start new thread" in str(error):
        return (
            "the system lets this process start no more threads, for its memory or their number is limited; see"
            " `ulimit -v`, `ulimit -u` and what its container may have"
        )
    return None


def _run(given: argparse.Namespace) -> int:
    bound_heaps()
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
        help="all: web and clock (default); clock: tick without serving; dispatch: a clock that has Celery's workers"
        " do it; migrate: bring the database up to date; check: whether ticks are stored, by the exit status",
    )
    parser.add_argument("--demo", action="store_true", help="track the built-in simulated exchange: needs no network")
    parser.add_argument("--host", help="address to serve on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to serve on (default 8888)")
    return parser


def _check(services: Services) -> int:
    """What /readyz tells, for a host that looks after processes which serve nothing. Raises TrackerError."""
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
    front = front_of(serve_by(services).server, settings)
    try:
        sockets = uvicorn_server.listen(settings.host, settings.port)
    except OSError as error:
        reason = "no such address" if isinstance(error, socket.gaierror) else error.strerror
        raise TrackerError(f"cannot serve on {settings.host} port {settings.port}: {reason}") from error
    scheduler = _start_scheduler(settings, services)
    log.info(
        "serving: open http://%s:%s%s in a browser%s",
        shown_host(OWN_ADDRESSES.get(settings.host, settings.host)),
        settings.port,
        settings.url_prefix.rstrip("/") and settings.url_prefix,
        " (simulated data)" * settings.simulated,
    )
    uvicorn_server.serve(front, sockets)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # pressed again, Ctrl-C waits for nothing
    log.info("stopping")
    if scheduler is not None:
        scheduler.stop()
    return 0


def front_of(server: Flask, settings: Settings) -> Front:
    """`server` as one process serves it: what comes asks this."""
    return Front(server, WEB_THREADS, alive=("/healthz", f"{settings.url_prefix}healthz"))


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
