"""After a clock that was ahead is corrected, ticks continue and nothing is duplicated, lost or based on the future."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.market.alerting.rule_json import parse_rule
from services.market.ranking import RankedMetric
from services.pipeline.seal import seal
from services.store import set_aside
from services.store.alerting import mutes, outbox, rules
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import SetAsideRow, SetAsideSampleRow
from services.store.ranking import ticks
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

DAY = timedelta(days=1)
KEYS = ("kraken:BTC-USD", "kraken:ETH-USD")
LEVEL = {"kind": "level", "direction": "up", "level": 110.0}


def pipeline_of(engine: Engine) -> PipelineHarness:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    pipeline = PipelineHarness(engine, [exchange], channels=["mail"])
    pipeline.discover()
    for _ in range(8):
        tick(pipeline)
    return pipeline


def tick(pipeline: PipelineHarness, price: float | None = None, minutes: float = 1) -> Any:
    """Tick the next period, by default with a price that follows from its time."""
    exchange = pipeline.exchanges[0]
    place = (pipeline.now + timedelta(minutes=minutes)).timestamp() // 60
    exchange.prices["BTC/USD"] = 100 + place % 7 if price is None else price
    exchange.prices["ETH/USD"] = 10 + place % 3
    return pipeline.tick(minutes=minutes)


def jump(pipeline: PipelineHarness, ahead: timedelta, price: float | None = None) -> None:
    """Tick once with a clock that is `ahead`, then correct the clock."""
    tick(pipeline, price, minutes=1 + ahead / timedelta(minutes=1))
    pipeline.now -= ahead


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
def test_after_the_clock_is_corrected_ticks_continue_with_figures_of_earlier_prices_only(
    engine: Engine, other_sqlite: Engine, ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline, untroubled = pipeline_of(engine), pipeline_of(other_sqlite)
    jump(pipeline, ahead)
    untroubled.now = pipeline.now
    before = pipeline.reader.status(pipeline.now + timedelta(minutes=1))
    assert before.stale
    assert before.why_stale(pipeline.now).startswith("which is yet to come")

    for _ in range(5):
        report = tick(pipeline)
        tick(untroubled)
        assert report is not None
        assert report.state.stored == 2
        assert not pipeline.reader.status(pipeline.now).stale
        for key in KEYS:
            assert figures(pipeline.row(key)) == figures(untroubled.row(key))

    assert pipeline.stored(KEYS[0], hours=24 * 4000) == untroubled.stored(KEYS[0], hours=24 * 4000)
    far = datetime(9999, 1, 1, tzinfo=UTC)
    assert pipeline.reader.prices(1, pipeline.now, far).times.tolist() == []
    assert pipeline.reader.volumes(1, pipeline.now, far).times.tolist() == []
    state = pipeline.reader.status(pipeline.now)
    assert [one.minute for one in state.ticks] == [one.minute for one in untroubled.reader.status(pipeline.now).ticks]
    assert state.set_aside is not None
    assert (state.set_aside.ticks, state.set_aside.prices) == (1, 2)
    assert state.set_aside.first == state.set_aside.last == NOON + timedelta(minutes=9) + ahead
    assert caplog.text.count("are set aside") == 1


def test_samples_that_are_set_aside_are_stored_unchanged(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    jump(pipeline, 3 * DAY, price=123.0)
    tick(pipeline)

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


def test_a_clock_set_back_by_an_hour_repeats_those_periods_at_once(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    for _ in range(62):
        tick(pipeline)
    pipeline.now -= timedelta(hours=1)
    back = pipeline.now

    for _ in range(3):
        report = tick(pipeline, 105.0)
        assert report is not None
        assert report.state.missed == 0
    assert [price for _, price in pipeline.stored(KEYS[0])[-3:]] == [105.0] * 3
    assert pipeline.stored(KEYS[0])[-4][0] == back
    assert pipeline.row(KEYS[0]).stdev == pytest.approx(pipeline.two_pass_stdev(KEYS[0]), rel=1e-9)
    assert pipeline.reader.status(pipeline.now).set_aside.ticks == 60  # type: ignore[union-attr]


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), 3 * DAY])
def test_an_alert_fired_by_a_clock_that_was_ahead_is_neither_duplicated_nor_lost(
    engine: Engine, ahead: timedelta
) -> None:
    pipeline = pipeline_of(engine)
    with writing(engine) as connection:
        given = {"name": "mine", "scope": ["kraken:BTC/USD"], "condition": LEVEL, "cooldown_seconds": 600}
        rules.add(connection, parse_rule(given))
    tick(pipeline, 100.0)
    jump(pipeline, ahead, 120.0)
    assert [alert.fired_at > pipeline.now for alert in pipeline.reader.alerts()] == [True]

    tick(pipeline, 121.0)
    (alert,) = pipeline.reader.alerts()
    assert alert.fired_at == pipeline.now - timedelta(minutes=1)  # the right time of its tick
    assert alert.resolved_at is None
    tick(pipeline, 100.0)
    (alert,) = pipeline.reader.alerts()
    assert alert.resolved_at == pipeline.now
    for price in (120.0, 100.0, 120.0):  # within the cooldown
        tick(pipeline, price)
    assert len(pipeline.reader.alerts()) == 1
    for minute in range(12):
        tick(pipeline, 100.0 if minute % 2 else 120.0)
    assert len(pipeline.reader.alerts()) == 2


def test_an_alert_resolved_by_a_clock_that_was_ahead_still_ends_after_it_fired(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    tick(pipeline, 1000.0)
    assert len(pipeline.reader.alerts()) == 1
    jump(pipeline, timedelta(minutes=20), 100.0)
    assert pipeline.reader.alerts()[0].resolved_at > pipeline.now  # type: ignore[operator]

    tick(pipeline, 100.0)
    (alert,) = pipeline.reader.alerts()
    assert alert.fired_at <= alert.resolved_at <= pipeline.now  # type: ignore[operator]


def test_alerts_of_one_rule_and_metric_keep_distinct_times(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    with writing(engine) as connection:
        given = {"name": "mine", "scope": ["kraken:BTC/USD"], "condition": LEVEL, "cooldown_seconds": 0}
        rules.add(connection, parse_rule(given))
    for _ in range(2):
        for minute in range(20):
            tick(pipeline, 100.0 if minute % 2 else 120.0)
        pipeline.now -= timedelta(minutes=20)
        tick(pipeline, 100.0)
    times = [alert.fired_at for alert in pipeline.reader.alerts()]
    assert len(times) == len(set(times)) == 20
    assert all(time <= pipeline.now for time in times)


def test_messages_given_up_or_postponed_by_a_clock_that_was_ahead_are_pending_again(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    tick(pipeline, 1000.0)
    future = int((pipeline.now + 3 * DAY).timestamp())
    with writing(engine) as connection:
        assert outbox.give_up_old(connection, "mail", future) == 1
    jump(pipeline, 3 * DAY)
    tick(pipeline)

    now = int(pipeline.now.timestamp())
    with writing(engine) as connection:
        claimed = outbox.claim(connection, "mail", now, "me")
        assert claimed is not None
        assert claimed.expires_at == int((NOON + timedelta(minutes=9)).timestamp()) + 86_400
        # A message postponed beyond the maximum was postponed by a clock that was ahead.
        outbox.postpone(connection, claimed, future, "no", paused_until=future)
        assert outbox.claim(connection, "mail", now, "me") is not None


def test_a_mute_made_while_the_clock_was_ahead_keeps_its_length(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    ahead = int((pipeline.now + 3 * DAY).timestamp())
    with writing(engine) as connection:
        mutes.add(connection, None, 1, ahead + 3_600, None, ahead + 60)
        mutes.add(connection, None, 2, ahead + 3_600, None, ahead - 3 * 86_400)
    jump(pipeline, 3 * DAY)
    tick(pipeline)

    with reading(engine) as connection:
        found = mutes.current(connection, int(pipeline.now.timestamp()))
    assert [mute.until for mute in found] == [
        NOON + timedelta(minutes=8 + 60),  # its hour, counted from the previous tick
        datetime.fromtimestamp(ahead + 3_600, UTC),
    ]


def test_a_mute_ended_by_a_clock_that_was_ahead_is_in_force_again(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    tick(pipeline, 1000.0)
    with writing(engine) as connection:
        mutes.add(connection, None, 1, int((pipeline.now + DAY).timestamp()), "known", int(pipeline.now.timestamp()))
    jump(pipeline, 3 * DAY, 1000.0)
    assert [alert.muted for alert in pipeline.reader.alerts()] == [False]

    tick(pipeline, 1000.0)
    assert [alert.muted for alert in pipeline.reader.alerts()] == [True]
    pipeline.now += DAY
    tick(pipeline, 1000.0)
    assert [alert.muted for alert in pipeline.reader.alerts() if alert.resolved_at is None] == [False]
    with writing(engine) as connection:
        assert mutes.current(connection, int(pipeline.now.timestamp())) == ()
        assert not mutes.remove(connection, 1, int(pipeline.now.timestamp()))


def test_sealed_samples_are_set_aside_too(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    ahead = 10 * DAY
    pipeline.now += ahead
    for _ in range(5):
        tick(pipeline)
    pipeline.now += 3 * DAY
    tick(pipeline)
    assert seal(pipeline.plan, pipeline.now, None, lambda: True).sealed > 0
    stored = pipeline.stored(KEYS[0], hours=24 * 30)
    pipeline.now -= ahead + 3 * DAY

    tick(pipeline)
    assert pipeline.stored(KEYS[0], hours=24 * 30) == [
        *stored[:8],
        (pipeline.now, pipeline.exchanges[0].prices["BTC/USD"]),
    ]
    assert pipeline.reader.status(pipeline.now).set_aside.prices == 12  # type: ignore[union-attr]
    since, until = NOON - DAY, NOON + 30 * DAY
    assert pipeline.reader.hours(1, since, until).starts.tolist() == [int(NOON.timestamp())]
    assert pipeline.row(KEYS[0]).stdev == pytest.approx(pipeline.two_pass_stdev(KEYS[0]), rel=1e-9)


def test_a_clock_that_is_briefly_wrong_by_years_removes_nothing(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    before = pipeline.stored(KEYS[0])
    tick(pipeline, minutes=60 * 24 * 3653)
    seal(replace(pipeline.plan, retention_seconds=86_400), pipeline.now, None, lambda: True)
    pipeline.now -= timedelta(days=3653)
    tick(pipeline)
    assert pipeline.stored(KEYS[0])[:8] == before


def test_the_status_reports_nothing_set_aside_if_the_clock_was_never_ahead(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    with reading(engine) as connection:
        assert set_aside.total(connection) is None
    assert pipeline.reader.status(pipeline.now).set_aside is None


@pytest.mark.parametrize("behind", [timedelta(days=2), timedelta(days=3653)])
def test_a_clock_behind_most_of_the_history_sets_nothing_aside(
    engine: Engine, behind: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = pipeline_of(engine)
    with writing(engine) as connection:  # one tick a minute in the last 30 hours
        for number in range(8, 1_800):
            minute = NOON - timedelta(minutes=number)
            ticks.record(connection, builders.tick_state(minute=minute))
    stored, right = pipeline.stored(KEYS[0]), pipeline.now
    pipeline.now -= behind
    for _ in range(3):
        assert tick(pipeline) is None
        assert pipeline.reader.status(pipeline.now).stale
    assert caplog.text.count("the clock was set back") == 1
    assert pipeline.reader.status(pipeline.now).set_aside is None

    pipeline.now = right
    tick(pipeline)
    assert pipeline.stored(KEYS[0])[:-1] == stored


def test_ticks_of_a_clock_that_was_days_ahead_are_set_aside_when_it_is_corrected(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    with writing(engine) as connection:
        for number in range(2_880):  # the clock was three days ahead for two days
            minute = pipeline.now + timedelta(days=3, minutes=number)
            ticks.record(connection, builders.tick_state(minute=minute))
    jump(pipeline, timedelta(days=5), 105.0)
    pipeline.now += timedelta(days=2)
    assert tick(pipeline) is not None
    assert pipeline.reader.status(pipeline.now).set_aside.ticks == 2_881  # type: ignore[union-attr]
