"""Ways for tests to read a tree of components as its user would."""

from collections.abc import Iterator
from typing import Any

from dash.development.base_component import Component


def walk(part: Any) -> Iterator[Component]:
    """`part` and every component within it."""
    if isinstance(part, Component):
        yield part
        yield from walk(getattr(part, "children", None))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from walk(one)


def text_of(part: Any) -> str:
    """All words within `part`, with a bar between neighbours."""

    def words(one: Any) -> Iterator[str]:
        if isinstance(one, Component):
            yield from words(getattr(one, "children", None))
        elif isinstance(one, list | tuple):
            for each in one:
                yield from words(each)
        elif one is not None:
            yield str(one)

    return "|".join(words(part))


def by_id(part: Any, identity: str) -> Component:
    return next(one for one in walk(part) if getattr(one, "id", None) == identity)


def links_in(part: Any) -> list[str]:
    return [one.href for one in walk(part) if getattr(one, "href", None)]


def rows_of(part: Any) -> list[str]:
    """The words of each table row, its head included."""
    return [text_of(one) for one in walk(part) if type(one).__name__ == "Tr"]
