"""Requests to callbacks, as Dash's renderer in a browser sends them."""

from collections.abc import Mapping
from typing import Any

from dash import Dash


def request_of(app: Dash, output: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The request for the first callback with the component `output` among its outputs.

    `values` are by `id.property`; its other inputs have none.
    """
    (key, callback) = next(
        (key, one)
        for key, one in app.callback_map.items()
        if "callback" in one and key.strip(".").startswith(f"{output}.")
    )
    given = [
        [{"id": part["id"], "property": part["property"], "value": values.get(f"{part['id']}.{part['property']}")}
         for part in callback[kind]]
        for kind in ("inputs", "state")
    ]  # fmt: skip
    outputs = callback["output"] if isinstance(callback["output"], list) else [callback["output"]]
    named = [{"id": one.component_id_str(), "property": one.component_property} for one in outputs]
    return {
        "output": key,
        "outputs": named if isinstance(callback["output"], list) else named[0],
        "inputs": given[0],
        "state": given[1],
        "changedPropIds": [f"{part['id']}.{part['property']}" for part in given[0][:1]],
    }
