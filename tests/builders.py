"""Plausible values for tests, which set only the fields that matter to them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from services.market.alerting.alerts import Alert, ReplayedFiring, ReplayResult
from services.market.alerting.messages import Delivery, Entry
from services.market.ranking import RankedMetric
from services.market.status import (
    BackfillState,
    Day,
    ExchangeState,
    Profile,
    Sizes,
    Status,
    Storage,
    TickDay,
    TickState,
)
from services.market.types import Hours, Metric, Series

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def profile(**changes: Any) -> Profile:
    return Profile(
        **{
            "version": "1.0.0",
            "simulated": False,
            "period_seconds": 60,
            "window_hours": 24,
            "alert_factor": 3.0,
            "alert_window_minutes": 60,
            "alert_cooldown_minutes": 60,
            "alert_min_samples": 5,
        }
        | changes
    )


def ranked_metric(id: int = 1, **changes: Any) -> RankedMetric:
    return RankedMetric(
        **{
            "id": id,
            "market": "kraken",
            "base": "BTC",
            "quote": "USD",
            "rank": id,
            "rank_1h_ago": id,
            "price": 60_123.4,
            "stdev": 812.25,
            "mean": 60_000.0,
            "volatility": 812.25 / 60_000.0,
            "log_volatility": 0.62,
            "average_1h": 60_050.5,
            "rule_average": 60_050.5,
            "change_1h": 0.0125,
            "change_24h": -0.034,
            "range_1h": 0.004,
            "range_24h": 0.05,
            "high_24h": 62_475.0,
            "low_24h": 59_500.0,
            "volume_24h": 1234.5,
            "samples": 1440,
            "coverage": 1.0,
            "active": True,
            "reason": None,
            "updated_at": NOON,
            "stale": False,
            "alerted_at": None,
            "new_at": None,
        }
        | changes
    )


def series(values: list[float], until: datetime = NOON, step: int = 60, width: int = 60) -> Series:
    """`values` every `step` seconds, the last one at `until`."""
    last = int(until.timestamp())
    times = np.arange(last - step * (len(values) - 1), last + 1, step, dtype=np.int64)
    return Series(times, np.array(values, dtype=np.float64), np.full(len(values), width, dtype=np.int64))


def hours(candles: Sequence[tuple[float, float, float, float] | None], until: datetime = NOON) -> Hours:
    """Consecutive hours, the last one ending at `until`: (open, high, low, close), or None for a missing one."""
    end = int(until.timestamp())
    there = [(end - 3600 * (len(candles) - place), *candle) for place, candle in enumerate(candles) if candle]
    columns = np.array(there, dtype=np.float64).reshape(-1, 5).T
    starts, open_, high, low, close = columns
    count = np.full(len(starts), 60, dtype=np.int64)
    return Hours(
        starts.astype(np.int64), open_, high, low, close, (open_ + close) / 2, count, np.full(len(starts), 7.5)
    )


def alert(id: int = 1, **changes: Any) -> Alert:
    return Alert(
        **{
            "id": id,
            "metric_id": 1,
            "market": "kraken",
            "base": "BTC",
            "quote": "USD",
            "price": 190_000.0,
            "average": 60_000.0,
            "factor": 3.0,
            "samples": 60,
            "fired_at": NOON - timedelta(minutes=5),
        }
        | changes
    )


def firings(*each: ReplayedFiring) -> ReplayResult:
    return ReplayResult(
        np.array([firing.metric_id for firing in each], dtype=np.int64),
        np.array([int(firing.at.timestamp()) for firing in each], dtype=np.int64),
        np.array([firing.price for firing in each], dtype=np.float64),
    )


def delivery(id: int = 1, **changes: Any) -> Delivery:
    return Delivery(
        **{
            "id": id,
            "channel": "ops",
            "state": "sent",
            "created_at": NOON - timedelta(minutes=5),
            "due_at": NOON - timedelta(minutes=5),
            "sent_at": NOON - timedelta(minutes=5),
            "attempts": 1,
            "error": None,
            "fired": 1,
            "resolved": 0,
            "first": Entry("fired", alert()),
        }
        | changes
    )


def tick_state(**changes: Any) -> TickState:
    return TickState(
        **{
            "minute": NOON,
            "late_ms": 12.0,
            "fetch_ms": 340.0,
            "commit_ms": 21.0,
            "stored": 10,
            "rejected": 0,
            "missed": 0,
            "failed": (),
        }
        | changes
    )


def exchange_state(market: str = "kraken", **changes: Any) -> ExchangeState:
    return ExchangeState(
        **{
            "market": market,
            "metrics": 10,
            "last_success": NOON,
            "failing_since": None,
            "error": None,
            "latency_ms": 340.0,
            "rejected": 0,
            "note": None,
            "failed_at": None,
            "permitted": 1.0,
        }
        | changes
    )


def backfill_state(market: str = "kraken", **changes: Any) -> BackfillState:
    return BackfillState(**{"market": market, "done": 5, "total": 20, "failed": 0, "updated_at": NOON} | changes)


def storage(**changes: Any) -> Storage:
    return Storage(
        **{"size_bytes": 123_400_000, "growth_bytes": 4_560_000, "sealed_until": NOON - timedelta(days=2)} | changes
    )


def tick_day(**changes: Any) -> TickDay:
    """Fifteen ticks in each quarter of an hour of the day that ends at NOON, none missed."""
    slots = 96
    return TickDay(
        **{
            "starts": int(NOON.timestamp()) - 900 * np.arange(slots, 0, -1, dtype=np.int64),
            "ticks": np.full(slots, 15, dtype=np.int64),
            "fetch_ms": np.full(slots, 340.0),
            "store_ms": np.full(slots, 21.0),
            "longest_ms": np.full(slots, 512.0),
            "missed": np.zeros(slots, dtype=np.int64),
            "failed": np.zeros(slots, dtype=np.int64),
        }
        | changes
    )


def day(**changes: Any) -> Day:
    return Day(**{"ticks": tick_day(), "came": (), "went": (), "sizes": sizes()} | changes)


def sizes(*sizes_in_bytes: int) -> Sizes:
    """One per hour, the last one at NOON."""
    last = int(NOON.timestamp())
    times = last - 3_600 * np.arange(len(sizes_in_bytes) - 1, -1, -1, dtype=np.int64)
    return Sizes(times, np.array(sizes_in_bytes, dtype=np.int64))


def eventful_day() -> Day:
    """A day with missed ticks and failures, a pair that came and one that went."""
    missed, failed = np.zeros(96, dtype=np.int64), np.zeros(96, dtype=np.int64)
    missed[20:23], failed[60] = (5, 15, 3), 2
    came = Metric(1, "kraken", "SOL", "USD", new_at=NOON)
    went = Metric(2, "okx", "XMR", "EUR", active=False, reason="delisted", gone_at=NOON)
    grown = sizes(*range(10_000_000, 12_000_000, 100_000))
    return day(ticks=tick_day(missed=missed, failed=failed), came=(came,), went=(went,), sizes=grown)


def status(**changes: Any) -> Status:
    return Status(
        **{
            "revision": 7,
            "minute": NOON,
            "stale": False,
            "tracked": 10,
            "trading": 10,
            "priced": 10,
            "exchanges": (exchange_state(),),
            "backfills": (),
            "ticks": (tick_state(),),
            "warnings": (),
        }
        | changes
    )
