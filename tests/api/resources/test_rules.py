from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import MAX_RULES
from tests import builders
from tests.api.conftest import serve
from tests.fakes import FakeAlertService, FakeReader

RULE: dict[str, Any] = {
    "name": "Six figures",
    "scope": ["kraken:BTC/USD"],
    "quantity": "price",
    "condition": {"kind": "level", "direction": "up", "level": 100_000.0},
    "pending_seconds": 60,
    "cooldown_seconds": 3_600,
    "hysteresis_percent": 1.0,
    "channels": None,
    "tell_resolved": False,
    "enabled": True,
}


@pytest.fixture
def alert_service() -> FakeAlertService:
    return FakeAlertService()


@pytest.fixture
def client(reader: FakeReader, alert_service: FakeAlertService) -> FlaskClient:
    return serve(reader, alert_service=alert_service)


def test_a_rule_is_added_shown_changed_and_removed(client: FlaskClient, alert_service: FakeAlertService) -> None:
    made = client.post("/alerts/rules", json=RULE)
    assert (made.status_code, made.headers["Location"]) == (201, "/alerts/rules/1")
    extra = {"id": 1, "words": "price rises through 100,000", "editable": True, "states": {}}
    assert made.json == {"rule": RULE | extra}
    assert client.get("/alerts/rules/1").json == made.json

    changed = client.patch("/alerts/rules/1", json={"name": "Seven", "enabled": False})
    assert changed.json == {"rule": RULE | extra | {"name": "Seven", "enabled": False}}
    assert alert_service.stored[1] == parse_rule(RULE | {"name": "Seven", "enabled": False}, 1)

    assert client.delete("/alerts/rules/1").status_code == 204
    assert client.get("/alerts/rules/1").status_code == 404
    assert client.get(f"/alerts/rules/{10**30}").status_code == 404
    assert client.delete("/alerts/rules/1").get_json() == {
        "title": "Not Found",
        "status": 404,
        "detail": "no rule 1",
        "reason": "Resource not found",
    }


def test_the_built_in_rule_is_listed_first_and_cannot_be_changed(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    client.post("/alerts/rules", json=RULE)
    alert_service.states[1] = {"firing": 2}

    first, second = client.get("/alerts/rules").get_json()["rules"]

    assert (first["id"], first["editable"], first["words"]) == (0, False, "price is above 3 times its average of 1 h")
    assert (second["id"], second["states"]) == (1, {"firing": 2})
    for answer in (client.patch("/alerts/rules/0", json={"name": "Mine"}), client.delete("/alerts/rules/0")):
        assert answer.status_code == 422
        assert answer.get_json()["detail"].startswith("id: the built-in rule comes from the settings ALERT_*")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (RULE | {"condition": {"kind": "level"}}, "condition.level: is missing"),
        (RULE | {"colour": "red"}, "colour: is not a field of a rule"),
        (["a"], "body: must be a JSON object"),
    ],
)
def test_an_invalid_rule_is_refused_with_its_field(client: FlaskClient, body: Any, detail: str) -> None:
    answer = client.post("/alerts/rules", json=body)
    assert (answer.status_code, answer.get_json()["detail"]) == (422, detail)


def test_invalid_json_or_a_long_body_is_refused(client: FlaskClient) -> None:
    answer = client.post("/alerts/rules", data="{", content_type="application/json")
    assert answer.status_code == 422
    assert answer.get_json()["detail"].startswith("body: is not JSON")
    answer = client.post("/alerts/rules", data=" " * 70_000, content_type="application/json")
    assert answer.status_code == 413


def test_the_number_of_rules_is_limited(client: FlaskClient, alert_service: FakeAlertService) -> None:
    alert_service.stored = {number: parse_rule(RULE, number) for number in range(1, MAX_RULES + 1)}
    assert client.post("/alerts/rules", json=RULE).status_code == 409


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 201),
        ({"Origin": "http://localhost"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "http://localhost.evil.test"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_change_rules(
    client: FlaskClient, alert_service: FakeAlertService, headers: dict[str, str], status: int
) -> None:
    assert client.post("/alerts/rules", json=RULE, headers=headers).status_code == status
    assert len(alert_service.stored) == (status == 201)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_a_foreign_form_can_send_is_refused(client: FlaskClient, content_type: str) -> None:
    """Browsers send these across sites without a preflight request."""
    assert client.post("/alerts/rules", data="{}", content_type=content_type).status_code == 415


def test_pages_of_other_sites_cannot_remove_or_replace_rules(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    client.post("/alerts/rules", json=RULE)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.delete("/alerts/rules/1", headers=foreign).status_code == 403
    assert client.patch("/alerts/rules/1", json={"enabled": False}, headers=foreign).status_code == 403
    assert client.get("/alerts/rules/1", headers=foreign).status_code == 200
    assert alert_service.stored[1].enabled


def test_an_alert_is_acknowledged_with_a_note(client: FlaskClient, alert_service: FakeAlertService) -> None:
    alert_service.fired[7] = builders.alert(7)
    answer = client.post("/alerts/7/acknowledge", json={"note": "on it"})
    sent = answer.get_json()["alert"]
    assert (sent["id"], sent["note"], sent["acknowledged_at"]) == (7, "on it", "2026-03-01T12:00:00Z")

    assert client.post("/alerts/8/acknowledge").status_code == 404
    assert client.post("/alerts/7/acknowledge", json={"note": 5}).status_code == 422
    assert client.post("/alerts/7/acknowledge", json={"note": "on\n\tit \N{WAVING HAND SIGN}"}).status_code == 200
    assert client.post("/alerts/7/acknowledge", json={"nothing": 5}).status_code == 422


@pytest.mark.parametrize("control", ["\0", "\x1b", "\x85"])
def test_control_characters_are_refused_by_the_name_of_their_field(client: FlaskClient, control: str) -> None:
    for path, body, field in (
        ("/alerts/7/acknowledge", {"note": f"on{control}it"}, "note"),
        ("/alerts/acknowledge", {"up_to": 3, "note": control}, "note"),
        ("/alerts/mutes", {"rule": 0, "note": f"known{control}"}, "note"),
        ("/alerts/rules", RULE | {"name": f"one{control}two"}, "name"),
        ("/alerts/rules", RULE | {"channels": [f"mail{control}"]}, "channels"),
    ):
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.get_json()["detail"].partition(":")[0]) == (422, field)


def test_a_metric_is_muted_until_a_time_and_unmuted(client: FlaskClient) -> None:
    answer = client.post("/alerts/mutes", json={"metric": "kraken:eth-usd", "until": "2026-03-02T00:00:00Z"})
    body = {
        "id": 1,
        "rule": None,
        "metric": 1,
        "until": "2026-03-02T00:00:00Z",
        "note": None,
        "created_at": "2026-03-01T12:00:00Z",
    }
    assert (answer.status_code, answer.get_json()) == (201, {"mute": body})
    assert client.get("/alerts/mutes").get_json() == {"mutes": [body]}
    assert client.delete("/alerts/mutes/1").status_code == 204
    assert client.delete("/alerts/mutes/1").status_code == 404


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "rule: name a rule, a metric, or both"),
        ({"rule": "all"}, "rule: must be a rule's number"),
        ({"rule": 10**18}, "rule: must be a rule's number"),
        ({"metric": []}, "metric: must be a metric's number or key"),
        ({"rule": 0, "until": "2026-03-01T12:00:00Z"}, "until: 2026-03-01T12:00:00Z is not in the future"),
        ({"rule": 0, "until": "soon"}, "until: 'soon' is neither an ISO-8601 time nor epoch seconds"),
        ({"rule": 0, "forever": True}, "forever: unknown field; known fields are rule, metric, until, note"),
    ],
)
def test_an_invalid_mute_is_refused_with_its_field(client: FlaskClient, body: dict[str, Any], detail: str) -> None:
    answer = client.post("/alerts/mutes", json=body)
    assert (answer.status_code, answer.get_json()["detail"]) == (422, detail)


def test_alerts_can_be_filtered_by_rule_state_and_time(
    client: FlaskClient, reader: FakeReader, alert_service: FakeAlertService
) -> None:
    alert_service.fired[7] = builders.alert(
        7, rule_id=3, rule="mine", condition="price crosses 5", average=None, factor=None
    )
    sent = client.get("/alerts?metric=1&rule=3&state=firing&until=1772452800&unacknowledged=true&limit=5").get_json()

    assert [alert["id"] for alert in sent["alerts"]] == [7]
    assert (sent["alerts"][0]["average"], sent["alerts"][0]["state"]) == (None, "firing")
    until = datetime.fromtimestamp(1_772_452_800, UTC)
    assert reader.alert_query == AlertQuery(
        None, until, metric_id=1, rule_id=3, state="firing", unacknowledged=True, limit=5
    )
    assert client.get("/alerts?state=lost").status_code == 422
    assert client.get("/alerts?rule=mine").status_code == 422


def test_all_firing_alerts_are_acknowledged_up_to_the_newest_one_shown(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    alert_service.fired = {number: builders.alert(number) for number in (1, 2, 3)}

    answer = client.post("/alerts/acknowledge", json={"up_to": 2, "note": "known"})

    assert (answer.status_code, answer.get_json()) == (200, {"count": 2})
    assert [alert.note for alert in alert_service.fired.values()] == ["known", "known", None]
    assert alert_service.query == AlertQuery(state="open", unacknowledged=True, muted=False, up_to=2)
    for body in ({}, {"up_to": -1}, {"up_to": True}, {"up_to": 2**63}, {"up_to": 1, "more": 1}):
        assert client.post("/alerts/acknowledge", json=body).status_code == 422


def test_alerts_as_csv_contain_no_formulas(client: FlaskClient, alert_service: FakeAlertService) -> None:
    alert_service.fired[7] = builders.alert(7, rule_id=3, rule="=cmd()", condition="x", note="a,b")
    answer = client.get("/alerts?format=csv&rule=3")

    assert answer.mimetype == "text/csv"
    head, row = answer.text.splitlines()
    assert head.startswith("id,metric_id,market,base,quote,price,")
    assert row.startswith("7,1,kraken,BTC,USD,190000.0,60000.0,3.0,60,2026-03-01T11:55:00Z,firing,3,'=cmd(),x,price,")
    assert row.endswith(',"a,b",,,')


def test_a_rule_can_be_replayed_before_it_is_stored(client: FlaskClient, alert_service: FakeAlertService) -> None:
    alert_service.fired = {1: builders.alert(1), 2: builders.alert(2, metric_id=3)}
    answer = client.post("/alerts/rules/replay", json={"rule": RULE, "since": "2026-03-01T00:00:00Z"})

    sent = answer.get_json()
    assert (sent["count"], sent["since"], sent["until"]) == (2, "2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z")
    assert sent["metrics"] == [{"metric_id": 1, "count": 1}, {"metric_id": 3, "count": 1}]
    assert sent["firings"][0] == {"metric_id": 1, "price": 190_000.0, "fired_at": "2026-03-01T11:55:00Z"}
    assert alert_service.tried == parse_rule(RULE, -1)
    assert alert_service.stored == {}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "rule: must be a rule, or 0 for the built-in one"),
        ({"rule": 0, "since": "2025-01-01"}, "since: must be before until, by at most 31 days"),
        ({"rule": RULE | {"scope": []}}, "scope: names no pair"),
    ],
)
def test_an_invalid_replay_is_refused_with_its_field(client: FlaskClient, body: dict[str, Any], detail: str) -> None:
    answer = client.post("/alerts/rules/replay", json=body)
    assert (answer.status_code, answer.get_json()["detail"]) == (422, detail)
