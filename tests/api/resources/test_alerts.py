"""Many alerts with the same time can all be read page by page."""

import csv
import io
import re

import pytest
from flask.testing import FlaskClient

from services.actions.alerts import StoreAlertService
from services.market.types import Listing, Pair
from services.store.alerting import alerts
from services.store.alerting.alerts import NewAlert
from services.store.database.engine import Engine, writing
from services.store.ranking import metrics
from services.store.reader import StoreReader
from tests import builders
from tests.api.conftest import serve
from tests.builders import NOON

STORM = 60


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    """A client of a server where one tick has fired an alert on each of 60 metrics."""
    second = int(NOON.timestamp())
    with writing(engine) as connection:
        listings = [Listing(Pair(f"C{number}", "USD")) for number in range(STORM)]
        metrics.track(connection, "kraken", listings, lambda _pair: True, NOON)
        alerts.insert_alerts(
            connection, [NewAlert(number, second, 400.0, 100.0, 3.0, 60) for number in range(1, STORM + 1)]
        )
    return serve(StoreReader(engine, builders.profile()), alert_service=StoreAlertService(engine, ()))  # type: ignore[arg-type]


def links(answer: object) -> dict[str, str]:
    header = answer.headers.get("Link", "")  # type: ignore[attr-defined]
    return {relation: url for url, relation in re.findall(r'<([^>]*)>; rel="(\w+)"', header)}


def pages(client: FlaskClient, path: str) -> list[object]:
    """The responses from `path` on, following the links."""
    found = []
    following: str | None = path
    while following is not None:
        answer = client.get(following)
        assert answer.status_code == 200
        assert answer.headers["X-Total-Count"] == str(STORM)
        found.append(answer)
        following = links(answer).get("next")
    return found


def test_pages_list_each_alert_once_newest_first(client: FlaskClient) -> None:
    found = pages(client, "/alerts?limit=25")

    numbers = [[alert["id"] for alert in answer.json["alerts"]] for answer in found]  # type: ignore[attr-defined]
    assert [len(page) for page in numbers] == [25, 25, 10]
    assert [number for page in numbers for number in page] == list(range(STORM, 0, -1))


def test_records_and_csv_have_the_same_pages(client: FlaskClient) -> None:
    as_records = pages(client, "/alerts?limit=25&format=records")
    as_csv = pages(client, "/alerts?limit=25&format=csv")

    assert [row["id"] for answer in as_records for row in answer.json] == list(range(STORM, 0, -1))  # type: ignore[attr-defined]
    rows = [row for answer in as_csv for row in csv.DictReader(io.StringIO(answer.text))]  # type: ignore[attr-defined]
    assert [int(row["id"]) for row in rows] == list(range(STORM, 0, -1))


def test_links_lead_to_all_pages_with_the_same_query(client: FlaskClient) -> None:
    asked = "/alerts?since=2026-03-01T00:00:00Z&words=kraken&limit=20"

    assert links(client.get(f"{asked}&offset=20")) == {
        "first": f"{asked}&offset=0",
        "prev": f"{asked}&offset=0",
        "next": f"{asked}&offset=40",
        "last": f"{asked}&offset=40",
    }
    assert "next" not in links(client.get(f"{asked}&offset=40"))


def test_the_count_covers_all_matches_and_a_page_beyond_the_last_is_empty(client: FlaskClient) -> None:
    one = client.get("/alerts?metric=kraken:C7-USD")
    assert (one.headers["X-Total-Count"], [alert["metric_id"] for alert in one.json["alerts"]]) == ("1", [8])
    assert client.get("/alerts?state=resolved").headers["X-Total-Count"] == "0"

    behind = client.get("/alerts?offset=60")
    assert (behind.json, behind.headers["X-Total-Count"]) == ({"alerts": []}, "60")


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "10000001", ""])
def test_an_invalid_offset_is_refused_by_name(client: FlaskClient, value: str) -> None:
    answer = client.get(f"/alerts?offset={value}")
    assert answer.status_code == 422
    assert answer.json["detail"].startswith("offset: ")
