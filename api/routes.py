"""The routes of the JSON interface. Each makes one call to the reader."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from api.contract.metric_keys import named
from api.contract.openapi import openapi
from api.contract.operations import CSV, JSON, PLAIN, Operation, operation
from api.contract.queries import MAX_NAMES, AlertsQuery, MetricQuery, SparklinesQuery, read_query, wanted_format
from api.contract.schemas import Alerts, Alive, FiredAlert, Live, OneMetric, Ready, Sparklines, Table
from api.middleware.response_cache import caching_responses
from api.resources.deliveries import mount_deliveries
from api.resources.documentation import add_documentation
from api.resources.history import add_series
from api.resources.methods import own_methods
from api.resources.metrics import add_ranking
from api.resources.rules import mount_rules
from api.resources.stream import Streams, add_stream
from api.responses import bodies, tables
from api.responses.cached_response import CachedResponse, CachedResponses, Page, digest, encode, send, send_csv, zipped
from api.responses.freshness import Freshness
from api.responses.large_responses import LARGE, MAX_ORDINARY_ROWS, Check, LargeAnswers, json_list
from api.responses.paging import PAGE_HEADERS, paging
from api.responses.problems import NOT_FOUND, handle_problems, problem
from api.responses.telemetry import render_telemetry
from services.market.alerting.alerts import Alert, AlertQuery
from services.market.dependencies import Dependencies
from services.market.ports import AlertService, Clock, MarketReader
from services.market.times import to_epoch

CLOSED_SEGMENTS = ("metrics", "alerts")
OWN_SEGMENTS = (
    *CLOSED_SEGMENTS,
    "table",
    "sparklines",
    "live",
    "stream",
    "openapi.json",
    "healthz",
    "readyz",
    "telemetry",
)


ALIVE = encode({"status": "alive"})
"""Made once: whoever asks for it waits for nothing."""


def mount(server: Flask, dependencies: Dependencies, large: LargeAnswers | None = None) -> None:
    """Add the JSON interface to `server`; it makes `large` answers in their places.
    Whatever may keep somebody out stands before the server's `wsgi_app` as it is after this."""
    reader, clock, alert_service = dependencies.reader, dependencies.clock, dependencies.alert_service
    freshness = Freshness(reader, clock)
    large = large or LargeAnswers(dependencies.step_aside)
    server.register_blueprint(_blueprint(reader, clock, alert_service, freshness, large))
    mount_rules(server, reader, clock, alert_service)
    mount_deliveries(server, dependencies.deliveries, clock)
    handle_problems(server, OWN_SEGMENTS)
    server.wsgi_app = caching_responses(server.wsgi_app, freshness)  # type: ignore[assignment, method-assign]


def _blueprint(
    reader: MarketReader, clock: Clock, alert_service: AlertService, freshness: Freshness, large: LargeAnswers
) -> Blueprint:
    routes, answers = Blueprint("api", __name__), CachedResponses()
    profile = reader.profile
    add_ranking(routes, reader, freshness, answers, large)
    add_series(routes, reader, freshness, answers, large)
    add_stream(routes, reader, Streams())
    add_documentation(routes, profile.version)

    @routes.get("/metrics/<wanted>")
    @operation(
        Operation(
            name="metric",
            summary="One metric.",
            tag="Metrics",
            answers={JSON: OneMetric},
            query=MetricQuery,
        )
    )
    def metric(wanted: str) -> Response:
        read_query(MetricQuery)
        present = freshness.present()

        def build() -> bodies.Body:
            return {"metric": bodies.metric_body(freshness.metric(named(wanted), present))}

        return send(answers.get(("metric", wanted), present.version, build), present)

    @routes.get("/alerts")
    @operation(
        Operation(
            name="alerts",
            summary="Fired alerts, newest first.",
            tag="Alerts",
            answers={JSON: Alerts | list[FiredAlert], CSV: str},
            query=AlertsQuery,
            headers=PAGE_HEADERS,
            problems={HTTPStatus.NOT_FOUND: "No such metric.", **LARGE},
        )
    )
    def alerts() -> Response:
        query, revision = read_query(AlertsQuery), reader.revision()
        form = wanted_format(query.format)

        def page() -> tuple[AbstractContextManager[Check], Callable[[], tuple[Alert, ...]], Mapping[str, str]]:
            """The place to make the answer in, what reads the alerts, and headers."""
            metric_id = None if query.metric is None else reader.metric(named(query.metric)).id
            wanted = AlertQuery(
                since=query.since,
                until=query.until,
                metric_id=metric_id,
                rule_id=query.rule,
                state=query.state,
                unacknowledged=query.unacknowledged,
                words=query.words or "",
                limit=query.limit,
                offset=query.offset,
            )
            total = alert_service.tally(wanted).total
            place = large.place(is_large=min(query.limit, total - query.offset) > MAX_ORDINARY_ROWS)
            # What pages ask for is remembered for all of them.
            if query.asks_as_pages_do:
                return place, lambda: reader.alerts(query.since, metric_id, query.limit), paging(query, total)
            return place, lambda: alert_service.alerts(wanted), paging(query, total)

        if form == "csv":
            tag = digest(request.full_path.encode(), str(revision), profile.version)
            place, read, headers = page()
            with place as check:
                return send_csv(tables.alerts_table(read()), tag, 0, headers, check)

        def build() -> CachedResponse:
            place, read, headers = page()
            with place as check:
                told = json_list(read(), bodies.alert_body, check)
                return zipped(Page(told if form == "records" else b'{"alerts":%b}' % told, headers))

        return send(answers.get(("alerts", form, query.metric), (revision, query), build))

    @routes.get("/table")
    @operation(
        Operation(
            name="table",
            summary="The ranking by column, as the page's table reads it.",
            tag="Metrics",
            answers={JSON: Table},
        )
    )
    def table() -> Response:
        present = freshness.present()
        return send(answers.get("table", present.version, lambda: bodies.table_body(freshness.ranking(present))))

    @routes.get("/sparklines")
    @operation(
        Operation(
            name="sparklines",
            summary="The shape of each metric's last day.",
            tag="Metrics",
            answers={JSON: Sparklines},
            query=SparklinesQuery,
        )
    )
    def sparklines() -> Response:
        wanted = read_query(SparklinesQuery).metrics

        def build() -> bodies.Body:
            first = (row.id for row in reader.ranking().metrics[:MAX_NAMES]) if wanted is None else wanted
            return bodies.sparklines_body(reader.sparklines(tuple(first)))

        return send(answers.get(("sparklines", wanted), reader.revision(), build))

    @routes.get("/live")
    @operation(
        Operation(
            name="live",
            summary="The state of the whole: what every page watches.",
            tag="State",
            answers={JSON: Live},
        )
    )
    def live() -> Response:
        now = clock()

        def build() -> bodies.Body:
            return bodies.live_body(reader.status(now), profile, reader.unattended())

        # Data grows stale without a new revision: every second is a version of its own.
        return send(answers.get("live", (reader.revision(), to_epoch(now)), build))

    @routes.get("/healthz")
    @operation(
        Operation(
            name="healthz",
            summary="Whether the process is alive.",
            tag="State",
            answers={JSON: Alive},
        )
    )
    def healthz() -> Response:
        return send(ALIVE)

    @routes.get("/readyz")
    @operation(
        Operation(
            name="readyz",
            summary="Whether the database can be read and written, and the last tick is of the last three periods.",
            tag="State",
            answers={JSON: Ready},
        )
    )
    def readyz() -> Response:
        status = reader.status(now := clock())
        if status.away_since is not None:
            detail = f"the database has not answered since {bodies.iso(status.away_since)}"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, "Database unavailable")
        if status.cannot_write is not None:
            detail = "nothing can be written to the database"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, "Database cannot be written")
        if status.minute is None:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "no tick has been stored yet", "No tick yet")
        if status.stale:
            title = "Last tick yet to come" if status.minute > now else "Last tick too old"
            detail = f"the last tick is of {bodies.iso(status.minute)}, {status.why_stale(now)}"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, title)
        return send(
            answers.get("readyz", status.minute, lambda: {"status": "ready", "minute": bodies.iso(status.minute)})
        )

    @routes.get("/telemetry")
    @operation(
        Operation(
            name="telemetry",
            summary="Figures for Prometheus.",
            tag="State",
            answers={PLAIN: str},
            cached=False,
        )
    )
    def telemetry() -> Response:
        text, content_type = render_telemetry(reader, clock())
        return Response(text, content_type=content_type)

    @routes.get("/openapi.json")
    @operation(
        Operation(
            name="openapi",
            summary="This description.",
            tag="Description",
            answers={JSON: dict[str, Any]},
        )
    )
    def description() -> Response:
        return send(
            answers.get("openapi", 0, lambda: openapi(current_app, profile.version, request.script_root or "/"))
        )

    @routes.before_app_request
    def keep_from_the_dashboard() -> Response | None:
        """The dashboard answers every path that nobody else knows, by GET, with its own page: these are not its paths,
        and what they allow is not what it allows."""
        foreign = request.endpoint is not None and request.blueprint is None
        usual = not foreign and request.routing_exception is None and request.method != "OPTIONS"
        if usual or request.path.split("/")[1] not in CLOSED_SEGMENTS:
            return None
        methods = own_methods(current_app, request.path)
        if not methods:
            return problem(HTTPStatus.NOT_FOUND, f"nothing at {request.path}", NOT_FOUND)
        answer = Response()
        if request.method != "OPTIONS":
            answer = problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} allows {', '.join(methods)}")
        answer.headers["Allow"] = ", ".join(methods)
        return answer

    return routes
