"""Descriptions of routes, from which `/openapi.json` is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from api.contract.queries import Query

View = TypeVar("View", bound=Callable[..., Any])

JSON, CSV, PLAIN, EVENTS = "application/json", "text/csv", "text/plain", "text/event-stream"


@dataclass(frozen=True)
class Operation:
    """One route's description: `answers` are types by media type, `problems` those beyond what every route can have."""

    name: str
    summary: str
    tag: str
    answers: Mapping[str, Any]
    query: type[Query] | None = None
    problems: Mapping[HTTPStatus, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """The type of the JSON body; None if the route takes none."""
    body_required: bool = True
    status: HTTPStatus = HTTPStatus.OK
    """The status of a successful answer."""
    cached: bool = True
    """True if answers have an entity tag, and clients that have it get 304."""


def operation(description: Operation) -> Callable[[View], View]:
    """Attach the description to a view function."""

    def attach(view: View) -> View:
        view.operation = description  # type: ignore[attr-defined]
        return view

    return attach


def operation_of(view: Callable[..., Any]) -> Operation | None:
    found: Operation | None = getattr(view, "operation", None)
    return found
