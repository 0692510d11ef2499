"""A market with statistics updated tick by tick, and the same statistics from two numpy passes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from services.market.stats import measures, metric_stats, recomputation, sums
from services.market.stats.advance import Movements, advance
from services.market.stats.metric_stats import LOOKBACK, MetricStats, Windows
from services.market.stats.samples import RETURN_GAP, Samples
from services.market.times import DAY, HOUR

PERIOD = 600
START = 1_772_366_400
WINDOWS = Windows(main=30 * PERIOD, rule=3 * PERIOD)
BASES = (0.000_012_3, 1.0, 61_234.5)


@dataclass
class Market:
    """All samples of some metrics, and their statistics as updated by each tick."""

    windows: Windows = WINDOWS
    bases: tuple[float, ...] = BASES
    minute: int = START
    stored: list[dict[int, tuple[float, int]]] = field(default_factory=list)
    renewed: int = 0

    def __post_init__(self) -> None:
        self.stored = [{} for _ in self.bases]
        self.statistics: MetricStats = metric_stats.empty(np.arange(1, len(self.bases) + 1, dtype=np.int64) * 10)

    def tick(self, periods: int, prices: dict[int, float], between: Sequence[tuple[int, int, float, int]] = ()) -> None:
        """Tick `periods` later; `between` are samples (row, seconds after the previous tick, price, width)."""
        previous, minute = self.minute, self.minute + periods * PERIOD
        for row, after, price, width in between:
            if after < minute - previous:
                self.stored[row].setdefault(previous + after, (price, width))
        for row, price in prices.items():
            self.stored[row][minute] = (price, PERIOD)
        rows = np.array(list(prices), dtype=np.int64)
        fresh = Samples(
            rows, np.full(len(rows), minute), np.array(list(prices.values()), float), np.full(len(rows), PERIOD)
        )
        movements = Movements(
            fresh,
            self.within(previous, minute - 1),
            lambda length: self.within(previous - length, minute - length),
        )
        self.statistics = advance(self.statistics, previous, minute, movements, self.windows)
        self.minute = minute
        drifted = sums.drifted(self.statistics)
        self.renewed += len(drifted)
        self.renew(drifted)

    def fill_in(self, row: int, ago: int, price: float, width: int) -> None:
        """Add an earlier sample, as a backfill does."""
        self.stored[row].setdefault(self.minute - ago, (price, width))
        self.renew(np.array([row], dtype=np.int64))

    def renew(self, rows: np.ndarray) -> None:
        history = self.within(self.minute - self.windows.longest, self.minute)
        far = [
            found.where(np.isin(found.rows, some))
            for some, after, until in recomputation.far_references(
                self.statistics, rows, history, self.minute, self.windows
            )
            for found in [self.within(after, until)]
        ]
        names = ("rows", "times", "prices", "widths")
        history = Samples(*(np.concatenate([getattr(one, name) for one in [*far, history]]) for name in names))
        recomputation.recompute(self.statistics, rows, history, self.minute, self.windows)

    def within(self, after: int, until: int) -> Samples:
        found = sorted(
            (time, row, *sample)
            for row, samples in enumerate(self.stored)
            for time, sample in samples.items()
            if after < time <= until
        )
        columns = list(zip(*found, strict=True)) or [(), (), (), ()]
        times, rows, prices, widths = columns
        return Samples(
            np.array(rows, np.int64), np.array(times, np.int64), np.array(prices, float), np.array(widths, np.int64)
        )

    def ago(self, length: int) -> np.ndarray:
        return measures.price_before(self.statistics, length, PERIOD)

    def check(self) -> None:
        for row in range(len(self.bases)):
            found = {name: self.statistics[name][row].tolist() for name in metric_stats.METRIC_STATS.names}
            found |= {"hour_ago": self.ago(HOUR)[row].item(), "day_ago": self.ago(DAY)[row].item()}
            found["log_volatility"] = measures.log_volatility(self.statistics)[row].item()
            found["coverage"] = measures.coverage(self.statistics, self.windows.main)[row].item()
            for name, expected in self.expected(row).items():
                if expected == 0 or math.isnan(expected):
                    assert found[name] == pytest.approx(expected, abs=0, nan_ok=True), (name, row)
                else:
                    assert found[name] == pytest.approx(expected, rel=1e-9, abs=0), (name, row)

    def expected(self, row: int) -> dict[str, float]:
        now, samples = self.minute, self.stored[row]
        times = np.array(sorted(samples), dtype=np.int64)
        prices = np.array([samples[time][0] for time in times.tolist()])
        widths = np.array([samples[time][1] for time in times.tolist()], dtype=float)

        def mean(inside: np.ndarray) -> float:
            return float((widths[inside] * prices[inside]).sum() / widths[inside].sum()) if inside.any() else math.nan

        def before(length: int) -> float:
            last = times[-1] if len(times) else 0
            near = np.flatnonzero((times <= last - length) & (times > last - length - LOOKBACK))
            return float(prices[near[-1]]) if len(near) else math.nan

        inside = (times > now - self.windows.main) & (times <= now)
        ruled = (times >= now - self.windows.rule) & (times < now)
        if not inside.any():
            stdev = math.nan
        elif len(set(prices[inside].tolist())) == 1:
            stdev = 0.0
        else:
            off = prices[inside] - mean(inside)
            stdev = math.sqrt((widths[inside] * off * off).sum() / widths[inside].sum())
        exact = prices.astype(np.longdouble)
        logs, seconds = np.log(exact[1:] / exact[:-1]), np.diff(times)
        counted = (times[1:] > now - self.windows.main) & (seconds <= RETURN_GAP)
        year = (logs[counted] ** 2).sum() / seconds[counted].sum() * 365 * DAY if counted.any() else math.nan
        return {
            "samples": int(inside.sum()),
            "log_volatility": math.sqrt(year),
            "stdev": stdev,
            "mean": mean(inside),
            "average_1h": mean((times >= now - HOUR) & (times < now)),
            "rule_average": mean(ruled),
            "rule_count": int(ruled.sum()),
            "hour_ago": before(HOUR),
            "day_ago": before(DAY),
            "coverage": min(widths[inside].sum() / self.windows.main, 1.0),
            "price": float(prices[-1]) if len(prices) else math.nan,
            "priced_at": int(times[-1]) if len(times) else 0,
        }
