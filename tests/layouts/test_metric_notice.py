from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from layouts import parts
from layouts.metric_notice import notice
from services.market.ranking import RankedMetric
from services.market.status import Status
from tests import builders
from tests.builders import NOON
from tests.layouts.reading import text_of

FIVE_AGO = NOON - timedelta(minutes=5)
OLD = builders.ranked_metric(stale=True, updated_at=FIVE_AGO)
GONE = builders.exchange_state(failing_since=NOON - timedelta(minutes=4), error="cannot resolve host")


def notice_text(row: RankedMetric, state: Status | None = None, now: datetime = NOON, **profile: Any) -> str:
    return text_of(notice(row, state or builders.status(), now, builders.profile(**profile), UTC))


def test_a_current_price_with_a_full_window_has_no_notice():
    assert notice_text(builders.ranked_metric()) == ""


def test_a_stale_price_shows_its_age_and_the_error_of_its_exchange():
    assert notice_text(OLD, builders.status(exchanges=(builders.exchange_state("okx"), GONE))) == (
        "This price is 5 min old|: kraken has not answered since 11:56 (cannot resolve host).|"
        "Price, changes and volume are as of 11:55."
    )


def test_a_time_of_another_day_has_its_date():
    assert "since 1 Mar 2026, 11:56 (" in notice_text(OLD, builders.status(exchanges=(GONE,)), NOON + timedelta(days=3))


@pytest.mark.parametrize(
    ("note", "text"), [(None, ""), ("2 of 9 tracked pairs without a price", " (2 of 9 tracked pairs")]
)
def test_an_exchange_that_answers_without_this_price_is_not_reported_as_failing(note, text):
    state = builders.status(exchanges=(builders.exchange_state(note=note),))
    assert f": kraken answers without a price for this pair{text}" in notice_text(OLD, state)


def test_the_exchange_is_not_blamed_when_ticks_have_stopped():
    state = builders.status(stale=True, minute=FIVE_AGO, exchanges=(GONE,))
    assert ": nothing has been stored since 11:55." in notice_text(OLD, state)


@pytest.mark.parametrize("reason", ["delisted", "halted", "frozen"])
def test_an_inactive_metric_shows_the_reason(reason):
    row = builders.ranked_metric(stale=True, updated_at=FIVE_AGO, active=False, rank=None, reason=reason)
    meaning = parts.STATE_MEANINGS[reason]
    assert f"5 min old|: {meaning[0].lower()}{meaning[1:]}." in notice_text(row)


def test_a_metric_that_never_had_a_price_shows_that():
    row = builders.ranked_metric(stale=True, price=None, updated_at=None, samples=0, coverage=0.0)
    assert notice_text(row, builders.status(exchanges=(GONE,))).startswith(
        "No price yet|: kraken has not answered since"
    )


def test_a_partial_window_shows_its_coverage_and_whether_it_grows():
    row = builders.ranked_metric(coverage=0.125, samples=180)
    assert notice_text(row) == "Its statistics cover 3 h of 24 h."
    filling = builders.status(backfills=(builders.backfill_state("kraken", done=5, total=20),))
    assert notice_text(row, filling) == "Its statistics cover 3 h of 24 h; the backfill is running."


@pytest.mark.parametrize(
    ("coverage", "period", "hours", "has_notice"),
    [
        (0.99, 60, 24, False),
        (0.9899, 60, 24, True),
        (0.984, 60, 1, False),
        (0.982, 60, 1, True),
        (0.1, 3_600, 1, False),
    ],
)
def test_a_hundredth_of_the_window_or_a_period_may_be_missing(coverage, period, hours, has_notice):
    row = builders.ranked_metric(coverage=coverage)
    assert bool(notice_text(row, period_seconds=period, window_hours=hours)) == has_notice
