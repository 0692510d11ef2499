"""The routes of the JSON interface. Each makes one call to the reader."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

from flask import Blueprint, Flask, Response, request

from api import bodies
from api.answers import Answer, Answers, send
from api.problems import NOT_FOUND, BadQuery, handle_problems, problem
from api.telemetry import render_telemetry
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.moments import parse_moment, period_of
from services.market.ports import Clock, MarketReader

LONGEST_KEY = 100
LONGEST_NUMBER = 18
MOST_ALERTS = 10_000
BANNER_SPAN = timedelta(hours=1)
LONG_ANSWERS = 8
"""How many answers longer than the usual are kept: each may be of megabytes."""
CLOSED_SEGMENTS = ("metrics", "alerts")
OWN_SEGMENTS = (*CLOSED_SEGMENTS, "sparklines", "live", "healthz", "readyz", "telemetry")


class Reach(NamedTuple):
    """How far back a series goes where its query does not say, and how long a span it is told of at once."""

    usual: timedelta
    longest: timedelta


def mount(server: Flask, reader: MarketReader, clock: Clock) -> None:
    """Add the JSON interface to `server`; it tells the time by `clock`."""
    server.register_blueprint(_blueprint(reader, clock))
    handle_problems(server, OWN_SEGMENTS)


def _blueprint(reader: MarketReader, clock: Clock) -> Blueprint:
    routes = Blueprint("api", __name__)
    answers, long_answers = Answers(), Answers(LONG_ANSWERS)
    profile = reader.profile
    samples = Reach(timedelta(hours=profile.window_hours), longest=timedelta(days=31))
    hours = Reach(timedelta(days=30), longest=timedelta(days=366))

    def period_start() -> datetime:
        """The running period's beginning: within it, "the last 24 h" holds still, so answers can be kept."""
        return period_of(clock(), profile.period_seconds)

    def series_span(reach: Reach) -> tuple[datetime, datetime]:
        until = query_time("until") or period_start()
        try:
            since = query_time("since") or until - reach.usual
        except OverflowError:
            raise BadQuery(f"until: {bodies.iso(until)} leaves no time before it") from None
        if since >= until:
            raise BadQuery(f"since: {bodies.iso(since)} is not before {bodies.iso(until)}")
        if until - since > reach.longest:
            words = f"is more than {reach.longest.days} days before {bodies.iso(until)}, the most that is told at once"
            raise BadQuery(f"since: {bodies.iso(since)} {words}")
        return since, until

    def series(name: str, wanted: str, reach: Reach, build: Callable[[int, datetime, datetime], bodies.Body]) -> Answer:
        """The answer of the series `name`, which `build` makes of a metric's number, since and until."""
        since, until = series_span(reach)
        memory = answers if until - since <= reach.usual else long_answers
        version = (reader.revision(), since, until)
        return memory.get((name, wanted), version, lambda: build(reader.metric(named(wanted)).id, since, until))

    @routes.get("/metrics")
    def metrics() -> Response:
        return send(answers.get("metrics", reader.revision(), lambda: bodies.ranking_body(reader.ranking())))

    @routes.get("/metrics/<wanted>")
    def metric(wanted: str) -> Response:
        version = reader.revision()
        return send(
            answers.get(
                ("metric", wanted),
                version,
                lambda: {"metric": bodies.metric_body(reader.metric(named(wanted)))},
            )
        )

    @routes.get("/metrics/<wanted>/prices")
    def prices(wanted: str) -> Response:
        def by_sample(metric_id: int, since: datetime, until: datetime) -> bodies.Body:
            found = reader.prices(metric_id, since, until)
            return bodies.series_body(found, "prices", "price", profile.period_seconds)

        def by_hour(metric_id: int, since: datetime, until: datetime) -> bodies.Body:
            return bodies.hours_body(reader.hours(metric_id, since, until))

        intervals = {"raw": (samples, by_sample), "1h": (hours, by_hour)}
        interval = query_choice("interval", tuple(intervals))
        return send(series(f"prices {interval}", wanted, *intervals[interval]))

    @routes.get("/metrics/<wanted>/volumes")
    def volumes(wanted: str) -> Response:
        def by_sample(metric_id: int, since: datetime, until: datetime) -> bodies.Body:
            found = reader.volumes(metric_id, since, until)
            return bodies.series_body(found, "volumes", "volume", profile.period_seconds)

        return send(series("volumes", wanted, samples, by_sample))

    @routes.get("/alerts")
    def alerts() -> Response:
        since, limit = query_time("since"), query_count("limit", 1000, MOST_ALERTS)
        wanted = request.args.get("metric")

        def build() -> bodies.Body:
            metric_id = None if wanted is None else reader.metric(named(wanted)).id
            return bodies.alerts_body(reader.alerts(since, metric_id, limit))

        return send(answers.get(("alerts", wanted), (reader.revision(), since, limit), build))

    @routes.get("/sparklines")
    def sparklines() -> Response:
        return send(answers.get("sparklines", reader.revision(), lambda: bodies.sparklines_body(reader.sparklines())))

    @routes.get("/live")
    def live() -> Response:
        now = clock()

        def build() -> bodies.Body:
            return bodies.live_body(reader.status(now), profile, reader.alerts(now - BANNER_SPAN))

        # Staleness and the banner's hour pass without a new revision: every second is a version of its own.
        return send(answers.get("live", (reader.revision(), int(now.timestamp())), build))

    @routes.get("/healthz")
    def healthz() -> Response:
        return send(answers.get("healthz", 0, lambda: {"status": "alive"}))

    @routes.get("/readyz")
    def readyz() -> Response:
        try:
            status = reader.status(clock())
        except StoreUnavailable as error:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "Database unavailable")
        if status.minute is None:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "no tick has been stored yet", "No tick yet")
        if status.stale:
            detail = f"the last tick is of {bodies.iso(status.minute)}, more than 3 periods ago"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, "Last tick too old")
        return send(
            answers.get("readyz", status.minute, lambda: {"status": "ready", "minute": bodies.iso(status.minute)})
        )

    @routes.get("/telemetry")
    def telemetry() -> Response:
        text, content_type = render_telemetry(reader, clock())
        return Response(text, content_type=content_type)

    @routes.before_app_request
    def keep_from_the_dashboard() -> Response | None:
        """The dashboard answers every path that nobody else knows with its own page: these are not its paths."""
        foreign = request.endpoint is not None and request.blueprint is None
        if foreign and request.path.split("/")[1] in CLOSED_SEGMENTS:
            return problem(HTTPStatus.NOT_FOUND, f"nothing at {request.path}", NOT_FOUND)
        return None

    return routes


def named(wanted: str) -> int | str:
    """The number or key in an address; whatever cannot be either is a 404, as a metric that does not exist."""
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) <= LONGEST_NUMBER
    is_key = len(wanted) <= LONGEST_KEY and wanted.isprintable() and ":" in wanted and "-" in wanted
    if not is_number and not is_key:
        raise UnknownMetric("of that form: an id is a number, or a key as kraken:BTC-USD")
    return int(wanted) if is_number else wanted


def query_time(name: str) -> datetime | None:
    """The moment in the query value `name`: ISO-8601 (UTC where it names no zone) or epoch seconds."""
    text = request.args.get(name)
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise BadQuery(f"{name}: {error}") from None


def query_choice(name: str, choices: Sequence[str]) -> str:
    """The query value `name`, one of `choices`; the first of them where it is not given."""
    text = request.args.get(name, choices[0])
    if text in choices:
        return text
    raise BadQuery(f"{name}: {text[:40]!r} is none of {', '.join(choices)}")


def query_count(name: str, default: int, most: int) -> int:
    """The whole number from 1 to `most` in the query value `name`."""
    text = request.args.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
        return int(text)
    raise BadQuery(f"{name}: {text[:40]!r} is not a whole number from 1 to {most}")
