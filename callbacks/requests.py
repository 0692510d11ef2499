"""Checks requests to Dash's own routes. Requests that no page sends are refused before Dash handles them: Dash assumes
that its renderer has sent them, and otherwise fails with a traceback.
"""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NoReturn, Required, get_type_hints

import orjson
from dash import Dash
from dash.exceptions import DependencyException
from flask import request
from flask.json.provider import DefaultJSONProvider
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # of typing's own pydantic knows nothing before Python 3.12
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from services.market.failures import Failures

CALLBACKS = "/_dash-update-component"
SUITES = "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>"
"""The endpoints of Dash that read a request's content."""

MAX_DEPTH = 32
"""Nested lists and objects. Pages send about six levels."""
MAX_MATCHES = 200
"""Components of a page that match one pattern."""
QUIET_SECONDS = 600.0
"""A malformed request is logged again if it has not been repeated for so long."""

WILDCARDS = (["ALL"], ["MATCH"])

Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}$")]
"""The number of a record, as the attributes of a page's elements have it."""
RecordNumber = Annotated[int, Field(ge=0, le=10**15)]
"""The number of a record, as a page stores it."""
PageNumber = Annotated[int, Field(ge=1, le=10**9)]


class Action(TypedDict, total=False):
    """The `data-` attributes of a button in a Markup and of the elements around it, as the renderer sends them."""

    act: Required[str]
    number: Number
    newest: Number
    metric: Number
    rule: Number
    page: Number
    length: str


class Malformed(ValueError):
    """A request that no page sends; the text says what is wrong, without repeating any of it."""


class Json(DefaultJSONProvider):
    """Reads bodies with orjson, which refuses deep nesting, lone surrogates and NaN."""

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)


@dataclass(frozen=True)
class Contract:
    """The arguments of one callback."""

    inputs: Sequence[Mapping[str, str]]
    state: Sequence[Mapping[str, str]]
    outputs: Sequence[Mapping[str, str]]
    function: Callable[..., object]

    def check(self, body: Mapping[str, Any]) -> None:
        """Raises Malformed if no page sends this `body` to this callback."""
        outputs = body.get("outputs")
        inputs = _places(body.get("inputs"), self.inputs, "inputs")
        states = _places(body.get("state", []), self.state, "states")
        _places(outputs if isinstance(outputs, list) else [outputs], self.outputs, "outputs")
        changed = body.get("changedPropIds")
        known = {
            f"{_id_text(one['id'])}.{one['property']}"
            for place in inputs + states
            for one in (place if isinstance(place, list) else [place])
        }
        if not isinstance(changed, list) or not all(isinstance(one, str) and one in known for one in changed):
            raise Malformed("a changed property is not among its inputs")
        values = [
            [one.get("value") for one in place] if isinstance(place, list) else place.get("value")
            for place in inputs + states
        ]
        for value, kind in zip(values, self._kinds, strict=True):
            try:
                kind.validate_python(value, strict=True)
            except ValidationError:
                raise Malformed("a value is of another type") from None

    @cached_property
    def _kinds(self) -> list[TypeAdapter[Any]]:
        """The types of the arguments, in the order of the function's signature."""
        hints = get_type_hints(self.function, include_extras=True)
        kinds: list[TypeAdapter[Any]] = []
        for name, parameter in inspect.signature(self.function).parameters.items():
            rest = len(self.inputs) + len(self.state) - len(kinds)
            often = rest if parameter.kind is inspect.Parameter.VAR_POSITIONAL else 1
            kinds += [TypeAdapter(hints[name])] * often
        return kinds


def check_requests(app: Dash) -> None:
    """Make the routes of `app` refuse what no page sends, and log each kind once. All callbacks must be registered."""
    failures = Failures(quiet_seconds=QUIET_SECONDS)
    contracts = {
        output: Contract(one["inputs"], one["state"], _outputs(one["output"], output), inspect.unwrap(one["callback"]))
        for output, one in app.callback_map.items()
        if "callback" in one
    }
    views = app.server.view_functions
    dispatch, serve = views[CALLBACKS], views[SUITES]
    app.server.json = Json(app.server)

    def refuse(error: HTTPException, reason: str) -> NoReturn:
        failures.failed("dashboard", f"a request is refused: {reason}")
        raise error

    def checked_dispatch() -> Any:
        try:
            check(request.get_json(), contracts)
        except Malformed as error:
            refuse(BadRequest(str(error)), str(error))
        except HTTPException as error:
            refuse(error, error.name)
        return dispatch()

    def checked_serve(package_name: str, fingerprinted_path: str) -> Any:
        try:
            return serve(package_name, fingerprinted_path)
        except (DependencyException, OSError, ValueError):  # no such package, no such file, not a file name
            refuse(NotFound(), "no component has such a file")

    views[CALLBACKS], views[SUITES] = checked_dispatch, checked_serve


def check(body: object, contracts: Mapping[str, Contract]) -> None:
    """Raises Malformed if no page sends this `body` to one of these callbacks, which are keyed by their outputs."""
    if not isinstance(body, dict):
        raise Malformed("its body is not an object")
    output = body.get("output")
    contract = contracts.get(output) if isinstance(output, str) else None
    if contract is None:
        raise Malformed("there is no such callback")
    _check_depth(body)
    contract.check(body)


def _check_depth(body: object) -> None:
    level = [body]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for one in level:
            inner += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return
    raise Malformed("its body is nested too deeply")


def _places(given: object, declared: Sequence[Mapping[str, str]], name: str) -> list[Any]:
    """The inputs, states or outputs of a request, checked against those of the callback: one each, or a list for a
    pattern."""
    if not isinstance(given, list) or len(given) != len(declared):
        raise Malformed(f"its {name} are not those of the callback")
    if not all(map(_fits, given, declared)):
        raise Malformed(f"its {name} are not those of the callback")
    return given


def _fits(given: object, place: Mapping[str, str]) -> bool:
    """True if it names the component and the property of `place`; a list of them for a pattern."""
    if not place["id"].startswith("{"):
        return _names(given, place["id"], place["property"])
    pattern = json.loads(place["id"])
    if ["ALL"] not in pattern.values():
        return _names(given, pattern, place["property"])
    if not isinstance(given, list) or len(given) > MAX_MATCHES:
        return False
    return all(_names(one, pattern, place["property"]) for one in given)


def _names(given: object, wanted: str | dict[str, Any], prop: str) -> bool:
    if not isinstance(given, dict) or given.get("property") != prop:
        return False
    identity = given.get("id")
    if isinstance(wanted, str):
        return identity == wanted
    return (
        isinstance(identity, dict)
        and identity.keys() == wanted.keys()
        and all(
            isinstance(identity[name], str | int) if part in WILDCARDS else identity[name] == part
            for name, part in wanted.items()
        )
    )


def _outputs(output: Any, key: str) -> list[dict[str, str]]:
    """A callback's outputs. `key` contains all of them, with a hash on those that other callbacks have too."""
    found = re.search("@[0-9a-f]{64}", key)
    shared = "" if found is None else found[0]
    return [
        {"id": one.component_id_str(), "property": one.component_property + shared * one.allow_duplicate}
        for one in (output if isinstance(output, list) else [output])
    ]


def _id_text(identity: str | dict[str, Any]) -> str:
    """The id of a component as the renderer writes it."""
    if isinstance(identity, str):
        return identity
    return json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
