"""The format of log lines: one line per event, whatever text from outside it contains."""

import logging
import sys
import time
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

TRACE_MARK = "  | "
"""Begins each line of a traceback, and no other line."""


class LineFormatter(logging.Formatter):
    """Escapes unprintable characters, so that a path, a header or a name from an exchange cannot forge a log line or
    move a terminal's cursor."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        record.message = quoted(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return _marked(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the library's name
        return _marked(super().formatStack(stack_info))


def quoted(text: str) -> str:
    """`text` with its unprintable characters escaped, as `repr` does."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _marked(text: str) -> str:
    return "\n".join(f"{TRACE_MARK}{quoted(line)}" for line in text.splitlines())


def set_up_logs(level: str, style: Literal["text", "json"]) -> None:
    """Log events of `level` and above to standard error, with times in UTC."""
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter
    if style == "json":
        formatter = JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            datefmt="%Y-%m-%dT%H:%M:%SZ",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    else:
        formatter = LineFormatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line per job, request and disconnected client would hide the rest; their errors are still logged.
    for verbose in ("apscheduler", "alembic", "asyncio", "werkzeug", "uvicorn.error", "urllib3"):
        logging.getLogger(verbose).setLevel(logging.ERROR)
