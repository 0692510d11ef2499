"""The routes by which rules are written, and alerts acknowledged and muted."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, request

from api.contract.metric_keys import MAX_METRIC_ID, named
from api.contract.operations import EVENTS, JSON, Operation, operation
from api.contract.rule_schemas import (
    AcknowledgeAll,
    Acknowledged,
    Acknowledgement,
    MuteList,
    NewMute,
    NewRule,
    OneAlert,
    OneMute,
    OneRule,
    Replay,
    ReplayEvent,
    ReplayOrder,
    RuleChange,
    RuleList,
)
from api.middleware.guard import visitor_name
from api.responses import bodies
from api.responses.large_responses import client_gone
from api.responses.problems import BadQuery, problem
from services.concurrency.long_work import finished
from services.market.alerting.alerts import AlertQuery, Mute, ReplayResult
from services.market.alerting.rule_json import as_whole, parse_rule, rule_fields
from services.market.alerting.rule_text import condition_text
from services.market.alerting.rules import BUILT_IN, AlertRule, BadRule, built_in
from services.market.errors import TrackerError
from services.market.ports import AlertService, Clock, MarketReader, Steps
from services.market.text import MAX_NOTE_LENGTH, is_plain
from services.market.times import parse_moment, period_of

MAX_BODY_BYTES = 65_536
MAX_LISTED_FIRINGS = 10_000
MAX_REPLAY = timedelta(days=31)
CHANGING = frozenset({"POST", "PATCH", "DELETE"})
NUMBER = f"<int(max={MAX_METRIC_ID}):number>"
TRIED = -1
"""The number of a rule that is only tried."""


def mount_rules(server: Flask, reader: MarketReader, clock: Clock, alert_service: AlertService) -> None:
    """Add the routes to `server`, which tells the time by `clock`."""
    server.register_blueprint(_blueprint(reader, clock, alert_service))


def _blueprint(reader: MarketReader, clock: Clock, alert_service: AlertService) -> Blueprint:
    routes = Blueprint("rules", __name__)

    @routes.before_request
    def json_only() -> Response | None:
        has_body = bool(request.content_length) or request.content_type is not None
        if request.method in CHANGING and has_body and request.mimetype != JSON:
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body has to be {JSON}")
        return None

    @routes.get("/alerts/rules")
    @operation(
        Operation(
            name="rules",
            summary="All rules, and how many metrics are in which state.",
            answers={JSON: RuleList},
            tag="Alerts",
            cached=False,
        )
    )
    def rules() -> Response:
        standing = alert_service.standing()
        told = [
            _rule_body(rule, standing.get(rule.id, {})) for rule in (built_in(reader.profile), *alert_service.rules())
        ]
        return _answer({"rules": told})

    @routes.post("/alerts/rules")
    @operation(
        Operation(
            name="add_rule",
            summary="Add a rule.",
            answers={JSON: OneRule},
            body=NewRule,
            status=HTTPStatus.CREATED,
            headers={"Location": "The new rule's address."},
            problems={HTTPStatus.CONFLICT: "There are as many rules as are kept."},
            tag="Alerts",
            cached=False,
        )
    )
    def add_rule() -> Response:
        rule = alert_service.add_rule(parse_rule(_given()))
        answer = _answer({"rule": _rule_body(rule, {})}, HTTPStatus.CREATED)
        answer.headers["Location"] = f"{request.script_root}/alerts/rules/{rule.id}"
        return answer

    @routes.get(f"/alerts/rules/{NUMBER}")
    @operation(
        Operation(
            name="rule",
            summary="One rule.",
            answers={JSON: OneRule},
            problems={HTTPStatus.NOT_FOUND: "No such rule."},
            tag="Alerts",
            cached=False,
        )
    )
    def rule(number: int) -> Response:
        found = built_in(reader.profile) if number == BUILT_IN else alert_service.rule(number)
        return _answer({"rule": _rule_body(found, alert_service.standing().get(number, {}))})

    @routes.patch(f"/alerts/rules/{NUMBER}")
    @operation(
        Operation(
            name="change_rule",
            summary="Change what is told of a rule; the rest stays.",
            answers={JSON: OneRule},
            body=RuleChange,
            body_required=False,
            problems={HTTPStatus.NOT_FOUND: "No such rule."},
            tag="Alerts",
            cached=False,
        )
    )
    def change_rule(number: int) -> Response:
        _require_own(number)
        changed = parse_rule(rule_fields(alert_service.rule(number)) | dict(_given()), number)
        alert_service.change_rule(changed, clock())
        return _answer({"rule": _rule_body(changed, alert_service.standing().get(number, {}))})

    @routes.delete(f"/alerts/rules/{NUMBER}")
    @operation(
        Operation(
            name="remove_rule",
            summary="Delete a rule; its alerts stay.",
            answers={},
            status=HTTPStatus.NO_CONTENT,
            problems={
                HTTPStatus.NOT_FOUND: "No such rule.",
                HTTPStatus.UNPROCESSABLE_ENTITY: "The built-in one stays.",
            },
            tag="Alerts",
            cached=False,
        )
    )
    def remove_rule(number: int) -> Response:
        _require_own(number)
        alert_service.remove_rule(number, clock())
        return Response(status=HTTPStatus.NO_CONTENT)

    @routes.post("/alerts/rules/replay")
    @operation(
        Operation(
            name="replay_rule",
            summary="Try a rule on what is stored: when it would have fired.",
            answers={JSON: Replay, EVENTS: ReplayEvent},
            body=ReplayOrder,
            problems={
                HTTPStatus.SERVICE_UNAVAILABLE: "The database is away; or as many replays are under way as a process"
                " bears: see `Retry-After`; or it takes too long."
            },
            tag="Alerts",
            cached=False,
        )
    )
    def replay() -> Response:
        given = _given()
        _refuse_others(given, "rule", "since", "until")
        wanted = given.get("rule")
        if isinstance(wanted, Mapping):
            rule = parse_rule(wanted, TRIED)
        elif as_whole(wanted) == BUILT_IN:
            rule = built_in(reader.profile)
        else:
            raise BadQuery("rule: has to be a rule, or 0 for the built-in one")
        until = _moment(given, "until") or period_of(clock(), reader.profile.period_seconds)
        since = _moment(given, "since") or until - timedelta(days=1)
        if not since < until <= since + MAX_REPLAY:
            raise BadQuery(f"since: has to be before until, by at most {MAX_REPLAY.days} days")
        steps, is_gone = (
            alert_service.replay(rule, since, until, reader.profile.period_seconds),
            client_gone(request.environ),
        )
        if request.accept_mimetypes.quality(EVENTS) <= request.accept_mimetypes.quality(JSON):
            return _answer(_replay_body(finished(steps, is_gone), since, until))
        return _followed(steps, is_gone, since, until)

    @routes.post(f"/alerts/{NUMBER}/acknowledge")
    @operation(
        Operation(
            name="acknowledge",
            summary="Say of an alert that it has been seen.",
            answers={JSON: OneAlert},
            body=Acknowledgement,
            body_required=False,
            problems={HTTPStatus.NOT_FOUND: "No such alert."},
            tag="Alerts",
            cached=False,
        )
    )
    def acknowledge(number: int) -> Response:
        given = _given()
        _refuse_others(given, "note")
        found = alert_service.acknowledge(number, _note(given), clock(), visitor_name())
        return _answer({"alert": bodies.alert_body(found)})

    @routes.post("/alerts/acknowledge")
    @operation(
        Operation(
            name="acknowledge_all",
            summary="Say of all that fires and nobody has attended to that it has been seen.",
            answers={JSON: Acknowledged},
            body=AcknowledgeAll,
            tag="Alerts",
            cached=False,
        )
    )
    def acknowledge_all() -> Response:
        given = _given()
        _refuse_others(given, "up_to", "note")
        up_to = as_whole(given.get("up_to"))
        if up_to is None or not 0 <= up_to <= MAX_METRIC_ID:
            raise BadQuery("up_to: has to be the number of the newest alert that is meant")
        fires = AlertQuery(state="open", unacknowledged=True, muted=False, up_to=up_to)
        return _answer({"count": alert_service.acknowledge_all(fires, _note(given), clock(), visitor_name())})

    @routes.get("/alerts/mutes")
    @operation(
        Operation(
            name="mutes",
            summary="What is told to nobody.",
            answers={JSON: MuteList},
            tag="Alerts",
            cached=False,
        )
    )
    def mutes() -> Response:
        return _answer({"mutes": [_mute_body(mute) for mute in alert_service.mutes(clock())]})

    @routes.post("/alerts/mutes")
    @operation(
        Operation(
            name="mute",
            summary="Tell nobody of a rule's alerts, a metric's, or of that rule's on that metric.",
            answers={JSON: OneMute},
            body=NewMute,
            status=HTTPStatus.CREATED,
            problems={HTTPStatus.NOT_FOUND: "No such rule or metric."},
            tag="Alerts",
            cached=False,
        )
    )
    def mute() -> Response:
        given, now = _given(), clock()
        _refuse_others(given, "rule", "metric", "until", "note")
        rule_id, wanted = as_whole(given.get("rule")), given.get("metric")
        if given.get("rule") is None and wanted is None:
            raise BadQuery("rule: name a rule, a metric, or both")
        if given.get("rule") is not None and (rule_id is None or not 0 <= rule_id <= MAX_METRIC_ID):
            raise BadQuery("rule: has to be a rule's number")
        if wanted is not None and (not isinstance(wanted, int | str) or isinstance(wanted, bool)):
            raise BadQuery("metric: has to be a metric's number or key")
        metric_id = None if wanted is None else reader.metric(named(str(wanted))).id
        made = alert_service.mute(rule_id, metric_id, _until(given, now), _note(given), now)
        return _answer({"mute": _mute_body(made)}, HTTPStatus.CREATED)

    @routes.delete(f"/alerts/mutes/{NUMBER}")
    @operation(
        Operation(
            name="unmute",
            summary="End a mute.",
            answers={},
            status=HTTPStatus.NO_CONTENT,
            problems={HTTPStatus.NOT_FOUND: "No such mute."},
            tag="Alerts",
            cached=False,
        )
    )
    def unmute(number: int) -> Response:
        alert_service.unmute(number, clock())
        return Response(status=HTTPStatus.NO_CONTENT)

    return routes


def _answer(body: bodies.Body, status: int = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-cache"}, mimetype="application/json")


def _rule_body(rule: AlertRule, standing: Mapping[str, int]) -> bodies.Body:
    """A rule as it is written, with its number, its condition in words, and how many metrics are in which state."""
    own = rule.id != BUILT_IN
    return {
        "id": rule.id,
        **rule_fields(rule),
        "words": condition_text(rule),
        "editable": own,
        "states": dict(standing),
    }


def _replay_body(found: ReplayResult, since: datetime, until: datetime) -> bodies.Body:
    """How often it would have fired, on which metric, and when: at most MAX_LISTED_FIRINGS times, the newest."""
    return {
        "since": bodies.iso(since),
        "until": bodies.iso(until),
        "count": len(found),
        "metrics": [{"metric_id": number, "count": count} for number, count in found.counts()],
        "firings": [
            {"metric_id": firing.metric_id, "price": firing.price, "fired_at": bodies.iso(firing.at)}
            for firing in found.newest(MAX_LISTED_FIRINGS)
        ],
    }


def _followed(steps: Steps[ReplayResult], is_gone: Callable[[], bool], since: datetime, until: datetime) -> Response:
    """The events of a replay: how far it is, and what came of it. What keeps it from a place is raised."""
    try:
        first = next(steps)
    except StopIteration as end:
        return _events(iter([_event("result", _replay_body(end.value, since, until))]))

    def told() -> Iterator[str]:
        with closing(steps):
            share = first
            try:
                while not is_gone():
                    yield _event("progress", {"share": share})
                    share = next(steps)
            except StopIteration as end:
                yield _event("result", _replay_body(end.value, since, until))
            except BadRule as error:
                yield _event("problem", {"status": HTTPStatus.UNPROCESSABLE_ENTITY, "detail": str(error)})
            except TrackerError as error:
                yield _event("problem", {"status": HTTPStatus.SERVICE_UNAVAILABLE, "detail": str(error)})

    answer = _events(told())
    answer.call_on_close(steps.close)  # if nobody begins to read
    return answer


def _events(told: Iterator[str]) -> Response:
    return Response(told, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, mimetype=EVENTS)


def _event(name: str, data: bodies.Body) -> str:
    return f"event: {name}\ndata: {orjson.dumps(data).decode()}\n\n"


def _mute_body(mute: Mute) -> bodies.Body:
    return {
        "id": mute.id,
        "rule": mute.rule_id,
        "metric": mute.metric_id,
        "until": bodies.iso(mute.until),
        "note": mute.note,
        "created_at": bodies.iso(mute.created_at),
    }


def _require_own(number: int) -> None:
    if number == BUILT_IN:
        raise BadRule("id: the built-in rule is made by the settings ALERT_*; it can be muted, not changed")


def _given() -> Mapping[str, Any]:
    """The request's JSON object; an empty body is an empty one."""
    request.max_content_length = MAX_BODY_BYTES
    data = request.get_data()
    try:
        given = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError as error:
        raise BadQuery(f"body: is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadQuery("body: has to be a JSON object")
    return given


def _refuse_others(given: Mapping[str, Any], *known: str) -> None:
    for name in given:
        if name not in known:
            raise BadQuery(f"{name[:40]}: is no field of this; there are {', '.join(known)}")


def _note(given: Mapping[str, Any]) -> str | None:
    note = given.get("note")
    if note is None:
        return None
    if isinstance(note, str) and len(note) <= MAX_NOTE_LENGTH:
        if not is_plain(note):
            raise BadQuery("note: has to be without control characters but line breaks and tabs")
        return note
    raise BadQuery(f"note: has to be a text of at most {MAX_NOTE_LENGTH} characters")


def _moment(given: Mapping[str, Any], name: str) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadQuery(f"{name}: has to be an ISO-8601 time or null")
    try:
        return parse_moment(text)
    except ValueError as error:
        raise BadQuery(f"{name}: {error}") from None


def _until(given: Mapping[str, Any], now: datetime) -> datetime | None:
    until = _moment(given, "until")
    if until is not None and until <= now:
        raise BadQuery(f"until: {bodies.iso(until)} is over already")
    return until
