"""A bare server that carries the interface, and a page for every other path, as the dashboard has."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.routes import mount
from services.market.ports import AlertDesk, Clock
from tests import builders
from tests.fakes import FakeDesk, FakeReader

Serve = Callable[..., FlaskClient]


def dashboard(path: str = "") -> str:
    return f"<html>the dashboard at {path}</html>"


def serve(reader: FakeReader, clock: Clock = lambda: builders.NOON, desk: AlertDesk | None = None) -> FlaskClient:
    server = Flask(__name__)
    mount(server, reader, clock, desk or FakeDesk())
    server.add_url_rule("/", view_func=dashboard)
    server.add_url_rule("/<path:path>", view_func=dashboard)
    return server.test_client()


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(
        metrics=(
            builders.ranked_metric(3, rank=1),
            builders.ranked_metric(1, rank=2, base="ETH"),
            builders.ranked_metric(2, rank=None, base="SOL", price=None, stdev=None),
        )
    )


@pytest.fixture
def client(reader: FakeReader) -> FlaskClient:
    return serve(reader)
