"""`/metrics/<id>/prices` and `/volumes`: one metric's past, as stored or folded to candles."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from flask import Blueprint, Response, request

from api.contract.metric_keys import named
from api.contract.operations import CSV, JSON, Operation, operation
from api.contract.queries import MAX_SECOND, IntervalName, PricesQuery, SeriesQuery, read_query, wanted_format
from api.contract.schemas import CandleRecord, PriceRecord, Prices, VolumeRecord, Volumes
from api.responses import bodies, tables
from api.responses.cached_response import CachedResponse, CachedResponses, Page, digest, send, send_csv, zipped
from api.responses.freshness import Freshness
from api.responses.large_responses import LARGE, MAX_ORDINARY_SAMPLES, LargeAnswers, checked
from api.responses.paging import link_header
from api.responses.problems import BadQuery
from services.market.candles import folded
from services.market.ports import MarketReader
from services.market.times import HOUR, from_epoch, to_epoch
from services.market.types import Hours, Ints, Series

LONG_ANSWERS = 8
"""How many answers longer than the usual are remembered: each may be of megabytes."""
FIVE_MINUTES = 300
DAYS_OF_SAMPLES = timedelta(days=31)
DAYS_OF_HOURS = timedelta(days=366)
MAX_SAMPLES = 100_000
"""Told at once, where a window has no more: 31 days of minutes are 44,640."""
NEXT_PAGE = {"Link": "Where the next page is, if there is one."}

Found = TypeVar("Found", Series, Hours)


@dataclass(frozen=True)
class Kind(Generic[Found]):
    """One way to tell a past: how far back it goes where the query does not say, how long a span is told at once, how
    far apart its rows are, the seconds from a row's time to where those after it begin, and how it is read and told."""

    name: str
    usual: timedelta
    longest: timedelta
    apart: timedelta
    step: int
    read: Callable[[int, datetime, datetime], Found]
    times: Callable[[Found], Ints]
    body: Callable[[Found], bodies.Body | bytes]
    table: Callable[[Found], Iterator[tables.Block]]


def add_series(
    routes: Blueprint, reader: MarketReader, freshness: Freshness, answers: CachedResponses, large: LargeAnswers
) -> None:
    long_answers = CachedResponses(LONG_ANSWERS)
    window, period_seconds = timedelta(hours=reader.profile.window_hours), reader.profile.period_seconds
    period = timedelta(seconds=period_seconds)
    longest = max(min(DAYS_OF_SAMPLES, MAX_SAMPLES * period), window)

    def samples(name: str, inner: str, read: Callable[[int, datetime, datetime], Series], outer: str) -> Kind[Series]:
        return Kind(
            name=name,
            usual=window,
            longest=longest,
            apart=period,
            step=0,
            read=read,
            times=lambda found: found.times,
            body=lambda found: bodies.series_body(found, outer, inner, period_seconds),
            table=lambda found: tables.series_table(found, inner),
        )

    def candles(
        name: str,
        usual: timedelta,
        longest: timedelta,
        step: int,
        read: Callable[[int, datetime, datetime], Hours],
    ) -> Kind[Hours]:
        return Kind(
            name=name,
            usual=usual,
            longest=longest,
            apart=timedelta(seconds=step),
            step=step,
            read=read,
            times=lambda found: found.starts,
            body=bodies.hours_body,
            table=tables.candles_table,
        )

    def five_minutes(metric_id: int, since: datetime, until: datetime) -> Hours:
        first, last = (_ceiling(edge, FIVE_MINUTES) for edge in (since, until))
        return folded(reader.prices(metric_id, first, last), reader.volumes(metric_id, first, last), FIVE_MINUTES)

    of_volumes = samples("volumes", "volume", reader.volumes, "volumes")
    by_sample = samples("prices", "price", reader.prices, "prices")
    folds: Mapping[IntervalName, Kind[Hours]] = {
        "5m": candles("prices 5m", window, longest, FIVE_MINUTES, five_minutes),
        "1h": candles("prices 1h", timedelta(days=30), DAYS_OF_HOURS, HOUR, reader.hours),
    }

    def tell(kind: Kind[Found], wanted: str, query: SeriesQuery) -> Response:
        form, present = wanted_format(query.format), freshness.present()
        since, until, end = _span(kind, query, present.period)
        is_large = (end - since) / kind.apart > MAX_ORDINARY_SAMPLES

        def page() -> tuple[Found, Mapping[str, str]]:
            found = kind.read(reader.metric(named(wanted)).id, since, end)
            return _page(kind, found, query, end, until)

        if form == "csv":
            with large.place(is_large=is_large) as check:
                found, headers = page()
                tag = digest(request.full_path.encode(), str(present.revision), str(since), reader.profile.version)
                return send_csv(kind.table(found), tag, present.max_age, headers, check)

        def build() -> CachedResponse:
            with large.place(is_large=is_large) as check:
                found, headers = page()
                told = tables.records(checked(kind.table(found), check)) if form == "records" else kind.body(found)
                return zipped(Page(told, headers))

        usual = query.limit is None and until - since <= kind.usual
        memory = answers if usual else long_answers
        key = (kind.name, wanted, form, query.limit, request.query_string if query.limit else b"")
        return send(memory.get(key, (present.revision, since, until), build), present)

    @routes.get("/metrics/<wanted>/prices")
    @operation(
        Operation(
            name="prices",
            summary="One metric's prices, oldest first.",
            tag="Metrics",
            query=PricesQuery,
            answers={JSON: Prices | list[PriceRecord] | list[CandleRecord], CSV: str},
            headers=NEXT_PAGE,
            problems=LARGE,
        )
    )
    def prices(wanted: str) -> Response:
        query = read_query(PricesQuery)
        if query.interval == "raw":
            return tell(by_sample, wanted, query)
        return tell(folds[query.interval], wanted, query)

    @routes.get("/metrics/<wanted>/volumes")
    @operation(
        Operation(
            name="volumes",
            summary="One metric's 24 h volumes, oldest first.",
            tag="Metrics",
            query=SeriesQuery,
            answers={JSON: Volumes | list[VolumeRecord], CSV: str},
            headers=NEXT_PAGE,
            problems=LARGE,
        )
    )
    def volumes(wanted: str) -> Response:
        return tell(of_volumes, wanted, read_query(SeriesQuery))


def _span(kind: Kind[Found], query: SeriesQuery, period: datetime) -> tuple[datetime, datetime, datetime]:
    """Since when and until when is asked, and where what is read for this page ends. Raises BadQuery."""
    until = query.until or period
    try:
        since = query.since or until - kind.usual
    except OverflowError:
        raise BadQuery(f"until: {bodies.iso(until)} leaves no time before it") from None
    if since >= until:
        raise BadQuery(f"since: {bodies.iso(since)} is not before {bodies.iso(until)}")
    if until - since <= kind.longest:
        return since, until, until
    if query.limit is None:
        hours = kind.longest // timedelta(hours=1)
        most = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
        words = f"is more than {most} before {bodies.iso(until)}, the most that is told at once"
        raise BadQuery(f"since: {bodies.iso(since)} {words}; with limit it comes page by page")
    return since, until, since + kind.longest


def _page(
    kind: Kind[Found], found: Found, query: SeriesQuery, end: datetime, until: datetime
) -> tuple[Found, Mapping[str, str]]:
    """At most as many rows as `query` wants of what was found up to `end`, and the header that leads to the rest of it
    up to `until`."""
    times, limit = kind.times(found), query.limit
    if limit is not None and len(times) > limit:
        after = from_epoch(int(times[limit - 1]) + kind.step)
        first = {each.name: getattr(found, each.name)[:limit] for each in fields(found)}
        found = replace(found, **first)
    elif end < until:
        after = end
    else:
        return found, {}
    return found, link_header(query, {"next": {"since": bodies.iso(after), "until": bodies.iso(until)}})


def _ceiling(moment: datetime, seconds: int) -> datetime:
    return from_epoch(min(-(-to_epoch(moment) // seconds) * seconds, MAX_SECOND))
