from datetime import UTC, datetime, timedelta

import pytest

from services.market.times import from_epoch, parse_moment, period_of, span_text, to_epoch


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:30", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01 14:30+02:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("1772368200", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_parsed_as_utc(text: str, moment: datetime) -> None:
    found = parse_moment(text)

    assert found == moment
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "1772368200.5", "2026-13-01", "1772368200000", "9" * 30])
def test_the_error_quotes_the_invalid_time(text: str) -> None:
    with pytest.raises(ValueError, match="is neither an ISO-8601 time nor epoch seconds") as caught:
        parse_moment(text)

    assert repr(text) in str(caught.value)


def test_the_error_shortens_a_long_text() -> None:
    with pytest.raises(ValueError, match=f"^'{'x' * 40}' is neither"):
        parse_moment("x" * 50)


def test_a_time_before_the_first_year_in_utc_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        parse_moment("0001-01-01T00:00+14:00")


@pytest.mark.parametrize(("period", "begins"), [(5, "12:34:55"), (60, "12:34:00"), (3600, "12:00:00")])
def test_a_period_is_named_by_its_start(period: int, begins: str) -> None:
    found = period_of(datetime(2026, 3, 1, 12, 34, 56, 789, tzinfo=UTC), period)

    assert found.isoformat() == f"2026-03-01T{begins}+00:00"


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2026-03-01T12:00:00z", 0),
        ("2026-03-01t12:00:00z", 0),
        ("2026-03-01t12:00:00.000+00:00", 0),
        ("2026-03-01T11:59:60Z", 0),
        ("2026-03-01T11:59:60z", 0),
        ("2026-03-01T13:29:60+01:30", 0),
        ("2026-03-01 11:59:60", 0),
        ("2026-03-01T11:59:60.500Z", 0.5),
    ],
)
def test_lower_case_letters_and_leap_seconds_are_parsed_as_rfc_3339_allows(text: str, second: float) -> None:
    assert parse_moment(text) == datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=second)


@pytest.mark.parametrize(
    "text", ["2026-03-01T11:60:00Z", "2026-03-01T11:59:61Z", "2026-03-01T11:59:600Z", "9999-12-31T23:59:60Z"]
)
def test_only_seconds_may_be_60_and_no_time_exceeds_the_last_year(text: str) -> None:
    with pytest.raises(ValueError, match="is neither an ISO-8601 time nor epoch seconds"):
        parse_moment(text)


def test_epoch_seconds_become_an_aware_datetime_and_back() -> None:
    moment = from_epoch(1_772_368_200)

    assert moment == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert moment.utcoffset() == timedelta(0)
    assert to_epoch(moment) == 1_772_368_200


def test_a_fraction_of_a_second_is_cut_off_in_epoch_seconds() -> None:
    assert to_epoch(datetime(2026, 3, 1, 12, 30, 0, 999_999, tzinfo=UTC)) == 1_772_368_200


def test_an_unknown_time_stays_unknown() -> None:
    assert from_epoch(None) is None
    assert to_epoch(None) is None


def test_a_span_is_written_in_its_largest_whole_unit() -> None:
    texts = [span_text(seconds) for seconds in (0, 90, 60, 900, 3600, 5400, 14_400, 86_400, 90_000, 604_800)]

    assert texts == ["0 s", "90 s", "1 min", "15 min", "1 h", "90 min", "4 h", "24 h", "25 h", "7 d"]
