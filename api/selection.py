"""Which metrics of the ranking a query asks for, and in which order."""

from collections.abc import Sequence

from api.queries import RankingQuery
from services.market.types import RankedMetric


def select(metrics: Sequence[RankedMetric], query: RankingQuery) -> list[RankedMetric]:
    """The metrics that `query` matches, sorted as it says, before its page is cut out. `metrics` are in rank order."""
    found = list(metrics)
    for name in ("market", "base", "quote"):
        wanted = getattr(query, name)
        if wanted is not None:
            lowered = {text.lower() for text in wanted}
            found = [row for row in found if getattr(row, name).lower() in lowered]
    if query.q is not None:
        words = query.q.lower().split()
        found = [row for row in found if all(word in _searched(row) for word in words)]
    for wanted in reversed(query.sort):
        found = _sorted(found, wanted)
    return found


def _searched(row: RankedMetric) -> str:
    return f"{row.market} {row.pair} {row.key}".lower()


def _sorted(rows: Sequence[RankedMetric], wanted: str) -> list[RankedMetric]:
    name = wanted.removeprefix("-")
    known = [row for row in rows if getattr(row, name) is not None]
    unknown = [row for row in rows if getattr(row, name) is None]
    known.sort(key=lambda row: getattr(row, name), reverse=wanted.startswith("-"))  # stable, also when reversed
    return known + unknown
