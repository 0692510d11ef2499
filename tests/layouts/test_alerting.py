import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from layouts import alerting, ids, rule_fields, rule_form, rule_replay, rules
from layouts.alerting import DELIVERIES, HISTORY, NEW, RULES, Place, place_of
from layouts.markup import Markup
from layouts.mute_lengths import MUTE_LENGTHS, mute_end
from layouts.rule_draft import BLANK, SOME, draft_of, from_template
from layouts.rule_validation import check_draft
from layouts.rules import RuleLine
from services.market.alerting.alerts import Mute
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import built_in
from tests import builders
from tests.layouts.reading import actions_in, by_id, links_in, rows_of, text_of, walk

RULE = parse_rule(
    {
        "name": "Pumps",
        "scope": ["kraken:*/USD"],
        "condition": {"kind": "change", "direction": "up", "percent": 5, "window_seconds": 900},
    },
    3,
)
METRICS = (
    builders.ranked_metric(1, base="C1"),
    builders.ranked_metric(2, base="C2"),
    builders.ranked_metric(3, market="okx"),
)


def listed(*lines: RuleLine) -> str:
    return text_of(rules.body([RuleLine(built_in(builders.profile()), {}), *lines], UTC))


def form(draft=BLANK, edited=None, channels=()):
    return rule_form.body(draft, edited, METRICS, channels)


@pytest.mark.parametrize(
    ("search", "place"),
    [
        ("", Place()),
        (None, Place()),
        ("?tab=history&rule=3", Place(HISTORY)),
        ("?tab=deliveries", Place(DELIVERIES)),
        ("?tab=nowhere", Place()),
        ("?tab=rules", Place(RULES)),
        ("?tab=rules&edit=3", Place(RULES, "3")),
        ("?tab=rules&edit=x", Place(RULES)),
        ("?tab=rules&edit=" + "9" * 30, Place(RULES)),
        ("?tab=rules&edit=new&like=3", Place(RULES, NEW, 3)),
        ("?tab=rules&edit=new&template=pumps&scope=kraken:BTC/USD", Place(RULES, NEW, None, "pumps", "kraken:BTC/USD")),
    ],
)
def test_an_address_selects_a_tab_or_form_of_the_page(search: str | None, place: Place):
    assert place_of(search) == place


def test_an_address_survives_building_and_reading():
    address = alerting.address(RULES, edit=NEW, scope="kraken:A&B/USD")

    assert place_of(address.removeprefix(alerting.PATH)) == Place(RULES, NEW, scope="kraken:A&B/USD")


def test_parameters_of_a_tab_do_not_change_the_tab():
    assert alerting.key(place_of("?tab=history&rule=3")) == alerting.key(place_of("?tab=history&rule=4"))
    assert alerting.key(place_of("?tab=rules&edit=3")) != alerting.key(place_of("?tab=rules&edit=4"))


def test_the_chosen_tab_is_marked():
    looks = {text_of(tab): tab.className for tab in alerting.tabs(RULES)}

    assert looks == {
        name: f"alerting-tab{chosen}" for name, chosen in (("History", ""), ("Rules", " is-chosen"), ("Deliveries", ""))
    }


def test_a_rule_is_listed_with_its_sentence_and_its_states():
    text = listed(RuleLine(RULE, {"firing": 2, "pending": 1, "resolved": 4}))

    assert "rises by more than 5 % within 15 min" in text
    assert "2 firing|1 pending" in text
    assert "resolved" not in text.replace("Until it resolves", "")
    assert "No rules of your own yet" not in text


def test_the_built_in_rule_is_listed_first_and_can_only_be_muted():
    page = rules.body([RuleLine(built_in(builders.profile()), {"firing": 1})], UTC)
    text = text_of(page)

    assert "Built-in rule" in text
    assert "No rules of your own yet" in text
    assert actions_in(page) == [{"rule": "0", "act": "mute", "length": length} for length in MUTE_LENGTHS]


def test_a_muted_rule_shows_until_when_and_can_be_unmuted():
    mute = Mute(1, 3, None, builders.NOON, None, builders.NOON)
    page = rules.body([RuleLine(RULE, {}, mute)], UTC)

    assert "Muted until 1 Mar 2026, 12:00" in text_of(page)
    assert actions_in(page) == [{"rule": "3", "act": act} for act in ("off", "unmute", "delete")]


def test_a_disabled_rule_can_be_enabled():
    page = rules.body([RuleLine(replace(RULE, enabled=False), {})], UTC)
    (switch,) = [one for one in walk(page) if getattr(one, "role", None) == "switch"]

    assert getattr(switch, "data-act") == "on"
    assert getattr(switch, "aria-checked") == "false"
    assert "Off" in text_of(page)


def test_the_choices_of_a_mute_are_sent_once_for_all_rules():
    page = Markup(rules.listed([RuleLine(replace(RULE, id=number), {}) for number in range(1, 201)], UTC))

    assert json.dumps(page.content).count("For 8 h") == 1
    assert len(actions_in(page)) == 200 * (2 + len(MUTE_LENGTHS))


def test_a_rule_links_to_its_form_and_to_a_copy():
    links = links_in(rules.body([RuleLine(RULE, {})], UTC))

    assert "/alerting?tab=rules&edit=3" in links
    assert "/alerting?tab=rules&edit=new&like=3" in links
    assert "/alerting?tab=rules&edit=new&template=pumps" in links


def test_names_of_rules_are_escaped():
    hostile = parse_rule({"name": "<b>x</b>", "scope": ["kraken:*"], "condition": {"kind": "no_data", "periods": 2}}, 4)

    assert "<b>x</b>" in listed(RuleLine(hostile, {}))


def test_a_mute_shows_its_end_if_it_has_one():
    assert mute_end("8h", None, UTC, builders.NOON) == builders.NOON + timedelta(hours=8)
    assert mute_end("resolved", None, UTC, builders.NOON) is None


def test_the_form_describes_the_rule_and_the_number_of_its_metrics():
    text = text_of(form(from_template("pumps") | {"scope": "kraken:*/USD"}))

    assert "Alerts when the price of kraken:*/USD rises by more than 10 % within 15 min" in text
    assert "It watches 2 metrics now." in text
    assert "New rule" in text


def test_an_empty_form_shows_no_errors_yet():
    page = form()

    assert rule_form.INCOMPLETE in text_of(page)
    assert not [one for one in walk(page) if "has-error" in (getattr(one, "className", "") or "")]


def test_the_form_warns_of_a_scope_without_metrics():
    assert rule_form.NO_MATCH in text_of(form(BLANK | {"name": "x", "scope": "okx:*/EUR"}))


def test_only_fields_of_the_chosen_condition_are_visible():
    looks = {
        one.id["name"]: one.className
        for one in walk(form(from_template("volume")))
        if isinstance(getattr(one, "id", None), dict) and one.id["type"] == "rule-row"
    }

    assert set(looks) == set(BLANK)
    assert "is-hidden" not in looks["factor"]
    assert {name for name, look in looks.items() if "is-hidden" in look} == {
        "way",
        "percent",
        "level",
        "places",
        "periods",
        "channels",
    }


def test_the_quantity_determines_the_conditions_and_directions():
    assert [one["value"] for one in rule_fields.kind_options("rank")] == ["level", "top"]
    assert rule_fields.way_options("rank")[0]["label"] == "Gets worse"


def test_a_removed_channel_and_an_unusual_time_remain_choices():
    odd = parse_rule(
        {
            "name": "Odd",
            "scope": ["kraken:*"],
            "condition": {"kind": "no_data", "periods": 2},
            "pending_seconds": 123,
            "channels": ["ops", "old"],
        },
        5,
    )
    draft = draft_of(odd)
    page = form(draft, 5, ("ops", "mail"))
    boxes = by_id(page, ids.rule_field("channels"))

    assert draft["notify"] == SOME
    assert [one["label"] for one in boxes.options] == ["ops", "mail", "old (no longer configured)"]
    assert {"value": "123", "label": "123 s"} in by_id(page, ids.rule_field("pending")).options


def test_without_channels_the_form_shows_how_to_configure_them():
    assert "NOTIFY_URLS" in text_of(form())


def test_errors_of_empty_fields_are_shown_only_on_request():
    checked = check_draft(BLANK | {"percent": "x"})

    assert set(rule_form.shown_errors(BLANK | {"percent": "x"}, checked.errors, show_empty=False)) == {"percent"}
    assert set(rule_form.shown_errors(BLANK, checked.errors, show_empty=True)) == {"name", "scope", "percent"}


def result_of(*of: int) -> dict[str, Any]:
    """A replay's result with firings on these metrics, a minute apart, the last one a minute ago."""
    fired = [
        {
            "metric_id": number,
            "price": 100.0 + place,
            "fired_at": (builders.NOON - timedelta(minutes=len(of) - place)).isoformat(),
        }
        for place, number in enumerate(of)
    ]
    return {
        "span": "24h",
        "since": int(builders.NOON.timestamp()) - 86_400,
        "until": int(builders.NOON.timestamp()),
        "count": len(of),
        "metrics": len(set(of)),
        "top": Counter(of).most_common(),
        "markers": {
            str(number): [[0, 100.0 + place] for place, one in enumerate(of) if one == number] for number in of
        },
        "newest": fired[-rule_replay.MAX_LISTED :][::-1],
    }


def replay(*of: int):
    result = result_of(*of)
    series = builders.series([100.0, 101.0, 102.0])
    most = rule_replay.most_fired(result)
    firings = result["markers"].get(str(most), [])
    figure = None if most is None else rule_replay.replay_figure(series.times, series.values, firings, UTC)
    return rule_replay.result_view(result, 3, {row.id: row for row in METRICS}, figure, UTC)


def test_a_replay_shows_the_number_metrics_and_times_of_its_firings():
    page = replay(1, 2, 2, 9)

    assert "It would have fired 4 times| in the last 24 h, on 3 of 3 metrics." in text_of(page)
    assert rows_of(page)[1:3] == ["1 Mar 2026, 11:59|metric 9|103.00", "1 Mar 2026, 11:58|C2/USD kraken|102.00"]
    options = by_id(page, ids.RULE_REPLAY_METRIC).options
    assert [one["label"] for one in options] == ["C2/USD kraken (2)", "C1/USD kraken (1)", "metric 9 (1)"]
    assert by_id(page, ids.RULE_REPLAY_CHART).figure["data"][1]["y"] == [101.0, 102.0]


def test_a_replay_without_firings_shows_a_message():
    assert "It would not have fired| in the last 24 h, on any of 3." in text_of(replay())
    assert "It would have fired once" in text_of(replay(1))


def test_a_long_replay_shows_the_newest_and_counts_the_rest():
    page = replay(*[1] * 20)

    assert len(rows_of(page)) == 1 + rule_replay.MAX_LISTED
    assert "and 12 before" in text_of(page)
