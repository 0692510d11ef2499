"""A small pipeline for tests: a database, fake exchanges under the test's control, and ticks on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from services.market.alerting.rules import AlertRule, built_in_rule
from services.market.ranking import RankedMetric
from services.market.stats.metric_stats import Windows
from services.market.track import parse_track
from services.market.types import Floats
from services.pipeline.discover import discover
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import Plan, TickReport, tick
from services.store.database.engine import Engine, reading, writing
from services.store.history import prices
from services.store.ranking import snapshots, ticks
from services.store.ranking.metrics import CatalogueCache
from services.store.reader import StoreReader
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange

PERIOD = 60
RULE = built_in_rule(factor=3.0, window_seconds=3600, cooldown_seconds=3600, min_samples=5)
WINDOWS = Windows(main=86_400, rule=3_600)


@dataclass
class PipelineHarness:
    """Ticks `exchanges` into `engine`; `now` is the period of the last tick."""

    engine: Engine
    exchanges: Sequence[FakeExchange]
    windows: Windows = WINDOWS
    rule: AlertRule = RULE
    period: int = PERIOD
    channels: Sequence[str] = ()
    now: datetime = NOON
    plan: Plan = field(init=False)
    fetcher: Fetcher = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start as a new process does, with nothing but the database."""
        self.plan = Plan(self.engine, CatalogueCache(), self.period, self.windows, self.rule, self.channels)
        self.fetcher = Fetcher(self.exchanges, 5.0)

    def discover(self, track: str | None = None) -> None:
        text = track or ",".join(f"{exchange.name}:*" for exchange in self.exchanges)
        discover(self.engine, {exchange.name: exchange for exchange in self.exchanges}, parse_track(text), self.now)

    def tick(self, minutes: float = 1, owner: str | None = None, late_ms: float = 5) -> TickReport | None:
        """Tick the period `minutes` after the last one, starting `late_ms` into it."""
        self.now += timedelta(minutes=minutes)
        return tick(self.plan, self.fetcher, self.now, timedelta(milliseconds=late_ms), owner)

    @property
    def reader(self) -> StoreReader:
        return StoreReader(self.engine, builders.profile(period_seconds=self.period))

    def row(self, key: str) -> RankedMetric:
        return self.reader.metric(key)

    def stored(self, key: str, hours: float = 48) -> list[tuple[datetime, float]]:
        series = self.reader.prices(self.row(key).id, self.now - timedelta(hours=hours), self.now + timedelta(days=1))
        moments = [datetime.fromtimestamp(second, NOON.tzinfo) for second in series.times.tolist()]
        return list(zip(moments, series.values.tolist(), strict=True))

    def two_pass_stdev(self, key: str) -> float:
        """The weighted population standard deviation of the stored prices, by its definition."""
        since = self.now - timedelta(seconds=self.windows.main)
        series = self.reader.prices(self.row(key).id, since, self.now)
        weights: Floats = series.widths.astype(np.float64)
        mean = (weights * series.values).sum() / weights.sum()
        return float(np.sqrt((weights * (series.values - mean) ** 2).sum() / weights.sum()))


def store_history(engine: Engine, until: datetime, hours: float, step: timedelta) -> list[int]:
    """Store a tick with a price of metric 1 every `step` up to `until`; returns their epoch seconds."""
    width, last = int(step.total_seconds()), int(until.timestamp())
    seconds = range(last - round(timedelta(hours=hours) / step) * width, last + 1, width)
    with writing(engine) as connection:
        for second in seconds:
            before = ticks.last_minute(connection, second - 1)
            missed = 0 if before is None else (second - before) // width - 1
            prices.store(connection, second, np.array([1]), np.array([100.0 + second // width % 7]), width)
            minute = datetime.fromtimestamp(second, UTC)
            ticks.record(connection, builders.tick_state(minute=minute, missed=missed))
    return list(seconds)


def stored_revision(engine: Engine) -> int:
    with reading(engine) as connection:
        return snapshots.revision(connection)
