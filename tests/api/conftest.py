"""Fixtures for the API: a server with a stand-in for the dashboard, and the whole program over a real database."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.middleware.access import OPEN
from api.middleware.guard import guarded
from api.middleware.hosts import ANY_HOST
from api.middleware.rate_limits import Limits
from api.resources.context import RouteContext
from api.responses.cached_response import CachedResponses
from api.responses.freshness import Freshness
from api.responses.large_responses import LargeResponses
from api.routes import mount
from app import create_app
from services.actions.alerts import StoreAlertService
from services.actions.deliveries import DeliveryService
from services.caching.process_reader import CachedReader
from services.market.dependencies import Dependencies
from services.market.ports import AlertService, Clock
from services.store.alerting import alerts, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database.engine import Engine, open_engine, writing
from tests import builders
from tests.fakes import FakeReader, fake_dependencies
from tests.fakes_exchange import FakeExchange, FakeNotifier
from tests.pipeline.harness import PipelineHarness
from tests.served import served

Serve = Callable[..., FlaskClient]


def dashboard(path: str = "") -> str:
    return f"<html>the dashboard at {path}</html>"


def serve(
    reader: FakeReader, clock: Clock = lambda: builders.NOON, alert_service: AlertService | None = None
) -> FlaskClient:
    server = Flask(__name__)
    mount(server, fake_dependencies(reader, clock, alert_service=alert_service))
    server.add_url_rule("/", view_func=dashboard)
    server.add_url_rule("/<path:path>", view_func=dashboard)
    server.wsgi_app = guarded(server.wsgi_app, OPEN, ANY_HOST, Limits(0), lambda: builders.NOON)
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


def queue_messages(engine: Engine, now: int) -> None:
    """Enqueue an alert for two channels, one of which gives it up."""
    with writing(engine) as connection:
        (number,) = alerts.insert_alerts(connection, [NewAlert(1, now, 400.0, 100.0, 3.0, 60)])
        outbox.enqueue(connection, now, [AlertNotice(number, "fired", ["ops", "mail"])])
        delivery = outbox.claim(connection, "mail", now, "me")
        assert delivery is not None
        outbox.mark_failed(connection, delivery, now, "answered 410")


@pytest.fixture
def address(migrated_sqlite_url: str) -> Iterator[str]:
    """The address of the running program, ten minutes after NOON.

    Its metrics include hostile names, and some of its messages are pending.
    """
    engine = open_engine(migrated_sqlite_url)
    prices = {"BTC/USD": 60_000.5, "ETH/USD": 3_000.0, "=ÄÖ+X/USD": 1e-9, "NULL/EUR": 1e12, "1/USD": 5.0}
    exchange = FakeExchange("kraken", prices=prices)
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    for _ in range(10):
        exchange.prices = {name: price * 1.001 for name, price in exchange.prices.items()}
        pipeline.tick()
    queue_messages(engine, int(pipeline.now.timestamp()))
    deliveries = DeliveryService(engine, [FakeNotifier("ops"), FakeNotifier("mail")])
    alert_service = StoreAlertService(engine, deliveries.channels)
    server = create_app(
        Dependencies(CachedReader(pipeline.reader), lambda: pipeline.now, deliveries, alert_service)
    ).server
    with served(server) as web:
        web.do(web.bridge.end)  # each stream sends its first event and ends
        yield f"http://127.0.0.1:{web.port}"
    engine.dispose()


def route_context(reader: FakeReader) -> RouteContext:
    """The context that the routes of a resource share, over `reader`."""
    dependencies = fake_dependencies(reader)
    return RouteContext(dependencies, Freshness(reader, dependencies.clock), CachedResponses(), LargeResponses())
