"""When an exchange is looked up again, and when its list is believed: in maintenances, halts, and contradictions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from services.market.errors import Unavailable
from services.market.track import parse_track
from services.market.types import Listing
from services.pipeline.discover import Discovery
from services.store.database.engine import Engine
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAMES = [f"C{number}/USD" for number in range(8)]


@dataclass
class Watched(FakeExchange):
    """Counts the look-ups."""

    looks: int = 0

    def listings(self) -> tuple[Listing, ...]:
        self.looks += 1
        return super().listings()


class Life:
    """An exchange that is looked up and asked for prices, each by its own clockwork."""

    def __init__(self, engine: Engine, track: str = "kraken:*/USD") -> None:
        self.exchange = Watched("kraken", dict.fromkeys(NAMES, 10.0))
        self.world = World(engine, [self.exchange])
        self.track = track
        self.restart()

    def restart(self) -> None:
        self.discovery = Discovery(
            self.world.engine, {"kraken": self.exchange}, {}, parse_track(self.track), period_seconds=60.0
        )
        self.world.restart()

    def halt(self, *names: str) -> None:
        self.exchange.listed = {name: name not in names for name in NAMES}
        self.exchange.idle = set(names)

    def live(self, minutes: int) -> None:
        """Twice a minute the look-ups that are due, once the tick; what trades moves."""
        for _ in range(minutes):
            for name in NAMES:
                if name not in self.exchange.idle:
                    self.exchange.prices[name] += 1.0
            self.world.tick()
            self._look_up()

    def pass_without_ticks(self, hours: int) -> None:
        for _ in range(60 * hours):
            self.world.now += MINUTE
            self._look_up()

    def _look_up(self) -> None:
        self.discovery.run(self.world.now)
        self.discovery.run(self.world.now + MINUTE / 2)

    @property
    def now(self) -> datetime:
        return self.world.now

    def reasons(self) -> list[str | None]:
        rows = sorted(self.world.reader.ranking().metrics, key=lambda row: row.id)
        return [row.reason for row in rows]

    def warnings(self) -> tuple[str, ...]:
        return self.world.reader.status(self.now).warnings


@pytest.fixture
def life(engine: Engine) -> Life:
    return Life(engine)


def test_an_exchange_in_maintenance_at_the_start_is_not_said_to_lack_its_pairs_and_has_them_soon_after(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.halt(*NAMES)
    life.live(1)
    assert life.reasons() == []
    assert life.warnings() == ("TRACK: kraken lists no active pair now, and is looked up again soon",)

    life.live(30)
    assert life.warnings() == ("TRACK: kraken lists no active pair now, and is looked up again soon",)
    assert sum("no active pair" in message for message in caplog.messages) <= 2

    life.halt()
    life.exchange.looks = 0
    life.live(40)
    assert life.reasons() == [None] * 8
    assert life.warnings() == ()
    assert all(row.new_at is None for row in life.world.reader.ranking().metrics)


def test_a_short_maintenance_at_the_start_costs_a_few_periods(life: Life) -> None:
    life.halt(*NAMES)
    life.live(1)
    life.halt()
    life.live(3)

    assert life.reasons() == [None] * 8


def test_a_maintenance_at_the_moment_of_the_look_up_halts_nothing_that_a_second_one_does_not_confirm(
    life: Life,
) -> None:
    life.live(1)
    life.world.now += 57 * MINUTE
    life.halt(*NAMES)
    life.live(3)  # the hour is over
    assert life.reasons() == [None] * 8
    assert life.warnings() == ("TRACK: kraken lists no active pair now, 8 before, and is looked up again soon",)
    assert life.world.reader.status(life.now).live == 8

    life.halt()
    life.live(3)
    assert life.reasons() == [None] * 8
    assert life.warnings() == ()
    assert life.world.reader.day(life.now).went == ()


def test_a_maintenance_that_lasts_is_believed_and_its_end_is_found_within_a_few_periods(life: Life) -> None:
    life.live(1)
    life.world.now += 57 * MINUTE
    life.halt(*NAMES)
    life.live(6)
    assert life.reasons() == ["halted"] * 8

    life.pass_without_ticks(hours=2)
    life.halt()  # prices move again
    life.live(4)
    assert life.reasons() == [None] * 8
    assert all(row.new_at is None for row in life.world.reader.ranking().metrics)


def test_what_was_doubted_before_a_restart_is_not_doubted_anew(life: Life) -> None:
    life.live(1)
    life.halt(*NAMES)
    life.restart()
    life.live(1)
    assert life.reasons() == [None] * 8

    life.restart()
    life.live(2)
    assert life.reasons() == ["halted"] * 8


def test_a_list_that_cannot_be_had_does_not_end_the_doubt(life: Life) -> None:
    life.live(1)
    life.halt(*NAMES)
    life.restart()
    life.live(1)
    life.exchange.error = Unavailable("kraken", "timed out")
    life.live(5)
    life.exchange.error = None

    life.halt()
    life.live(4)
    assert life.reasons() == [None] * 8


@pytest.mark.parametrize(("halted", "believed"), [(4, True), (5, False), (7, False)])
def test_the_end_of_half_is_believed_at_once_and_that_of_more_is_not(life: Life, halted: int, believed: bool) -> None:
    life.live(1)
    life.halt(*NAMES[:halted])
    life.restart()
    life.live(1)

    assert life.reasons().count("halted") == (halted if believed else 0)
    life.live(2)
    assert life.reasons().count("halted") == halted


def test_one_halted_pair_is_looked_up_again_within_a_few_periods(life: Life) -> None:
    life.live(1)
    life.world.now += 57 * MINUTE
    life.halt("C3/USD")
    life.live(3)
    assert life.reasons().count("halted") == 1

    life.halt()
    life.live(4)
    assert life.reasons() == [None] * 8


def test_a_pair_that_stays_halted_is_looked_up_ever_more_seldom(life: Life) -> None:
    life.halt("C3/USD")
    life.live(1)
    life.exchange.looks = 0
    life.pass_without_ticks(hours=10)

    assert 10 <= life.exchange.looks <= 16
    assert life.reasons().count("halted") == 0  # a family does not take in what does not trade


def test_a_pair_that_was_halted_for_hours_is_found_within_a_few_periods_of_its_price_moving(engine: Engine) -> None:
    life = Life(engine, ",".join(f"kraken:{name}" for name in NAMES))
    life.halt("C3/USD")
    life.live(1)
    life.pass_without_ticks(hours=5)
    assert life.reasons().count("halted") == 1

    life.halt()
    life.live(4)
    assert life.reasons() == [None] * 8


def test_a_list_that_goes_on_contradicting_the_prices_is_not_asked_for_without_end(engine: Engine) -> None:
    life = Life(engine, ",".join(f"kraken:{name}" for name in NAMES))
    life.halt("C3/USD")
    life.exchange.idle = set()
    life.live(1)
    life.pass_without_ticks(hours=10)

    assert life.exchange.looks <= 20


def test_a_clock_that_is_set_back_does_not_put_off_the_next_look_up(life: Life) -> None:
    life.live(1)
    looks = life.exchange.looks
    life.discovery.run(life.now - 5 * HOUR)

    assert life.exchange.looks == looks + 1


def test_an_exchange_all_of_whose_pairs_trade_is_looked_up_once_an_hour(life: Life) -> None:
    life.live(1)
    life.pass_without_ticks(hours=5)

    assert life.exchange.looks == 6
