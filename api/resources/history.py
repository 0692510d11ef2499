"""`/metrics/<id>/prices` and `/volumes`: one metric's history, as stored or folded into candles."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from flask import Blueprint, Response, request

from api.contract.errors import InvalidInput
from api.contract.identifiers import parse_metric
from api.contract.operations import CSV, JSON, Operation, operation
from api.contract.queries import MAX_SECOND, IntervalName, PricesQuery, SeriesQuery, read_query, wanted_format
from api.contract.schemas import CandleRecord, PriceRecord, Prices, VolumeRecord, Volumes
from api.resources.context import RouteContext
from api.responses import bodies, tables
from api.responses.cached_response import CachedResponse, CachedResponses, Page, compressed, digest, send, send_csv
from api.responses.large_responses import LARGE, MAX_ORDINARY_SAMPLES, checked
from api.responses.paging import link_header
from services.market.candles import folded
from services.market.ports import MarketReader
from services.market.times import HOUR, MINUTE, from_epoch, to_epoch
from services.market.types import Hours, Ints, Series

LONG_RESPONSES = 8
"""The number of cached responses longer than the default span: each may have megabytes."""
FIVE_MINUTES = 5 * MINUTE
MAX_SAMPLE_SPAN = timedelta(days=31)
MAX_HOURLY_SPAN = timedelta(days=366)
MAX_SAMPLES = 100_000
"""Samples of one response without `limit`, unless the window has more: 31 days of minutes are 44,640."""
NEXT_PAGE = {"Link": "The address of the next page, if there is one."}

PRICES = Operation(
    name="prices",
    summary="One metric's prices, oldest first.",
    tag="Metrics",
    query=PricesQuery,
    answers={JSON: Prices | list[PriceRecord] | list[CandleRecord], CSV: str},
    headers=NEXT_PAGE,
    problems=LARGE,
)
VOLUMES = Operation(
    name="volumes",
    summary="One metric's 24 h volumes, oldest first.",
    tag="Metrics",
    query=SeriesQuery,
    answers={JSON: Volumes | list[VolumeRecord], CSV: str},
    headers=NEXT_PAGE,
    problems=LARGE,
)

Found = TypeVar("Found", Series, Hours)


@dataclass(frozen=True)
class SeriesKind(Generic[Found]):
    """One form of a metric's history: samples, or candles of one width."""

    name: str
    default_span: timedelta
    max_span: timedelta
    """The longest span of one response without `limit`."""
    spacing: timedelta
    """The time between two rows."""
    step: int
    """Seconds from the time of a page's last row to the start of the next page."""
    read: Callable[[int, datetime, datetime], Found]
    times: Callable[[Found], Ints]
    body: Callable[[Found], bodies.Body | bytes]
    table: Callable[[Found], Iterator[tables.Block]]


@dataclass(frozen=True)
class _Span:
    """The span of a query, (`since`, `until`], and the `end` of the part that is read for this page."""

    since: datetime
    until: datetime
    end: datetime


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("history", __name__)
    history = _History(context)
    reader = context.dependencies.reader
    raw_prices = _samples(reader, "prices", "price", reader.prices)
    raw_volumes = _samples(reader, "volumes", "volume", reader.volumes)
    candles = _candles(reader)

    @routes.get("/metrics/<wanted>/prices")
    @operation(PRICES)
    def prices(wanted: str) -> Response:
        query = read_query(PricesQuery)
        if query.interval == "raw":
            return history.respond(raw_prices, wanted, query)
        return history.respond(candles[query.interval], wanted, query)

    @routes.get("/metrics/<wanted>/volumes")
    @operation(VOLUMES)
    def volumes(wanted: str) -> Response:
        return history.respond(raw_volumes, wanted, read_query(SeriesQuery))

    return routes


class _History:
    """Responses of all kinds of series."""

    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._long_responses = CachedResponses(LONG_RESPONSES)

    def respond(self, kind: SeriesKind[Found], wanted: str, query: SeriesQuery) -> Response:
        """Answer the current request with the series of the metric `wanted` (its number or key)."""
        form, present, large = wanted_format(query.format), self._context.freshness.present(), self._context.large
        reader = self._context.dependencies.reader
        span = _span(kind, query, present.period)
        is_large = (span.end - span.since) / kind.spacing > MAX_ORDINARY_SAMPLES

        def page() -> tuple[Found, Mapping[str, str]]:
            found = kind.read(reader.metric(parse_metric(wanted)).id, span.since, span.end)
            return _page(kind, found, query, span)

        if form == "csv":
            with large.place(is_large=is_large) as check:
                found, headers = page()
                tag = digest(request.full_path.encode(), str(present.revision), str(span.since), reader.profile.version)
                return send_csv(kind.table(found), tag, present.max_age, headers, check)

        def build() -> CachedResponse:
            with large.place(is_large=is_large) as check:
                found, headers = page()
                body = tables.records(checked(kind.table(found), check)) if form == "records" else kind.body(found)
                return compressed(Page(body, headers))

        is_ordinary = query.limit is None and span.until - span.since <= kind.default_span
        cache = self._context.responses if is_ordinary else self._long_responses
        key = (kind.name, wanted, form, query.limit, request.query_string if query.limit else b"")
        return send(cache.get(key, (present.revision, span.since, span.until), build), present)


def _samples(
    reader: MarketReader, outer: str, inner: str, read: Callable[[int, datetime, datetime], Series]
) -> SeriesKind[Series]:
    """Samples as they are stored, in JSON as `{outer: [{inner, ...}]}`."""
    window, period_seconds = timedelta(hours=reader.profile.window_hours), reader.profile.period_seconds
    period = timedelta(seconds=period_seconds)
    return SeriesKind(
        name=outer,
        default_span=window,
        max_span=_max_sample_span(reader),
        spacing=period,
        step=0,
        read=read,
        times=lambda found: found.times,
        body=lambda found: bodies.series_body(found, outer, inner, period_seconds),
        table=lambda found: tables.series_table(found, inner),
    )


def _max_sample_span(reader: MarketReader) -> timedelta:
    window, period = timedelta(hours=reader.profile.window_hours), timedelta(seconds=reader.profile.period_seconds)
    return max(min(MAX_SAMPLE_SPAN, MAX_SAMPLES * period), window)


def _candles(reader: MarketReader) -> Mapping[IntervalName, SeriesKind[Hours]]:
    def kind(
        name: str, default: timedelta, longest: timedelta, width: int, read: Callable[[int, datetime, datetime], Hours]
    ) -> SeriesKind[Hours]:
        return SeriesKind(
            name=name,
            default_span=default,
            max_span=longest,
            spacing=timedelta(seconds=width),
            step=width,
            read=read,
            times=lambda found: found.starts,
            body=bodies.hours_body,
            table=tables.candles_table,
        )

    def five_minutes(metric_id: int, since: datetime, until: datetime) -> Hours:
        first, last = (_ceiling(edge, FIVE_MINUTES) for edge in (since, until))
        return folded(reader.prices(metric_id, first, last), reader.volumes(metric_id, first, last), FIVE_MINUTES)

    window = timedelta(hours=reader.profile.window_hours)
    return {
        "5m": kind("prices 5m", window, _max_sample_span(reader), FIVE_MINUTES, five_minutes),
        "1h": kind("prices 1h", timedelta(days=30), MAX_HOURLY_SPAN, HOUR, reader.hours),
    }


def _span(kind: SeriesKind[Found], query: SeriesQuery, period: datetime) -> _Span:
    """The span that `query` asks for; `period` is the start of the running one. Raises InvalidInput."""
    until = query.until or period
    try:
        since = query.since or until - kind.default_span
    except OverflowError:
        raise InvalidInput(f"until: {bodies.iso(until)} leaves no time before it") from None
    if since >= until:
        raise InvalidInput(f"since: {bodies.iso(since)} is not before {bodies.iso(until)}")
    if until - since <= kind.max_span:
        return _Span(since, until, until)
    if query.limit is None:
        hours = kind.max_span // timedelta(hours=1)
        span = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
        reason = f"is more than {span} before {bodies.iso(until)}, the longest span of one response"
        raise InvalidInput(f"since: {bodies.iso(since)} {reason}; use limit to read it page by page")
    return _Span(since, until, since + kind.max_span)


def _page(kind: SeriesKind[Found], found: Found, query: SeriesQuery, span: _Span) -> tuple[Found, Mapping[str, str]]:
    """At most `query.limit` rows of what was found up to `span.end`, and the header that links to the rest."""
    times, limit = kind.times(found), query.limit
    if limit is not None and len(times) > limit:
        after = from_epoch(int(times[limit - 1]) + kind.step)
        first = {each.name: getattr(found, each.name)[:limit] for each in fields(found)}
        found = replace(found, **first)
    elif span.end < span.until:
        after = span.end
    else:
        return found, {}
    return found, link_header(query, {"next": {"since": bodies.iso(after), "until": bodies.iso(span.until)}})


def _ceiling(moment: datetime, seconds: int) -> datetime:
    return from_epoch(min(-(-to_epoch(moment) // seconds) * seconds, MAX_SECOND))
