"""The rows of the ranking, computed from the snapshot's statistics column by column."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import numpy as np

from services.market import extremes
from services.market.extremes import DAILY, HOURLY
from services.market.present import is_stale
from services.market.ranking import RankedMetric
from services.market.stats import measures
from services.market.stats.metric_stats import MetricStats
from services.market.times import DAY, HOUR, from_epoch
from services.market.types import Floats, Ints, Metric
from services.store.ranking.snapshots import Snapshot

_FIELDS = tuple(field.name for field in fields(RankedMetric))
_FLOATS = tuple(field.name for field in fields(RankedMetric) if field.type == float | None)


def ranked_metrics(
    metrics: Sequence[Metric], statistics: MetricStats, snapshot: Snapshot, period_seconds: int
) -> list[RankedMetric]:
    """The ranking's rows of these metrics, in their order. `statistics` has one row of the snapshot per metric."""
    minute = snapshot.minute or 0
    figures = _figures(statistics, period_seconds)
    frozen = measures.frozen(statistics).tolist()
    columns: dict[str, Sequence[object]] = {name: _known(figures[name]) for name in _FLOATS}
    columns |= {name: [getattr(metric, name) for metric in metrics] for name in ("id", "market", "base", "quote")}
    columns |= {name: [rank or None for rank in statistics[name].tolist()] for name in ("rank", "rank_1h_ago")}
    columns |= {
        "samples": statistics["samples"].tolist(),
        "coverage": measures.coverage(statistics, snapshot.windows.main).tolist(),
        "active": [metric.active and not is_frozen for metric, is_frozen in zip(metrics, frozen, strict=True)],
        "reason": [
            metric.reason or ("frozen" if is_frozen else None)
            for metric, is_frozen in zip(metrics, frozen, strict=True)
        ],
        "updated_at": _times_after(statistics["priced_at"], 0),
        "stale": is_stale(statistics["priced_at"], minute, period_seconds).tolist(),
        "alerted_at": _times_after(statistics["alerted_at"], minute - HOUR),
        "new_at": [_if_after(metric.new_at, minute - DAY) for metric in metrics],
    }
    return [RankedMetric(*row) for row in zip(*(columns[name] for name in _FIELDS), strict=True)]


def _figures(statistics: MetricStats, period_seconds: int) -> dict[str, Floats]:
    """The fields of RankedMetric that are a float or None, each of shape (metrics,), with NaN for None."""
    (high_1h, low_1h), (high_24h, low_24h) = (extremes.high_and_low(statistics, reach) for reach in (HOURLY, DAILY))
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "price": statistics["price"],
            "stdev": statistics["stdev"],
            "mean": statistics["mean"],
            "volatility": statistics["stdev"] / statistics["mean"],
            "log_volatility": measures.log_volatility(statistics),
            "average_1h": statistics["average_1h"],
            "change_1h": statistics["price"] / measures.price_before(statistics, HOUR, period_seconds) - 1,
            "change_24h": statistics["price"] / measures.price_before(statistics, DAY, period_seconds) - 1,
            "range_1h": extremes.spread(high_1h, low_1h),
            "range_24h": extremes.spread(high_24h, low_24h),
            "high_24h": high_24h,
            "low_24h": low_24h,
            "volume_24h": statistics["volume"],
            "rule_average": statistics["rule_average"],
        }


def _known(values: Floats) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]  # NaN is not itself


def _times_after(seconds: Ints, after: int) -> list[datetime | None]:
    return [from_epoch(second) if second > after else None for second in seconds.tolist()]


def _if_after(time: datetime | None, second: int) -> datetime | None:
    return time if time is not None and time.timestamp() > second else None
