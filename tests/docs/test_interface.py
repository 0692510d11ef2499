"""The routes, pages, fields and rules in the documentation are those of the code."""

import json
import re
from dataclasses import fields

import pytest
from werkzeug.exceptions import HTTPException

from api.contract import queries
from api.resources import stream
from api.responses.bodies import alert_body, hours_body, metric_body
from api.responses.telemetry import render_telemetry
from callbacks.pages import page_at
from services.market.alerting import rules
from services.market.alerting.rule_json import parse_rule, rule_fields
from tests import builders
from tests.api.described import whole_interface
from tests.builders import NOON
from tests.docs.documents import PAGES, blocks, everywhere, spans, tables, unmarked
from tests.fakes import FakeReader, fake_dependencies

ROUTES = {unmarked(row[0]): row[1] for table in tables("docs/api.md") for row in table if table[0][0] == "route"}


def test_the_table_of_routes_is_complete() -> None:
    served = {
        f"{method} {re.sub('<[^>]*>', '<>', rule.rule)}"
        for rule in whole_interface().url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static" and not rule.rule.endswith("/") and "<path:" not in rule.rule
    }

    assert {re.sub("<[^>]*>", "<>", route) for route in set(ROUTES) - {"route"}} == served


def test_every_address_in_the_documentation_exists() -> None:
    named = {path for _, path in everywhere(r"^(?:[A-Z]+ )?(/[A-Za-z0-9<>/:_.?=&,*-]*)$")}
    named |= {path for _, path in everywhere(r"http://127\.0\.0\.1:8888(/[^\s'\"`>]*)")}

    assert {"/", "/compare?ids=1,kraken:BTC-USD", "/metrics/<id>/prices", "/status"} <= named
    assert [address for address in sorted(named) if not exists(address)] == []


@pytest.mark.parametrize("address", ["/metricss", "/metrics/1/price", "/alarms", "/alerts/rules/x"])
def test_an_unknown_address_is_detected(address: str) -> None:
    assert not exists(address)


def exists(address: str) -> bool:
    path, _, query = address.partition("?")
    path = path.replace("<id>", "1").replace("<name>", "ops")
    adapter = whole_interface().url_map.bind("localhost")
    for method in ("GET", "POST", "PATCH", "DELETE"):
        try:
            adapter.match(path, method)
        except HTTPException:
            continue
        return True
    dependencies = fake_dependencies()
    assert NOON.tzinfo is not None
    return page_at(path, f"?{query}", dependencies, NOON.tzinfo)[1] != "Not found"


@pytest.mark.parametrize(
    ("route", "model", "values"),
    [
        ("GET /metrics", queries.RankingQuery, set()),
        ("GET /metrics/<id>/prices", queries.PricesQuery, set()),
        ("GET /metrics/<id>/volumes", queries.SeriesQuery, set()),
        ("GET /alerts", queries.AlertsQuery, {"firing", "no_data", "open", "resolved"}),
        ("GET /alerts/deliveries", queries.DeliveriesQuery, {"queued", "sent", "failed"}),
        ("GET /stream", queries.StreamQuery, set()),
    ],
)
def test_a_route_has_exactly_the_documented_parameters(
    route: str, model: type[queries.Query], values: set[str]
) -> None:
    names = {span.removesuffix("=true") for span in spans(ROUTES[route])}

    assert {name for name in names if re.fullmatch("[a-z_]+", name)} == {
        field.alias or name for name, field in model.model_fields.items()
    } | values


def test_the_limits_of_responses_are_documented() -> None:
    text = PAGES["docs/api.md"]

    assert f"`limit` (at most {queries.MAX_ROWS:,})" in text
    assert f"`limit` (at most {queries.MAX_SAMPLES:,} rows)" in text
    assert f"open to {stream.MAX_STREAMS} viewers a process" in text


def test_every_field_of_a_metric_is_documented() -> None:
    (table,) = tables("docs/api.md", "### A metric")
    documented = [name for row in table[1:] for name in spans(row[0])]

    assert sorted(documented) == sorted(metric_body(builders.ranked_metric()))


def test_every_field_of_a_candle_is_documented() -> None:
    (documented,) = re.findall(r"\{(\"price\", \"open\"[^}]+)\}", PAGES["docs/api.md"])
    (hour,) = hours_body(builders.hours([(1.0, 2.0, 0.5, 1.5)]))["prices"]  # type: ignore[attr-defined]

    assert re.findall(r'"(\w+)"', documented) == list(hour)


def test_every_field_of_an_alert_is_documented() -> None:
    (documented,) = re.findall(r"\nAn alert has (.*?)It is `firing`", PAGES["docs/api.md"], re.DOTALL)

    assert {name for span in spans(documented) for name in span.split()} == set(alert_body(builders.alert()))


def test_every_documented_telemetry_metric_exists() -> None:
    reader = FakeReader()
    reader.state = builders.status(
        shared_cache=True,
        ticks=(builders.tick_state(),),
        exchanges=(builders.exchange_state("kraken"),),
        storage=builders.storage(growth_bytes=1),
    )
    text, _ = render_telemetry(reader, NOON)
    readings = {name.decode() for name in re.findall(rb"^# TYPE (\S+)", text, re.MULTILINE)}
    named = {name for _, name in everywhere(r"\b(data_tracker_[a-z_]+)")}

    assert len(named) >= 6
    assert named - readings == set()


def test_the_fields_of_a_rule_and_their_defaults_are_documented() -> None:
    (table,) = tables("docs/rules.md", "## A rule of your own")
    needed = {"name": "x", "scope": ["kraken:*"], "condition": {"kind": "level", "direction": "up", "level": 1}}
    made = rule_fields(parse_rule(needed))

    assert [unmarked(row[0]) for row in table[1:]] == list(made)
    for name, default, *_ in table[1:]:
        documented, value = unmarked(default), made[unmarked(name)]
        if not documented:
            assert unmarked(name) in needed
        elif isinstance(value, str):
            assert documented == value, name
        else:
            assert json.loads(documented) == value, name
    assert next(spans(row[2]) for row in table if unmarked(row[0]) == "quantity") == list(rules.QUANTITIES)
    assert f"up to {rules.MAX_RULES} of your own" in PAGES["docs/rules.md"]


def test_the_conditions_their_fields_and_their_windows_are_documented() -> None:
    (table,) = tables("docs/rules.md", "## Conditions")
    windows = re.search(r"`window_seconds` is ([\d, or]+)\.", PAGES["docs/rules.md"])

    assert {unmarked(row[0]): spans(row[2]) for row in table[1:]} == {
        kind: [one.name for one in fields(made)] for kind, made in rules.KINDS.items()
    }
    assert windows is not None
    assert [int(number) for number in re.findall(r"\d+", windows[1])] == list(rules.WINDOWS)


def test_the_rules_in_examples_are_valid() -> None:
    sent = [
        json.loads(body)
        for block in blocks(PAGES["docs/rules.md"])
        for body in re.findall(r"--json '(.*?)'", block, re.DOTALL)
    ]

    assert [parse_rule(body.get("rule", body)).name for body in sent] == ["Halved", "Up 5 %"]
