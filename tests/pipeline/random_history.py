"""A random history of the whole pipeline, with checks after each step.

`RandomHistory.STEPS` maps each step's name to its frequency. To add a kind of event, add a method and list it there.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event
from typing import Any

import pytest

from services.market.alerting.alerts import AlertQuery
from services.market.errors import Unavailable
from services.market.ranking import RankedMetric
from services.market.stats.measures import FROZEN_PERIODS
from services.market.stats.metric_stats import Windows, lookback
from services.market.times import DAY, HOUR
from services.market.track import parse_track
from services.market.types import Series
from services.pipeline.backfill import LATE_SECONDS, Backfill
from services.pipeline.discover import discover, settle
from services.pipeline.seal import seal
from services.store.database.engine import Engine
from tests.builders import NOON
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness
from tests.pipeline.reference_figures import FIGURES, figures

PAIRS = {"kraken": ("A/USD", "B/USD", "C/USD"), "gemini": ("A/USD", "D/USD")}
PERIODS = (30, 60, 60, 300, 1_800)
MAIN_WINDOWS = (600, 7_200, 86_400, 86_400, 2 * 86_400)
RULE_WINDOWS = (600, 3_600, 3_600, 36 * 3_600)
SHORT_GAPS = (0, 0, 0, 0, 0, 60, 300, 900, 1_000, 3_600)
"""Seconds by which a tick is later than one period after the last one."""
LONG_GAPS = (4 * 3_600, 20 * 3_600, 30 * 3_600, 60 * 3_600)
JUMPS = (2 * HOUR, 7 * HOUR, 3 * DAY)
"""Seconds by which the clock is ahead when the program starts."""
YEARS = 3_653 * DAY

CHANGES = ("change_1h", "change_24h")

IDENTITY_FIELDS = frozenset(("id", "market", "base", "quote", "new_at"))
"""Fields of a ranked metric that are not figures."""

CHECKED_FIELDS = frozenset(("rank", "rank_1h_ago", "volume_24h", "active", "reason", "alerted_at"))
"""Figures that follow from the steps of the history rather than from the prices."""


@dataclass
class Pair:
    """Random prices of one pair: `base` plus or minus the fraction `spread`, now and then an outlier."""

    base: float
    spread: float
    foreign: float
    first: bool = True

    def price(self, chance: Random) -> float:
        if self.first or chance.random() < 0.01:
            self.first = False
            return self.foreign
        return self.base * (1 + self.spread * chance.uniform(-1, 1))


@dataclass
class Known:
    """Expected state of one metric since it entered the catalogue."""

    after_alert: int
    """Number of the last alert before the metric entered the catalogue."""
    absent: int = 0
    volume: float | None = None


@dataclass
class RandomHistory:
    """Takes one random step at a time; the same seed gives the same history."""

    engine: Engine
    seed: int
    steps_taken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.order = self.chance.sample([name for name, _ in self.STEPS], len(self.STEPS))
        self.pairs = {
            (market, pair): Pair(
                10 ** self.chance.uniform(-12, 12),
                self.chance.choice((0.0, 1e-9, 1e-5, 0.02)),
                10 ** self.chance.uniform(-12, 12),
            )
            for market, pairs in PAIRS.items()
            for pair in pairs
        }
        self.exchanges = {
            market: FakeExchange(market, listed=dict.fromkeys(pairs, True)) for market, pairs in PAIRS.items()
        }
        self.pipeline = PipelineHarness(self.engine, list(self.exchanges.values()), now=NOON - timedelta(days=30))
        self.reader = self.pipeline.reader
        self.minute = 0
        self.windows, self.ticked_by = self.pipeline.windows, self.pipeline.period
        self.retention: int | None = None
        self.has_removed = False
        self.tracked = set(self.pairs)
        self.known: dict[tuple[str, str], Known] = {}
        self.late: set[int] = set()
        self.ranks: dict[int, Mapping[int, int | None]] = {}
        self.seen: dict[int, dict[int, float]] = {}
        self.hours: dict[int, dict[int, int]] = {}
        self.changes: dict[tuple[int, str, datetime | None], float | None] = {}
        self.pipeline.discover()
        self.tick()

    STEPS: tuple[tuple[str, int], ...] = (
        ("tick", 12),
        ("busy_hour", 4),
        ("outage", 2),
        ("late_tick", 2),
        ("some_missing", 3),
        ("exchange_away", 1),
        ("backfill", 4),
        ("partial_backfill", 4),
        ("upkeep", 3),
        ("restart", 1),
        ("start_ahead", 1),
        ("clock_set_back", 1),
        ("suspend", 1),
        ("clock_wrong_by_years", 1),
        ("change_settings", 2),
        ("change_track", 1),
        ("halt_or_resume", 1),
    )

    def take_step(self) -> None:
        """Take one step: first one of each kind, then by frequency."""
        names, weights = zip(*self.STEPS, strict=True)
        taken = len(self.steps_taken)
        name = self.order[taken] if taken < len(names) else self.chance.choices(names, weights)[0]
        self.steps_taken.append(name)
        step: Callable[[], None] = getattr(self, name)
        step()

    def tick(
        self,
        gap: int | None = None,
        late_ms: float = 5,
        silent: Collection[tuple[str, str]] = (),
        away: Collection[str] = (),
    ) -> bool:
        """Tick a later period, with prices of all pairs except `silent` from all exchanges except `away`.

        Returns whether it was stored, which is checked: only a last tick ahead of this clock prevents that.
        """
        period, last = self.pipeline.period, int(self.pipeline.now.timestamp())
        gap = self.chance.choice(SHORT_GAPS) if gap is None else gap
        minute = -(-(last + period + gap) // period) * period
        for market, exchange in self.exchanges.items():
            quoted = [pair for pair in PAIRS[market] if (market, pair) not in silent]
            exchange.prices = {pair: self.pairs[market, pair].price(self.chance) for pair in quoted}
            exchange.volumes = {pair: self.chance.uniform(1, 9) for pair in quoted if self.chance.random() < 0.8}
            exchange.error = Unavailable(market, "away") if market in away else None
        last_alert = max((alert.id for alert in self.reader.alerts(AlertQuery(limit=100))), default=0)
        report = self.pipeline.tick(minutes=(minute - last) / 60, late_ms=late_ms)
        assert int(self.pipeline.now.timestamp()) == minute
        for exchange in self.exchanges.values():
            exchange.error = None
        if report is None:
            assert minute < self.minute
            return False
        if minute <= self.minute:
            self._set_aside(minute)
        if late_ms > LATE_SECONDS * 1e3:
            self.late.add(minute)
        self._note_tick(minute, silent, away, last_alert)
        return True

    def busy_hour(self) -> None:
        """Tick often enough for all earlier prices to leave the shorter windows."""
        for _ in range(min(65, 4_000 // self.pipeline.period)):
            self.tick(gap=0)

    def outage(self) -> None:
        self.tick(gap=self.chance.choice(LONG_GAPS))

    def late_tick(self) -> None:
        self.tick(late_ms=20_000)

    def some_missing(self) -> None:
        silent = self.chance.sample(sorted(self.pairs), 2)
        for _ in range(self.chance.choice((1, 3, FROZEN_PERIODS + 1))):
            self.tick(silent=silent)

    def exchange_away(self) -> None:
        for _ in range(3):
            self.tick(away=[self.chance.choice(sorted(PAIRS))])

    def backfill(self, part: Callable[[int], bool] = lambda _second: True) -> None:
        """Backfill from exchanges with candles at the times that `part` accepts, always the same at one time."""
        for market, exchange in self.exchanges.items():

            def close_at(pair: str, second: int, market: str = market) -> float | None:
                made = self.pairs[market, pair]
                return replace(made, first=False).price(Random(f"{self.seed} {market} {pair} {second}"))

            exchange.close_at = lambda pair, second, close_at=close_at: close_at(pair, second) if part(second) else None
            exchange.coarse_before = self.pipeline.now - timedelta(hours=12) if self.chance.random() < 0.3 else None
            asked_at = self.pipeline.now + timedelta(seconds=self.chance.choice((5, 400)))
            Backfill(self.pipeline.plan, exchange, FakeClock(asked_at)).run(Event())

    def partial_backfill(self) -> None:
        """Find only some candles; a later backfill finds those before, after and between them."""
        step = self.chance.choice((2, 3, 7, 60))
        begin = int(self.pipeline.now.timestamp()) - self.chance.randrange(2 * DAY)
        end = begin + self.chance.choice((HOUR, 6 * HOUR, DAY))
        self.backfill(lambda second: begin < second <= end and second // 60 % step == 0)

    def upkeep(self) -> None:
        self.retention = self.chance.choice((None, None, DAY, 3 * DAY))
        plan = replace(self.pipeline.plan, retention_seconds=self.retention)
        self.has_removed |= seal(plan, self.pipeline.now, None, lambda: True).removed > 0

    def restart(self) -> None:
        self.pipeline.restart()
        self.reader = self.pipeline.reader

    def start_ahead(self) -> None:
        """Start the program with a clock that is ahead, tick for a while, then correct the clock."""
        self.restart()
        self._jump(self.chance.choice(JUMPS))

    def clock_set_back(self) -> None:
        """Set the clock back by an hour, or by more with a long period, and correct it later."""
        back = max(HOUR, 4 * self.pipeline.period)
        self._move_clock(-back)
        for _ in range(self.chance.choice((1, 1, 3))):
            assert self.tick(gap=0)
            self.check()
        if self.chance.random() < 0.5:
            self._move_clock(back)
            self.tick(gap=0)

    def suspend(self) -> None:
        """Suspend the machine for three minutes, between two ticks or in the middle of one."""
        if self.chance.random() < 0.5:
            self.tick(late_ms=180_000)
        self.tick(gap=180)

    def clock_wrong_by_years(self) -> None:
        """Tick once with a clock that is wrong by years, in either direction."""
        self._jump(self.chance.choice((-YEARS, YEARS)), ticks=1)

    def _jump(self, seconds: int, ticks: int | None = None) -> None:
        right = self.pipeline.now
        self._move_clock(seconds)
        for _ in range(self.chance.choice((1, 2, 5)) if ticks is None else ticks):
            if self.tick(gap=0):
                self.check()
        if self.minute == int(self.pipeline.now.timestamp()) and self.chance.random() < 0.3:
            self.chance.choice((self.backfill, self.upkeep, self.restart))()
            self.check()
        self.pipeline.now = right
        assert self.tick(gap=0)

    def _move_clock(self, seconds: int) -> None:
        period = self.pipeline.period
        self.pipeline.now += timedelta(seconds=seconds // period * period)

    def change_settings(self) -> None:
        """Restart with another period or other windows, and tick once."""
        if self.chance.random() < 0.4:
            self.pipeline.period = self.chance.choice(PERIODS)
        main, rule = self.chance.choice(MAIN_WINDOWS), self.chance.choice(RULE_WINDOWS)
        self.pipeline.windows = Windows(max(main, self.pipeline.period), max(rule, self.pipeline.period))
        self.restart()
        self.check()
        self.tick()

    def change_track(self) -> None:
        """Track other metrics for some ticks, then all of them again."""
        self._track(set(self.chance.sample(sorted(self.pairs), 3)))
        for _ in range(self.chance.choice((0, 1, 4))):
            self.tick()
            self.check()
        self._track(set(self.pairs))
        if self.chance.random() < 0.5:
            self.backfill()
            self.check()
        self.tick()

    def halt_or_resume(self) -> None:
        market, pair = self.chance.choice(sorted(self.tracked))
        exchange = self.exchanges[market]
        assert exchange.listed is not None
        exchange.listed = dict(exchange.listed) | {pair: not exchange.listed[pair]}
        self._track(self.tracked)

    def _track(self, wanted: set[tuple[str, str]]) -> None:
        self.tracked = wanted
        text = ",".join(f"{market}:{pair}" for market, pair in sorted(wanted))
        markets = {market for market, _ in wanted}
        discover(self.engine, {m: self.exchanges[m] for m in markets}, parse_track(text), self.pipeline.now)
        settle(self.engine, markets, {})
        self.known = {key: known for key, known in self.known.items() if key in wanted}

    # --- expected figures

    def _set_aside(self, minute: int) -> None:
        """Expect none of the samples from this minute on, which a clock that was ahead stored."""
        self.ranks = {at: ranks for at, ranks in self.ranks.items() if at < minute}
        self.seen = {one: {at: price for at, price in seen.items() if at < minute} for one, seen in self.seen.items()}
        self.hours = {
            one: {start: count for start, count in hours.items() if start + HOUR < minute}
            for one, hours in self.hours.items()
        }

    def _note_tick(
        self, minute: int, silent: Collection[tuple[str, str]], away: Collection[str], last_alert: int
    ) -> None:
        self.minute, self.windows, self.ticked_by = minute, self.pipeline.windows, self.pipeline.period
        for market, pair in self.tracked:
            known = self.known.setdefault((market, pair), Known(last_alert))
            if market in away or not self._is_listed(market, pair):
                continue
            if (market, pair) in silent:
                known.absent += 1
            else:
                known.absent = 0
                known.volume = self.exchanges[market].volumes.get(pair)
        if minute % 60 < self.pipeline.period:
            self.ranks[minute] = {row.id: row.rank for row in self.reader.ranking().metrics}

    def _is_listed(self, market: str, pair: str) -> bool:
        listed = self.exchanges[market].listed
        return listed is not None and listed[pair]

    def check(self) -> None:
        """Check every field of /metrics, and that no stored sample is lost."""
        __tracebackhide__ = True
        ranking = self.reader.ranking()
        rows = {(row.market, f"{row.base}/{row.quote}"): row for row in ranking.metrics}
        assert set(rows) == self.tracked
        assert {one.name for one in fields(RankedMetric)} == IDENTITY_FIELDS | CHECKED_FIELDS | set(FIGURES)
        now = int(self.pipeline.now.timestamp())
        since = datetime.fromtimestamp(self.minute - self.windows.longest - DAY - 2 * HOUR, UTC)
        for key, row in rows.items():
            prices = self.reader.prices(row.id, since, self.pipeline.now)
            self._check_stored(row, prices, now)
            self._check_hours(row, prices, since)
            for name, value in self._expected(key, row, prices).items():
                reported = getattr(row, name)
                step = f"seed {self.seed}, step {len(self.steps_taken)} ({self.steps_taken[-3:]})"
                where = f"{step}: {name} of {row.key} is {reported}"
                if isinstance(value, float) and value:
                    assert reported == pytest.approx(value, rel=1e-9, abs=0), where
                else:
                    assert reported == value, where
        # By their own fields, each checked above.
        ranked = [row for row in rows.values() if row.active and row.stdev is not None]
        order = sorted(ranked, key=lambda row: (-(row.stdev or 0.0), row.id))
        assert [row.rank for row in order] == list(range(1, len(order) + 1))
        assert all(row.rank is None for row in rows.values() if row not in ranked)
        one = self.chance.choice(sorted(rows))
        day_ago = self.pipeline.now - timedelta(hours=20)
        lasting, fresh = (
            reader.prices(rows[one].id, day_ago, self.pipeline.now) for reader in (self.reader, self.pipeline.reader)
        )
        assert lasting.times.tolist() == fresh.times.tolist()
        assert lasting.values.tolist() == fresh.values.tolist()

    def _expected(self, key: tuple[str, str], row: RankedMetric, prices: Series) -> dict[str, Any]:
        known = self.known.get(key)
        if known is None:  # entered the catalogue after the last tick
            nothing = {"samples": 0, "coverage": 0.0, "stale": True}
            return dict.fromkeys(FIGURES) | nothing | {"rank": None, "rank_1h_ago": None, "volume_24h": None}
        expected: dict[str, Any] = dict(figures(prices, self.minute, self.windows, self.pipeline.period))
        if not (prices.times > self.minute - self.windows.longest).any():
            # Older than any window: the price and its changes are reported for as long as they are stored.
            for name in ("price", "updated_at", *CHANGES):
                del expected[name]
        for name in CHANGES:
            self._allow_for_retention(row, name, expected)
        then = [
            minute
            for minute in self.ranks
            if self.minute - HOUR - lookback(self.ticked_by) < minute <= self.minute - HOUR
        ]
        alerts = self.reader.alerts(AlertQuery(metric_id=row.id))
        fired = max((alert.fired_at for alert in alerts if alert.id > known.after_alert), default=None)
        frozen = known.absent >= FROZEN_PERIODS
        is_listed = self._is_listed(*key)
        return expected | {
            "rank_1h_ago": self.ranks[max(then)].get(row.id) if then else None,
            "volume_24h": known.volume,
            "active": is_listed and not frozen,
            "reason": row.reason if not is_listed else "frozen" if frozen else None,
            "alerted_at": None if fired is None or fired.timestamp() <= self.minute - HOUR else fired,
        }

    def _allow_for_retention(self, row: RankedMetric, name: str, expected: dict[str, Any]) -> None:
        """Accept that the price an old price is compared with may have been removed since.

        The change then keeps its value, or is unknown if the metric was untracked in between.
        """
        reported = getattr(row, name)
        if self.has_removed and expected.get(name) is None and reported is not None and row.stale:
            assert reported == self.changes[row.id, name, row.updated_at]
            expected[name] = reported
        self.changes[row.id, name, row.updated_at] = reported

    def _check_stored(self, row: RankedMetric, prices: Series, now: int) -> None:
        """Check that each time is stored once, and that samples stay as long as a window needs them."""
        assert (prices.times[1:] > prices.times[:-1]).all()
        found = dict(zip(prices.times.tolist(), prices.values.tolist(), strict=True))
        needed = now - self.pipeline.windows.longest
        for second, price in self.seen.get(row.id, {}).items():
            if second > needed:
                assert second in found, f"{row.key} at {second} is lost"
                assert found[second] == price or second in self.late
        self.seen[row.id] = found

    def _check_hours(self, row: RankedMetric, prices: Series, since: datetime) -> None:
        """Check that no hourly rollup covers fewer samples than before, or than are stored."""
        hours = self.reader.hours(row.id, NOON - timedelta(days=40), self.pipeline.now)
        counts = dict(zip(hours.starts.tolist(), hours.count.tolist(), strict=True))
        stored = Counter(((prices.times - 1) // HOUR * HOUR).tolist())
        for start, count in counts.items():
            assert count >= self.hours.get(row.id, {}).get(start, 0)
            if start >= since.timestamp() and not self.has_removed:
                where = (row.key, start, self.steps_taken[-5:], self.minute, self.pipeline.period)
                assert count == stored[start], where
        assert self.hours.get(row.id, {}).keys() <= counts.keys()
        self.hours[row.id] = counts
