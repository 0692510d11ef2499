from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.middleware.access import Access
from app import create_app
from layouts import ids
from services.market.alerting.alerts import AlertQuery, Mute
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeAlertService, FakeReader, fake_dependencies
from tests.layouts.reading import drawn, text_of

ASK: dict[str, Any] = {"q": "btc", "rule": "", "state": "", "span": "", "unseen": True, "page": 1}


@pytest.fixture
def alert_service() -> FakeAlertService:
    return FakeAlertService(fired={number: builders.alert(number) for number in (1, 2, 3)})


@pytest.fixture
def client(alert_service: FakeAlertService) -> FlaskClient:
    reader = FakeReader(metrics=(builders.ranked_metric(1),))
    access = Access(credentials=("ann", "secret"))
    app = create_app(fake_dependencies(reader, alert_service=alert_service), access)
    app._setup_server()
    return app.server.test_client()


def post(client: FlaskClient, output: str, trigger: str, inputs: list[Any], state: list[Any]) -> Any:
    """The response to a browser in which `trigger` has changed."""
    identity, prop = output.rsplit(".", 1)
    body = {
        "output": output,
        "outputs": {"id": identity, "property": prop},
        "inputs": inputs,
        "state": state,
        "changedPropIds": [trigger],
    }
    return client.post("/_dash-update-component", json=body, auth=("ann", "secret"))


def held(identity: str, prop: str, value: Any) -> dict[str, Any]:
    return {"id": identity, "property": prop, "value": value}


def act(
    client: FlaskClient, trigger: str, chosen: dict[str, Any], note: str = "", length: str = "8h", until: str = ""
) -> Any:
    inputs = [
        held(ids.HISTORY_UNMUTE, "data", chosen),
        held(ids.ACKNOWLEDGE_DO, "n_clicks", 1),
        held(ids.MUTE_DO, "n_clicks", 1),
    ]
    state = [
        held(ids.HISTORY_CHOSEN, "data", chosen),
        held(ids.ACKNOWLEDGE_NOTE, "value", note),
        held(ids.MUTE_LENGTH, "value", length),
        held(ids.MUTE_UNTIL, "value", until),
        held(ids.MUTE_NOTE, "value", note),
        held(ids.HISTORY_ASK, "data", ASK),
        held(ids.ZONE_NAME, "data", "Europe/Berlin"),
    ]
    return post(client, f"{ids.HISTORY_DONE}.data", trigger, inputs, state)


def test_an_alert_is_acknowledged_in_the_name_of_the_user(client: FlaskClient, alert_service: FakeAlertService) -> None:
    chosen = {"act": "acknowledge", "number": "2"}
    assert act(client, f"{ids.MUTE_DO}.n_clicks", chosen).status_code == 204  # the button of another dialog
    assert alert_service.fired[2].acknowledged_at is None

    assert act(client, f"{ids.ACKNOWLEDGE_DO}.n_clicks", chosen, "  se\0en ").status_code == 200

    alert = alert_service.fired[2]
    assert (alert.acknowledged_at, alert.acknowledged_by, alert.note) == (NOON, "ann", "seen")


def test_all_filtered_alerts_are_acknowledged_up_to_the_newest_shown(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    act(client, f"{ids.ACKNOWLEDGE_DO}.n_clicks", {"act": "all", "newest": "2"})

    assert [alert.acknowledged_by for alert in alert_service.fired.values()] == ["ann", "ann", None]
    assert alert_service.query == AlertQuery(unacknowledged=True, search="btc", up_to=2, limit=50)


def test_a_metric_is_muted_for_a_time_or_until_it_resolves_and_unmuted(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    chosen = {"act": "mute", "metric": "1", "number": "2"}
    act(client, f"{ids.MUTE_DO}.n_clicks", chosen, "known")
    act(client, f"{ids.MUTE_DO}.n_clicks", chosen, length="resolved")

    assert list(alert_service.muted.values()) == [
        Mute(1, None, 1, NOON + timedelta(hours=8), "known", NOON),
        Mute(2, None, 1, None, None, NOON),
    ]

    act(client, f"{ids.HISTORY_UNMUTE}.data", {"act": "unmute", "number": "1"})
    assert list(alert_service.muted) == [2]
    gone = act(client, f"{ids.HISTORY_UNMUTE}.data", {"act": "unmute", "number": "1"})
    assert gone.status_code == 200  # removed by somebody else before


def test_a_metric_is_muted_until_a_time_in_the_users_zone(client: FlaskClient, alert_service: FakeAlertService) -> None:
    chosen = {"act": "mute", "metric": "1"}
    act(client, f"{ids.MUTE_DO}.n_clicks", chosen, length="chosen", until="2026-03-02T09:30")

    assert [mute.until for mute in alert_service.muted.values()] == [datetime(2026, 3, 2, 8, 30, tzinfo=UTC)]


@pytest.mark.parametrize("until", ["", "soon", "2026-03-01T12:59", "2027-04-01T12:00", "+275760-09-13T00:00"])
def test_an_invalid_end_of_a_mute_is_refused(client: FlaskClient, alert_service: FakeAlertService, until: str) -> None:
    answer = act(client, f"{ids.MUTE_DO}.n_clicks", {"act": "mute", "metric": "1"}, length="chosen", until=until)

    assert answer.json["sideUpdate"][ids.MUTE_REFUSED]["children"].startswith("Choose a ")
    assert ids.HISTORY_DONE not in answer.json.get("response", {})  # the dialog stays open
    assert alert_service.muted == {}


def follow(client: FlaskClient, known: Any = None, tools: Any = None, rules: Any = None) -> Any:
    """The response to an open page with the rows `known` and `tools`, whose filter offers `rules`."""
    changed = [
        held(ids.HISTORY_ASK, "data", ASK),
        held(ids.HISTORY_DONE, "data", None),
        held(ids.REVISION, "data", 7),
        held(ids.ZONE_NAME, "data", "UTC"),
    ]
    state = [
        held(ids.ALERT_HISTORY, "known", known),
        held(ids.HISTORY_TOOLS, "known", tools),
        held(ids.HISTORY_RULE, "options", rules),
    ]
    outputs = [(ids.ALERT_HISTORY, "content"), (ids.HISTORY_TOOLS, "content"), (ids.HISTORY_RULE, "options")]
    body = {
        "output": f"..{'...'.join('.'.join(output) for output in outputs)}..",
        "outputs": [{"id": identity, "property": name} for identity, name in outputs],
        "inputs": changed,
        "state": state,
        "changedPropIds": [f"{ids.REVISION}.data"],
    }
    return client.post("/_dash-update-component", json=body, auth=("ann", "secret"))


def test_an_open_page_gets_only_changes(client: FlaskClient, alert_service: FakeAlertService) -> None:
    whole = follow(client).json["response"]
    known = whole[ids.ALERT_HISTORY]["content"]["known"]
    tools, rules = whole[ids.HISTORY_TOOLS]["content"]["known"], whole[ids.HISTORY_RULE]["options"]
    assert text_of(drawn(whole[ids.HISTORY_TOOLS]["content"])) == "CSV|Acknowledge all 3"
    assert [one["label"] for one in rules] == ["Any rule", "Built-in rule"]

    assert follow(client, known, tools, rules).json["response"] == {}

    alert_service.fired[2] = builders.alert(2, resolved_at=NOON)
    changed = follow(client, known, tools, rules).json["response"]

    assert list(changed) == [ids.ALERT_HISTORY]
    *rows, _ = changed[ids.ALERT_HISTORY]["content"]["rows"].values()
    assert [row[1]["key"] for row in rows] == ["alert-2"]
    assert "Resolved" in text_of(str(rows))


def test_a_page_of_another_site_cannot_acknowledge_alerts(client: FlaskClient, alert_service: FakeAlertService) -> None:
    body = {"up_to": 3}
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/alerts/acknowledge", json=body, headers=headers, auth=("ann", "secret")).status_code == 403
    assert client.post("/alerts/acknowledge", json=body).status_code == 401
    assert all(alert.acknowledged_at is None for alert in alert_service.fired.values())

    assert client.post("/alerts/acknowledge", json=body, auth=("ann", "secret")).get_json() == {"count": 3}
    assert {alert.acknowledged_by for alert in alert_service.fired.values()} == {"ann"}
