"""What anybody may send to Dash's own routes. What does not fit is refused before Dash looks at it: Dash takes each
request for its renderer's, and breaks off with a traceback where it is not.
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
"""The endpoints of Dash that read what a request says."""

MAX_DEPTH = 32
"""Of lists and objects in one another. Pages send some six."""
MAX_MATCHES = 200
"""Components that one pattern finds on a page."""
QUIET_SECONDS = 600.0
"""A malformed request that was not repeated for so long is reported again."""

WILDCARDS = (["ALL"], ["MATCH"])

Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}$")]
"""The number of a record, as elements of a page tell it."""
RecordNumber = Annotated[int, Field(ge=0, le=10**15)]
"""The same as a page keeps it."""
PageNumber = Annotated[int, Field(ge=1, le=10**9)]


class Action(TypedDict, total=False):
    """What a button in a Markup tells, and the elements around it; the renderer hands it on as it is."""

    act: Required[str]
    number: Number
    newest: Number
    metric: Number
    rule: Number
    page: Number
    length: str


class Malformed(ValueError):
    """No page sends such a request; the text says what is wrong with it, and repeats nothing of it."""


class Json(DefaultJSONProvider):
    """Reads bodies with orjson: too deep nesting, halves of characters and NaN are errors of the text to it."""

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)


@dataclass(frozen=True)
class Contract:
    """What one callback takes."""

    inputs: Sequence[Mapping[str, str]]
    state: Sequence[Mapping[str, str]]
    outputs: Sequence[Mapping[str, str]]
    function: Callable[..., object]

    def check(self, body: Mapping[str, Any]) -> None:
        """Raises Malformed where `body` is nothing that a page sends to this callback."""
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
            raise Malformed("what has changed is none of its inputs")
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
        """The types of its values, in their order, as the function's signature has them."""
        hints = get_type_hints(self.function, include_extras=True)
        kinds: list[TypeAdapter[Any]] = []
        for name, parameter in inspect.signature(self.function).parameters.items():
            rest = len(self.inputs) + len(self.state) - len(kinds)
            often = rest if parameter.kind is inspect.Parameter.VAR_POSITIONAL else 1
            kinds += [TypeAdapter(hints[name])] * often
        return kinds


def check_requests(app: Dash) -> None:
    """Have the routes of `app`, whose callbacks are all registered, refuse what no page sends, told in the log once."""
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
        except (DependencyException, OSError, ValueError):  # no such package, no such file, no name of one
            refuse(NotFound(), "there is no such file of a component")

    views[CALLBACKS], views[SUITES] = checked_dispatch, checked_serve


def check(body: object, contracts: Mapping[str, Contract]) -> None:
    """Raises Malformed where `body` is nothing that a page sends to one of these callbacks, by their outputs."""
    if not isinstance(body, dict):
        raise Malformed("its body is no object")
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
    raise Malformed("its body is nested too deep")


def _places(given: object, declared: Sequence[Mapping[str, str]], name: str) -> list[Any]:
    """What a request tells of the inputs, states or outputs that a callback has: of each one, or all that its pattern
    finds."""
    if not isinstance(given, list) or len(given) != len(declared):
        raise Malformed(f"it has not the {name} of the callback")
    if not all(map(_fits, given, declared)):
        raise Malformed(f"it has not the {name} of the callback")
    return given


def _fits(given: object, place: Mapping[str, str]) -> bool:
    """Whether it names the component and the property of `place`, as often as its pattern finds them."""
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
    """A callback's outputs; `key` names them all, with a mark at those that other callbacks have too."""
    mark = re.search("@[0-9a-f]{64}", key)
    shared = "" if mark is None else mark[0]
    return [
        {"id": one.component_id_str(), "property": one.component_property + shared * one.allow_duplicate}
        for one in (output if isinstance(output, list) else [output])
    ]


def _id_text(identity: str | dict[str, Any]) -> str:
    """As the renderer writes the id of a component."""
    if isinstance(identity, str):
        return identity
    return json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
