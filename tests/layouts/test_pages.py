from dataclasses import replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from layouts import ids, metric, parts, ranking, shell, status, status_history, status_storage, theme
from layouts.price_chart import Subject
from services.market.status import SetAside, ShownSetting
from services.market.types import Metric
from tests import builders
from tests.layouts.reading import by_id, links_in, rows_of, text_of, walk

PROFILE = builders.profile()
SIMULATED = builders.profile(simulated=True)


def metric_page(row, neighbours=(), fired=(), threshold=False):
    state = builders.status()
    metrics = neighbours or (row,)
    subject = Subject(row, fired, PROFILE, 7)
    present = metric.Present(state, builders.NOON, metrics)
    return metric.page(subject, {"data": [], "layout": {}}, present, UTC, threshold=threshold)


def test_the_frame_has_the_components_that_every_page_needs():
    frame = shell.page(PROFILE)

    for identity in (
        ids.ALERT_BANNER,
        ids.CONNECTION_STATUS,
        ids.PAGE,
        ids.LOCATION,
        ids.POLL,
        ids.THEME,
        ids.ZONE,
        ids.TOAST,
    ):
        assert by_id(frame, identity).id == identity
    assert {"Header", "Nav", "Main", "Footer", "Aside"} <= {type(one).__name__ for one in walk(frame)}


def test_the_navigation_leads_to_pages_that_exist_and_no_others():
    assert [href for href in links_in(shell.page(PROFILE)) if href.startswith("/")] == [
        "/",
        "/",
        "/compare",
        "/alerting",
        "/status",
        "/docs",
    ]


def test_simulated_data_are_marked_on_the_frame_and_real_ones_are_not():
    assert text_of(shell.page(SIMULATED)).count("Simulated data") == 2
    assert "Simulated" not in text_of(shell.page(PROFILE))


def test_the_first_paint_already_has_the_theme_and_the_language():
    index = shell.index("")
    assert '<html lang="en" data-root="">' in index
    assert index.index(shell.THEME_SCRIPT) < index.index("{%css%}")


def test_an_unknown_path_is_shown_as_text():
    page = shell.not_found("/<script>")

    assert "/<script>" in text_of(page)
    assert links_in(page) == ["/"]


def test_the_page_of_a_database_outage_announces_a_retry():
    assert "retries every few seconds" in text_of(shell.unavailable())


def test_the_table_identifies_rows_by_their_id_as_text():
    table = by_id(ranking.page(PROFILE), ids.RANKING_TABLE)

    assert table.getRowId == "params.data.id"
    shown = [column["field"] for column in table.columnDefs if "initialHide" not in column]
    fields = "star rank moved pair market price change_1h change_24h stdev volatility turnover spark alerted"
    assert " ".join(shown) == fields
    assert [column["field"] for column in table.columnDefs if column.get("initialSort") == "asc"] == ["rank"]


def test_the_table_uses_the_colours_of_the_page():
    assert "backgroundColor: 'var(--dt-surface)'" in theme.grid_theme()["function"]


def test_an_empty_ranking_shows_instructions():
    text = text_of(by_id(ranking.page(PROFILE), ids.RANKING_EMPTY))

    assert "Waiting for the first prices" in text
    assert "TRACK" in text
    assert "--demo" in text


def test_a_metric_shows_its_price_its_rank_and_its_changes():
    text = text_of(metric.headline(builders.ranked_metric(), builders.NOON))

    assert text == "BTC|/USD|kraken|Rank 1|60,123.40|USD|+1.25 %|1 h|\N{MINUS SIGN}3.40 %|24 h"


def test_an_unranked_metric_shows_the_reason():
    row = builders.ranked_metric(rank=None, active=False, reason="delisted")
    silent = builders.ranked_metric(rank=None, active=False)

    assert "Unranked|Delisted" in text_of(metric.headline(row, builders.NOON))
    assert "Unranked|Inactive" in text_of(metric.headline(silent, builders.NOON))


@pytest.mark.parametrize("mark", parts.STATE_MEANINGS)
def test_a_chip_beside_a_pair_explains_itself_in_its_title(mark):
    new = {"new_at": builders.NOON} if mark == "new" else {"active": False, "reason": mark}
    (chip,) = parts.state_chips(builders.ranked_metric(**new))

    assert (chip.children, chip.title) == (mark.capitalize(), parts.STATE_MEANINGS[mark])
    assert parts.state_chips(builders.ranked_metric()) == []


def test_a_new_halted_metric_is_marked_as_both():
    text = text_of(
        metric.headline(builders.ranked_metric(new_at=builders.NOON, active=False, reason="halted"), builders.NOON)
    )

    assert "|New|Halted|" in text


def test_a_metrics_figures_carry_their_units():
    text = text_of(metric.figures(builders.ranked_metric(), PROFILE, ZoneInfo("Europe/Berlin")))

    assert "Standard deviation, 24 h|812.25" in text
    assert "Volatility, 24 h|1.35 %" in text
    assert "Average, 1 h|60,050.50" in text
    assert "Alert above (3\N{MULTIPLICATION SIGN})|180,151.50" in text
    assert "Volume, 24 h|1.23 K BTC" in text
    assert "Samples, 24 h|1,440" in text
    assert "Coverage of 24 h|100.00 %" in text
    assert "Updated|1 Mar 2026, 13:00" in text


def test_an_unknown_volume_is_a_dash_without_a_unit():
    text = text_of(metric.figures(builders.ranked_metric(volume_24h=None), PROFILE, UTC))

    assert "Volume, 24 h|\N{EN DASH}|Samples" in text


def test_a_metrics_page_offers_the_ranges_and_the_threshold():
    page = metric_page(builders.ranked_metric(), threshold=True)

    assert [option["value"] for option in by_id(page, ids.METRIC_SPAN).options] == [
        "1",
        "6",
        "24",
        "168",
        "720",
        "8760",
    ]
    assert by_id(page, ids.METRIC_SPAN).value == "24"
    assert by_id(page, ids.METRIC_THRESHOLD).value is True
    assert by_id(page, ids.METRIC_ID).data == 1
    assert by_id(page, ids.METRIC_TITLE).data == "60,123.40 BTC/USD"


def test_the_chart_has_no_button_that_uploads_it():
    config = by_id(metric_page(builders.ranked_metric()), ids.METRIC_CHART).config

    assert "sendChartToCloud" in config["modeBarButtonsToRemove"]


def test_a_metrics_alerts_are_listed_with_their_multiple():
    halved = builders.alert(2, rule_id=3, rule="Halved", condition="price down by 50 % in 1 h", average=None)
    fired = metric.alert_list((builders.alert(), replace(halved, resolved_at=builders.NOON)), UTC)

    assert rows_of(fired)[1:] == [
        "1 Mar 2026, 11:55|Built-in rule|190,000.00|60,000.00|3.2\N{MULTIPLICATION SIGN}|Firing",
        "1 Mar 2026, 11:55|Halved|190,000.00|\N{EN DASH}|price down by 50 % in 1 h|Resolved",
    ]
    assert text_of(metric.alert_list((), UTC)) == "No alert has fired."


def test_only_the_newest_of_many_alerts_are_listed():
    many = tuple(builders.alert(number) for number in range(1, metric.MAX_LISTED + 2))

    assert len(rows_of(metric.alert_list(many, UTC))) == 1 + metric.MAX_LISTED


def test_an_unknown_metric_is_named_as_text():
    page = metric.unknown("<img src=x>")

    assert "<img src=x>" in text_of(page)
    assert links_in(page) == ["/"]


def overview(day=None, **changes):
    return status.overview(builders.status(**changes), day or builders.day(), UTC)


def recent(**changes):
    return status.recent(builders.status(**changes), UTC)


def storage(**changes):
    return status_storage.storage(builders.status(**changes), UTC)


def test_the_status_page_names_a_failing_exchange_and_its_error():
    failing = builders.exchange_state(
        "okx", failing_since=builders.NOON - timedelta(minutes=3), error="timed out", latency_ms=None, rejected=2,
        permitted=9.0909,
    )  # fmt: skip
    mute = builders.exchange_state("htx", failing_since=builders.NOON, error=None, permitted=None)

    rows = rows_of(overview(exchanges=(builders.exchange_state(), failing, mute))[1])

    assert rows[1] == "kraken|Answering|10|1 Mar 2026, 12:00|340 ms|1 a second|0"
    assert rows[2].startswith("okx|Failing since 1 Mar 2026, 11:57|timed out|10|")
    assert rows[2].endswith("|\N{EN DASH}|9.09 a second|2")
    assert "no reason given" in rows[3]
    assert rows[3].endswith("|\N{EN DASH}|0")


def test_the_status_page_shows_notes_and_the_last_error_of_an_exchange():
    odd = builders.exchange_state(
        note="3 of 10 tracked pairs without a price", failed_at=builders.NOON, error="HTTP 502"
    )

    rows = rows_of(overview(exchanges=(odd,))[1])

    assert rows[1].startswith(
        "kraken|Answering|3 of 10 tracked pairs without a price|Last error 1 Mar 2026, 12:00: HTTP 502|10|"
    )


def test_the_status_page_sums_up_the_day():
    failing = builders.exchange_state("okx", failing_since=builders.NOON)
    counts = [np.eye(1, 96, place, dtype=np.int64)[0] * 4 for place in (3, 5)]
    longest = np.full(96, np.nan)
    longest[7] = 2_400.0
    day = builders.day(ticks=builders.tick_day(missed=counts[0], failed=counts[1], longest_ms=longest))

    text = text_of(overview(day, exchanges=(builders.exchange_state(), failing))[0])

    assert (
        text
        == "Exchanges answering|1 of 2|Metrics|20|Ticks in 24 h|1,440|Missed ticks|4|Failed ticks|4|Longest tick|2.4 s"
    )


def test_the_status_page_lists_ticks_with_what_went_wrong():
    late = builders.tick_state(late_ms=2_500.0, missed=2, rejected=3, failed=("okx", "htx"))

    rows = rows_of(recent(ticks=(late,)))

    assert rows[1] == "12:00|2.5 s|340 ms|21 ms|10|3|2|okx, htx"


@pytest.mark.parametrize(
    ("holder", "text"),
    [
        ("box:4711:0a1b2c3d", "Clock: box, process 4711"),
        ("somebody", "Clock: somebody"),
        (None, "No process has the clock"),
    ],
)
def test_the_status_page_shows_which_process_has_the_clock(holder, text):
    assert text in text_of(recent(holder=holder))
    assert "0a1b2c3d" not in text_of(recent(holder=holder))


def test_the_status_page_of_a_new_installation_is_complete():
    nothing = builders.tick_day(longest_ms=np.full(96, np.nan), ticks=np.zeros(96, dtype=np.int64))
    state = builders.status(exchanges=(), ticks=(), minute=None)
    text = text_of(status.page(state, builders.day(ticks=nothing), PROFILE, UTC))

    assert "No exchange has been asked yet." in text
    assert "None yet." in text
    assert "Longest tick|\N{EN DASH}" in text
    assert "are shown here for a day" in text
    assert "Data|Live exchanges" in text


def test_the_status_page_lists_settings_and_points_out_defaults():
    settings = (ShownSetting("PERIOD_SECONDS", "5", False), ShownSetting("REDIS_URL", "unset", True))
    rows = rows_of(status.configuration(builders.profile(settings=settings, simulated=True)))

    assert rows[1:] == ["Version|1.0.0|", "Data|Simulated|", "PERIOD_SECONDS|5|set", "REDIS_URL|unset|default"]


def test_the_status_page_lists_new_and_delisted_pairs():
    came = Metric(3, "okx", "SOL", "USD", new_at=builders.NOON)
    went = Metric(4, "kraken", "XMR", "EUR", active=False, reason="delisted", gone_at=builders.NOON)

    listings = status.listings(builders.day(came=(came,), went=(went,)), UTC)

    title = "Listings of the last 24 hours"
    assert text_of(listings) == (
        f"{title}|New|SOL/USD| |okx|1 Mar 2026, 12:00|Delisted|XMR/EUR| |kraken|1 Mar 2026, 12:00"
    )
    assert links_in(listings) == ["/metric/3", "/metric/4"]


def test_only_the_latest_of_many_listings_are_shown():
    many = tuple(Metric(number, "okx", f"C{number}", "USD", new_at=builders.NOON) for number in range(1, 16))

    listings = status.listings(builders.day(came=many), UTC)

    assert len(links_in(listings)) == status.MAX_LISTED
    assert text_of(listings).endswith("|and 3 more")


@pytest.mark.parametrize(("up", "text"), [(True, "Shared cache answering"), (False, "Shared cache unavailable")])
def test_the_status_page_shows_the_shared_cache_if_there_is_one(up, text):
    assert text in text_of(storage(shared_cache=up))
    assert "hared cache" not in text_of(storage())


def test_the_status_page_shows_what_was_set_aside():
    at = builders.NOON
    aside = SetAside(at, at + timedelta(days=3), at + timedelta(days=3, minutes=5), ticks=6, prices=1_240)
    text = (
        "A clock was ahead: 6 ticks and 1,240 prices, dated 4 Mar 2026, 12:00 to 4 Mar 2026, 12:05, were set aside at"
        " 1 Mar 2026, 12:00 and are not used"
    )
    assert text in text_of(status_storage.storage(builders.status(set_aside=aside), UTC))
    assert "set aside" not in text_of(status_storage.storage(builders.status(), UTC))


def test_the_status_page_shows_samples_beyond_their_retention():
    text = "Samples since 1 Mar 2026, 12:00 are kept longer than RETENTION_DAYS"
    storage = builders.storage(retained_since=builders.NOON)
    assert text in text_of(status_storage.storage(builders.status(storage=storage), UTC))
    assert "kept longer" not in text_of(status_storage.storage(builders.status(storage=builders.storage()), UTC))


def test_the_status_page_shows_that_the_database_cannot_be_written():
    text = "Nothing can be written, so no tick is stored: database or disk is full"
    assert text in text_of(status_storage.storage(builders.status(cannot_write="database or disk is full"), UTC))
    assert "Nothing can be written" not in text_of(status_storage.storage(builders.status(), UTC))


def test_growth_is_drawn_once_there_are_two_sizes():
    for known in ((), (1_000_000,)):
        day = builders.day(sizes=builders.sizes(*known))
        assert status_storage.charts(day, UTC)[1] is None
        assert "Hourly size" not in text_of(status.page(builders.status(), day, PROFILE, UTC))
    grown = builders.day(sizes=builders.sizes(1_000_000, 2_000_000))

    assert "Hourly size" in text_of(status.page(builders.status(), grown, PROFILE, UTC))


@pytest.mark.parametrize(
    ("storage", "text"),
    [
        (None, "Not measured yet."),
        (
            builders.storage(),
            "Database size|123 MB|Growth in 24 h|4.56 MB|Sealed until|27 Feb 2026, 12:00",
        ),
        (
            builders.storage(growth_bytes=None, sealed_until=None),
            "Database size|123 MB|Growth in 24 h|not known yet|Sealed until|nothing yet",
        ),
        (
            builders.storage(growth_bytes=-20_000),
            "Database size|123 MB|Growth in 24 h|\N{MINUS SIGN}20.0 kB|Sealed until|27 Feb 2026, 12:00",
        ),
    ],
)
def test_the_status_page_shows_the_size_and_growth_of_the_database(storage, text):
    page = status.page(builders.status(storage=storage), builders.day(), PROFILE, UTC)

    assert f"|Storage|{text}|Listings of" in text_of(page)


def test_warnings_come_first_on_the_status_page():
    cards = overview(warnings=("kraken has no FOO/USD",))

    assert text_of(cards[1]) == "Check TRACK|kraken has no FOO/USD"


@pytest.mark.parametrize(
    ("failed", "text", "value"), [(0, "5 of 20 requests", "5"), (15, "5 of 20 requests, 15 failed", "5")]
)
def test_backfill_is_a_bar_with_its_counts(failed, text, value):
    part = status_history.backfill(builders.backfill_state(failed=failed))
    bar = next(one for one in walk(part) if type(one).__name__ == "Progress")

    assert text_of(part) == f"kraken|{text}"
    assert (bar.value, bar.max) == (value, "20")


def histories(**changes):
    """The text and the filled share of the bar of each exchange's backfill on the status page."""
    parts_of_it = status_history.backfills(builders.status(**changes))
    bars = [next(one for one in walk(part) if type(one).__name__ == "Progress") for part in parts_of_it]
    return [(text_of(part), float(bar.value) / float(bar.max)) for part, bar in zip(parts_of_it, bars, strict=True)]


def test_the_backfill_of_an_exchange_that_has_never_answered_is_an_empty_bar():
    silent = builders.exchange_state(last_success=None, failing_since=builders.NOON, error="timed out")
    nothing = builders.backfill_state(done=0, failed=0, total=0)

    assert histories(exchanges=(silent,)) == [("kraken|waiting for the first answer", 0.0)]
    assert histories(exchanges=(silent,), backfills=(nothing,)) == [("kraken|waiting for the first answer", 0.0)]
    assert histories(exchanges=(silent,), backfills=(builders.backfill_state(done=0),)) == [
        ("kraken|waiting for the first answer, 20 requests to come", 0.0)
    ]


def test_an_exchange_without_gaps_has_no_bar():
    nothing = builders.backfill_state(done=0, failed=0, total=0)

    assert histories(exchanges=(builders.exchange_state(),)) == []
    assert histories(exchanges=(builders.exchange_state(),), backfills=(nothing,)) == []


def test_a_finished_backfill_shows_its_total():
    over = builders.backfill_state(done=630, total=630)

    assert histories(exchanges=(builders.exchange_state(),), backfills=(over,)) == [("kraken|630 of 630 requests", 1.0)]


def test_the_status_page_shows_backfills_and_simulation():
    state = builders.status(backfills=(builders.backfill_state(),))
    text = text_of(status.page(state, builders.day(), SIMULATED, UTC))

    assert "Backfill|kraken|5 of 20 requests" in text
    assert "Data|Simulated" in text


@pytest.mark.parametrize(("fraction", "look"), [(0.1, "is-up"), (-0.1, "is-down"), (0.0, ""), (None, "")])
def test_a_change_is_coloured_by_its_direction(fraction, look):
    assert parts.tone(fraction) == look


def test_the_key_of_a_metric_leads_to_its_page():
    assert Metric(1, "kraken", "BTC", "USD").key == "kraken:BTC-USD"


@pytest.mark.parametrize("exposed", [True, False])
def test_the_status_page_warns_of_a_server_without_authentication(exposed):
    page = text_of(status.page(builders.status(), builders.day(), builders.profile(exposed=exposed), UTC))
    assert ("Everybody who can reach it can read everything" in page) is exposed
