"""Read a tree of components as its user does."""

from collections.abc import Iterator
from typing import Any

from dash import html
from dash.development.base_component import Component

from layouts.markup import Content, Markup

ELEMENTS = {name.lower(): getattr(html, name) for name in html.__all__}


def walk(part: Any) -> Iterator[Component]:
    """`part` and every component within it."""
    if isinstance(part, Component):
        yield part
        yield from walk(children_of(part))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from walk(one)


def text_of(part: Any) -> str:
    """All text within `part`, with a bar between neighbours."""

    def text(one: Any) -> Iterator[str]:
        if isinstance(one, Component):
            yield from text(children_of(one))
        elif isinstance(one, list | tuple):
            for each in one:
                yield from text(each)
        elif one is not None:
            yield str(one)

    return "|".join(text(part))


def children_of(part: Component) -> Any:
    """The children of `part`, including what a Markup draws."""
    return drawn(part.content) if isinstance(part, Markup) else getattr(part, "children", None)


def drawn(content: Content) -> Any:
    """The sent content as components, as a browser without earlier rows draws it."""

    def element(node: Any) -> Any:
        if isinstance(node, dict):
            return element(content["rows"][node["row"]])
        if not isinstance(node, list):
            return node
        tag, properties, *children = node
        return ELEMENTS[tag](list(map(element, children)), **properties) if tag else list(map(element, children))

    return element(content["rows"][content["known"][-1]])


def by_id(part: Any, identity: str) -> Component:
    return next(one for one in walk(part) if getattr(one, "id", None) == identity)


def links_in(part: Any) -> list[str]:
    return [one.href for one in walk(part) if getattr(one, "href", None)]


def actions_in(part: Any) -> list[dict[str, str]]:
    """The actions of the buttons within `part`, as assets/markup.js reads them."""

    def actions(one: Any, attributes: dict[str, str]) -> Iterator[dict[str, str]]:
        if isinstance(one, list | tuple):
            for each in one:
                yield from actions(each, attributes)
        elif isinstance(one, Component):
            own = {name.removeprefix("data-"): value for name, value in vars(one).items() if name.startswith("data-")}
            attributes = attributes | own
            if "act" in own:
                yield attributes
            yield from actions(children_of(one), attributes)

    return list(actions(part, {}))


def rows_of(part: Any) -> list[str]:
    """The text of each table row, including the head."""
    return [text_of(one) for one in walk(part) if type(one).__name__ == "Tr"]
