"""What a route says of itself, beside its function: the source of `/openapi.json`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from api.contract.queries import Query

View = TypeVar("View", bound=Callable[..., Any])

JSON, CSV, PLAIN, EVENTS = "application/json", "text/csv", "text/plain", "text/event-stream"


@dataclass(frozen=True)
class Operation:
    """`answers` are types by media type; `problems` are told beside those that every route can have."""

    name: str
    summary: str
    tag: str
    answers: Mapping[str, Any]
    query: type[Query] | None = None
    problems: Mapping[HTTPStatus, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """The type of the JSON that is sent; None where nothing is."""
    body_required: bool = True
    status: HTTPStatus = HTTPStatus.OK
    """Of the answers."""
    cached: bool = True
    """Whether the answer has an entity tag, and 304 for those who have it."""


def operation(told: Operation) -> Callable[[View], View]:
    """Attach `told` to a view function."""

    def attach(view: View) -> View:
        view.operation = told  # type: ignore[attr-defined]
        return view

    return attach


def operation_of(view: Callable[..., Any]) -> Operation | None:
    found: Operation | None = getattr(view, "operation", None)
    return found
