"""`/metrics`: the ranking, or what a query chooses of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

from flask import Blueprint, Response, request

from api.contract.operations import CSV, JSON, Operation, operation
from api.contract.queries import METRIC_FIELDS, RankingQuery, read_query, wanted_format
from api.contract.schemas import ChosenMetric, Metrics
from api.resources.selection import page, page_length, select
from api.responses import bodies, tables
from api.responses.cached_response import CachedResponse, CachedResponses, Page, digest, send, send_csv, zipped
from api.responses.freshness import Freshness
from api.responses.large_responses import LARGE, MAX_ORDINARY_ROWS, Check, LargeAnswers, json_list
from api.responses.paging import PAGE_HEADERS, paging
from services.market.ports import MarketReader
from services.market.ranking import RankedMetric

SMALL_PAGE = 100
"""Metrics of a page that is remembered among the usual answers, of which there are hundreds: 57 kB."""
LARGE_PAGES = 8
"""How many others are remembered: each may be of megabytes."""


def add_ranking(
    routes: Blueprint, reader: MarketReader, freshness: Freshness, answers: CachedResponses, large: LargeAnswers
) -> None:
    large_pages = CachedResponses(LARGE_PAGES)

    @routes.get("/metrics")
    @operation(
        Operation(
            name="metrics",
            summary="The ranking, or what is chosen of it.",
            tag="Metrics",
            query=RankingQuery,
            answers={JSON: Metrics | list[ChosenMetric], CSV: str},
            headers=PAGE_HEADERS,
            problems=LARGE,
        )
    )
    def metrics() -> Response:
        query, present = read_query(RankingQuery), freshness.present()
        form = wanted_format(query.format)
        if not request.query_string and form == "json":
            whole = answers.get("metrics", present.version, lambda: bodies.ranking_body(freshness.ranking(present)))
            return send(whole, present)

        def found() -> tuple[Sequence[RankedMetric], Mapping[str, str], AbstractContextManager[Check]]:
            """The metrics that match, headers, and the place to make the answer in."""
            matching = select(freshness.ranking(present).metrics, query)
            is_large = page_length(len(matching), query) > MAX_ORDINARY_ROWS
            return matching, paging(query, len(matching)), large.place(is_large=is_large)

        if form == "csv":
            matching, headers, place = found()
            tag = digest(request.full_path.encode(), str(present.version), reader.profile.version)
            with place as check:
                table = tables.ranking_table(page(matching, query), query.fields or METRIC_FIELDS)
                return send_csv(table, tag, present.max_age, headers, check)

        def build() -> CachedResponse:
            matching, headers, place = found()
            with place as check:
                told = json_list(page(matching, query), partial(_told, query.fields), check)
                return zipped(Page(told if form == "records" else b'{"metrics":%b}' % told, headers))

        memory = answers if query.limit is not None and query.limit <= SMALL_PAGE else large_pages
        return send(memory.get(("metrics", query, form), present.version, build), present)


def _told(fields: Sequence[str] | None, row: RankedMetric) -> bodies.Body:
    whole = bodies.metric_body(row)
    return whole if fields is None else {name: whole[name] for name in fields}
