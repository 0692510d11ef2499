"""JSON bodies of the market's types: the names and nesting that clients rely on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import orjson

from services.market.alerting.alerts import Alert, OpenAlerts
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Profile, SetAside, Status
from services.market.types import Floats, Hours, Ints, Series

Body = dict[str, object]


def iso(moment: datetime | None) -> str | None:
    """ISO-8601 with `Z`, to the second."""
    if moment is None:
        return None
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def metric_body(row: RankedMetric) -> Body:
    return {
        "id": row.id,
        "market": row.market,
        "base": row.base,
        "quote": row.quote,
        "rank": row.rank,
        "rank_1h_ago": row.rank_1h_ago,
        "stdev": row.stdev,
        "price": row.price,
        "mean": row.mean,
        "average_1h": row.average_1h,
        "change_1h": row.change_1h,
        "change_24h": row.change_24h,
        "range_1h": row.range_1h,
        "range_24h": row.range_24h,
        "high_24h": row.high_24h,
        "low_24h": row.low_24h,
        "volatility": row.volatility,
        "log_volatility": row.log_volatility,
        "volume_24h": row.volume_24h,
        "samples": row.samples,
        "active": row.active,
        "reason": row.reason,
        "updated_at": iso(row.updated_at),
        "alerted_at": iso(row.alerted_at),
        "new_at": iso(row.new_at),
        "stale": row.stale,
        "coverage": row.coverage,
    }


def ranking_body(ranking: Ranking) -> Body:
    return {"metrics": [metric_body(row) for row in ranking.metrics]}


_UNCHANGED = ("id", "rank", "rank_1h_ago", "market", "base", "quote", "price", "high_24h", "low_24h", "volume_24h")
_DERIVED = ("stdev", "change_1h", "change_24h", "range_1h", "range_24h", "volatility", "log_volatility", "coverage")
_DIGITS = 8
"""More digits of a derived figure than the page shows. All seventeen of a double would be half of the bytes."""


def table_body(ranking: Ranking) -> Body:
    """The columns of the page's table, in rank order: half the bytes of the same rows as objects."""
    rows = ranking.metrics
    columns: dict[str, list[object]] = {name: [getattr(row, name) for row in rows] for name in _UNCHANGED}
    columns |= {name: [_rounded(getattr(row, name)) for row in rows] for name in _DERIVED}
    columns |= {name: [getattr(row, name) for row in rows] for name in ("active", "reason", "stale")}
    columns |= {name: [iso(getattr(row, name)) for row in rows] for name in ("updated_at", "alerted_at", "new_at")}
    return {"columns": columns}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def series_body(series: Series, outer: str, inner: str, period_seconds: int) -> bytes:
    """`{outer: [{inner, createdAt}]}`; a value from a coarser candle also has its `width` in seconds.

    Encoded here, because the bytes between two values are most of the body, and the same for all metrics of a period.
    """
    head = b'{"%b":[' % outer.encode()
    if not len(series.times):
        return head + b"]}"
    opening = b'{"%b":' % inner.encode()
    plain = not (series.widths > period_seconds).any()
    between = _between(opening, series.times.tobytes(), b"" if plain else series.widths.tobytes(), period_seconds)
    values = orjson.dumps(series.values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    values[0] = head + opening + values[0]
    # Filled by slices: zipping some thousand pairs takes twice as long as everything here.
    parts = [b""] * (2 * len(values))
    parts[::2], parts[1::2] = values, between
    return b"".join(parts)


@lru_cache(maxsize=8)
def _between(opening: bytes, times: bytes, widths: bytes, period_seconds: int) -> list[bytes]:
    """The bytes between each value of a series and the next; `times` and `widths` are arrays of int64."""
    moments = iso_each(np.frombuffer(times, dtype=np.int64))
    ends = [b',"createdAt":"%b"' % moment.encode() for moment in moments]
    if widths:
        seconds = np.frombuffer(widths, dtype=np.int64).tolist()
        ends = [
            end + b',"width":%d' % width if width > period_seconds else end
            for end, width in zip(ends, seconds, strict=True)
        ]
    return [end + b"}," + opening for end in ends[:-1]] + [ends[-1] + b"}]}"]


def hours_body(hours: Hours) -> Body:
    """`{"prices": [...]}`, one object a candle: `createdAt` is its start, `price` its close."""
    columns = candle_columns(hours)
    return {"prices": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def candle_columns(hours: Hours) -> dict[str, Sequence[object]]:
    return {
        "price": hours.close.tolist(),
        "open": hours.open.tolist(),
        "high": hours.high.tolist(),
        "low": hours.low.tolist(),
        "close": hours.close.tolist(),
        "mean": hours.mean.tolist(),
        "count": hours.count.tolist(),
        "volume": known(hours.volume),
        "createdAt": iso_each(hours.starts),
    }


def iso_each(times: Ints) -> list[str]:
    return [f"{moment}Z" for moment in np.datetime_as_string(times.astype("datetime64[s]"), unit="s").tolist()]


def known(values: Floats) -> list[float | None]:
    """The values, with None for unknown ones."""
    return [None if value != value else value for value in values.tolist()]  # NaN is not itself


def alert_body(alert: Alert) -> Body:
    return {
        "id": alert.id,
        "metric_id": alert.metric_id,
        "market": alert.market,
        "base": alert.base,
        "quote": alert.quote,
        "price": alert.price,
        "average": alert.average,
        "factor": alert.factor,
        "samples": alert.samples,
        "fired_at": iso(alert.fired_at),
        "state": alert.state,
        "rule_id": alert.rule_id,
        "rule": alert.rule,
        "condition": alert.condition,
        "quantity": alert.quantity,
        "value": alert.value,
        "reference": alert.reference,
        "threshold": alert.threshold,
        "muted": alert.muted,
        "no_data_since": iso(alert.no_data_since),
        "resolved_at": iso(alert.resolved_at),
        "reason": alert.reason,
        "acknowledged_at": iso(alert.acknowledged_at),
        "note": alert.note,
        "acknowledged_by": alert.acknowledged_by,
    }


def sparklines_body(lines: Sparklines) -> Body:
    """`{"points": {"<metric id>": [24 integers, 0 to 100, or 255 for none]}}`, and what they stand for."""
    names = list(map(str, lines.metric_ids.tolist()))
    columns = {"points": lines.points.tolist(), "low": known(lines.low), "high": known(lines.high)}
    by_metric = {name: dict(zip(names, values, strict=True)) for name, values in columns.items()}
    return {"minute": iso(lines.minute), **by_metric}


def set_aside_body(aside: SetAside) -> Body:
    return {
        "at": iso(aside.at),
        "first": iso(aside.first),
        "last": iso(aside.last),
        "ticks": aside.ticks,
        "prices": aside.prices,
    }


def live_body(status: Status, profile: Profile, open_alerts: OpenAlerts) -> Body:
    """The state that every open page polls: small, and unchanged while nothing happens."""
    return {
        "revision": status.revision,
        "minute": iso(status.minute),
        "period": profile.period_seconds,
        "simulated": profile.simulated,
        "stale": status.stale,
        "database_away_since": iso(status.away_since),
        "tracked": status.tracked,
        "live": status.live,
        "stale_metrics": status.stale_metrics,
        "exchanges": [
            {
                "market": exchange.market,
                "failing_since": iso(exchange.failing_since),
                "error": exchange.error if exchange.failing_since else None,
                "note": exchange.note if exchange.failing_since is None else None,
            }
            for exchange in status.exchanges
        ],
        "backfills": [
            {"market": state.market, "done": state.done, "failed": state.failed, "total": state.total}
            for state in status.backfills
            if state.running
        ],
        "warnings": list(status.warnings),
        "set_aside": None if status.set_aside is None else set_aside_body(status.set_aside),
        "cannot_write": status.cannot_write,
        "alerts": [alert_body(alert) for alert in open_alerts.newest],
        "unattended": open_alerts.total,
    }
