"""`/metrics`, `/metrics/<id>`, `/table` and `/sparklines`: the ranking, and parts of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

from flask import Blueprint, Response, request

from api.contract.identifiers import parse_metric
from api.contract.operations import CSV, JSON, Operation, operation
from api.contract.queries import (
    MAX_NAMES,
    METRIC_FIELDS,
    MetricQuery,
    RankingQuery,
    SparklinesQuery,
    read_query,
    wanted_format,
)
from api.contract.schemas import ChosenMetric, Metrics, OneMetric, Sparklines, Table
from api.resources.context import RouteContext
from api.resources.selection import page, page_length, select
from api.responses import bodies, tables
from api.responses.cached_response import CachedResponse, CachedResponses, Page, compressed, digest, send, send_csv
from api.responses.large_responses import LARGE, MAX_ORDINARY_ROWS, Check, json_list
from api.responses.paging import PAGE_HEADERS, paging
from services.market.ranking import RankedMetric

SMALL_PAGE = 100
"""Metrics of a page that is cached among the ordinary responses, of which there are hundreds: 57 kB."""
LARGE_PAGES = 8
"""The number of other pages that are cached: each may have megabytes."""

METRICS = Operation(
    name="metrics",
    summary="The ranking, or a selection of it.",
    tag="Metrics",
    query=RankingQuery,
    answers={JSON: Metrics | list[ChosenMetric], CSV: str},
    headers=PAGE_HEADERS,
    problems=LARGE,
)
METRIC = Operation(name="metric", summary="One metric.", tag="Metrics", answers={JSON: OneMetric}, query=MetricQuery)
TABLE = Operation(
    name="table", summary="The ranking by column, as the page's table reads it.", tag="Metrics", answers={JSON: Table}
)
SPARKLINES = Operation(
    name="sparklines",
    summary="The shape of each metric's last day.",
    tag="Metrics",
    answers={JSON: Sparklines},
    query=SparklinesQuery,
)


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("metrics", __name__)
    reader, freshness, responses = context.dependencies.reader, context.freshness, context.responses
    large_pages = CachedResponses(LARGE_PAGES)

    @routes.get("/metrics")
    @operation(METRICS)
    def metrics() -> Response:
        query, present = read_query(RankingQuery), freshness.present()
        form = wanted_format(query.format)
        if not request.query_string and form == "json":
            whole = responses.get("metrics", present.version, lambda: bodies.ranking_body(freshness.ranking(present)))
            return send(whole, present)

        def found() -> tuple[Sequence[RankedMetric], Mapping[str, str], AbstractContextManager[Check]]:
            """The metrics that match, the paging headers, and the place to build the response in."""
            matching = select(freshness.ranking(present).metrics, query)
            is_large = page_length(len(matching), query) > MAX_ORDINARY_ROWS
            return matching, paging(query, len(matching)), context.large.place(is_large=is_large)

        if form == "csv":
            matching, headers, place = found()
            tag = digest(request.full_path.encode(), str(present.version), reader.profile.version)
            with place as check:
                table = tables.ranking_table(page(matching, query), query.fields or METRIC_FIELDS)
                return send_csv(table, tag, present.max_age, headers, check)

        def build() -> CachedResponse:
            matching, headers, place = found()
            with place as check:
                rows = json_list(page(matching, query), partial(_chosen_fields, query.fields), check)
                return compressed(Page(rows if form == "records" else b'{"metrics":%b}' % rows, headers))

        cache = responses if query.limit is not None and query.limit <= SMALL_PAGE else large_pages
        return send(cache.get(("metrics", query, form), present.version, build), present)

    @routes.get("/metrics/<wanted>")
    @operation(METRIC)
    def metric(wanted: str) -> Response:
        read_query(MetricQuery)
        present = freshness.present()

        def build() -> bodies.Body:
            return {"metric": bodies.metric_body(freshness.metric(parse_metric(wanted), present))}

        return send(responses.get(("metric", wanted), present.version, build), present)

    @routes.get("/table")
    @operation(TABLE)
    def table() -> Response:
        present = freshness.present()
        return send(responses.get("table", present.version, lambda: bodies.table_body(freshness.ranking(present))))

    @routes.get("/sparklines")
    @operation(SPARKLINES)
    def sparklines() -> Response:
        wanted = read_query(SparklinesQuery).metrics

        def build() -> bodies.Body:
            first = (row.id for row in reader.ranking().metrics[:MAX_NAMES]) if wanted is None else wanted
            return bodies.sparklines_body(reader.sparklines(tuple(first)))

        return send(responses.get(("sparklines", wanted), reader.revision(), build))

    return routes


def _chosen_fields(fields: Sequence[str] | None, row: RankedMetric) -> bodies.Body:
    whole = bodies.metric_body(row)
    return whole if fields is None else {name: whole[name] for name in fields}
