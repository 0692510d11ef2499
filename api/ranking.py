"""`/metrics`: the ranking, or what a query chooses of it."""

from collections.abc import Mapping, Sequence

import orjson
from flask import Blueprint, Response, request

from api import bodies, tables
from api.answers import Answers, Page, digest, send, send_csv
from api.freshness import Freshness
from api.links import PAGE_HEADERS, paging
from api.long_answers import LARGE, MAX_ORDINARY_ROWS, LargeAnswers, stepwise
from api.operations import CSV, JSON, Operation, operation
from api.queries import METRIC_FIELDS, RankingQuery, read_query, wanted_format
from api.schemas import ChosenMetric, Metrics
from api.selection import select
from services.market.ports import MarketReader
from services.market.types import RankedMetric

SMALL_PAGE = 100
"""Metrics of a page that is remembered among the usual answers, of which there are hundreds: 57 kB."""
LARGE_PAGES = 8
"""How many others are remembered: each may be of megabytes."""


def add_ranking(
    routes: Blueprint, reader: MarketReader, freshness: Freshness, answers: Answers, large: LargeAnswers
) -> None:
    large_pages = Answers(LARGE_PAGES)

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

        def page() -> tuple[list[RankedMetric], Mapping[str, str]]:
            found = select(freshness.ranking(present).metrics, query)
            end = len(found) if query.limit is None else query.offset + query.limit
            return found[query.offset : end], paging(query, len(found))

        if form == "csv":
            rows, headers = page()
            tag = digest(request.full_path.encode(), str(present.version), reader.profile.version)
            table = tables.ranking_table(rows, query.fields or METRIC_FIELDS)
            with large.place(is_large=len(rows) > MAX_ORDINARY_ROWS) as check:
                return send_csv(table, tag, present.max_age, headers, check)

        def build() -> Page:
            rows, headers = page()
            with large.place(is_large=len(rows) > MAX_ORDINARY_ROWS) as check:
                told = [_told(row, query.fields) for row in stepwise(rows, check)]
                return Page(orjson.dumps(told if form == "records" else {"metrics": told}), headers)

        memory = answers if query.limit is not None and query.limit <= SMALL_PAGE else large_pages
        return send(memory.get(("metrics", query, form), present.version, build), present)


def _told(row: RankedMetric, fields: Sequence[str] | None) -> bodies.Body:
    whole = bodies.metric_body(row)
    return whole if fields is None else {name: whole[name] for name in fields}
