import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from layouts import notation

AFTERNOON = datetime(2026, 3, 1, 14, 3, tzinfo=UTC)


CASES = json.loads((Path(__file__).parents[1] / "notation_cases.json").read_text())
"""Cases that the browser must write in the same way: tests/js/notation.test.mjs reads them too."""


@pytest.mark.parametrize(("value", "text"), CASES["price"])
def test_a_price_has_its_significant_digits(value, text):
    assert notation.price(value) == text


@pytest.mark.parametrize(("fraction", "text"), CASES["change"])
def test_a_change_has_a_sign_unless_it_rounds_to_zero(fraction, text):
    assert notation.change(fraction) == text


@pytest.mark.parametrize(("fraction", "text"), CASES["share"])
def test_a_share_has_more_digits_if_two_would_show_zero(fraction, text):
    assert notation.share(fraction) == text


@pytest.mark.parametrize(("value", "text"), CASES["amount"])
def test_an_amount_is_rounded_to_a_unit(value, text):
    assert notation.amount(value) == text


@pytest.mark.parametrize(("seconds", "text"), CASES["duration"])
def test_a_duration_is_in_the_largest_unit_of_which_it_has_two(seconds, text):
    assert notation.duration(seconds) == text
    assert notation.age(AFTERNOON - timedelta(seconds=seconds), AFTERNOON) == f"{text} old"


@pytest.mark.parametrize(("window", "text"), CASES["window"])
def test_a_window_shows_its_coverage(window, text):
    assert notation.window(*window) == text


def test_a_time_on_another_day_has_its_date():
    then = AFTERNOON - timedelta(hours=1)
    assert notation.clock_or_stamp(then, AFTERNOON, UTC) == "13:03"
    assert notation.clock_or_stamp(then, AFTERNOON + timedelta(days=1), UTC) == "1 Mar 2026, 13:03"
    assert notation.clock_or_stamp(then, AFTERNOON, ZoneInfo("Asia/Tokyo")) == "22:03"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (812_345, "812 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (4_213_000, "4.21 MB"),
        (9_996_000, "10.0 MB"),
        (99_960_000, "100 MB"),
        (1_204_000_000, "1.20 GB"),
        (3.2e12, "3.20 TB"),
        (5e15, "5,000 TB"),
        (-42_100_000, "\N{MINUS SIGN}42.1 MB"),
        (-12, "\N{MINUS SIGN}12 B"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_size_has_three_digits(count, text):
    assert notation.size(count) == text


@pytest.mark.parametrize(("value", "text"), [(340.4, "340 ms"), (2_440.0, "2.4 s"), (None, "\N{EN DASH}")])
def test_a_duration_is_in_a_readable_unit(value, text):
    assert notation.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "average", "text"),
    [(190_000, 60_000, "3.2"), (1, 3, "0.3"), (1e6, 3, "333 K"), (1e12, 1e-18, "1.00e30")],
)
def test_a_multiple_is_to_a_tenth_and_shortened_where_it_is_large(value, average, text):
    assert notation.multiple(value, average) == f"{text}\N{MULTIPLICATION SIGN}"


def test_columns_are_wide_enough_for_the_texts_of_the_browser():
    assert json.loads((Path(__file__).parents[1] / "notation_widest.json").read_text()) == notation.WIDEST


def test_no_number_up_to_1e99_is_wider_than_its_column():
    kinds = {"priceText": notation.price, "shareText": notation.share, "amountText": notation.amount}
    kinds["changeText"] = notation.change
    for value in (digits * 10.0**power for power in range(-99, 97) for digits in (1, 1.2345678, 9.9949999, 9.9999999)):
        for name, write in kinds.items():
            assert len(write(value)) <= len(notation.WIDEST[name]), (name, value, write(value))


@pytest.mark.parametrize("name", [None, 7, "", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_a_browser_without_a_valid_time_zone_gets_utc(name):
    assert notation.zone_named(name) is UTC


def test_times_are_written_in_the_viewers_zone():
    berlin = notation.zone_named("Europe/Berlin")

    assert berlin == ZoneInfo("Europe/Berlin")
    assert notation.zone_label(berlin) == "Europe/Berlin"
    assert notation.zone_label(UTC) == "UTC"
    assert notation.clock(AFTERNOON, berlin) == "15:03"
    assert notation.stamp(AFTERNOON, berlin) == "1 Mar 2026, 15:03"


def test_seconds_are_written_if_they_are_not_zero():
    assert notation.clock(AFTERNOON.replace(second=5), UTC) == "14:03:05"


def test_an_unknown_time_is_a_dash():
    assert (notation.clock(None, UTC), notation.stamp(None, UTC)) == ("\N{EN DASH}", "\N{EN DASH}")
