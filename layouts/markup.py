"""Parts of a page as data that one component draws, however many elements they have.

Dash's renderer visits all components of a page for each of them whenever anything changes: some hundred rows of nested
components take a browser seconds. Tables, lists and parts that are updated with each tick are therefore written with
Dash's components, but sent as data, which assets/markup.js draws.
"""

from hashlib import blake2b
from json import dumps
from typing import Any

from dash import NoUpdate, no_update
from dash.development.base_component import Component

DIGEST_BYTES = 9

Content = dict[str, Any]
"""The data: `known` are the digests of all rows, the last being that of the row that holds the others; `rows` are those
of them that the browser does not have.

A row is an element with all that is in it, `[tag, properties, *children]`. A child is a text, an element, None, or
`{"row": digest}`. An element with a `key` is a row of its own: it is not sent again to a browser that has it, and keeps
focus and selection when it moves.
"""


class Markup(Component):
    """Draws `children`, which are in its property `content`.

    `known` are the digests of the rows that it draws. `action` has the `data-` attributes of the last pressed button
    (an element with `data-act`) and of the elements around it.
    """

    _namespace = "data_tracker"
    _type = "Markup"

    def __init__(self, children: object = None, **properties: Any) -> None:
        self._prop_names = ["id", "className", "role", "content", "known", "action"]
        self._valid_wildcard_attributes = ["aria-"]
        whole = content(children)
        super().__init__(content=whole, known=whole["known"], **properties)  # type: ignore[no-untyped-call]


def content(children: object) -> Content:
    """The data of `children`: components of dash.html, links, texts, None, or lists of these.

    Raises TypeError for any other component, which only Dash's renderer can draw.
    """
    rows: dict[str, Any] = {}
    _row(["", {}, *_nodes(children, rows)], rows)
    return {"known": list(rows), "rows": rows}


def update(children: object, known: object) -> Content | NoUpdate:
    """The data of `children` without the rows `known`, which the browser has; no_update if it has all of them."""
    whole = content(children)
    if known == whole["known"]:
        return no_update
    drawn = {one for one in known if isinstance(one, str)} if isinstance(known, list) else set()
    return whole | {"rows": {digest: row for digest, row in whole["rows"].items() if digest not in drawn}}


def digest_of(value: object) -> str:
    """A digest of a value that JSON can express."""
    return blake2b(dumps(value).encode(), digest_size=DIGEST_BYTES).hexdigest()


def _nodes(children: object, rows: dict[str, Any]) -> list[Any]:
    if isinstance(children, list | tuple):
        return [node for child in children for node in _nodes(child, rows)]
    if isinstance(children, Component):
        return [_element(children, rows)]
    return [None if children is None else str(children)]


def _element(component: Component, rows: dict[str, Any]) -> Any:
    plain = component.to_plotly_json()
    properties = {name: value for name, value in plain["props"].items() if name != "children"}
    children = _nodes(plain["props"].get("children"), rows) if plain["props"].get("children") is not None else []
    match plain["namespace"], plain["type"]:
        case "dash_html_components", name:
            element = [name.lower(), properties, *children]
        case "dash_core_components", "Link":
            element = ["a", properties | {"data-link": ""}, *children]
        case _, name:
            raise TypeError(f"a {name} cannot be drawn as markup")
    return {"row": _row(element, rows)} if "key" in properties else element


def _row(element: list[Any], rows: dict[str, Any]) -> str:
    digest = digest_of(element)
    rows[digest] = element
    return digest
