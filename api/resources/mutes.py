"""`/alerts/mutes`: rules and metrics whose alerts notify nobody."""

from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, Response

from api.contract.errors import InvalidInput
from api.contract.identifiers import MAX_RECORD_ID, RECORD_NUMBER, parse_metric
from api.contract.operations import JSON, Operation, operation
from api.contract.request_body import Fields, moment_of, note_of, read_fields, require_json
from api.contract.rule_schemas import MuteList, NewMute, OneMute
from api.resources.context import RouteContext
from api.responses.bodies import Body, iso
from api.responses.cached_response import send_uncached
from services.market.alerting.alerts import Mute
from services.market.alerting.rule_json import as_whole
from services.market.ports import MarketReader

MUTES = Operation(name="mutes", summary="The mutes in force.", answers={JSON: MuteList}, tag="Alerts", cached=False)
MUTE = Operation(
    name="mute",
    summary="Mute a rule, a metric, or that rule on that metric.",
    answers={JSON: OneMute},
    body=NewMute,
    status=HTTPStatus.CREATED,
    problems={HTTPStatus.NOT_FOUND: "No such rule or metric."},
    tag="Alerts",
    cached=False,
)
UNMUTE = Operation(
    name="unmute",
    summary="End a mute.",
    answers={},
    status=HTTPStatus.NO_CONTENT,
    problems={HTTPStatus.NOT_FOUND: "No such mute."},
    tag="Alerts",
    cached=False,
)


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("mutes", __name__)
    routes.before_request(require_json)
    reader, clock = context.dependencies.reader, context.dependencies.clock
    alert_service = context.dependencies.alert_service

    @routes.get("/alerts/mutes")
    @operation(MUTES)
    def mutes() -> Response:
        return send_uncached({"mutes": [_mute_body(mute) for mute in alert_service.mutes(clock())]})

    @routes.post("/alerts/mutes")
    @operation(MUTE)
    def mute() -> Response:
        fields, now = read_fields("rule", "metric", "until", "note"), clock()
        rule_id, metric_id = _target_of(fields, reader)
        made = alert_service.mute(rule_id, metric_id, _end_of(fields, now), note_of(fields), now)
        return send_uncached({"mute": _mute_body(made)}, HTTPStatus.CREATED)

    @routes.delete(f"/alerts/mutes/{RECORD_NUMBER}")
    @operation(UNMUTE)
    def unmute(number: int) -> Response:
        alert_service.unmute(number, clock())
        return Response(status=HTTPStatus.NO_CONTENT)

    return routes


def _target_of(fields: Fields, reader: MarketReader) -> tuple[int | None, int | None]:
    """The numbers of the rule and of the metric to mute; None for all. Raises InvalidInput or UnknownMetric."""
    rule_id, wanted = as_whole(fields.get("rule")), fields.get("metric")
    if fields.get("rule") is None and wanted is None:
        raise InvalidInput("rule: name a rule, a metric, or both")
    if fields.get("rule") is not None and (rule_id is None or not 0 <= rule_id <= MAX_RECORD_ID):
        raise InvalidInput("rule: must be a rule's number")
    if wanted is not None and (not isinstance(wanted, int | str) or isinstance(wanted, bool)):
        raise InvalidInput("metric: must be a metric's number or key")
    return rule_id, None if wanted is None else reader.metric(parse_metric(str(wanted))).id


def _end_of(fields: Fields, now: datetime) -> datetime | None:
    until = moment_of(fields, "until")
    if until is not None and until <= now:
        raise InvalidInput(f"until: {iso(until)} is not in the future")
    return until


def _mute_body(mute: Mute) -> Body:
    return {
        "id": mute.id,
        "rule": mute.rule_id,
        "metric": mute.metric_id,
        "until": iso(mute.until),
        "note": mute.note,
        "created_at": iso(mute.created_at),
    }
