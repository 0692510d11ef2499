"""Which metrics of the ranking a query asks for, and in which order."""

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
        words = query.q.lower().split()
        found = [row for row in found if all(word in _searched(row) for word in words)]
    return found


def page(found: Sequence[RankedMetric], query: RankingQuery) -> Sequence[RankedMetric]:
    """What of those `found`, which are in rank order, stands on the page that `query` asks for, sorted as it says."""
    for wanted in reversed(query.sort):
        found = _sorted(found, wanted)
    end = len(found) if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def page_length(found: int, query: RankingQuery) -> int:
    """How many metrics stand on that page, of so many that were found."""
    return max(0, min(found - query.offset, found if query.limit is None else query.limit))


def _searched(row: RankedMetric) -> str:
    return f"{row.market} {row.pair} {row.key}".lower()


def _sorted(rows: Sequence[RankedMetric], wanted: str) -> list[RankedMetric]:
    name = wanted.removeprefix("-")
    known = [row for row in rows if getattr(row, name) is not None]
    unknown = [row for row in rows if getattr(row, name) is None]
    known.sort(key=lambda row: getattr(row, name), reverse=wanted.startswith("-"))  # stable, also when reversed
    return known + unknown
