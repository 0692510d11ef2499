"""Parts of a page as data that one component draws, however many elements they have.

Dash's renderer goes through all of a page's components for each of them, whenever anything changes: some hundred rows
of nested components take the browser for seconds. What holds records, or is renewed with each tick, is therefore
described with Dash's components as everything else is, and sent as data, which assets/markup.js draws.
"""

from hashlib import blake2b
from json import dumps
from typing import Any

from dash import NoUpdate, no_update
from dash.development.base_component import Component

DIGEST_BYTES = 9

Content = dict[str, Any]
"""What is sent: `known` are the digests of all rows, the last one's being that of the row that holds the others; `rows`
are those of them that the browser lacks.

A row is an element with all within it, `[tag, properties, *children]`, of which a child is a text, an element, None, or
`{"row": digest}`. An element with a `key` is a row of its own: a browser that has it is not sent it again, and it keeps
focus and selection wherever among its neighbours it moves to.
"""


class Markup(Component):
    """Draws `children`, which it has as `content`.

    `known` are the digests of the rows that it draws. `action` is what the button that was pressed last, any element
    with `data-act`, and the elements around it have in their `data-` attributes.
    """

    _namespace = "data_tracker"
    _type = "Markup"

    def __init__(self, children: object = None, **properties: Any) -> None:
        self._prop_names = ["id", "className", "role", "content", "known", "action"]
        self._valid_wildcard_attributes = ["aria-"]
        whole = content(children)
        super().__init__(content=whole, known=whole["known"], **properties)  # type: ignore[no-untyped-call]


def content(children: object) -> Content:
    """All that it takes to draw `children`: components of dash.html, links, texts, None, or lists of these.

    Raises TypeError for any other component: Dash has to know of it, and would not.
    """
    rows: dict[str, Any] = {}
    _row(["", {}, *_nodes(children, rows)], rows)
    return {"known": list(rows), "rows": rows}


def update(children: object, known: object) -> Content | NoUpdate:
    """What a browser that draws the rows `known` lacks of `children`; nothing where it draws just them."""
    whole = content(children)
    if known == whole["known"]:
        return no_update
    drawn = {one for one in known if isinstance(one, str)} if isinstance(known, list) else set()
    return whole | {"rows": {digest: row for digest, row in whole["rows"].items() if digest not in drawn}}


def digest_of(value: object) -> str:
    """What tells this value, which JSON can tell, from every other."""
    return blake2b(dumps(value).encode(), digest_size=DIGEST_BYTES).hexdigest()


def _nodes(children: object, rows: dict[str, Any]) -> list[Any]:
    if isinstance(children, list | tuple):
        return [node for child in children for node in _nodes(child, rows)]
    if isinstance(children, Component):
        return [_element(children, rows)]
    return [None if children is None else str(children)]


def _element(component: Component, rows: dict[str, Any]) -> Any:
    told = component.to_plotly_json()
    properties = {name: value for name, value in told["props"].items() if name != "children"}
    children = _nodes(told["props"].get("children"), rows) if told["props"].get("children") is not None else []
    match told["namespace"], told["type"]:
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
