"""How log lines look."""

import logging
import sys
import time
from typing import Literal

from pythonjsonlogger.json import JsonFormatter


def set_up_logs(level: str, style: Literal["text", "json"]) -> None:
    """Send every log line of `level` and above to standard error, its time in UTC."""
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
        formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line a job and a request would drown what matters; what goes wrong in them still shows.
    for chatty in ("apscheduler", "alembic", "werkzeug", "uvicorn.error", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
