"""Hostile names and errors, as if the check at the boundary had let them through: everywhere they stay plain text."""

import csv
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event

import numpy as np
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from services.commands.export import export
from services.market.types import Listing, Pair
from services.pipeline.notify import ChannelSender, channel_lease_holder
from services.store.alerting import alerts, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database.engine import Engine, writing
from services.store.history import prices
from services.store.ranking import metrics
from tests import builders, hostile
from tests.builders import NOON
from tests.fakes import FakeReader, Timer, fake_dependencies
from tests.fakes_exchange import FakeNotifier

STORED = tuple(name for name in hostile.NAMES if "\x00" not in name)  # PostgreSQL cannot store NUL in texts


def reader() -> FakeReader:
    """A reader with every name as base, as quote, and in the texts of exchanges."""
    rows = tuple(builders.ranked_metric(number, base=name, quote=name) for number, name in enumerate(hostile.NAMES, 1))
    exchanges = tuple(
        builders.exchange_state(f"x{number}", failing_since=NOON, error=name, note=name)
        for number, name in enumerate(hostile.NAMES)
    )
    fired = tuple(
        builders.alert(number, metric_id=number, base=name, quote=name) for number, name in enumerate(hostile.NAMES, 1)
    )
    state = replace(builders.status(), exchanges=exchanges, warnings=hostile.NAMES)
    return FakeReader(metrics=rows, fired=fired, state=state)


@pytest.fixture
def client() -> FlaskClient:
    return create_app(fake_dependencies(reader())).server.test_client()


def test_the_interface_returns_them_unchanged_as_json(client: FlaskClient) -> None:
    answer = client.get("/metrics")

    assert (answer.mimetype, answer.headers["X-Content-Type-Options"]) == ("application/json", "nosniff")
    assert [row["base"] for row in answer.json["metrics"]] == list(hostile.NAMES)
    assert [row["quote"] for row in client.get("/alerts").json["alerts"]] == list(hostile.NAMES)
    assert [state["error"] for state in client.get("/live").json["exchanges"]] == list(hostile.NAMES)


@pytest.mark.parametrize("name", hostile.NAMES)
def test_in_a_url_they_give_json_and_no_server_error(client: FlaskClient, name: str) -> None:
    for answer in (
        client.get("/metrics/" + name.replace("/", "%2F")),
        client.get("/alerts", query_string={"metric": name}),
        client.get("/alerts", query_string={"limit": name}),
        client.get("/metrics/1/prices", query_string={"since": name, "interval": name}),
    ):
        assert answer.status_code in (200, 404, 422)
        assert answer.mimetype in ("application/json", "application/problem+json")
        assert len(answer.data) < 60_000
        assert "a=b" not in answer.headers.get("Set-Cookie", "")


def test_telemetry_escapes_them_in_labels(client: FlaskClient) -> None:
    families = list(text_string_to_metric_families(client.get("/telemetry").text))

    assert families
    assert all(family.name.startswith(("data_tracker", "python", "process")) for family in families)


def test_pages_contain_no_hostile_markup(client: FlaskClient) -> None:
    for path in ("/", "/status", "/metric/<script>window.broken=1</script>"):
        answer = client.get(path)
        assert "window.broken" not in answer.text, path


def test_no_cell_of_an_exported_file_begins_a_formula(engine: Engine, tmp_path: Path) -> None:
    times, values, widths = builders.series([5.0] * 2).times, builders.series([5.0] * 2).values, [60, 60]
    with writing(engine) as connection:
        listings = [Listing(Pair(name, name)) for name in STORED]
        metrics.track(connection, "kraken", listings, lambda _pair: False, NOON)
        for number in range(1, len(STORED) + 1):
            prices.store_history(connection, number, times, values, np.array(widths))
    path = tmp_path / "all.csv"

    export(engine, path, lambda _done, _total, _stored: None)

    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert {len(row) for row in rows} == {len(head)}
    assert {row[2].removeprefix("'") for row in rows} >= {name for name in STORED if name and name[0] in "=+-@"}
    assert [cell for row in rows for cell in row[1:4] if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_a_message_has_one_line_per_alert_and_its_key(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair(name, "USD")) for name in STORED], lambda _pair: False, NOON)
        firings = [
            NewAlert(number, int(NOON.timestamp()), 400.0, 100.0, 3.0, 60) for number in range(1, len(STORED) + 1)
        ]
        numbers = alerts.insert_alerts(connection, firings)
        outbox.enqueue(
            connection, int(NOON.timestamp()), [AlertNotice(number, "fired", ("test",)) for number in numbers]
        )
    notifier = FakeNotifier()
    lease_holder = channel_lease_holder("test", "this process", lambda: NOON, Timer())

    assert ChannelSender(engine, notifier, lease_holder, lambda: NOON, Random(1), Event()).send_due() == 1

    (message,) = notifier.accepted
    *lines, last = message.text.splitlines()
    assert len(lines) == len(STORED)
    assert all(line.isprintable() and len(line) < 300 for line in [message.title, *lines]), lines
    assert last == f"[{message.key}]"
