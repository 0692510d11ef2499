"""The command line of `python app.py`: its arguments, and what each of them runs."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from services.bootstrap import Services, open_services
from services.commands import tokens
from services.commands.check import check
from services.commands.clock import run_clock
from services.logs import set_up_logs
from services.malloc import limit_arenas
from services.market.errors import TrackerError
from services.runners.scheduler import Scheduler
from services.settings import SIMULATED_TRACK, read_settings

FILE_COMMANDS = ("backup", "export", "transfer")
"""Modules of `services.commands`, imported on demand, because their dependencies take long to import."""

Serve = Callable[[Services], int]
"""Serves the dashboard and the API until it is stopped. Returns the exit status."""


def run(arguments: Sequence[str], serve: Serve) -> int:
    """Run the command that `arguments` name; without one, the whole program, by `serve`. Returns the exit status."""
    try:
        if arguments[:1] == ["token"]:
            return _run_token_command(tokens.parse(arguments[1:]))
        if arguments and arguments[0] in FILE_COMMANDS:
            return int(import_module(f"services.commands.{arguments[0]}").main(arguments[1:]))
        return _run_part(parser().parse_args(arguments), serve)
    except (TrackerError, MemoryError, RuntimeError) as error:
        message = str(error) if isinstance(error, TrackerError) else _shortage(error)
        if message is None:
            raise
        print(f"data-tracker: {message}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    """The arguments of `python app.py` itself; the other commands have parsers of their own."""
    found = argparse.ArgumentParser(
        prog="app.py",
        description="Track crypto prices and rank them by volatility.",
        epilog="Other commands: app.py token, backup, export, transfer; each has a --help.",
    )
    found.add_argument(
        "part",
        nargs="?",
        choices=("all", "clock", "dispatch", "migrate", "check"),
        default="all",
        help="all: web and clock (default); clock: tick without serving; dispatch: tick by Celery's workers; migrate:"
        " update the database's schema; check: report by the exit status whether ticks are stored",
    )
    found.add_argument("--demo", action="store_true", help="track the built-in simulated exchange: needs no network")
    found.add_argument("--host", help="address to serve on (default 127.0.0.1)")
    found.add_argument("--port", type=int, help="port to serve on (default 8888)")
    return found


def open_configured(**overrides: Any) -> Services:
    """The services of the environment's settings, with `overrides` of these; sets up the log."""
    settings = read_settings(**overrides)
    set_up_logs(settings.log_level, settings.log_format)
    return open_services(settings)


def _run_part(given: argparse.Namespace, serve: Serve) -> int:
    limit_arenas()
    overrides = {name: getattr(given, name) for name in ("host", "port") if getattr(given, name) is not None}
    if given.demo:
        overrides["track"] = SIMULATED_TRACK
    services = open_configured(**overrides)
    if given.part == "check":
        return check(services)
    services.migrate()
    match given.part:
        case "migrate":
            return 0
        case "clock":
            return run_clock(Scheduler(services))
        case "dispatch":
            from services.runners.dispatch import dispatcher  # Celery takes its time to import

            return run_clock(dispatcher(services))
        case _:
            return serve(services)


def _run_token_command(given: argparse.Namespace) -> int:
    services = open_configured()
    services.migrate()
    return tokens.run(given, services.tokens, services.clock())


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
