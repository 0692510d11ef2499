"""`/live`, `/healthz`, `/readyz` and `/telemetry`: the state of the installation."""

from http import HTTPStatus

from flask import Blueprint, Response

from api.contract.operations import JSON, PLAIN, Operation, operation
from api.contract.schemas import Alive, Live, Ready
from api.resources.context import RouteContext
from api.responses import bodies
from api.responses.cached_response import encode, send
from api.responses.problems import problem
from api.responses.telemetry import render_telemetry
from services.market.times import to_epoch

LIVE = Operation(name="live", summary="The state that every page watches.", tag="State", answers={JSON: Live})
HEALTHZ = Operation(name="healthz", summary="Whether the process is alive.", tag="State", answers={JSON: Alive})
READYZ = Operation(
    name="readyz",
    summary="Whether the database can be read and written, and the last tick is of the last three periods.",
    tag="State",
    answers={JSON: Ready},
)
TELEMETRY = Operation(
    name="telemetry", summary="Figures for Prometheus.", tag="State", answers={PLAIN: str}, cached=False
)

ALIVE = encode({"status": "alive"})
"""Made once, so that the answer needs nothing."""


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("status", __name__)
    reader, clock, responses = context.dependencies.reader, context.dependencies.clock, context.responses

    @routes.get("/live")
    @operation(LIVE)
    def live() -> Response:
        now = clock()

        def build() -> bodies.Body:
            return bodies.live_body(reader.status(now), reader.profile, reader.open_alerts())

        # Data grows stale without a new revision: every second is a version of its own.
        return send(responses.get("live", (reader.revision(), to_epoch(now)), build))

    @routes.get("/healthz")
    @operation(HEALTHZ)
    def healthz() -> Response:
        return send(ALIVE)

    @routes.get("/readyz")
    @operation(READYZ)
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
        ready = {"status": "ready", "minute": bodies.iso(status.minute)}
        return send(responses.get("readyz", status.minute, lambda: ready))

    @routes.get("/telemetry")
    @operation(TELEMETRY)
    def telemetry() -> Response:
        text, content_type = render_telemetry(reader, clock())
        return Response(text, content_type=content_type)

    return routes
