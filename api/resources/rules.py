"""`/alerts/rules`: the rules, which can be added, changed and deleted."""

from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, Response, request

from api.contract.identifiers import RECORD_NUMBER
from api.contract.operations import JSON, Operation, operation
from api.contract.request_body import read_fields, require_json
from api.contract.rule_schemas import NewRule, OneRule, RuleChange, RuleList
from api.resources.context import RouteContext
from api.responses.bodies import Body
from api.responses.cached_response import send_uncached
from services.market.alerting.rule_json import parse_rule, rule_fields
from services.market.alerting.rule_text import condition_text
from services.market.alerting.rules import BUILT_IN, AlertRule, BadRule, built_in

NO_SUCH_RULE = {HTTPStatus.NOT_FOUND: "No such rule."}

RULES = Operation(
    name="rules",
    summary="All rules, and how many metrics are in which state.",
    answers={JSON: RuleList},
    tag="Alerts",
    cached=False,
)
ADD_RULE = Operation(
    name="add_rule",
    summary="Add a rule.",
    answers={JSON: OneRule},
    body=NewRule,
    status=HTTPStatus.CREATED,
    headers={"Location": "The new rule's address."},
    problems={HTTPStatus.CONFLICT: "The largest number of rules is reached."},
    tag="Alerts",
    cached=False,
)
RULE = Operation(
    name="rule", summary="One rule.", answers={JSON: OneRule}, problems=NO_SUCH_RULE, tag="Alerts", cached=False
)
CHANGE_RULE = Operation(
    name="change_rule",
    summary="Change the given fields of a rule.",
    answers={JSON: OneRule},
    body=RuleChange,
    body_required=False,
    problems=NO_SUCH_RULE,
    tag="Alerts",
    cached=False,
)
REMOVE_RULE = Operation(
    name="remove_rule",
    summary="Delete a rule; its alerts stay.",
    answers={},
    status=HTTPStatus.NO_CONTENT,
    problems=NO_SUCH_RULE | {HTTPStatus.UNPROCESSABLE_ENTITY: "The built-in rule cannot be deleted."},
    tag="Alerts",
    cached=False,
)


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("rules", __name__)
    routes.before_request(require_json)
    profile, clock = context.dependencies.reader.profile, context.dependencies.clock
    alert_service = context.dependencies.alert_service

    @routes.get("/alerts/rules")
    @operation(RULES)
    def rules() -> Response:
        states = alert_service.state_counts()
        found = (built_in(profile), *alert_service.rules())
        return send_uncached({"rules": [_rule_body(rule, states.get(rule.id, {})) for rule in found]})

    @routes.post("/alerts/rules")
    @operation(ADD_RULE)
    def add_rule() -> Response:
        rule = alert_service.add_rule(parse_rule(read_fields()))
        response = send_uncached({"rule": _rule_body(rule, {})}, HTTPStatus.CREATED)
        response.headers["Location"] = f"{request.script_root}/alerts/rules/{rule.id}"
        return response

    @routes.get(f"/alerts/rules/{RECORD_NUMBER}")
    @operation(RULE)
    def rule(number: int) -> Response:
        found = built_in(profile) if number == BUILT_IN else alert_service.rule(number)
        return send_uncached({"rule": _rule_body(found, alert_service.state_counts().get(number, {}))})

    @routes.patch(f"/alerts/rules/{RECORD_NUMBER}")
    @operation(CHANGE_RULE)
    def change_rule(number: int) -> Response:
        _require_editable(number)
        changed = parse_rule(rule_fields(alert_service.rule(number)) | dict(read_fields()), number)
        alert_service.change_rule(changed, clock())
        return send_uncached({"rule": _rule_body(changed, alert_service.state_counts().get(number, {}))})

    @routes.delete(f"/alerts/rules/{RECORD_NUMBER}")
    @operation(REMOVE_RULE)
    def remove_rule(number: int) -> Response:
        _require_editable(number)
        alert_service.remove_rule(number, clock())
        return Response(status=HTTPStatus.NO_CONTENT)

    return routes


def _rule_body(rule: AlertRule, states: Mapping[str, int]) -> Body:
    """A rule as it is written, with its number, its condition as text, and how many metrics are in which state."""
    return {
        "id": rule.id,
        **rule_fields(rule),
        "words": condition_text(rule),
        "editable": rule.id != BUILT_IN,
        "states": dict(states),
    }


def _require_editable(number: int) -> None:
    if number == BUILT_IN:
        raise BadRule("id: the built-in rule comes from the settings ALERT_*; it can be muted, but not changed")
