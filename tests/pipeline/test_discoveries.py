"""When listings are requested again, and when they are believed: in maintenance, during halts, and when they contradict
prices."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from services.market.errors import Unavailable
from services.market.track import parse_track
from services.market.types import Listing
from services.pipeline.discover import Discovery
from services.store.database.engine import Engine
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAMES = [f"C{number}/USD" for number in range(8)]


@dataclass
class Watched(FakeExchange):
    """Counts the requests for listings."""

    looks: int = 0

    def listings(self) -> tuple[Listing, ...]:
        self.looks += 1
        return super().listings()


class Schedule:
    """Discovery and ticks of one exchange, each at its own interval."""

    def __init__(self, engine: Engine, track: str = "kraken:*/USD") -> None:
        self.exchange = Watched("kraken", dict.fromkeys(NAMES, 10.0))
        self.pipeline = PipelineHarness(engine, [self.exchange])
        self.track = track
        self.restart()

    def restart(self) -> None:
        self.discovery = Discovery(
            self.pipeline.engine, {"kraken": self.exchange}, {}, parse_track(self.track), period_seconds=60.0
        )
        self.pipeline.restart()

    def halt(self, *names: str) -> None:
        self.exchange.listed = {name: name not in names for name in NAMES}
        self.exchange.idle = set(names)

    def live(self, minutes: int) -> None:
        """Each minute, run discovery twice where it is due and tick once; prices of trading pairs move."""
        for _ in range(minutes):
            for name in NAMES:
                if name not in self.exchange.idle:
                    self.exchange.prices[name] += 1.0
            self.pipeline.tick()
            self._look_up()

    def pass_without_ticks(self, hours: int) -> None:
        for _ in range(60 * hours):
            self.pipeline.now += MINUTE
            self._look_up()

    def _look_up(self) -> None:
        self.discovery.run(self.pipeline.now)
        self.discovery.run(self.pipeline.now + MINUTE / 2)

    @property
    def now(self) -> datetime:
        return self.pipeline.now

    def reasons(self) -> list[str | None]:
        rows = sorted(self.pipeline.reader.ranking().metrics, key=lambda row: row.id)
        return [row.reason for row in rows]

    def warnings(self) -> tuple[str, ...]:
        return self.pipeline.reader.status(self.now).warnings


@pytest.fixture
def schedule(engine: Engine) -> Schedule:
    return Schedule(engine)


def test_an_exchange_in_maintenance_at_the_start_is_not_warned_about_and_is_tracked_soon_after(
    schedule: Schedule, caplog: pytest.LogCaptureFixture
) -> None:
    schedule.halt(*NAMES)
    schedule.live(1)
    assert schedule.reasons() == []
    assert schedule.warnings() == ("TRACK: kraken lists no active pair now, and is looked up again soon",)

    schedule.live(30)
    assert schedule.warnings() == ("TRACK: kraken lists no active pair now, and is looked up again soon",)
    assert sum("no active pair" in message for message in caplog.messages) <= 2

    schedule.halt()
    schedule.exchange.looks = 0
    schedule.live(40)
    assert schedule.reasons() == [None] * 8
    assert schedule.warnings() == ()
    assert all(row.new_at is None for row in schedule.pipeline.reader.ranking().metrics)


def test_a_short_maintenance_at_the_start_costs_only_a_few_periods(schedule: Schedule) -> None:
    schedule.halt(*NAMES)
    schedule.live(1)
    schedule.halt()
    schedule.live(3)

    assert schedule.reasons() == [None] * 8


def test_listings_without_trading_pairs_halt_nothing_until_a_second_request_confirms_them(
    schedule: Schedule,
) -> None:
    schedule.live(1)
    schedule.pipeline.now += 57 * MINUTE
    schedule.halt(*NAMES)
    schedule.live(3)  # the hour is over
    assert schedule.reasons() == [None] * 8
    assert schedule.warnings() == ("TRACK: kraken lists no active pair now, 8 before, and is looked up again soon",)
    assert schedule.pipeline.reader.status(schedule.now).live == 8

    schedule.halt()
    schedule.live(3)
    assert schedule.reasons() == [None] * 8
    assert schedule.warnings() == ()
    assert schedule.pipeline.reader.day(schedule.now).went == ()


def test_a_lasting_maintenance_is_believed_and_its_end_is_found_within_a_few_periods(schedule: Schedule) -> None:
    schedule.live(1)
    schedule.pipeline.now += 57 * MINUTE
    schedule.halt(*NAMES)
    schedule.live(6)
    assert schedule.reasons() == ["halted"] * 8

    schedule.pass_without_ticks(hours=2)
    schedule.halt()  # prices move again
    schedule.live(4)
    assert schedule.reasons() == [None] * 8
    assert all(row.new_at is None for row in schedule.pipeline.reader.ranking().metrics)


def test_listings_doubted_before_a_restart_are_believed_after_it(schedule: Schedule) -> None:
    schedule.live(1)
    schedule.halt(*NAMES)
    schedule.restart()
    schedule.live(1)
    assert schedule.reasons() == [None] * 8

    schedule.restart()
    schedule.live(2)
    assert schedule.reasons() == ["halted"] * 8


def test_a_failed_request_for_listings_does_not_confirm_doubted_ones(schedule: Schedule) -> None:
    schedule.live(1)
    schedule.halt(*NAMES)
    schedule.restart()
    schedule.live(1)
    schedule.exchange.error = Unavailable("kraken", "timed out")
    schedule.live(5)
    schedule.exchange.error = None

    schedule.halt()
    schedule.live(4)
    assert schedule.reasons() == [None] * 8


@pytest.mark.parametrize(("halted", "believed"), [(4, True), (5, False), (7, False)])
def test_listings_are_believed_at_once_unless_they_halt_more_than_half_of_the_pairs(
    schedule: Schedule, halted: int, believed: bool
) -> None:
    schedule.live(1)
    schedule.halt(*NAMES[:halted])
    schedule.restart()
    schedule.live(1)

    assert schedule.reasons().count("halted") == (halted if believed else 0)
    schedule.live(2)
    assert schedule.reasons().count("halted") == halted


def test_listings_are_requested_again_within_a_few_periods_after_a_halt(schedule: Schedule) -> None:
    schedule.live(1)
    schedule.pipeline.now += 57 * MINUTE
    schedule.halt("C3/USD")
    schedule.live(3)
    assert schedule.reasons().count("halted") == 1

    schedule.halt()
    schedule.live(4)
    assert schedule.reasons() == [None] * 8


def test_requests_for_a_pair_that_stays_halted_become_rarer(schedule: Schedule) -> None:
    schedule.halt("C3/USD")
    schedule.live(1)
    schedule.exchange.looks = 0
    schedule.pass_without_ticks(hours=10)

    assert 10 <= schedule.exchange.looks <= 16
    assert schedule.reasons().count("halted") == 0  # a wildcard does not track pairs that do not trade


def test_the_end_of_a_long_halt_is_found_within_a_few_periods_of_a_price_move(engine: Engine) -> None:
    schedule = Schedule(engine, ",".join(f"kraken:{name}" for name in NAMES))
    schedule.halt("C3/USD")
    schedule.live(1)
    schedule.pass_without_ticks(hours=5)
    assert schedule.reasons().count("halted") == 1

    schedule.halt()
    schedule.live(4)
    assert schedule.reasons() == [None] * 8


def test_listings_that_keep_contradicting_prices_are_not_requested_endlessly(engine: Engine) -> None:
    schedule = Schedule(engine, ",".join(f"kraken:{name}" for name in NAMES))
    schedule.halt("C3/USD")
    schedule.exchange.idle = set()
    schedule.live(1)
    schedule.pass_without_ticks(hours=10)

    assert schedule.exchange.looks <= 20


def test_setting_the_clock_back_does_not_delay_the_next_discovery(schedule: Schedule) -> None:
    schedule.live(1)
    looks = schedule.exchange.looks
    schedule.discovery.run(schedule.now - 5 * HOUR)

    assert schedule.exchange.looks == looks + 1


def test_discovery_runs_once_an_hour_while_all_pairs_trade(schedule: Schedule) -> None:
    schedule.live(1)
    schedule.pass_without_ticks(hours=5)

    assert schedule.exchange.looks == 6
