"""The entry points: `python app.py` runs the program, `app:server` is the WSGI application."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from socket import gethostname
from typing import Any

from dash import Dash
from flask import Flask

import callbacks
from api.middleware.access import OPEN, Access, ProxyUsers, visitor_name
from api.middleware.compression import compress_responses
from api.middleware.forwarded import forwarded
from api.middleware.guard import MAX_BODY_BYTES, guarded
from api.middleware.hosts import ANY_HOST, Hosts, hosts_of
from api.middleware.prefix import below
from api.middleware.rate_limits import Limits
from api.middleware.security_headers import script_hash, with_headers
from api.routes import mount
from api.server import uvicorn_server
from api.server.asgi import WsgiBridge
from callbacks.pages import PAGE_SEGMENTS
from callbacks.requests import check_requests
from callbacks.shell import reporting
from layouts import shell
from services.bootstrap import Services
from services.caching.warming import keep_warm
from services.commands import command_line
from services.commands.clock import start_clock
from services.commands.start_messages import log_address, warn_if_exposed
from services.market.dependencies import Dependencies
from services.market.errors import TrackerError
from services.settings import BadSettings, Settings

WEB_THREADS = 8
"""Requests that one process handles at once."""

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
    may send requests (None: only failed logins are limited). `proxies` is the number of trusted proxies in front of the
    server, and `prefix` the path that it is served under. Raises BadSettings if the prefix is one of the server's own
    paths.
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
    compress_responses(app.server)
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
    warn_if_exposed(settings)
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


def bridge_of(server: Flask, settings: Settings) -> WsgiBridge:
    """`server` behind the event loop of one process."""
    return WsgiBridge(server, WEB_THREADS, alive=("/healthz", f"{settings.url_prefix}healthz"))


def run_server(services: Services) -> int:
    """Serve until SIGTERM or Ctrl-C, with the clock in the background. Returns the exit status."""
    settings = services.settings
    bridge = bridge_of(serve_by(services).server, settings)
    try:
        sockets = uvicorn_server.listen(settings.host, settings.port)
    except OSError as error:
        reason = "no such address" if isinstance(error, socket.gaierror) else error.strerror
        raise TrackerError(f"cannot serve on {settings.host} port {settings.port}: {reason}") from error
    keep_warm(services.reader, services.clock, services.stopping, settings.period_seconds)
    clock = start_clock(services)
    log_address(settings)
    uvicorn_server.serve(bridge, sockets)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends the process at once
    log.info("stopping")
    if clock is not None:
        clock.stop()
    return 0


@cache
def process_services() -> Services:
    """This process's services, by the environment; made on first use, after any fork."""
    return command_line.open_configured()


def __getattr__(name: str) -> Any:
    """`app:server`, made on first access: importing this module builds nothing."""
    if name != "server":
        raise AttributeError(name)
    return serve_by(process_services()).server


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, or one of its commands. Returns the exit status."""
    return command_line.run(sys.argv[1:] if arguments is None else list(arguments), run_server)


if __name__ == "__main__":
    sys.exit(main())
