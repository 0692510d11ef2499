from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from layouts import notation

AFTERNOON = datetime(2026, 3, 1, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (60_123.4, "60,123.40"),
        (142.37, "142.37"),
        (1.085, "1.0850"),
        (0.5231, "0.5231"),
        (1.00005, "1.0001"),
        (1e22, "10,000,000,000,000,000,000,000.00"),
        (0.00002345, "0.00002345"),
        (0.0, "0"),
        (-12.5, "\N{MINUS SIGN}12.5000"),
        (2e-15, "2.000e\N{MINUS SIGN}15"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_price_has_the_digits_that_matter(value, text):
    assert notation.price(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0125, "+1.25 %"),
        (-0.034, "\N{MINUS SIGN}3.40 %"),
        (0.0, "0.00 %"),
        (-0.00001, "0.00 %"),
        (12.5, "+1,250.00 %"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_change_carries_its_sign_unless_it_rounds_to_nothing(fraction, text):
    assert notation.change(fraction) == text


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0135, "1.35 %"), (0.00001, "0.0010 %"), (0.0, "0.00 %"), (None, "\N{EN DASH}")]
)
def test_a_share_shows_more_digits_where_two_would_show_nothing(fraction, text):
    assert notation.share(fraction) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (950.3, "950.30"),
        (12_400, "12.40 K"),
        (1.234e6, "1.23 M"),
        (1.5e9, "1.50 B"),
        (2e12, "2.00 T"),
        (None, "\N{EN DASH}"),
    ],
)
def test_an_amount_is_rounded_to_a_unit(value, text):
    assert notation.amount(value) == text


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
def test_a_duration_is_in_the_unit_people_read(value, text):
    assert notation.milliseconds(value) == text


def test_a_multiple_is_to_a_tenth():
    assert notation.multiple(190_000, 60_000) == "3.2\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize("name", [None, 7, "", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_a_browser_that_names_no_time_zone_gets_utc(name):
    assert notation.zone_named(name) is UTC


def test_times_are_told_in_the_viewers_zone():
    berlin = notation.zone_named("Europe/Berlin")

    assert berlin == ZoneInfo("Europe/Berlin")
    assert notation.zone_label(berlin) == "Europe/Berlin"
    assert notation.zone_label(UTC) == "UTC"
    assert notation.clock(AFTERNOON, berlin) == "15:03"
    assert notation.stamp(AFTERNOON, berlin) == "1 Mar 2026, 15:03"


def test_seconds_are_told_where_there_are_any():
    assert notation.clock(AFTERNOON.replace(second=5), UTC) == "14:03:05"


def test_an_unknown_moment_is_a_dash():
    assert (notation.clock(None, UTC), notation.stamp(None, UTC)) == ("\N{EN DASH}", "\N{EN DASH}")
