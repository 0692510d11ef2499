"""The program by a clock that follows the data: for gunicorn, `benchmarks.replayed:create_app()`."""

from datetime import UTC, datetime

from flask import Flask

import app


def create_app() -> Flask:
    """As `app:server`, but it is always the minute of the last tick."""
    services = app.process_services()

    def clock() -> datetime:
        return services.reader.ranking().minute or datetime.now(UTC)

    server: Flask = app.create_app(services.reader, clock, services.deliveries, services.alert_service).server
    return server
