"""A clock that was ahead: once the time is right ticks go on, and nothing is doubled, lost or made of the future."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.market.alerting.rule_json import parse_rule
from services.market.ranking import RankedMetric
from services.pipeline.seal import seal
from services.store import set_aside
from services.store.alerting import mutes, outbox, rules
from services.store.database.engine import Engine, open_engine, reading, writing
from services.store.database.models import SetAsideRow, SetAsideSampleRow
from services.store.ranking import ticks
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World

DAY = timedelta(days=1)
KEYS = ("kraken:BTC-USD", "kraken:ETH-USD")
LEVEL = {"kind": "level", "direction": "up", "level": 110.0}


@pytest.fixture
def other(migrated_file: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / 'other.db')}")
    yield engine
    engine.dispose()


def world_of(engine: Engine) -> World:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    world = World(engine, [exchange], channels=["mail"])
    world.discover()
    for _ in range(8):
        tick(world)
    return world


def tick(world: World, price: float | None = None, minutes: float = 1) -> Any:
    """The next tick, at a price that its time gives."""
    exchange = world.exchanges[0]
    place = (world.now + timedelta(minutes=minutes)).timestamp() // 60
    exchange.prices["BTC/USD"] = 100 + place % 7 if price is None else price
    exchange.prices["ETH/USD"] = 10 + place % 3
    return world.tick(minutes=minutes)


def jump(world: World, ahead: timedelta, price: float | None = None) -> None:
    """One tick by a clock that is so much ahead; the time is right again afterwards."""
    tick(world, price, minutes=1 + ahead / timedelta(minutes=1))
    world.now -= ahead


def figures(row: RankedMetric) -> dict[str, Any]:
    names = (
        "price",
        "stdev",
        "mean",
        "average_1h",
        "rule_average",
        "samples",
        "rank",
        "high_24h",
        "low_24h",
        "range_1h",
    )
    names += ("volatility", "log_volatility", "volume_24h", "updated_at", "change_1h", "change_24h", "alerted_at")
    reported = {name: getattr(row, name) for name in names}
    return {
        name: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for name, value in reported.items()
    }


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(hours=1), 3 * DAY, 3653 * DAY])
def test_when_the_time_is_right_again_ticks_go_on_and_every_figure_is_of_earlier_prices(
    engine: Engine, other: Engine, ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    world, untroubled = world_of(engine), world_of(other)
    jump(world, ahead)
    untroubled.now = world.now
    before = world.reader.status(world.now + timedelta(minutes=1))
    assert before.stale
    assert before.why_stale(world.now).startswith("which is yet to come")

    for _ in range(5):
        report = tick(world)
        tick(untroubled)
        assert report is not None
        assert report.state.stored == 2
        assert not world.reader.status(world.now).stale
        for key in KEYS:
            assert figures(world.row(key)) == figures(untroubled.row(key))

    assert world.stored(KEYS[0], hours=24 * 4000) == untroubled.stored(KEYS[0], hours=24 * 4000)
    far = datetime(9999, 1, 1, tzinfo=UTC)
    assert world.reader.prices(1, world.now, far).times.tolist() == []
    assert world.reader.volumes(1, world.now, far).times.tolist() == []
    state = world.reader.status(world.now)
    assert [one.minute for one in state.ticks] == [one.minute for one in untroubled.reader.status(world.now).ticks]
    assert state.set_aside is not None
    assert (state.set_aside.ticks, state.set_aside.prices) == (1, 2)
    assert state.set_aside.first == state.set_aside.last == NOON + timedelta(minutes=9) + ahead
    assert caplog.text.count("are set aside") == 1


def test_what_is_set_aside_is_stored_unchanged(engine: Engine) -> None:
    world = world_of(engine)
    jump(world, 3 * DAY, price=123.0)
    tick(world)

    with reading(engine) as connection:
        rows = connection.execute(SetAsideSampleRow.__table__.select()).all()
        (batch,) = connection.execute(SetAsideRow.__table__.select()).all()
    minute = int((NOON + 3 * DAY).timestamp()) + 9 * 60
    assert {(row.quantity, row.minute, row.metric_id, row.value, row.width) for row in rows} == {
        ("price", minute, 1, 123.0, 60),
        ("price", minute, 2, 10.0 + minute // 60 % 3, 60),
        ("volume", minute, 1, 5.0, 0),
    }
    assert (batch.ticks, batch.prices, batch.volumes, batch.alerts) == (1, 2, 1, 0)


def test_a_clock_set_back_by_an_hour_goes_on_at_once_in_periods_that_have_their_ticks_already(engine: Engine) -> None:
    world = world_of(engine)
    for _ in range(62):
        tick(world)
    world.now -= timedelta(hours=1)
    back = world.now

    for _ in range(3):
        report = tick(world, 105.0)
        assert report is not None
        assert report.state.missed == 0
    assert [price for _, price in world.stored(KEYS[0])[-3:]] == [105.0] * 3
    assert world.stored(KEYS[0])[-4][0] == back
    assert world.row(KEYS[0]).stdev == pytest.approx(world.two_pass_stdev(KEYS[0]), rel=1e-9)
    assert world.reader.status(world.now).set_aside.ticks == 60  # type: ignore[union-attr]


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), 3 * DAY])
def test_an_alert_of_a_clock_that_was_ahead_is_neither_doubled_nor_lost(engine: Engine, ahead: timedelta) -> None:
    world = world_of(engine)
    with writing(engine) as connection:
        given = {"name": "mine", "scope": ["kraken:BTC/USD"], "condition": LEVEL, "cooldown_seconds": 600}
        rules.add(connection, parse_rule(given))
    tick(world, 100.0)
    jump(world, ahead, 120.0)
    assert [alert.fired_at > world.now for alert in world.reader.alerts()] == [True]

    tick(world, 121.0)
    (alert,) = world.reader.alerts()
    assert alert.fired_at == world.now - timedelta(minutes=1)  # where its tick stands, by the right time
    assert alert.resolved_at is None
    tick(world, 100.0)
    (alert,) = world.reader.alerts()
    assert alert.resolved_at == world.now
    for price in (120.0, 100.0, 120.0):  # within the cooldown
        tick(world, price)
    assert len(world.reader.alerts()) == 1
    for minute in range(12):
        tick(world, 100.0 if minute % 2 else 120.0)
    assert len(world.reader.alerts()) == 2


def test_an_alert_that_ended_ahead_ended_after_it_fired(engine: Engine) -> None:
    world = world_of(engine)
    tick(world, 1000.0)
    assert len(world.reader.alerts()) == 1
    jump(world, timedelta(minutes=20), 100.0)
    assert world.reader.alerts()[0].resolved_at > world.now  # type: ignore[operator]

    tick(world, 100.0)
    (alert,) = world.reader.alerts()
    assert alert.fired_at <= alert.resolved_at <= world.now  # type: ignore[operator]


def test_alerts_of_one_rule_and_metric_keep_times_of_their_own(engine: Engine) -> None:
    world = world_of(engine)
    with writing(engine) as connection:
        given = {"name": "mine", "scope": ["kraken:BTC/USD"], "condition": LEVEL, "cooldown_seconds": 0}
        rules.add(connection, parse_rule(given))
    for _ in range(2):
        for minute in range(20):
            tick(world, 100.0 if minute % 2 else 120.0)
        world.now -= timedelta(minutes=20)
        tick(world, 100.0)
    times = [alert.fired_at for alert in world.reader.alerts()]
    assert len(times) == len(set(times)) == 20
    assert all(time <= world.now for time in times)


def test_messages_that_a_clock_ahead_gave_up_or_put_off_are_pending_again(engine: Engine) -> None:
    world = world_of(engine)
    tick(world, 1000.0)
    future = int((world.now + 3 * DAY).timestamp())
    with writing(engine) as connection:
        assert outbox.give_up_old(connection, "mail", future) == 1
    jump(world, 3 * DAY)
    tick(world)

    now = int(world.now.timestamp())
    with writing(engine) as connection:
        claimed = outbox.claim(connection, "mail", now, "me")
        assert claimed is not None
        assert claimed.expires_at == int((NOON + timedelta(minutes=9)).timestamp()) + 86_400
        # What was put off for longer than anybody may was put off by a clock that was ahead.
        outbox.postpone(connection, claimed, future, "no", paused_until=future)
        assert outbox.claim(connection, "mail", now, "me") is not None


def test_a_mute_that_was_made_ahead_lasts_as_long_as_it_should(engine: Engine) -> None:
    world = world_of(engine)
    ahead = int((world.now + 3 * DAY).timestamp())
    with writing(engine) as connection:
        mutes.add(connection, None, 1, ahead + 3_600, None, ahead + 60)
        mutes.add(connection, None, 2, ahead + 3_600, None, ahead - 3 * 86_400)
    jump(world, 3 * DAY)
    tick(world)

    with reading(engine) as connection:
        found = mutes.current(connection, int(world.now.timestamp()))
    assert [mute.until for mute in found] == [
        NOON + timedelta(minutes=8 + 60),  # its hour, from the tick before on
        datetime.fromtimestamp(ahead + 3_600, UTC),
    ]


def test_a_mute_that_a_clock_ahead_took_for_over_holds_again(engine: Engine) -> None:
    world = world_of(engine)
    tick(world, 1000.0)
    with writing(engine) as connection:
        mutes.add(connection, None, 1, int((world.now + DAY).timestamp()), "known", int(world.now.timestamp()))
    jump(world, 3 * DAY, 1000.0)
    assert [alert.muted for alert in world.reader.alerts()] == [False]

    tick(world, 1000.0)
    assert [alert.muted for alert in world.reader.alerts()] == [True]
    world.now += DAY
    tick(world, 1000.0)
    assert [alert.muted for alert in world.reader.alerts() if alert.resolved_at is None] == [False]
    with writing(engine) as connection:
        assert mutes.current(connection, int(world.now.timestamp())) == ()
        assert not mutes.remove(connection, 1, int(world.now.timestamp()))


def test_samples_that_are_sealed_already_are_set_aside_too(engine: Engine) -> None:
    world = world_of(engine)
    ahead = 10 * DAY
    world.now += ahead
    for _ in range(5):
        tick(world)
    world.now += 3 * DAY
    tick(world)
    assert seal(world.plan, world.now, None, lambda: True).sealed > 0
    stored = world.stored(KEYS[0], hours=24 * 30)
    world.now -= ahead + 3 * DAY

    tick(world)
    assert world.stored(KEYS[0], hours=24 * 30) == [*stored[:8], (world.now, world.exchanges[0].prices["BTC/USD"])]
    assert world.reader.status(world.now).set_aside.prices == 12  # type: ignore[union-attr]
    since, until = NOON - DAY, NOON + 30 * DAY
    assert world.reader.hours(1, since, until).starts.tolist() == [int(NOON.timestamp())]
    assert world.row(KEYS[0]).stdev == pytest.approx(world.two_pass_stdev(KEYS[0]), rel=1e-9)


def test_a_clock_wrong_by_years_for_a_moment_removes_nothing(engine: Engine) -> None:
    world = world_of(engine)
    before = world.stored(KEYS[0])
    tick(world, minutes=60 * 24 * 3653)
    seal(replace(world.plan, retention_seconds=86_400), world.now, None, lambda: True)
    world.now -= timedelta(days=3653)
    tick(world)
    assert world.stored(KEYS[0])[:8] == before


def test_nothing_is_said_of_clocks_that_were_never_ahead(engine: Engine) -> None:
    world = world_of(engine)
    with reading(engine) as connection:
        assert set_aside.total(connection) is None
    assert world.reader.status(world.now).set_aside is None


@pytest.mark.parametrize("behind", [timedelta(days=2), timedelta(days=3653)])
def test_a_clock_that_is_behind_most_of_the_history_sets_nothing_aside(
    engine: Engine, behind: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    world = world_of(engine)
    with writing(engine) as connection:  # a tick a minute for the last 30 hours
        for number in range(8, 1_800):
            minute = NOON - timedelta(minutes=number)
            ticks.record(connection, builders.tick_state(minute=minute))
    stored, right = world.stored(KEYS[0]), world.now
    world.now -= behind
    for _ in range(3):
        assert tick(world) is None
        assert world.reader.status(world.now).stale
    assert caplog.text.count("the clock was set back") == 1
    assert world.reader.status(world.now).set_aside is None

    world.now = right
    tick(world)
    assert world.stored(KEYS[0])[:-1] == stored


def test_a_clock_that_was_ahead_for_days_is_found_out_when_the_time_is_right(engine: Engine) -> None:
    world = world_of(engine)
    with writing(engine) as connection:
        for number in range(2_880):  # for two days it was three days ahead
            minute = world.now + timedelta(days=3, minutes=number)
            ticks.record(connection, builders.tick_state(minute=minute))
    jump(world, timedelta(days=5), 105.0)
    world.now += timedelta(days=2)
    assert tick(world) is not None
    assert world.reader.status(world.now).set_aside.ticks == 2_881  # type: ignore[union-attr]
