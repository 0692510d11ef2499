import json
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.middleware.access import Access
from app import create_app
from callbacks.rules import carry_out, rule_lines
from layouts import ids, rule_form, rule_replay, rules
from layouts.markup import Markup
from layouts.rule_draft import BLANK
from services.market.alerting.alerts import AlertCounts, AlertQuery, Mute
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import MAX_RULES
from services.market.dependencies import Dependencies
from services.market.errors import StoreUnavailable
from services.market.tokens import Token
from tests import builders
from tests.callbacks.test_callbacks import app_over, fire
from tests.fakes import FakeAlertService, FakeDeliveries, FakeReader, fake_dependencies
from tests.layouts.reading import drawn, text_of

NOON = builders.NOON
PUMPS = parse_rule(
    {
        "name": "Pumps",
        "scope": ["kraken:*/USD"],
        "condition": {"kind": "change", "direction": "up", "percent": 5, "window_seconds": 900},
        "enabled": False,
    },
    1,
)
FILLED = BLANK | {"name": "Mine", "scope": "kraken:*/USD"}


class FakeTokens:
    """A token that may read and one that may write."""

    def holder(self, secret: str, now: object) -> Token | None:
        scope = {"dt_reads": "read", "dt_writes": "write"}.get(secret)
        return None if scope is None else Token(1, "a", secret, scope, NOON)


@pytest.fixture
def alert_service() -> FakeAlertService:
    return FakeAlertService(stored={1: PUMPS}, channels=("ops",))


@pytest.fixture
def deliveries() -> FakeDeliveries:
    return FakeDeliveries(channels=("ops",))


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(metrics=(builders.ranked_metric(),), price_series={1: builders.series([1.0, 2.0, 3.0])})


@pytest.fixture
def dependencies(reader: FakeReader, deliveries: FakeDeliveries, alert_service: FakeAlertService) -> Dependencies:
    return fake_dependencies(reader, deliveries=deliveries, alert_service=alert_service)


def part(identity: object, name: str, value: object = None) -> dict[str, Any]:
    return {"id": identity, "property": name, "value": value}


def send(
    dependencies: Dependencies,
    outputs: list[Any],
    changed: dict[str, Any],
    inputs: list[Any],
    state: list[Any],
    headers: dict[str, str] | None = None,
    access: Access | None = None,
) -> TestResponse:
    """The response to a browser that requests `outputs` because `changed` has changed."""
    app = create_app(dependencies, access or Access())
    app._setup_server()
    names = [_name(one[0] if isinstance(one, list) else one) for one in outputs]
    key = names[0] if len(names) == 1 else f"..{'...'.join(names)}.."
    body = {
        "output": key,
        "outputs": outputs if len(outputs) > 1 else outputs[0],
        "inputs": inputs,
        "state": state,
        "changedPropIds": [f"{_text(changed['id'])}.{changed['property']}"],
    }
    return app.server.test_client().post("/_dash-update-component", json=body, headers=headers or {})


def _name(output: dict[str, Any]) -> str:
    return f"{_text(output['id'], wild=True)}.{output['property']}"


def _text(identity: Any, *, wild: bool = False) -> str:
    """An id as Dash writes it; a `wild` one is a pattern that matches all of its kind."""
    if isinstance(identity, str):
        return identity
    pattern = {name: ["ALL"] if wild and name != "type" else value for name, value in identity.items()}
    return json.dumps(pattern, sort_keys=True, separators=(",", ":"))


def press(
    dependencies: Dependencies, act: str = "delete", rule: str = "1", known: object = None, **more: Any
) -> TestResponse:
    """The response to a browser with the rows `known` in which a button of a rule was pressed."""
    button = part(ids.RULES_LIST, "action", {"act": act, "rule": rule, "press": 1})
    inputs = [part(ids.REVISION, "data", 7), button, part(ids.ZONE_NAME, "data", "UTC")]
    return send(
        dependencies, [part(ids.RULES_LIST, "content")], button, inputs, [part(ids.RULES_LIST, "known", known)], **more
    )


def fields(draft: dict[str, Any]) -> list[dict[str, Any]]:
    return [part(ids.rule_field(name), "value", value) for name, value in draft.items()]


def save(dependencies: Dependencies, draft: dict[str, Any], edited: int | None = None) -> dict[str, Any]:
    outputs = [part(ids.LOCATION, "search"), part(ids.RULE_SHOW_EMPTY, "data"), part(ids.RULE_REFUSED, "children")]
    button = part(ids.RULE_SAVE, "n_clicks", 1)
    answer = send(dependencies, outputs, button, [button], [fields(draft), part(ids.RULE_EDITED, "data", edited)])
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json["response"]
    return found


def test_a_click_deletes_a_rule_and_updates_the_list(
    dependencies: Dependencies, alert_service: FakeAlertService
) -> None:
    answer = press(dependencies)

    assert alert_service.stored == {}
    assert "No rules of your own yet" in text_of(drawn(answer.json["response"][ids.RULES_LIST]["content"]))


def test_the_list_of_rules_gets_only_changes(dependencies: Dependencies, alert_service: FakeAlertService) -> None:
    alert_service.stored[2] = replace(PUMPS, id=2)
    known = Markup(rules.listed(rule_lines(dependencies), UTC)).known

    assert press(dependencies, "off", "2", known).json["response"] == {}  # the rule is off already

    changed = press(dependencies, "on", "2", known).json["response"][ids.RULES_LIST]["content"]
    *rows, _ = changed["rows"].values()
    assert [row[1]["key"] for row in rows] == ["rule-2"]


@pytest.mark.parametrize(
    ("token", "status", "left"), [("dt_reads", 403, [1]), ("dt_writes", 200, []), ("dt_wrong", 401, [1])]
)
def test_no_callback_writes_for_a_read_only_token(
    dependencies: Dependencies, alert_service: FakeAlertService, token: str, status: int, left: list[int]
) -> None:
    access = Access(("me", "open sesame"), tokens=FakeTokens())

    answer = press(dependencies, access=access, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, list(alert_service.stored)) == (status, left)


def test_no_callback_writes_for_a_page_of_another_site(
    dependencies: Dependencies, alert_service: FakeAlertService
) -> None:
    assert press(dependencies, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert press(dependencies, headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert alert_service.stored


def test_a_new_revision_does_not_repeat_the_last_action(
    dependencies: Dependencies, alert_service: FakeAlertService
) -> None:
    inputs = [
        part(ids.REVISION, "data", 8),
        part(ids.RULES_LIST, "action", {"act": "delete", "rule": "1", "press": 1}),
        part(ids.ZONE_NAME, "data", "UTC"),
    ]

    answer = send(dependencies, [part(ids.RULES_LIST, "content")], inputs[0], inputs, [part(ids.RULES_LIST, "known")])

    assert answer.status_code == 200
    assert alert_service.stored


def test_each_button_performs_its_action(alert_service: FakeAlertService) -> None:
    carry_out({"act": "on", "rule": "1"}, alert_service, NOON)
    assert alert_service.stored[1].enabled
    carry_out({"act": "off", "rule": "1"}, alert_service, NOON)
    assert not alert_service.stored[1].enabled
    carry_out({"act": "mute", "rule": "0", "length": "7d"}, alert_service, NOON)
    assert [(mute.rule_id, mute.until) for mute in alert_service.muted.values()] == [(0, NOON + timedelta(days=7))]
    carry_out({"act": "unmute", "rule": "0"}, alert_service, NOON)
    assert alert_service.muted == {}


@pytest.mark.parametrize(
    "action",
    [{"act": "on"}, {"act": "delete"}, {"act": "mute"}, {"act": "mute", "length": "100y"}, {"act": "explode"}],
)
def test_a_missing_or_unknown_rule_is_left_alone(alert_service: FakeAlertService, action: dict[str, str]) -> None:
    carry_out(action | {"rule": "9"}, alert_service, NOON)

    assert alert_service.stored == {1: PUMPS}
    assert alert_service.muted == {}


def test_of_several_mutes_the_longest_is_shown(dependencies: Dependencies, alert_service: FakeAlertService) -> None:
    ends = (NOON + timedelta(hours=1), None, NOON + timedelta(hours=2))
    alert_service.muted = {number: Mute(number, 1, None, until, None, NOON) for number, until in enumerate(ends)}
    alert_service.muted[7] = Mute(7, 0, 1, None, None, NOON)  # of one metric only

    built_in, pumps = rule_lines(dependencies)

    assert built_in.mute is None
    assert pumps.mute == alert_service.muted[1]


def test_a_form_becomes_a_rule(dependencies: Dependencies, alert_service: FakeAlertService) -> None:
    assert save(dependencies, FILLED)[ids.LOCATION] == {"search": "?tab=rules"}
    assert alert_service.stored[2].name == "Mine"
    assert alert_service.stored[2].enabled


def test_a_disabled_rule_stays_disabled_when_it_is_edited(
    dependencies: Dependencies, alert_service: FakeAlertService
) -> None:
    save(dependencies, FILLED, edited=1)

    assert (alert_service.stored[1].name, alert_service.stored[1].enabled) == ("Mine", False)


def test_an_invalid_rule_is_refused_and_not_stored(dependencies: Dependencies, alert_service: FakeAlertService) -> None:
    found = save(dependencies, BLANK)

    assert ids.LOCATION not in found
    assert found[ids.RULE_SHOW_EMPTY] == {"data": True}
    assert len(alert_service.stored) == 1


@pytest.mark.parametrize(
    ("draft", "edited", "text"),
    [
        (FILLED, 9, "this rule was deleted"),
        (FILLED | {"notify": "some", "channels": ["gone"]}, None, "Unknown channel 'gone'; available: ops"),
    ],
)
def test_the_reason_for_a_refusal_is_shown_at_the_button(
    dependencies: Dependencies, draft: dict[str, Any], edited: int | None, text: str
) -> None:
    assert text in str(save(dependencies, draft, edited)[ids.RULE_REFUSED])


def test_a_rule_beyond_the_limit_is_refused(dependencies: Dependencies, alert_service: FakeAlertService) -> None:
    alert_service.stored = dict.fromkeys(range(1, MAX_RULES + 1), PUMPS)

    assert "Not saved: there are too many." in str(save(dependencies, FILLED)[ids.RULE_REFUSED])


def test_the_form_of_a_deleted_rule_shows_a_message(reader: FakeReader) -> None:
    view = {"path": "/alerting", "zone": "UTC", "retries": 0, "search": "?tab=rules&edit=9"}

    answer = fire(app_over(reader), f"{ids.VIEW}.data", **{ids.VIEW: view})
    assert "This rule does not exist" in str(answer.json["response"])


def request_replay(dependencies: Dependencies, draft: dict[str, Any], span: str) -> dict[str, Any]:
    button = part(ids.rule_replay(span), "n_clicks", 1)
    refused = duplicate_of(dependencies, ids.RULE_REPLAY)
    outputs = [
        part(ids.RULE_REPLAY_REQUEST, "data"),
        part(ids.RULE_REPLAY, refused.removeprefix(f"{ids.RULE_REPLAY}.")),
    ]
    answer = send(dependencies, outputs, button, [[button]], [fields(draft)])
    found: dict[str, Any] = answer.json["response"]
    return found


def test_a_replay_covers_the_whole_span(dependencies: Dependencies) -> None:
    request = request_replay(dependencies, FILLED, "7d")[ids.RULE_REPLAY_REQUEST]["data"]

    assert request["span"] == "7d"
    body = request["body"]
    assert (body["since"], body["until"]) == ("2026-02-22T12:00:00+00:00", "2026-03-01T12:00:00+00:00")
    assert parse_rule(body["rule"]).name == "Mine"


def test_a_rule_that_cannot_be_saved_is_not_replayed(dependencies: Dependencies) -> None:
    response = request_replay(dependencies, BLANK, "24h")
    assert "Fill in the fields first" in str(response)
    assert ids.RULE_REPLAY_REQUEST not in response


def show(dependencies: Dependencies, found: dict[str, Any]) -> str:
    result = part(ids.RULE_REPLAY_RESULT, "data", found)
    ordered = rule_replay.request_of(PUMPS, "24h", NOON)
    state = [part(ids.RULE_REPLAY_REQUEST, "data", ordered), part(ids.ZONE_NAME, "data", "UTC")]
    return str(send(dependencies, [part(ids.RULE_REPLAY, "children")], result, [result], state).json)


def test_the_result_of_a_replay_is_shown(dependencies: Dependencies) -> None:
    second = int(NOON.timestamp()) - 60
    text = show(
        dependencies,
        {
            "span": "24h",
            "since": second - 86_340,
            "until": second + 60,
            "count": 1,
            "metrics": 1,
            "top": [[1, 1]],
            "markers": {"1": [[second, 3.0]]},
            "newest": [{"metric_id": 1, "price": 3.0, "fired_at": "2026-03-01T11:59:00Z"}],
        },
    )
    assert "It would have fired once" in text
    assert "on 1 of 1 metrics" in text


@pytest.mark.parametrize(
    ("problem", "status", "text"),
    [
        ("scope: matches no metric at all", 422, "'Matches no metric at all.'"),
        (
            "as many are under way; try again in 10 seconds",
            503,
            "'Not replayed: as many are under way; try again in 10",
        ),
        ("The server did not answer.", None, "'Not replayed: The server did not answer.'"),
    ],
)
def test_a_failed_replay_shows_its_reason(
    dependencies: Dependencies, problem: str, status: int | None, text: str
) -> None:
    assert text in show(dependencies, {"problem": problem, "status": status})


def duplicate_of(dependencies: Dependencies, identity: str) -> str:
    """Dash's name for the second output to the children of the component."""
    app = create_app(dependencies, Access())
    (found,) = {
        part
        for key in app.callback_map
        for part in key.strip(".").split("...")
        if part.startswith(f"{identity}.children@")
    }
    return found


def check_draft(dependencies: Dependencies, draft: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    names = ["percent", "factor"]
    refused = duplicate_of(dependencies, ids.RULE_REFUSED)
    outputs = [
        [part(ids.rule_row(name), "className") for name in names],
        [part(ids.rule_error(name), "children") for name in names],
        part(ids.RULE_SENTENCE, "children"),
        part(ids.RULE_REACH, "children"),
        part(ids.RULE_REFUSED, refused.split(".")[1]),
    ]
    answer = send(dependencies, outputs, changed, [fields(draft), part(ids.RULE_SHOW_EMPTY, "data", False)], [])
    found: dict[str, Any] = answer.json["response"]
    return found


def test_a_draft_is_checked_field_by_field(dependencies: Dependencies) -> None:
    found = check_draft(dependencies, FILLED | {"percent": "much"}, part(ids.rule_field("percent"), "value", "much"))

    assert found['{"name":"percent","type":"rule-row"}'] == {"className": "field field-percent has-error"}
    assert found['{"name":"factor","type":"rule-row"}'] == {"className": "field field-factor is-hidden"}
    assert "number from" in found['{"name":"percent","type":"rule-error"}']["children"]
    assert found[ids.RULE_SENTENCE] == {"children": rule_form.INCOMPLETE}
    assert ids.RULE_REFUSED not in found


def test_the_reason_for_a_refusal_disappears_when_the_draft_is_valid(dependencies: Dependencies) -> None:
    assert check_draft(dependencies, FILLED, part(ids.rule_field("percent"), "value", "5"))[ids.RULE_REFUSED] == {
        "children": []
    }
    assert ids.RULE_REFUSED not in check_draft(dependencies, FILLED, part(ids.RULE_SHOW_EMPTY, "data", True))


def test_a_database_outage_is_not_shown_as_an_empty_list(dependencies: Dependencies) -> None:
    class Away(FakeAlertService):
        def rules(self) -> Any:
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        rule_lines(replace(dependencies, alert_service=Away()))


def test_all_rules_show_how_many_metrics_have_no_data(dependencies: Dependencies) -> None:
    class Counting(FakeReader):
        def count_alerts(self, query: AlertQuery) -> AlertCounts:
            assert query.rule_id == 0
            return AlertCounts({"firing": 2, "no_data": 5}[query.state or ""], 0)

    alert_service = FakeAlertService()
    number = alert_service.add_rule(PUMPS).id
    alert_service.states[number] = {"firing": 1, "pending": 3, "no data": 4, "resolved": 9}
    lines = rule_lines(replace(dependencies, reader=Counting(), alert_service=alert_service))

    chips = [[part.children for part in rules._chips(line, UTC)] for line in lines]
    assert chips == [["2 firing", "5 no data"], ["Off", "1 firing", "3 pending", "4 no data"]]
