"""Requests that no page sends are refused with one log line; requests that a page can send never break a callback."""

import inspect
import json
import logging
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from dash import Dash
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import is_typeddict

from app import create_app
from callbacks.requests import CALLBACKS, MAX_DEPTH, MAX_MATCHES, Contract, Malformed, check
from layouts import ids
from tests import builders
from tests.fakes import FakeAlertService, FakeReader, fake_dependencies

EXAMPLES = 25
SEEDED = settings(derandomize=True, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


def make() -> Dash:
    reader = FakeReader(metrics=tuple(builders.ranked_metric(number) for number in (1, 2, 3)))
    alert_service = FakeAlertService(fired={number: builders.alert(number) for number in (1, 2, 3)})
    app = create_app(fake_dependencies(reader, alert_service=alert_service))
    app._setup_server()
    return app


APP = make()
CLIENT = APP.server.test_client()
SERVED = {output: one for output, one in APP.callback_map.items() if "callback" in one}


class Records(logging.Handler):
    """Collects all log records."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(record)


@pytest.fixture(scope="module")
def records() -> Iterator[Records]:
    handler = Records()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def send(data: bytes, client: FlaskClient = CLIENT) -> int:
    return client.post(CALLBACKS, data=data, content_type="application/json").status_code


def is_calm(records: Records) -> bool:
    """True if there are no tracebacks and no internal errors among the records."""
    found, records.all = records.all, []
    return all(one.exc_info is None and one.levelno < logging.ERROR for one in found)


# ---- requests that no page sends


def nested(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "1" + closing * depth


WELL = {
    "output": "compare-results.content",
    "outputs": {"id": ids.COMPARE_RESULTS, "property": "content"},
    "inputs": [{"id": ids.COMPARE_SEARCH, "property": "value", "value": "btc"}],
    "state": [
        {"id": ids.LOCATION, "property": "search", "value": ""},
        {"id": ids.COMPARE_RESULTS, "property": "known", "value": None},
    ],
    "changedPropIds": [f"{ids.COMPARE_SEARCH}.value"],
}


def changed(**parts: Any) -> bytes:
    return json.dumps(WELL | parts).encode()


MALFORMED = {
    "nothing": b"",
    "a list": b"[]",
    "an object": b"{}",
    "null": b"null",
    "a number": b"1",
    "a text": b'"output"',
    "half of it": b'{"output":',
    "no text": b"\xff\xfe\x00",
    "half a character": b'{"output": "\\ud800"}',
    "not a number": b'{"output": NaN}',
    "a number of many digits": b'{"output": ' + b"9" * 10_000 + b"}",
    "deep lists": nested("[", "]", 200_000).encode(),
    "deep objects": nested('{"a":', "}", 100_000).encode(),
    "lists that never end": b"[" * 500_000,
    "deep within": changed(state=json.loads(nested("[", "]", 500))),
    "deep in a value": changed(
        inputs=[{"id": ids.COMPARE_SEARCH, "property": "value", "value": json.loads(nested("[", "]", MAX_DEPTH))}]
    ),
    "a large list": b"[" + b"0," * 900_000 + b"0]",
    "many inputs": changed(inputs=[{}] * 100_000),
    "many changes": changed(changedPropIds=["x"] * 100_000),
    "an unknown output": changed(output="nobody.children"),
    "the output of a browser's callback": changed(output="live.data"),
    "an output of another type": changed(output=["compare-results.content"]),
    "an output that is an object": changed(output={"id": 1}),
    "no inputs": changed(inputs=[]),
    "inputs of another type": changed(inputs={"id": 1}),
    "inputs that are none": changed(inputs=None),
    "inputs without ids": changed(inputs=[{"value": 1}]),
    "inputs of texts": changed(inputs=["x"]),
    "inputs of another callback": changed(inputs=[{"id": ids.LIVE, "property": "data", "value": {}}]),
    "a property of another name": changed(inputs=[{"id": ids.COMPARE_SEARCH, "property": "children", "value": ""}]),
    "a list for one input": changed(inputs=[[{"id": ids.COMPARE_SEARCH, "property": "value"}]]),
    "a value of another type": changed(inputs=[{"id": ids.COMPARE_SEARCH, "property": "value", "value": 7}]),
    "no state": changed(state=[]),
    "outputs of another type": changed(outputs=7),
    "other outputs": changed(outputs={"id": "page", "property": "children"}),
    "changes of another type": changed(changedPropIds=[7]),
    "changes that are none": changed(changedPropIds=None),
    "changes of something else": changed(changedPropIds=["page.children"]),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_request_that_no_page_sends_is_refused_without_a_traceback(records: Records, data: bytes) -> None:
    assert send(data) == 400
    assert is_calm(records)
    assert send(changed()) in (200, 204), "what a page sends is answered"


@pytest.mark.parametrize(("count", "status"), [(MAX_MATCHES, 204), (MAX_MATCHES + 1, 400)])
def test_a_pattern_finds_no_more_than_a_page_could_have(records: Records, count: int, status: int) -> None:
    found = [{"id": ids.rule_field(f"f{number}"), "property": "value", "value": ""} for number in range(count)]
    outputs = [(ids.LOCATION, "search"), (ids.RULE_SHOW_EMPTY, "data"), (ids.RULE_REFUSED, "children")]
    body = {
        "output": f"..{'...'.join(f'{name}.{prop}' for name, prop in outputs)}..",
        "outputs": [{"id": name, "property": prop} for name, prop in outputs],
        "inputs": [{"id": ids.RULE_SAVE, "property": "n_clicks", "value": None}],
        "state": [found, {"id": ids.RULE_EDITED, "property": "data", "value": None}],
        "changedPropIds": [],
    }
    assert send(json.dumps(body).encode()) == status
    assert is_calm(records)


def test_refusals_are_logged_once_each_without_the_content_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    client = make().server.test_client()
    for number in range(20):
        send(b"[]", client)
        send(changed(output=f"FORGED\n{number}"), client)
        client.get(f"/_dash-component-suites/FORGED{number}/x.js")
    assert caplog.messages == [
        "dashboard: a request is refused: its body is not an object",
        "dashboard: a request is refused: there is no such callback",
        "dashboard: a request is refused: no component has such a file",
    ]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_without_the_media_type_json_is_refused(records: Records, content_type: str) -> None:
    assert CLIENT.post(CALLBACKS, data=changed(), content_type=content_type).status_code == 415
    assert is_calm(records)


@pytest.mark.parametrize(
    "path",
    [
        "dash/nothing.js",
        "nobody/x.js",
        "dash/..%2f..%2fapp.py",
        "dash/%2e%2e/%2e%2e/app.py",
        "..%2fdash/x.js",
        "os/path.py",
        "dash/%00",
        "dash/x%0aFORGED.js",
        "dash/x.v1m0.js",
        "dash/dcc/%ff%fe.js",
        "dash/" + "a/" * 2_000,
        "dash/" + "%2e" * 2_000,
        "%5b%5d/%7b%7d",
        "dash/dash-renderer/build/dash_renderer.v4_4_1m0.min.js%2f..%2f..",
    ],
)
def test_encoded_paths_below_the_component_suites_are_not_found(records: Records, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert CLIENT.open(f"/_dash-component-suites/{path}", method=method).status_code == 404
    assert CLIENT.post(f"/_dash-component-suites/{path}").status_code in (404, 405)
    assert is_calm(records)


def test_every_registered_file_is_served_or_not_found(records: Records) -> None:
    found = {
        CLIENT.get(f"/_dash-component-suites/{package}/{path}").status_code
        for package, paths in APP.registered_paths.items()
        for path in paths
    }
    assert found <= {200, 404}
    assert is_calm(records)


# ---- fuzzing: a fixed number of examples, the same each time

KNOWN_TEXTS = (
    "1", "-1", "999999999999999999999", "24h", "1h", "UTC", "Europe/Berlin", "/status", "/metric/1", "/compare",
    "/alerting", "price", "change", "average", "rank", "top", "no_data", "all", "some", "kraken:*/USD", "1e999", "nan",
    "2026-03-01T12:00", "acknowledge", "mute", "unmute", "page", "retry", "delete", "on", "off",
)  # fmt: skip
SEARCHES = ["?m=1&m=2", "?tab=rules&edit=1", "?tab=deliveries", "?edit=new&like=2", "?%ff%00", "?m=" + "1," * 50]
TEXTS = st.sampled_from(KNOWN_TEXTS) | st.sampled_from(SEARCHES) | st.text(max_size=30)
NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, -(2**63), 0.5, 1e300, -1e-300]) | st.integers(-9, 2_000_000_000)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
FIELDS = ("name", "scope", "quantity", "kind", "side", "way", "factor", "percent", "level", "places", "periods",
          "window", "min_samples", "pending", "cooldown", "hysteresis", "notify", "channels",
          "send_resolved")  # fmt: skip


MEMBERS = (
    "act", "number", "page", "rule", "length", "metric", "newest", "path", "search", "zone", "view", "since", "edge",
    "samples", "starts", "begins", "rules", "recent", "q", "state", "span", "unseen", "connection", "until", "markers",
)  # fmt: skip

PLAIN = {
    str: TEXTS,
    int: NUMBERS.filter(lambda one: isinstance(one, int)),
    float: NUMBERS,
    bool: st.booleans(),
    NoneType: st.none(),
}


def of_kind(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, as JSON has them."""
    if is_typeddict(kind):
        members = {name: of_kind(each) for name, each in get_type_hints(kind, include_extras=True).items()}
        return st.fixed_dictionaries(members) if kind.__total__ else st.fixed_dictionaries({}, optional=members)
    of, parts = get_origin(kind), get_args(kind)
    if of in (UnionType, Union):
        return st.one_of([of_kind(part) for part in parts])
    if of is Literal:
        return st.sampled_from(parts)
    if of is list:
        return st.lists(of_kind(parts[0]), max_size=4)
    if of is dict:
        return st.dictionaries(st.sampled_from(MEMBERS) | TEXTS, of_kind(parts[1]), max_size=6)
    if of is Annotated:
        return of_kind(parts[0]) | st.sampled_from(["1", "2"] if parts[0] is str else [1, 2])
    return PLAIN.get(kind, JSON)


@st.composite
def requests(draw: st.DrawFn, output: str) -> dict[str, Any]:
    """A request to one callback with values of the right types."""
    one = SERVED[output]
    function = inspect.unwrap(one["callback"])
    hints = [(name, parameter) for name, parameter in inspect.signature(function).parameters.items()]
    types = get_type_hints(function, include_extras=True)
    declared = one["inputs"] + one["state"]
    kinds = [types[name] for name, _ in hints]
    kinds += [kinds[-1]] * (len(declared) - len(kinds))
    places = [place_of(draw, place, kind) for place, kind in zip(declared, kinds, strict=True)]
    shared = output.partition("@")[2][:64]
    outputs = [
        place_of(draw, {"id": part.component_id_str(), "property": part.component_property}, NoneType)
        for part in (one["output"] if isinstance(one["output"], list) else [one["output"]])
    ]
    declared_outputs = one["output"] if isinstance(one["output"], list) else [one["output"]]
    for part, place in zip(declared_outputs, outputs, strict=True):
        if part.allow_duplicate and isinstance(place, dict):
            place["property"] += f"@{shared}"
    inputs = places[: len(one["inputs"])]
    flat = [each for place in inputs for each in (place if isinstance(place, list) else [place])]
    triggers = [f"{identity(each['id'])}.{each['property']}" for each in flat]
    return {
        "output": output,
        "outputs": outputs if isinstance(one["output"], list) else outputs[0],
        "inputs": inputs,
        "state": places[len(one["inputs"]) :],
        "changedPropIds": draw(st.lists(st.sampled_from(triggers), max_size=2)) if triggers else [],
    }


def identity(of: Any) -> str:
    return of if isinstance(of, str) else json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def place_of(draw: st.DrawFn, place: dict[str, str], kind: Any) -> Any:
    """What a page sends for an input: one value, or a list of all that match its pattern."""
    if not place["id"].startswith("{"):
        return {"id": place["id"], "property": place["property"], "value": draw(of_kind(kind))}
    pattern = json.loads(place["id"])
    found = {name: [f"{value}"] if isinstance(value, str) else FIELDS if name == "name" else ["24h", "7d", "ops", "x"]
             for name, value in pattern.items()}  # fmt: skip
    if ["ALL"] not in pattern.values():
        value = draw(of_kind(kind))
        return {"id": {name: one[0] for name, one in found.items()}, "property": place["property"], "value": value}
    (wild,) = (name for name, value in pattern.items() if value == ["ALL"])
    chosen = draw(st.lists(st.sampled_from(found[wild]) | TEXTS, max_size=20, unique=True))
    return [{"id": pattern | {wild: one}, "property": place["property"], "value": draw(JSON)} for one in chosen]


@pytest.mark.parametrize("output", SERVED)
def test_values_of_the_right_types_break_no_callback(records: Records, output: str) -> None:
    @SEEDED
    @given(requests(output))
    def answered(body: dict[str, Any]) -> None:
        data = json.dumps(body).encode(errors="replace")
        answer = CLIENT.post(CALLBACKS, data=data, content_type="application/json")
        assert answer.status_code in (200, 204, 400), body
        assert "Something went wrong" not in answer.text, body
        assert is_calm(records), body

    answered()


@pytest.mark.parametrize("output", SERVED)
def test_values_of_other_types_and_shapes_break_no_callback(records: Records, output: str) -> None:
    @SEEDED
    @given(requests(output), st.sampled_from(["inputs", "state", "outputs", "changedPropIds", "value", "id"]), JSON)
    def answered(body: dict[str, Any], part: str, odd: Any) -> None:
        if part in ("value", "id"):
            places = [one for one in body["inputs"] + body["state"] if isinstance(one, dict)]
            for place in places[:1]:
                place[part] = odd
        else:
            body[part] = odd
        answer = CLIENT.post(CALLBACKS, data=json.dumps(body), content_type="application/json")
        assert answer.status_code in (200, 204, 400), body
        assert "Something went wrong" not in answer.text, body
        assert is_calm(records), body

    answered()


@SEEDED
@given(JSON)
def test_no_json_value_breaks_the_check(body: Any) -> None:
    contracts = {"a.b": Contract([{"id": "x", "property": "y"}], [], [{"id": "a", "property": "b"}], len)}
    with pytest.raises(Malformed):
        check(body, contracts)
    with pytest.raises(Malformed):
        check({"output": "a.b", "inputs": body, "outputs": body, "state": body}, contracts)
