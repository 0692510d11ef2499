"""`/alerts`: the fired alerts, and their acknowledgement."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus

from flask import Blueprint, Response, request

from api.contract.errors import InvalidInput
from api.contract.identifiers import MAX_RECORD_ID, RECORD_NUMBER, parse_metric
from api.contract.operations import CSV, JSON, Operation, operation
from api.contract.queries import AlertsQuery, read_query, wanted_format
from api.contract.request_body import note_of, read_fields, require_json
from api.contract.rule_schemas import AcknowledgeAll, Acknowledged, Acknowledgement, OneAlert
from api.contract.schemas import Alerts, FiredAlert
from api.resources.context import RouteContext
from api.responses import bodies, tables
from api.responses.cached_response import CachedResponse, Page, compressed, digest, send, send_csv, send_uncached
from api.responses.large_responses import LARGE, MAX_ORDINARY_ROWS, Check, json_list
from api.responses.paging import PAGE_HEADERS, paging
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rule_json import as_whole

ALERTS = Operation(
    name="alerts",
    summary="Fired alerts, newest first.",
    tag="Alerts",
    answers={JSON: Alerts | list[FiredAlert], CSV: str},
    query=AlertsQuery,
    headers=PAGE_HEADERS,
    problems={HTTPStatus.NOT_FOUND: "No such metric.", **LARGE},
)
ACKNOWLEDGE = Operation(
    name="acknowledge",
    summary="Acknowledge an alert.",
    answers={JSON: OneAlert},
    body=Acknowledgement,
    body_required=False,
    problems={HTTPStatus.NOT_FOUND: "No such alert."},
    tag="Alerts",
    cached=False,
)
ACKNOWLEDGE_ALL = Operation(
    name="acknowledge_all",
    summary="Acknowledge all open alerts that nobody has acknowledged and that are not muted.",
    answers={JSON: Acknowledged},
    body=AcknowledgeAll,
    tag="Alerts",
    cached=False,
)


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("alerts", __name__)
    routes.before_request(require_json)
    dependencies, responses = context.dependencies, context.responses
    reader, alert_service = dependencies.reader, dependencies.alert_service

    @routes.get("/alerts")
    @operation(ALERTS)
    def alerts() -> Response:
        query, revision = read_query(AlertsQuery), reader.revision()
        form = wanted_format(query.format)

        def page() -> tuple[AlertQuery, AbstractContextManager[Check], Mapping[str, str]]:
            """The query, the place to build the response in, and the paging headers."""
            metric_id = None if query.metric is None else reader.metric(parse_metric(query.metric)).id
            wanted = query.selection(metric_id)
            total = reader.count_alerts(wanted).total
            place = context.large.place(is_large=min(query.limit, total - query.offset) > MAX_ORDINARY_ROWS)
            return wanted, place, paging(query, total)

        if form == "csv":
            tag = digest(request.full_path.encode(), str(revision), reader.profile.version)
            wanted, place, headers = page()
            with place as check:
                return send_csv(tables.alerts_table(reader.alerts(wanted)), tag, 0, headers, check)

        def build() -> CachedResponse:
            wanted, place, headers = page()
            with place as check:
                rows = json_list(reader.alerts(wanted), bodies.alert_body, check)
                return compressed(Page(rows if form == "records" else b'{"alerts":%b}' % rows, headers))

        return send(responses.get(("alerts", form, query.metric), (revision, query), build))

    @routes.post(f"/alerts/{RECORD_NUMBER}/acknowledge")
    @operation(ACKNOWLEDGE)
    def acknowledge(number: int) -> Response:
        note = note_of(read_fields("note"))
        found = alert_service.acknowledge(number, note, dependencies.clock(), dependencies.current_user())
        return send_uncached({"alert": bodies.alert_body(found)})

    @routes.post("/alerts/acknowledge")
    @operation(ACKNOWLEDGE_ALL)
    def acknowledge_all() -> Response:
        fields = read_fields("up_to", "note")
        up_to = as_whole(fields.get("up_to"))
        if up_to is None or not 0 <= up_to <= MAX_RECORD_ID:
            raise InvalidInput("up_to: must be the number of the newest alert to acknowledge")
        query = AlertQuery(state="open", unacknowledged=True, muted=False, up_to=up_to)
        now, user = dependencies.clock(), dependencies.current_user()
        return send_uncached({"count": alert_service.acknowledge_all(query, note_of(fields), now, user)})

    return routes
