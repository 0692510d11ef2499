"""The program by a clock that follows the data: for gunicorn, `benchmarks.replayed:create_app()`."""

from dataclasses import replace
from datetime import UTC, datetime

from flask import Flask

import app


def create_app() -> Flask:
    """As `app:server`, but it is always the minute of the last tick."""
    services = app.process_services()

    def clock() -> datetime:
        return services.reader.ranking().minute or datetime.now(UTC)

    server: Flask = app.create_app(replace(app.dependencies_of(services), clock=clock)).server
    return server
