"""The web application with a clock that stands at the last tick, for gunicorn: `benchmarks.replayed:create_app()`."""

from dataclasses import replace
from datetime import UTC, datetime

from flask import Flask

import app


def create_app() -> Flask:
    """The same as `app:server`, but the time is always that of the last tick."""
    services = app.process_services()

    def clock() -> datetime:
        return services.reader.ranking().minute or datetime.now(UTC)

    server: Flask = app.create_app(replace(app.dependencies_of(services), clock=clock)).server
    return server
