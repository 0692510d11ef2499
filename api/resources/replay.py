"""`/alerts/rules/replay`: when a rule would have fired on the stored history."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import orjson
from flask import Blueprint, Response, request

from api.contract.errors import InvalidInput
from api.contract.operations import EVENTS, JSON, Operation, operation
from api.contract.request_body import Fields, moment_of, read_fields, require_json
from api.contract.rule_schemas import Replay, ReplayEvent, ReplayOrder
from api.resources.context import RouteContext
from api.responses.bodies import Body, iso
from api.responses.cached_response import send_uncached
from api.responses.large_responses import client_gone
from services.concurrency.long_work import finished
from services.market.alerting.alerts import ReplayResult
from services.market.alerting.rule_json import as_whole, parse_rule
from services.market.alerting.rules import BUILT_IN, AlertRule, BadRule, built_in
from services.market.dependencies import Dependencies
from services.market.errors import TrackerError
from services.market.ports import Steps
from services.market.times import period_of

MAX_LISTED_FIRINGS = 10_000
MAX_REPLAY = timedelta(days=31)
UNSAVED = -1
"""The number of a rule that is replayed without being stored."""

REPLAY = Operation(
    name="replay_rule",
    summary="Replay a rule on the stored history: when would it have fired?",
    answers={JSON: Replay, EVENTS: ReplayEvent},
    body=ReplayOrder,
    problems={
        HTTPStatus.SERVICE_UNAVAILABLE: "The database is away; or the process runs as many replays as it can: see"
        " `Retry-After`; or the replay takes too long."
    },
    tag="Alerts",
    cached=False,
)


@dataclass(frozen=True, slots=True)
class _Span:
    """The time that is replayed."""

    since: datetime
    until: datetime


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("replay", __name__)
    routes.before_request(require_json)
    dependencies = context.dependencies

    @routes.post("/alerts/rules/replay")
    @operation(REPLAY)
    def replay() -> Response:
        fields = read_fields("rule", "since", "until")
        rule, span = _rule_of(fields, dependencies), _span_of(fields, dependencies)
        period = dependencies.reader.profile.period_seconds
        steps = dependencies.alert_service.replay(rule, span.since, span.until, period)
        is_gone = client_gone(request.environ)
        if request.accept_mimetypes.quality(EVENTS) <= request.accept_mimetypes.quality(JSON):
            return send_uncached(_replay_body(finished(steps, is_gone), span))
        return _stream_progress(steps, is_gone, span)

    return routes


def _rule_of(fields: Fields, dependencies: Dependencies) -> AlertRule:
    wanted = fields.get("rule")
    if isinstance(wanted, Mapping):
        return parse_rule(wanted, UNSAVED)
    if as_whole(wanted) == BUILT_IN:
        return built_in(dependencies.reader.profile)
    raise InvalidInput("rule: must be a rule, or 0 for the built-in one")


def _span_of(fields: Fields, dependencies: Dependencies) -> _Span:
    """By default the 24 h before the running period. Raises InvalidInput."""
    running = period_of(dependencies.clock(), dependencies.reader.profile.period_seconds)
    until = moment_of(fields, "until") or running
    since = moment_of(fields, "since") or until - timedelta(days=1)
    if not since < until <= since + MAX_REPLAY:
        raise InvalidInput(f"since: must be before until, by at most {MAX_REPLAY.days} days")
    return _Span(since, until)


def _replay_body(found: ReplayResult, span: _Span) -> Body:
    """The number of firings in all and on each metric, and the newest MAX_LISTED_FIRINGS of them."""
    return {
        "since": iso(span.since),
        "until": iso(span.until),
        "count": len(found),
        "metrics": [{"metric_id": number, "count": count} for number, count in found.counts()],
        "firings": [
            {"metric_id": firing.metric_id, "price": firing.price, "fired_at": iso(firing.at)}
            for firing in found.newest(MAX_LISTED_FIRINGS)
        ],
    }


def _stream_progress(steps: Steps[ReplayResult], is_gone: Callable[[], bool], span: _Span) -> Response:
    """Server-sent events: the progress of a replay, then its result. Raises what `steps` raises before its first step,
    such as Busy."""
    try:
        first = next(steps)
    except StopIteration as end:
        return _events(iter([_event("result", _replay_body(end.value, span))]))

    def events() -> Iterator[str]:
        with closing(steps):
            share = first
            try:
                while not is_gone():
                    yield _event("progress", {"share": share})
                    share = next(steps)
            except StopIteration as end:
                yield _event("result", _replay_body(end.value, span))
            except BadRule as error:
                yield _event("problem", {"status": HTTPStatus.UNPROCESSABLE_ENTITY, "detail": str(error)})
            except TrackerError as error:
                yield _event("problem", {"status": HTTPStatus.SERVICE_UNAVAILABLE, "detail": str(error)})

    response = _events(events())
    response.call_on_close(steps.close)  # where nobody begins to read, the generator above never runs
    return response


def _events(events: Iterator[str]) -> Response:
    return Response(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, mimetype=EVENTS)


def _event(name: str, data: Body) -> str:
    return f"event: {name}\ndata: {orjson.dumps(data).decode()}\n\n"
