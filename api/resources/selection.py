"""Filtering, sorting and paging the ranking by a query."""

from collections.abc import Sequence

from api.contract.queries import RankingQuery
from services.market.ranking import RankedMetric


def select(metrics: Sequence[RankedMetric], query: RankingQuery) -> list[RankedMetric]:
    """The metrics that `query` matches, in the order of `metrics`."""
    found = list(metrics)
    for name in ("market", "base", "quote"):
        wanted = getattr(query, name)
        if wanted is not None:
            lowered = {text.lower() for text in wanted}
            found = [row for row in found if getattr(row, name).lower() in lowered]
    if query.q is not None:
        parts = query.q.lower().split()
        found = [row for row in found if all(part in _searchable(row) for part in parts)]
    return found


def page(found: Sequence[RankedMetric], query: RankingQuery) -> Sequence[RankedMetric]:
    """The page of `found`, which is in rank order, that `query` asks for, sorted by it."""
    for wanted in reversed(query.sort):
        found = _sorted(found, wanted)
    end = len(found) if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def page_length(found: int, query: RankingQuery) -> int:
    """The number of metrics on that page, if so many were found."""
    return max(0, min(found - query.offset, found if query.limit is None else query.limit))


def _searchable(row: RankedMetric) -> str:
    return f"{row.market} {row.pair} {row.key}".lower()


def _sorted(rows: Sequence[RankedMetric], wanted: str) -> list[RankedMetric]:
    name = wanted.removeprefix("-")
    known = [row for row in rows if getattr(row, name) is not None]
    unknown = [row for row in rows if getattr(row, name) is None]
    known.sort(key=lambda row: getattr(row, name), reverse=wanted.startswith("-"))  # stable, also when reversed
    return known + unknown
